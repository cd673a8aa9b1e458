//! `.if`, `.elsif`, `.else`: commands on a condition.

use super::block::{braces, brackets, nothing_more};
use crate::command::{Args, Command, Completes, Example, Grammar, Sink, Topic, masm, run_line};
use crate::session::Session;
use rkd_dump::error::Result;

/// `.if`: run commands on a condition.
pub static COMMAND: Command = Command {
    name: ".if",
    aliases: &[],
    rhai: "",
    topic: Topic::Session,
    summary: "run commands on a condition",
    grammar: Grammar::own(".if (Expression) { Commands } [.elsif (Expression) { Commands }] [.else { Commands }]", Completes::Commands),
    help: "\
Runs the first block whose condition is not zero, or the one behind .else. Conditions are MASM expressions; = and == compare,
and there is no && or ||: write & and | between comparisons, or use Rhai, where all this is easier.",
    examples: &[Example {
        line: ".if (wo(nt) == 5a4d) { .echo an image } .else { .echo something else }",
        shows: "a question to the memory",
        output: "an image",
    }],
    rows: &[],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let mut rest = args.text.as_str();
    let mut chosen = None;
    loop {
        let (condition, after) = brackets(rest)?;
        let (block, after) = braces(after)?;
        if chosen.is_none() && masm::evaluate(session, condition)? != 0 {
            chosen = Some(block);
        }
        if let Some(next) = after.strip_prefix(".elsif") {
            rest = next;
            continue;
        }
        if let Some(last) = after.strip_prefix(".else") {
            let (block, after) = braces(last)?;
            nothing_more(after)?;
            chosen = chosen.or(Some(block));
        } else {
            nothing_more(after)?;
        }
        break;
    }
    match chosen {
        Some(block) => run_line(session, block, out).map(|_| ()),
        None => Ok(()),
    }
}
