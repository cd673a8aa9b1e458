//! The commands of the prompt as functions: `poolused(2, "Leak")` is `!poolused 2 Leak`, and its rows come back as values. What a
//! call hands over is bound to the command's signature as it is; only commands with a grammar of their own get a line of text.
//! All of it is made from the table of commands; nothing is listed here.

use super::addr::Answer;
use super::host::Host;
use super::registry::{Group, Registry, fail, type_name};
use super::row::RowObject;
use crate::command::signature::{Given, Handed};
use crate::command::{
    Collect, Command, Flow, Grammar, Row, Sink, run_called, run_command, run_line,
};
use crate::session::Session;
use rhai::{Array, Dynamic, EvalAltResult, NativeCallContext};
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
            register_command(r, host, command, function, name);
        }
        r.entry(
            Group::Command,
            format!("{}(..)", command.rhai),
            &format!("{}: `{}`", command.summary, command.usage()),
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
    command: &'static Command,
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
                let handed = handed(args)?;
                match command.grammar {
                    Grammar::Signature(_) => rows(&to, move |session, sink| {
                        run_called(session, command, name, &handed, sink).map(|_| ())
                    }),
                    Grammar::Own { .. } => {
                        let line = line(name, &handed)?;
                        rows(&to, move |session, sink| {
                            run_command(session, &line, sink).map(|_| ())
                        })
                    }
                }
            },
        );
    }
}

/// What a call hands over. A map at its end gives flags by their names: `poolused(2, #{t: 5})`.
fn handed(args: &[&mut Dynamic]) -> Answer<Handed> {
    let mut handed = Handed::default();
    for (number, arg) in args.iter().enumerate() {
        match arg.as_map_ref() {
            Ok(flags) if number + 1 == args.len() => {
                for (name, value) in flags.iter() {
                    handed.flags.push((name.to_string(), given(value)?));
                }
            }
            _ => hand(&mut handed.arguments, arg)?,
        }
    }
    Ok(handed)
}

/// An array stands for its elements.
fn hand(arguments: &mut Vec<Given>, arg: &Dynamic) -> Answer<()> {
    if let Ok(list) = arg.as_array_ref() {
        return list.iter().try_for_each(|arg| hand(arguments, arg));
    }
    match given(arg)? {
        Given::Truth(_) => Err(unfit(arg)),
        given => {
            arguments.push(given);
            Ok(())
        }
    }
}

fn given(arg: &Dynamic) -> Answer<Given> {
    Ok(if arg.is_unit() {
        Given::Nothing
    } else if let Ok(text) = arg.as_immutable_string_ref() {
        Given::Text(text.to_string())
    } else if let Ok(number) = arg.as_int() {
        Given::Number(number as u64)
    } else if let Some(Virt(at)) = arg.clone().try_cast::<Virt>() {
        Given::Number(at)
    } else if let Ok(c) = arg.as_char() {
        Given::Text(c.to_string())
    } else if let Ok(truth) = arg.as_bool() {
        Given::Truth(truth)
    } else {
        return Err(unfit(arg));
    })
}

fn unfit(arg: &Dynamic) -> Box<EvalAltResult> {
    fail(format!(
        "a command takes numbers, addresses and text, not {}",
        type_name(arg)
    ))
}

/// The line of kd for a command whose grammar is its own.
fn line(name: &str, handed: &Handed) -> Answer<String> {
    if !handed.flags.is_empty() {
        return Err(fail(format!(
            "the flags of {name} have no names: they are part of the text"
        )));
    }
    let mut line = name.to_string();
    for given in handed
        .arguments
        .iter()
        .filter(|given| **given != Given::Nothing)
    {
        line.push(' ');
        line.push_str(&given.to_string());
    }
    Ok(line)
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
        Ok((kept.kept, Arc::clone(&session.target.kernel)))
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
