//! `q`: the end.

use crate::command::{Args, Command, Example, Grammar, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::Result;

/// `q`: leave rkd.
pub static COMMAND: Command = Command {
    name: "q",
    aliases: &["qq", "qd"],
    rhai: "",
    topic: Topic::Session,
    summary: "leave rkd",
    grammar: Grammar::NOTHING,
    help: "Leaves at once; the dump is never changed. q, qq and qd are the same here.",
    examples: &[Example {
        line: "q",
        shows: "the end of the session",
        output: "",
    }],
    rows: &[],
    run,
};

fn run(session: &mut Session, _: &Args, _: &mut dyn Sink) -> Result<()> {
    session.control.quit = true;
    Ok(())
}
