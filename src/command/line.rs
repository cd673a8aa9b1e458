//! Running what was typed: a line is cut into commands, each is found in the table and run, and an error ends the command and not the line.

use super::signature::{Handed, bind_text, bind_values};
use super::{Args, Command, Sink, alias, head, split};
use crate::command::Row;
use crate::session::Session;
use rkd_dump::error::{Error, Result};

/// What comes after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next one.
    Continue,
    /// Nothing: `q`.
    Quit,
}

/// How deep commands may call commands (`.foreach` in `!for_each_module` in a script).
const MAX_DEPTH: u32 = 32;

/// Every command, in the order of the reference. The one place where this room looks at the next one.
pub fn table() -> &'static head::Table {
    crate::commands::ALL
}

/// Whether a line at the prompt is a kd command, and not Rhai; see [`head::is_command`].
pub fn is_command(line: &str) -> bool {
    head::is_command(table(), line)
}

/// Runs a line of commands.
///
/// A command that fails prints its error, as in kd, counts in [`Control::errors`](crate::session::Control::errors), and the next one is run.
///
/// # Errors
/// [`Error::Stopped`]: Ctrl-C, or nobody is there to read.
pub fn run_line(session: &mut Session, line: &str, sink: &mut dyn Sink) -> Result<Flow> {
    for part in split::parts(&expand(session, line)) {
        match run_command(session, part, sink) {
            Ok(Flow::Continue) if session.control.jump.is_some() => break,
            Ok(Flow::Continue) => {}
            Ok(Flow::Quit) => return Ok(Flow::Quit),
            Err(Error::Stopped) => return Err(Error::Stopped),
            Err(error) => sink.error(&error)?,
        }
    }
    Ok(Flow::Continue)
}

/// The line with aliases replaced, except in the commands that make and unmake them.
///
/// Whoever shows each command of a line apart (one JSON document per command) takes this, [`split::parts`] and [`run_command`].
pub fn expand(session: &Session, line: &str) -> String {
    let first = line
        .trim_start()
        .split(char::is_whitespace)
        .next()
        .unwrap_or_default();
    if session.numbers.aliases.is_empty() || matches!(first, "as" | "aS" | "ad" | "al") {
        return line.to_string();
    }
    alias::substitute(line, &|name| session.numbers.aliases.get(name).cloned())
}

/// Runs one command.
///
/// # Errors
/// Whatever the command says, or kd's words for a name that no command has. Counted in [`Control::errors`](crate::session::Control::errors).
pub fn run_command(session: &mut Session, text: &str, sink: &mut dyn Sink) -> Result<Flow> {
    counted(session, sink, |session, sink| {
        let (command, args) = head::find(table(), text)?;
        typed(session, command, args, sink)
    })
}

/// Runs a command that a script calls as a function: `name` is the spelling, and what is handed over is bound to the command's
/// signature without becoming text.
///
/// # Errors
/// As [`run_command`]; [`Error::Syntax`] where the command has no signature.
pub fn run_called(
    session: &mut Session,
    command: &'static Command,
    name: &str,
    handed: &Handed,
    sink: &mut dyn Sink,
) -> Result<Flow> {
    counted(session, sink, |session, sink| {
        let mut args = Args::new(name, "");
        bind_values(command, &mut args, handed, session)?;
        (command.run)(session, &args, sink)
    })
}

/// What is done around each command.
fn counted(
    session: &mut Session,
    sink: &mut dyn Sink,
    run: impl FnOnce(&mut Session, &mut dyn Sink) -> Result<()>,
) -> Result<Flow> {
    if session.control.depth >= MAX_DEPTH {
        return Err(Error::Syntax(format!(
            "commands that call commands go more than {MAX_DEPTH} deep"
        )));
    }
    session.control.depth += 1;
    let outcome = run(session, sink);
    session.control.depth -= 1;
    super::show_journal(session, sink)?;
    let outcome = outcome.and_then(|()| session.target.kernel.dump().check_whole());
    match outcome {
        Ok(()) if session.control.quit => Ok(Flow::Quit),
        Ok(()) => Ok(Flow::Continue),
        Err(Error::Stopped) => Err(Error::Stopped),
        Err(error) => {
            session.control.errors += 1;
            Err(error)
        }
    }
}

fn typed(
    session: &mut Session,
    command: &'static Command,
    mut args: Args,
    sink: &mut dyn Sink,
) -> Result<()> {
    if let Some(text) = without_rhai_switch(&args.text) {
        args.text = text;
        return match rhai_call(command, &args) {
            Some(call) => sink.row(&RhaiCall { call }),
            None => Err(Error::NotSupported(format!(
                "{} has no counterpart in Rhai",
                command.name
            ))),
        };
    }
    bind_text(command, &mut args, session)?;
    (command.run)(session, &args, sink)
}

/// The arguments without the switch `--rhai`, when it is among them outside quotes.
fn without_rhai_switch(text: &str) -> Option<String> {
    let switch = "--rhai";
    let mut from = 0;
    while let Some(at) = text[from..].find(switch).map(|at| from + at) {
        let (before, after) = (&text[..at], &text[at + switch.len()..]);
        let alone = before.chars().next_back().is_none_or(char::is_whitespace)
            && after.chars().next().is_none_or(char::is_whitespace);
        if alone && before.matches('"').count().is_multiple_of(2) {
            let glue = if before.trim_end().is_empty() || after.trim().is_empty() {
                ""
            } else {
                " "
            };
            return Some(format!("{}{glue}{}", before.trim_end(), after.trim_start()));
        }
        from = at + switch.len();
    }
    None
}

/// The line of Rhai that gives the same rows: a family's member is called by its own name, where that is one in Rhai.
pub fn rhai_call(command: &Command, args: &Args) -> Option<String> {
    if command.rhai.is_empty() {
        return None;
    }
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let text = args.text.trim();
    let (name, text) = match &args.name {
        name if *name == command.name => (command.rhai, text.to_string()),
        name if is_name(name) => (name.as_str(), text.to_string()),
        // `!dd` has no name of its own in Rhai: the line is run as it stands.
        name => ("kd_rows", format!("{name} {text}")),
    };
    if text.is_empty() {
        return Some(format!("{name}()"));
    }
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    Some(format!("{name}(\"{escaped}\")"))
}

/// What `--rhai` prints.
#[derive(Row)]
#[row(kind = "rhai")]
struct RhaiCall {
    /// The call that gives the same rows.
    #[row(line)]
    call: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rhai_switch_is_found_outside_quotes() {
        for (text, expected) in [
            ("2 Leak --rhai", Some("2 Leak")),
            ("--rhai 2 Leak", Some("2 Leak")),
            ("2 --rhai Leak", Some("2 Leak")),
            ("--rhai", Some("")),
            ("2 Leak", None),
            ("\"a --rhai b\"", None),
            ("\"a --rhai b\" --rhai", Some("\"a --rhai b\"")),
            ("x--rhai", None),
            ("--rhaix", None),
        ] {
            assert_eq!(without_rhai_switch(text).as_deref(), expected, "{text}");
        }
    }
}
