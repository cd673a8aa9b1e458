//! The commands of the prompt as functions: `poolused(2, "Leak")` is `!poolused 0x2 Leak`, and its rows come back as values.
//! All of it is made from the table of commands; nothing is listed here.

use super::addr::Answer;
use super::host::Host;
use super::registry::{Group, Registry, fail, type_name};
use super::row::RowObject;
use crate::command::{Collect, Command, Flow, Row, Sink, run_command, run_line};
use crate::session::Session;
use rhai::{Array, Dynamic, NativeCallContext};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use std::any::TypeId;
use std::sync::Arc;

/// How many arguments a command takes at most; more are one text.
const ARGUMENTS: usize = 8;

/// Registers every command of `table` that has a name in Rhai, and the ways to run a line of kd.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>, table: &[&'static Command]) {
    for command in table.iter().filter(|command| !command.rhai.is_empty()) {
        for (function, name) in spellings(command) {
            register_command(r, host, function, name);
        }
        r.entry(
            Group::Command,
            format!("{}(..)", command.rhai),
            &format!("{}: `{}`", command.summary, command.usage),
        );
    }
    lines(r, host);
}

/// The names of a command in Rhai, each with the spelling that it stands for. Members of a family (`db`, `dq`) go by
/// their own names.
pub(super) fn spellings(command: &Command) -> Vec<(&'static str, &'static str)> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let aliases = command
        .aliases
        .iter()
        .copied()
        .filter(|alias| is_name(alias) && *alias != command.rhai);
    std::iter::once((command.rhai, command.name))
        .chain(aliases.map(|alias| (alias, alias)))
        .collect()
}

fn register_command(
    r: &mut Registry,
    host: &Arc<Host>,
    function: &'static str,
    name: &'static str,
) {
    for count in 0..=ARGUMENTS {
        let to = Arc::clone(host);
        let types = vec![TypeId::of::<Dynamic>(); count];
        r.engine.register_raw_fn(
            function,
            &types,
            move |_: NativeCallContext<'_>, args: &mut [&mut Dynamic]| {
                let mut line = name.to_string();
                for arg in args.iter() {
                    append(&mut line, arg)?;
                }
                rows(&to, move |session, sink| {
                    run_command(session, &line, sink).map(|_| ())
                })
            },
        );
    }
}

/// Puts an argument to a line as kd reads it.
fn append(line: &mut String, arg: &Dynamic) -> Answer<()> {
    if arg.is_unit() {
        return Ok(());
    }
    if let Ok(list) = arg.as_array_ref() {
        return list.iter().try_for_each(|arg| append(line, arg));
    }
    let text = if let Ok(text) = arg.as_immutable_string_ref() {
        text.to_string()
    } else if let Ok(number) = arg.as_int() {
        format!("{number:#x}")
    } else if let Some(Virt(at)) = arg.clone().try_cast::<Virt>() {
        format!("{at:#x}")
    } else if let Ok(c) = arg.as_char() {
        c.to_string()
    } else {
        return Err(fail(format!(
            "a command takes numbers, addresses and text, not {}",
            type_name(arg)
        )));
    };
    line.push(' ');
    line.push_str(&text);
    Ok(())
}

/// The rows of what `job` does.
pub(super) fn rows(
    host: &Host,
    job: impl FnOnce(&mut Session, &mut dyn Sink) -> Result<()> + Send + 'static,
) -> Answer<Array> {
    let kept = collect(host, job)?;
    Ok(kept
        .rows
        .into_iter()
        .map(|row| Dynamic::from(RowObject::new(row)))
        .collect())
}

/// Has the owner of the session do something, and keeps what it says. Remarks and progress go to the person at once.
fn collect(
    host: &Host,
    job: impl FnOnce(&mut Session, &mut dyn Sink) -> Result<()> + Send + 'static,
) -> Answer<Collect> {
    let (kept, kernel) = host.ask(move |session, sink| {
        let mut kept = Keep {
            kept: Collect::default(),
            sink,
        };
        job(session, &mut kept)?;
        Ok((kept.kept, Arc::clone(&session.kernel)))
    })?;
    // Some commands change what is looked at.
    host.look_at(kernel);
    for note in &kept.notes {
        host.note(note.clone())?;
    }
    Ok(kept)
}

fn lines(r: &mut Registry, host: &Arc<Host>) {
    r.function("kd(line)", "Runs a line of kd commands and returns the text that they print; what goes wrong is thrown.");
    let to = Arc::clone(host);
    r.engine
        .register_fn("kd", move |line: &str| -> Answer<String> {
            let line = line.to_string();
            collect(&to, move |session, sink| whole_line(session, &line, sink))
                .map(|kept| kept.screen)
        });
    r.function("kd_rows(line)", "The same, but returns the rows.");
    let to = Arc::clone(host);
    r.engine
        .register_fn("kd_rows", move |line: &str| -> Answer<Array> {
            let line = line.to_string();
            rows(&to, move |session, sink| whole_line(session, &line, sink))
        });
    r.function(
        "kd_show(line)",
        "Runs a line of kd commands as if it were typed: its output is the script's output.",
    );
    let to = Arc::clone(host);
    r.engine
        .register_fn("kd_show", move |line: &str| -> Answer<()> {
            let line = line.to_string();
            to.ask(move |session, sink| run_line(session, &line, sink).and_then(not_the_end))
        });
}

fn whole_line(session: &mut Session, line: &str, sink: &mut dyn Sink) -> Result<()> {
    run_line(session, line, sink).and_then(not_the_end)
}

/// `q` in a script would leave the prompt in the middle of it.
fn not_the_end(flow: Flow) -> Result<()> {
    match flow {
        Flow::Continue => Ok(()),
        Flow::Quit => Err(Error::Syntax(
            "a script does not leave the prompt: exit() ends the script".into(),
        )),
    }
}

/// Keeps rows, text and remarks; progress goes to the screen.
struct Keep<'s> {
    kept: Collect,
    sink: &'s mut dyn Sink,
}

impl Sink for Keep<'_> {
    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.kept.row(row)
    }
    fn text(&mut self, text: &str) -> Result<()> {
        self.kept.text(text)
    }
    fn note(&mut self, note: &str) -> Result<()> {
        self.kept.note(note)
    }
    fn error(&mut self, error: &Error) -> Result<()> {
        Err(Error::Syntax(error.to_string()))
    }
    fn progress(&mut self, done: u64, total: u64, unit: &'static str) -> Result<()> {
        self.sink.progress(done, total, unit)
    }
}
