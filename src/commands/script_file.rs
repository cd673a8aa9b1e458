//! `$$>a<` and its kin: kd commands from a file.

use crate::command::{
    Args, Command, Completes, Example, Flow, Grammar, Sink, Topic, alias, run_line, sink, split,
};
use crate::session::Session;
use rkd_dump::error::{Error, Result};
use std::path::PathBuf;

/// `$$>a<`: run a file of kd commands.
pub static COMMAND: Command = Command {
    name: "$$>a<",
    aliases: &["$<", "$><", "$$<", "$$><"],
    rhai: "",
    topic: Topic::Session,
    summary: "run a file of kd commands",
    grammar: Grammar::own("$$>a< File [Argument]... | $$>< File | $$< File | $>< File | $< File", Completes::Files),
    help: "\
Runs the commands in a file of kd's own language. $$>< and $>< read the whole file as one line, so that blocks in braces may go
over several lines; $$< and $< run it line by line. $$>a< reads it as one line too and replaces ${$arg1}, ${$arg2} ... by the
arguments; an argument with blanks stands in double quotes, and an argument that is not given stays as it is written.

$< and $>< take the rest of the line for the file's name, the others end at a semicolon. All but $$>a< show each command before
what it prints. A file of Rhai is run with rkd run, or imported.",
    examples: &[Example {
        line: "$$>a< . nt",
        shows: "a folder is no file",
        output: ".: it is not a file",
    }],
    rows: &[],
    run,
};

/// A file of commands longer than this (1 MiB) is no file of commands.
const LONGEST: u64 = 1 << 20;

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    session.check_files()?;
    let takes_arguments = args.name == "$$>a<";
    let (file, arguments) = match args.words() {
        words if takes_arguments && !words.is_empty() => (words[0].clone(), words[1..].to_vec()),
        _ => (args.text.trim().trim_matches('"').to_string(), Vec::new()),
    };
    let text = read(PathBuf::from(file))?;
    if takes_arguments {
        let text = alias::substitute(&text, &|name| {
            let number: usize = name.strip_prefix("$arg")?.parse().ok()?;
            arguments.get(number.checked_sub(1)?).cloned()
        });
        return run_line(session, &text, out).map(|_| ());
    }
    let is_one_line = args.name.contains("><");
    let parts: Vec<&str> = if is_one_line {
        split::parts(&text)
    } else {
        text.lines().collect()
    };
    for part in parts {
        sink::check(&session.control.stop)?;
        out.text(&format!("{}{part}", prompt(session)))?;
        if run_line(session, part, out)? == Flow::Quit {
            break;
        }
    }
    Ok(())
}

fn prompt(session: &Session) -> String {
    match session.target.kernel.processors() {
        0 | 1 => "kd> ".into(),
        _ => format!("{}: kd> ", session.target.processor),
    }
}

fn read(path: PathBuf) -> Result<String> {
    let too_long = |length: u64| {
        (length > LONGEST).then(|| format!("{length} bytes are too many for a file of commands"))
    };
    let length =
        std::fs::metadata(&path).map(|meta| if meta.is_file() { meta.len() } else { u64::MAX });
    match length {
        Err(source) => Err(Error::open(&path, source)),
        Ok(u64::MAX) => Err(Error::File {
            path,
            reason: "it is not a file".into(),
        }),
        Ok(length) => match too_long(length) {
            Some(reason) => Err(Error::File { path, reason }),
            None => match std::fs::read(&path) {
                Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
                Err(source) => Err(Error::open(&path, source)),
            },
        },
    }
}
