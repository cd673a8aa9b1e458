//! `.echo`: a line of text.

use crate::command::{Args, Command, Completes, Example, Grammar, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::Result;

/// `.echo`: print a line of text.
pub static COMMAND: Command = Command {
    name: ".echo",
    aliases: &[],
    rhai: "",
    topic: Topic::Session,
    summary: "print a line of text",
    grammar: Grammar::own(".echo Text | .echo \"Text\"", Completes::Nothing),
    help: "\
Prints the text up to the next semicolon. In double quotes it may hold semicolons; the quotes themselves are not printed.",
    examples: &[Example {
        line: ".echo \"one; two\"",
        shows: "text with a semicolon",
        output: "one; two",
    }],
    rows: &[Echo::SCHEMA],
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
        out.row(&Echo { text })
    }
}

/// A line of text.
#[derive(Row)]
#[row(kind = "echo")]
struct Echo<'a> {
    /// The text.
    #[row(line)]
    text: &'a str,
}
