//! `.logopen`, `.logappend`, `.logclose`: everything that is typed and printed, in a file too.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, Signature, Sink, Topic};
use crate::session::Session;
use jiff::Zoned;
use rkd_dump::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::PoisonError;

/// `.logopen`: write everything to a log file too.
pub static COMMAND: Command = Command {
    name: ".logopen",
    aliases: &[".logappend", ".logclose"],
    rhai: "",
    topic: Topic::Session,
    summary: "write everything to a log file too",
    grammar: Grammar::Signature(Signature {
        written: Some(".logopen [/t] [/d] [File] | .logappend [File] | .logclose"),
        ..Signature::of(&[
            Item::flag("/t", "the date and the time become part of the file's name"),
            Item::flag("/d", "the file is called after the dump, with the extension .log"),
            Item::flag("/u", "not done: the log is text in UTF-8, and not in UTF-16"),
            Item::optional("File", Kind::File, "without a name, dbgeng.log in the current directory"),
        ])
    }),
    help: "\
.logopen writes everything that is typed and printed from now on to a file too, after emptying it; .logappend keeps what is in
the file; .logclose ends the log. Opening another log closes the first. The log is text as kd would print it, whatever the format
on the screen.",
    examples: &[Example { line: ".logclose", shows: "without a log", output: "No log file open" }],
    rows: &[],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    session.check_files()?;
    close(session, args.name == ".logclose", out)?;
    if args.name == ".logclose" {
        return Ok(());
    }
    let path = path(session, args)?;
    let mut options = OpenOptions::new();
    options.create(true);
    match args.name.as_str() {
        ".logappend" => options.append(true),
        _ => options.write(true).truncate(true),
    };
    let file: File = options
        .open(&path)
        .map_err(|source| Error::open(&path, source))?;
    // The file begins with this very line, as kd's logs do.
    *session
        .display
        .log
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(file);
    session.display.log_name = path.display().to_string();
    out.text(&format!("Opened log file '{}'", session.display.log_name))
}

/// Ends the open log. Its last line says so, which programs that read logs wait for.
fn close(session: &mut Session, must_be_open: bool, out: &mut dyn Sink) -> Result<()> {
    let is_open = session
        .display
        .log
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .is_some();
    if is_open {
        out.text(&format!(
            "Closing open log file {}",
            session.display.log_name
        ))?;
        *session
            .display
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
        session.display.log_name.clear();
    } else if must_be_open {
        out.text("No log file open")?;
    }
    Ok(())
}

fn path(session: &Session, args: &Args) -> Result<PathBuf> {
    if args.has("u") {
        return Err(Error::NotSupported(
            "A log in UTF-16 (/u) is not done: the log is UTF-8.".into(),
        ));
    }
    let path = match args.text("File") {
        Some(name) => PathBuf::from(name),
        None if args.has("d") => session.target.kernel.dump().path().with_extension("log"),
        None => PathBuf::from("dbgeng.log"),
    };
    if path == session.target.kernel.dump().path() {
        return Err(Error::File {
            path,
            reason: "that is the dump, which must not be overwritten".into(),
        });
    }
    if !args.has("t") {
        return Ok(path);
    }
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let extension = path.extension().map_or(String::new(), |extension| {
        format!(".{}", extension.to_string_lossy())
    });
    let stamp = Zoned::now().strftime("%Y-%m-%d_%H-%M-%S-%3f").to_string();
    Ok(path.with_file_name(format!("{stem}_{stamp}{extension}")))
}
