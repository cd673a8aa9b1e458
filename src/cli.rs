//! The command line: from what was typed at the shell to a session at the prompt, a script's answer, or a practice dump.

mod arguments;
mod demo;
mod investigate;
mod lab;
mod open;
mod per_dump;
mod reference;
mod switches;
mod symbols;
mod tags;
mod wildcards;

use crate::command::Flow;
use crate::render::{ColorChoice, Console, Output, output};
use crate::repl::interrupt::Interrupts;
use crate::repl::piped::{Echo, feed};
use crate::repl::shell::Shell;
use arguments::{Cli, FormatName, Task};
use clap::{CommandFactory as _, FromArgMatches as _};
use rkd_dump::error::{Error, Result};
use rkd_kernel::pool::TagNames;
use std::ffi::OsString;
use std::io::{BufReader, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A command or a script reported an error.
const FAILED: u8 = 1;
/// The command line cannot be understood.
const USAGE: u8 = 2;
/// The dump could not be opened.
const UNOPENED: u8 = 3;

/// The program: `arguments` are argv, with the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(start(arguments))
}

fn start(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let mut grammar = Cli::command();
    let subcommands: Vec<String> = grammar
        .get_subcommands()
        .map(|task| task.get_name().to_string())
        .collect();
    let subcommands: Vec<&str> = subcommands
        .iter()
        .map(String::as_str)
        .chain(["help"])
        .collect();
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_else(|| "rkd".into());
    let translated = match switches::from_kd(arguments, &subcommands, Path::exists) {
        Ok(translated) => translated,
        Err(why) => return complain(&why.to_string(), USAGE),
    };
    if translated.is_empty() {
        return complain(&grammar.render_help().to_string(), USAGE);
    }
    let parsed = grammar
        .try_get_matches_from(std::iter::once(program).chain(translated))
        .and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => perform(&cli),
        Err(said) => {
            let _ = said.print();
            u8::try_from(said.exit_code()).unwrap_or(USAGE)
        }
    }
}

/// Says on standard error what is wrong with the command line or the dump.
fn complain(text: &str, status: u8) -> u8 {
    let mut console = Console::standard(ColorChoice::Auto, Arc::default());
    let _ = console.say(crate::render::sanitize::plain(text).trim_end());
    status
}

/// What all tasks need: the flag of Ctrl-C, and the choices about output.
struct World<'c> {
    cli: &'c Cli,
    stop: Arc<AtomicBool>,
    interrupts: Interrupts,
}

impl World<'_> {
    fn console(&self) -> Console {
        Console::standard(self.cli.common.color.choice(), Arc::clone(&self.stop))
    }

    /// A program that reads rows wants no banner, and neither does who says --quiet.
    fn shows_banner(&self) -> bool {
        self.cli.common.format == FormatName::Text && !self.cli.common.quiet
    }

    fn screen(&self) -> Box<dyn Output> {
        output(self.cli.common.format.format(), self.console())
    }
}

fn perform(cli: &Cli) -> u8 {
    rkd_symbols::cache::enable();
    let stop = Arc::new(AtomicBool::new(false));
    let interrupts = Interrupts::listen(Arc::clone(&stop));
    // A list that was named is read again for each dump; whether it can be read is a matter of the command line.
    if let Some(Err(error)) = cli.common.pooltag.as_deref().map(TagNames::with_file) {
        return complain(&format!("rkd: {error}"), USAGE);
    }
    let world = World {
        cli,
        stop,
        interrupts,
    };
    let done = match &cli.task {
        Some(_) if !cli.dumps().is_empty() => {
            return complain(
                "rkd: a dump and a task exclude each other; rkd --help tells more",
                USAGE,
            );
        }
        Some(Task::Run(run)) => investigate::run(&world, run),
        Some(Task::Tags(files)) => tags::run(&world, files),
        Some(Task::Lab(task)) => lab::run(&world, task),
        Some(Task::Symbols(task)) => symbols::run(&world, task),
        Some(Task::Demo) => demo::run(&world),
        Some(Task::Docs) => reference::run(&world),
        None => debug(&world),
    };
    match done {
        Ok(status) => status,
        // The reader has gone, as in `| head -1`: it has what it wanted.
        Err(Error::Stopped) => 0,
        Err(error) => complain(&format!("rkd: {error}"), FAILED),
    }
}

/// A session with one dump.
fn debug(world: &World<'_>) -> Result<u8> {
    let cli = world.cli;
    let dump = match cli.dumps().as_slice() {
        [] => {
            return Ok(complain(
                "rkd: which dump? Give its file, or a task (rkd --help tells more)",
                USAGE,
            ));
        }
        [dump] => *dump,
        _ => {
            return Ok(complain(
                "rkd: one dump at a time; rkd run SCRIPT DUMP... takes several",
                USAGE,
            ));
        }
    };
    let session = match open::session(world, dump) {
        Ok(session) => session,
        Err(error) => return Ok(complain(&format!("rkd: {error}"), UNOPENED)),
    };
    let mut shell = Shell::new(session, world.screen(), world.interrupts.clone());
    let held = hold(world, &mut shell);
    finish(shell, held)
}

/// Writes what is still to be written, and tells the exit status.
fn finish(mut shell: Shell, held: Result<()>) -> Result<u8> {
    let closed = shell.out.close();
    held.and(closed)?;
    Ok(shell.ending().status())
}

/// The banner, the commands of the command line, and then whoever types or pipes.
fn hold(world: &World<'_>, shell: &mut Shell) -> Result<()> {
    let cli = world.cli;
    for line in cli.first_lines() {
        if shell.run(&line)? == Flow::Quit {
            return Ok(());
        }
    }
    let text = cli.common.format == FormatName::Text;
    if world.shows_banner() {
        open::banner(world, shell)?;
    }
    for path in &cli.command_files {
        // kd passes over a file that is not there, but a person who names one wants it.
        let file = std::fs::File::open(path).map_err(|source| Error::open(path, source))?;
        if feed(
            shell,
            &path.display().to_string(),
            BufReader::new(file),
            Echo::Logged,
        )? == Flow::Quit
        {
            return Ok(());
        }
    }
    for line in &cli.commands {
        let prompt = shell.prompt();
        shell.out.echo(&prompt, line, true)?;
        if shell.run(line)? == Flow::Quit || shell.ending().interrupted {
            return Ok(());
        }
    }
    let given = !cli.commands.is_empty() || !cli.command_files.is_empty();
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        // Whoever asked for JSON and named the commands is a program, also when it runs in a terminal.
        if given && !text {
            return Ok(());
        }
        crate::repl::converse(shell, world.console().out_paint)?;
        // What a person tries at the prompt is nobody's failure.
        shell.forgive();
        return Ok(());
    }
    // With commands on the command line, standard input is not ours: a job runner may never close it.
    if given {
        return Ok(());
    }
    let echo = if text { Echo::Shown } else { Echo::Logged };
    feed(shell, "standard input", std::io::stdin().lock(), echo).map(drop)
}
