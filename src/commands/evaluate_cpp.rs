//! `??`: what a C++ expression comes to, as far as it is made of numbers.

use crate::addr::Virt;
use crate::command::{Args, Command, Completes, Example, Record, Row, Sink, Topic, masm};
use crate::error::{Error, Result};
use crate::session::Session;

/// See the module.
pub static COMMAND: Command = Command {
    name: "??",
    aliases: &[],
    rhai: "evaluate_cpp",
    topic: Topic::Expressions,
    summary: "evaluate a C++ expression of numbers",
    usage: "?? Expression",
    help: "\
Evaluates an expression in C++'s way of writing numbers and operators: 10 is ten, 0x10 is sixteen, 010 is eight, && || ! ~ and
the rest bind as in C++, and everything is signed. @ introduces registers and pseudo-registers, @@masm( ) kd's own language.

Variables, types and casts of the target are not understood. The result is shown as kd shows it: int where it fits into 32
bits, unsigned int64 where it does not.",
    completes: Completes::Nothing,
    examples: &[
        Example { line: "?? 10 + 0x10", shows: "ten and sixteen", output: "int 0n26" },
        Example {
            line: "?? @@masm(nt) + 0x10",
            shows: "an address from kd's own language",
            output: "unsigned int64 0xfffff807`22600010",
        },
    ],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    if args.text.trim().is_empty() {
        return Err(Error::Syntax(
            "Numeric expression missing from '<EOL>'".into(),
        ));
    }
    let value = masm::evaluate_cpp(session, &args.text)?;
    session.last_value = value;
    out.row(&Evaluated {
        expression: args.text.trim().to_string(),
        value,
    })
}

struct Evaluated {
    expression: String,
    value: u64,
}

impl Row for Evaluated {
    fn kind(&self) -> &'static str {
        "value"
    }

    fn record(&self) -> Record {
        vec![
            ("expression", self.expression.as_str().into()),
            ("value", Virt(self.value).into()),
            ("signed", (self.value as i64).into()),
        ]
    }

    fn text(&self) -> String {
        match i32::try_from(self.value as i64) {
            Ok(value) => format!("int 0n{value}"),
            Err(_) => format!("unsigned int64 0x{}", Virt(self.value)),
        }
    }
}
