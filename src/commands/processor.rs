//! `~`: the processors, and which one is looked at.

use crate::command::{
    Args, Command, Completes, Example, Flow, Grammar, KdLine, Row, Sink, Topic, run_command,
};
use crate::session::Session;
use rkd_dump::error::{Error, Result};

/// `~`: list the processors, choose one, or run a command on one.
pub static COMMAND: Command = Command {
    name: "~",
    aliases: &[],
    rhai: "processors",
    topic: Topic::Target,
    summary: "list the processors, choose one, or run a command on one",
    grammar: Grammar::own("~ | ~N[s] | ~N Command | ~* Command", Completes::Nothing),
    help: "\
Without an argument it lists the processors with what they were executing; the current one is marked with a dot, the one that
wrote the dump with a number sign. ~2s (or ~2) makes processor 2 the current one, whose number the prompt shows and whose
registers expressions and r use. ~2 Command runs a command on processor 2, ~* Command on each in turn.
Processors are counted in decimal.",
    examples: &[
        Example {
            line: "~",
            shows: "what the processors were executing",
            output: "   0  nt!MmSizeOfMdl+0x4
   1  nt!MmSizeOfMdl+0x4
   2  nt!MmSizeOfMdl+0x4
.  3  nt!KeBugCheckEx
   4  nt!MmSizeOfMdl+0x4
   5  nt!MmSizeOfMdl+0x4
   6  nt!MmSizeOfMdl+0x4
   7  nt!MmSizeOfMdl+0x4",
        },
        Example {
            line: "~0s; r rip; ~3 r rip",
            shows: "look at processor 0, and at 3 for one command",
            output: "rip=fffff807229235a4\nrip=fffff807229fd640",
        },
    ],
    rows: &[Processor::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let text = args.text.trim();
    if text.is_empty() {
        return list(session, out);
    }
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let number = match (number, rest.strip_prefix('*')) {
        ("", Some(rest)) => {
            for processor in 0..session.target.kernel.processors() {
                on(session, processor, rest.trim(), out)?;
            }
            return Ok(());
        }
        (number, _) => number
            .parse::<u32>()
            .map_err(|_| Error::Syntax(format!("Syntax error at '{text}'")))?,
    };
    let processors = session.target.kernel.processors();
    if number >= processors {
        return Err(Error::NotFound(format!(
            "There is no processor {number}: this machine has {processors}, numbered from 0."
        )));
    }
    match rest.trim() {
        "" | "s" => {
            session.target.processor = number;
            Ok(())
        }
        command => on(session, number, command, out),
    }
}

/// Runs a command with another processor as the current one.
fn on(session: &mut Session, processor: u32, command: &str, out: &mut dyn Sink) -> Result<()> {
    let current = std::mem::replace(&mut session.target.processor, processor);
    let outcome = run_command(session, command, out);
    session.target.processor = current;
    outcome.map(|_: Flow| ())
}

fn list(session: &Session, out: &mut dyn Sink) -> Result<()> {
    let kernel = session.target.kernel.clone();
    let writer = kernel.current_processor();
    let mut missing = None;
    for number in 0..kernel.processors() {
        let at = kernel.context(number).map(|context| {
            let at = context.instruction();
            kernel
                .nearest(at)
                .map_or_else(|| at.to_string(), |near| near.to_string())
        });
        if let Err(why) = &at {
            missing.get_or_insert_with(|| why.to_string());
        }
        out.row(&Processor {
            number,
            is_current: number == session.target.processor,
            wrote_the_dump: number == writer,
            at,
        })?;
    }
    missing.map_or(Ok(()), |why| out.note(&why))
}

/// A processor of the machine.
#[derive(Row)]
#[row(kind = "processor")]
struct Processor {
    /// From 0.
    number: u32,
    /// Whether commands look at this one.
    is_current: bool,
    /// Whether this one wrote the dump.
    wrote_the_dump: bool,
    /// Where it was: a symbol, or an address.
    at: Result<String>,
}

impl KdLine for Processor {
    fn line(&self) -> String {
        let mark = match (self.is_current, self.wrote_the_dump) {
            (true, _) => '.',
            (false, true) => '#',
            (false, false) => ' ',
        };
        let at = match &self.at {
            Ok(at) => at.clone(),
            Err(_) => "??".into(),
        };
        format!("{mark}{:>3}  {at}", self.number)
    }
}
