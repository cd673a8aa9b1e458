//! `!sym`: whether every place that is tried for symbols is told.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::{Error, Result};

/// `!sym`: say every place that is tried for symbols, or do not.
pub static COMMAND: Command = Command {
    name: "!sym",
    aliases: &[],
    rhai: "",
    topic: Topic::Symbols,
    summary: "say every place that is tried for symbols, or do not",
    grammar: Grammar::of(&[Item::optional("noisy | quiet", Kind::Text, "without a word the mode is shown")]),
    help: "\
noisy shows every file that is looked for, every request to a server with its answer, and what came of it; quiet, which is the
default, tells only of fetches, of refused files and of servers that fail. -n on the command line begins in the noisy mode.

The lines appear behind the output of the command that needed the symbols. To see again what happens for one module, unload its
symbols first:  !sym noisy; .reload /f myfault",
    examples: &[Example {
        line: "!sym noisy; !sym quiet; !sym",
        shows: "both modes, and which one is on",
        output: "\
noisy mode - symbol prompts on
quiet mode - symbol prompts on
!sym <noisy/quiet - prompts/prompts off> - quiet mode - symbol prompts on",
    }],
    rows: &[Mode::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let text = args.text("noisy | quiet").unwrap_or_default();
    let journal = session.target.servers.journal();
    match text.to_ascii_lowercase().as_str() {
        "" => {}
        "noisy" => journal.set_noisy(true),
        "quiet" => journal.set_noisy(false),
        // rkd asks nobody for a password.
        "prompts" | "prompts off" => {
            out.note("rkd never asks for a login: a server that wants one is left alone")?
        }
        other => {
            return Err(Error::Syntax(format!(
                "!sym knows noisy and quiet, not {other:?}"
            )));
        }
    }
    let is_asked = text.is_empty();
    out.row(&Mode {
        noisy: session.target.servers.journal().is_noisy(),
        is_asked,
    })
}

/// Whether every place that is tried for symbols is told.
#[derive(Row)]
#[row(kind = "symbol_mode")]
struct Mode {
    /// Whether it is told.
    noisy: bool,
    #[row(skip)]
    is_asked: bool,
}

impl KdLine for Mode {
    fn line(&self) -> String {
        let usage = match self.is_asked {
            true => "!sym <noisy/quiet - prompts/prompts off> - ",
            false => "",
        };
        let mode = if self.noisy { "noisy" } else { "quiet" };
        format!("{usage}{mode} mode - symbol prompts on")
    }
}
