//! `.bugcheck`: why Windows stopped.

use crate::command::{Args, Command, Completes, Example, Record, Row, Sink, Topic, Value};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

/// See the module.
pub static COMMAND: Command = Command {
    name: ".bugcheck",
    aliases: &[],
    rhai: "bugcheck",
    topic: Topic::Target,
    summary: "the bug check code and its four parameters",
    usage: ".bugcheck",
    help: "\
Shows the bug check code and its parameters, from the dump's header. A dump that was taken of a running system has none:
the code is 0 or a code that stands for a live dump (161).",
    completes: Completes::Nothing,
    examples: &[Example { line: ".bugcheck", shows: "the bug check of the practice dump", output: "\
Bugcheck code 000000E2
Arguments 00000000`00000000 00000000`00000000 00000000`00000000 00000000`00000000" }],
    run,
};

fn run(session: &mut Session, _: &Args, out: &mut dyn Sink) -> Result<()> {
    let header = session.kernel.dump().header();
    out.row(&BugCheck {
        code: header.bugcheck_code,
        parameters: header.bugcheck_parameters,
    })
}

struct BugCheck {
    code: u32,
    parameters: [u64; 4],
}

impl Row for BugCheck {
    fn kind(&self) -> &'static str {
        "bugcheck"
    }

    fn record(&self) -> Record {
        let parameters: Vec<Value> = self
            .parameters
            .iter()
            .map(|value| Virt(*value).into())
            .collect();
        vec![
            ("code", format!("{:#x}", self.code).into()),
            ("parameters", parameters.into()),
        ]
    }

    fn text(&self) -> String {
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|value| Virt(*value).to_string())
            .collect();
        format!(
            "Bugcheck code {:08X}\nArguments {}",
            self.code,
            parameters.join(" ")
        )
    }
}
