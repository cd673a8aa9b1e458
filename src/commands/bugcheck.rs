//! `.bugcheck`: why Windows stopped.

use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::bugcheck::maker;

/// `.bugcheck`: the bug check code and its four parameters.
pub static COMMAND: Command = Command {
    name: ".bugcheck",
    aliases: &[],
    rhai: "bugcheck",
    topic: Topic::Target,
    summary: "the bug check code and its four parameters",
    grammar: Grammar::NOTHING,
    help: "\
Shows the bug check code and its parameters, from the dump's header. A dump that was taken of a running system has none:
the code is 0 or a code that stands for a live dump (161).",
    examples: &[Example { line: ".bugcheck", shows: "the bug check of the practice dump", output: "\
Bugcheck code 000000E2
Arguments 00000000`00000000 00000000`00000000 00000000`00000000 00000000`00000000" }],
    rows: &[BugCheck::SCHEMA],
    run,
};

fn run(session: &mut Session, _: &Args, out: &mut dyn Sink) -> Result<()> {
    let crash = session.target.kernel.crash()?;
    out.row(&BugCheck {
        number: crash.code,
        code: format!("{:#x}", crash.code),
        parameters: crash.parameters.map(Virt),
    })?;
    match maker(crash.code) {
        Some(maker) => out.note(&format!("the code is the mark of {maker}, which took the dump of a running system: there was no bug check")),
        None => Ok(()),
    }
}

/// Why Windows stopped.
#[derive(Row)]
#[row(kind = "bugcheck")]
struct BugCheck {
    #[row(skip)]
    number: u32,
    /// The code, in hexadecimal.
    code: String,
    /// Its four parameters; what they mean depends on the code.
    parameters: [Virt; 4],
}

impl KdLine for BugCheck {
    fn line(&self) -> String {
        format!(
            "Bugcheck code {:08X}\nArguments {}",
            self.number,
            self.parameters.map(|value| value.to_string()).join(" ")
        )
    }
}
