//! `.cls`: an empty screen.

use crate::command::{Args, Command, Example, Grammar, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::Result;

/// `.cls`: clear the screen.
pub static COMMAND: Command = Command {
    name: ".cls",
    aliases: &[],
    rhai: "",
    topic: Topic::Session,
    summary: "clear the screen",
    grammar: Grammar::NOTHING,
    help: "Clears the screen. It does nothing when the output is no terminal, and never touches the log.",
    examples: &[Example {
        line: ".cls",
        shows: "an empty screen",
        output: "",
    }],
    rows: &[],
    run,
};

fn run(_: &mut Session, _: &Args, out: &mut dyn Sink) -> Result<()> {
    out.clear()
}
