//! `.logopen`, `.logappend`, `.logclose`: everything that is typed and printed, in a file too.

use crate::command::{Args, Command, Completes, Example, Grammar, Sink, Topic};
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
    grammar: Grammar::own(".logopen [/t] [/d] [File] | .logappend [File] | .logclose", Completes::Files),
    help: "\
.logopen writes everything that is typed and printed from now on to a file too, after emptying it; .logappend keeps what is in
the file; .logclose ends the log. Opening another log closes the first. Without a name, the file is dbgeng.log in the current
directory.

  /t   the date and the time become part of the file's name
  /d   the file is called after the dump, with the extension .log

The log is text in UTF-8, as kd would print it, whatever the format on the screen. kd's /u (UTF-16) is not done.",
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
    let mut stamped = false;
    let mut named = None;
    for word in args.words() {
        match word.as_str() {
            "/t" => stamped = true,
            "/d" => named = Some(session.target.kernel.dump().path().with_extension("log")),
            "/u" => {
                return Err(Error::NotSupported(
                    "A log in UTF-16 (/u) is not done: the log is UTF-8.".into(),
                ));
            }
            word => named = Some(PathBuf::from(word)),
        }
    }
    let path = named.unwrap_or_else(|| PathBuf::from("dbgeng.log"));
    if path == session.target.kernel.dump().path() {
        return Err(Error::File {
            path,
            reason: "that is the dump, which must not be overwritten".into(),
        });
    }
    if !stamped {
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
