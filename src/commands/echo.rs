//! `.echo`: a line of text.

use crate::command::{Args, Command, Completes, Example, Record, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::Result;

/// See the module.
pub static COMMAND: Command = Command {
    name: ".echo",
    aliases: &[],
    rhai: "",
    topic: Topic::Session,
    summary: "print a line of text",
    usage: ".echo Text | .echo \"Text\"",
    help: "\
Prints the text up to the next semicolon. In double quotes it may hold semicolons; the quotes themselves are not printed.",
    completes: Completes::Nothing,
    examples: &[Example {
        line: ".echo \"one; two\"",
        shows: "text with a semicolon",
        output: "one; two",
    }],
    run,
};

fn run(_: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let text = match args.text.strip_prefix('"') {
        Some(inside) => inside.split('"').next().unwrap_or_default(),
        None => args.text.trim_end(),
    };
    if text.is_empty() {
        out.text("")
    } else {
        out.row(&Echo(text))
    }
}

struct Echo<'a>(&'a str);

impl Row for Echo<'_> {
    fn kind(&self) -> &'static str {
        "echo"
    }

    fn record(&self) -> Record {
        vec![("text", self.0.into())]
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}
