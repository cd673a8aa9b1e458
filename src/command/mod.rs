//! GRAMMAR: what a command is. The kd line and expression languages, arguments, examples, rows and sinks.
//!
//! A command is a `static COMMAND: Command` in one file of [`crate::commands`]; the prompt, `help`, completion, Rhai,
//! JSON and the tests all read that one table.

pub mod alias;
pub mod clock;
pub mod head;
mod journal;
pub mod line;
pub mod masm;
pub mod range;
pub mod schema;
mod scope;
pub mod signature;
pub mod sink;
pub mod split;
pub mod value;
pub mod wildcard;

use crate::session::Session;
pub use journal::show_journal;
pub use line::{Flow, is_command, run_called, run_command, run_line};
pub use rkd_derive::{Record, Row};
use rkd_dump::error::{Error, Result};
pub use schema::{Cell, CellKind, Cells, Column, Schema};
pub use signature::{Args, Grammar, Signature};
pub use sink::{Collect, KdLine, Kept, Row, Sink};
use std::borrow::Cow;
pub use value::{Name, Record, Value};

/// A command, whole: how it is spelt, what it says of itself, and what it does.
pub struct Command {
    /// kd's name, with its `!` or `.` (`!poolused`, `lm`, `.formats`).
    pub name: &'static str,
    /// Other spellings, each complete in itself (`db` and `dd` are one family).
    pub aliases: &'static [&'static str],
    /// The function's name in Rhai (`poolused`), and of its aliases where they differ; `""` for commands that make no sense there.
    pub rhai: &'static str,
    /// The chapter of the reference.
    pub topic: Topic,
    /// At most 60 characters, without a full stop.
    pub summary: &'static str,
    /// How what stands behind the name is read.
    pub grammar: Grammar,
    /// The long text of `help NAME`: what the signature's own words leave open about arguments and flags, where the figures come
    /// from, what differs from kd.
    pub help: &'static str,
    /// Worked examples, run and compared whole by `tests/it/examples.rs`.
    pub examples: &'static [Example],
    /// The kinds of rows that it makes, the most important one first.
    pub rows: &'static [&'static Schema],
    /// Does the work.
    pub run: fn(&mut Session, &Args, &mut dyn Sink) -> Result<()>,
}

impl Command {
    /// The usage line, in kd's notation: `!poolused [/tN] [Flags [TagString]]`.
    pub fn usage(&self) -> Cow<'static, str> {
        self.grammar.usage(self.name)
    }

    /// Flags and arguments, and the long text: what `help NAME` and the reference show below the usage line.
    pub fn manual(&self) -> String {
        let parts = self.grammar.documented();
        let gap = if parts.is_empty() { "" } else { "\n" };
        format!("{parts}{gap}{}", self.help)
    }

    /// The refusal of what was typed: the reason, if there is more to say, and the usage line.
    pub fn misuse(&self, why: &str) -> Error {
        let gap = if why.is_empty() { "" } else { "\n" };
        Error::Syntax(format!("{why}{gap}Usage: {}", self.usage()))
    }
}

/// A worked example: run against the practice dump `notmyfault`, and its output compared to the letter.
pub struct Example {
    /// What is typed.
    pub line: &'static str,
    /// What it shows, in a few words.
    pub shows: &'static str,
    /// The text that the line prints on the practice dump, whole (or its first lines, when it ends in a line `...`).
    pub output: &'static str,
}

/// The chapters of the reference, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Pool and memory counters: the reason why rkd exists.
    Pool,
    /// Modules.
    Modules,
    /// Searching and showing memory.
    Memory,
    /// Expressions.
    Expressions,
    /// Code and stacks.
    Code,
    /// The target: version, time, registers, bug check.
    Target,
    /// Symbols.
    Symbols,
    /// The session itself: log, screen, help, leaving.
    Session,
}

/// What an argument of a command can be completed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completes {
    /// Nothing.
    Nothing,
    /// Addresses: module names, `module!symbol`.
    Symbols,
    /// Types: module names, `module!type`.
    Types,
    /// Module names.
    Modules,
    /// Pool tags of the dump.
    Tags,
    /// Names of commands.
    Commands,
    /// Files.
    Files,
}
