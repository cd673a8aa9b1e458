//! `.echo`: a line of text.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::Result;

/// `.echo`: print a line of text.
pub static COMMAND: Command = Command {
    name: ".echo",
    aliases: &[],
    rhai: "",
    topic: Topic::Session,
    summary: "print a line of text",
    grammar: Grammar::of(&[Item::optional(
        "Text",
        Kind::Text,
        "up to the next semicolon, which it may hold in double quotes",
    )]),
    help: "\
Prints the text. Double quotes at its start, and what follows the next ones, are not printed.",
    examples: &[Example {
        line: ".echo \"one; two\"",
        shows: "text with a semicolon",
        output: "one; two",
    }],
    rows: &[Echo::SCHEMA],
    run,
};

fn run(_: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let text = args.text("Text").unwrap_or_default();
    let text = match text.strip_prefix('"') {
        Some(inside) => inside.split('"').next().unwrap_or_default(),
        None => text,
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
