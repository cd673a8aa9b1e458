//! `version`: which Windows the dump is of, and which rkd reads it.

use super::vertarget;
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_kernel::target::Target;

/// `version`: the version of the target and of rkd.
pub static COMMAND: Command = Command {
    name: "version",
    aliases: &[],
    rhai: "version",
    topic: Topic::Target,
    summary: "the version of the target and of rkd",
    grammar: Grammar::NOTHING,
    help: "Shows what vertarget shows, and below it the version of rkd and where nt's symbols come from.",
    examples: &[Example {
        line: "version",
        shows: "the target and the tool",
        output: "\
Windows 10 Kernel Version 19041 MP (8 procs) Free x64
Product: WinNt, suite: TerminalServer SingleUserTS
Edition build lab: 19041.1.amd64fre.vb_release.191206-1406
Kernel base = 0xfffff807`22600000 PsLoadedModuleList = 0xfffff807`2322a360
Debug session time: Sun Dec 10 21:48:36.492 2023 (UTC + 8:00)
System Uptime: 0 days 3:12:47.203
rkd version 0.1.0
Symbols of nt: built-in facts",
    }],
    rows: &[Version::SCHEMA],
    run,
};

fn run(session: &mut Session, _: &Args, out: &mut dyn Sink) -> Result<()> {
    out.text(&vertarget::lines(session, &Target::of(&session.target.kernel)).join("\n"))?;
    let nt_symbols = match session.target.kernel.table() {
        Ok(table) => table.source().to_string(),
        Err(_) => "none".into(),
    };
    out.row(&Version {
        rkd: env!("CARGO_PKG_VERSION"),
        nt_symbols,
    })
}

/// Which rkd reads the dump, and by which symbols.
#[derive(Row)]
#[row(kind = "version")]
struct Version {
    /// The version of rkd.
    rkd: &'static str,
    /// Where nt's symbols come from.
    nt_symbols: String,
}

impl KdLine for Version {
    fn line(&self) -> String {
        format!(
            "rkd version {}\nSymbols of nt: {}",
            self.rkd, self.nt_symbols
        )
    }
}
