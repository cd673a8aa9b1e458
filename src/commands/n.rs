//! `n`: the base of numbers without a prefix.

use crate::command::masm::{Numbers, evaluate};
use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::{Error, Result};

/// `n`: show or set the base of numbers: 16, 10 or 8.
pub static COMMAND: Command = Command {
    name: "n",
    aliases: &[],
    rhai: "",
    topic: Topic::Expressions,
    summary: "show or set the base of numbers: 16, 10 or 8",
    grammar: Grammar::of(&[Item::optional(
        "8 | 10 | 16",
        Kind::Text,
        "the base, always in decimal",
    )]),
    help: "\
Shows the base in which numbers without a prefix are read, or sets it.
It is 16 at the start. Prefixes (0x, 0n, 0t, 0y) and output are not changed by it.",
    examples: &[
        Example {
            line: "n",
            shows: "the base at the start",
            output: "base is 16",
        },
        Example {
            line: "n 10; ? 10 + 0x10; n 16",
            shows: "decimal for a while",
            output: "base is 10\nEvaluate expression: 26 = 00000000`0000001a\nbase is 16",
        },
    ],
    rows: &[Base::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let text = args.text("8 | 10 | 16").unwrap_or_default();
    if !text.is_empty() {
        session.numbers.radix = match evaluate(&Numbers { radix: 10 }, text) {
            Ok(radix @ (8 | 10 | 16)) => radix as u32,
            _ => {
                return Err(Error::Syntax(format!(
                    "Syntax error at '{}': the base is 8, 10 or 16",
                    text
                )));
            }
        };
    }
    out.row(&Base {
        base: session.numbers.radix,
    })
}

/// The base of numbers without a prefix.
#[derive(Row)]
#[row(kind = "base")]
struct Base {
    /// 16, 10 or 8.
    base: u32,
}

impl KdLine for Base {
    fn line(&self) -> String {
        format!("base is {}", self.base)
    }
}
