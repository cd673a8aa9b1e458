//! The log of `.logopen`: whatever the format on the screen, the log is a session as kd would have written it.

use super::{Outcome, Output, PARTIAL, labelled, reasons, sanitize};
use crate::command::{Row, Schema, Sink};
use crate::session::Log;
use rkd_dump::error::{Error, Result};
use std::io::Write as _;
use std::sync::PoisonError;

/// Hands everything on, equal remarks of one command once, and writes kd's text of it to the log while one is open.
pub struct Tee {
    main: Box<dyn Output>,
    log: Log,
    notes: Vec<String>,
}

impl Tee {
    /// Everything goes to `main`, and to the file in `log` whenever there is one.
    pub fn new(main: Box<dyn Output>, log: Log) -> Tee {
        Tee {
            main,
            log,
            notes: Vec::new(),
        }
    }

    /// Whether a remark is the first of its kind since the command began. A command that runs others makes many twice.
    fn is_new(&mut self, note: &str) -> bool {
        let is_new = !self.notes.iter().any(|known| known == note);
        if is_new {
            self.notes.push(note.to_string());
        }
        is_new
    }

    /// A log that cannot be written (a full disk) is closed, which must be said: the person counts on it.
    fn write(&mut self, text: &str) -> Result<()> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = log.as_mut() else {
            return Ok(());
        };
        let line = format!("{}\n", sanitize::plain(text));
        if let Err(error) = file.write_all(line.as_bytes()) {
            *log = None;
            drop(log);
            self.main.note(&format!(
                "the log file was closed, it cannot be written: {error}"
            ))?;
        }
        Ok(())
    }
}

impl Sink for Tee {
    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.main.row(row)?;
        let text = row.text();
        if text.is_empty() {
            Ok(())
        } else {
            self.write(&text)
        }
    }

    fn table(&mut self, rows: &'static Schema) -> Result<()> {
        self.main.table(rows)
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.main.text(text)?;
        self.write(text)
    }

    fn note(&mut self, note: &str) -> Result<()> {
        match self.is_new(note) {
            true => self.main.note(note),
            false => Ok(()),
        }
    }

    fn error(&mut self, error: &Error) -> Result<()> {
        self.fail(error)
    }

    fn progress(&mut self, done: u64, total: u64, unit: &'static str) -> Result<()> {
        self.main.progress(done, total, unit)
    }

    fn clear(&mut self) -> Result<()> {
        self.main.clear()
    }
}

impl Output for Tee {
    fn echo(&mut self, prompt: &str, line: &str, seen: bool) -> Result<()> {
        self.main.echo(prompt, line, seen)?;
        self.write(&format!("{prompt}{line}"))
    }

    fn begin(&mut self, line: &str) -> Result<()> {
        self.notes.clear();
        self.main.begin(line)
    }

    fn fail(&mut self, error: &dyn std::error::Error) -> Result<()> {
        self.write(&error.to_string())?;
        self.main.fail(error)?;
        for why in reasons(error) {
            if self.is_new(&why) {
                self.main.reason(&why)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, outcome: Outcome<'_>) -> Result<()> {
        let outcome = match outcome {
            Outcome::Failed(error) => {
                self.fail(error)?;
                Outcome::Done
            }
            outcome => outcome,
        };
        let stopped = matches!(outcome, Outcome::Stopped).then(|| PARTIAL.to_string());
        for note in std::mem::take(&mut self.notes).into_iter().chain(stopped) {
            self.write(&labelled("note", &note))?;
        }
        self.main.end(outcome)
    }

    fn lesson(&mut self, text: &str) -> Result<()> {
        self.main.lesson(text)?;
        self.write(text)
    }

    fn close(&mut self) -> Result<()> {
        self.main.close()
    }

    fn is_closed(&self) -> bool {
        self.main.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::console::tests::Shared;
    use crate::render::json::tests::{hit, module};
    use crate::render::{Console, JsonLines};
    use std::fs::File;

    #[test]
    fn the_log_is_a_session_in_kds_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        let log = Log::default();
        let out = Shared::default();
        let lines = JsonLines::new(Console::to(out.clone(), std::io::sink()));
        let mut tee = Tee::new(Box::new(lines), log.clone());
        tee.begin("lm").unwrap();
        tee.row(&module("before")).unwrap();
        *log.lock().unwrap() = Some(File::create(&path).unwrap());
        tee.end(Outcome::Done).unwrap();
        tee.echo("3: kd> ", "s", true).unwrap();
        tee.begin("s").unwrap();
        tee.text("a heading").unwrap();
        tee.row(&hit(0x10)).unwrap();
        tee.note("one").unwrap();
        tee.note("one").unwrap();
        tee.row(&module("")).unwrap();
        tee.end(Outcome::Failed(&Error::Syntax("no\x1b!".into())))
            .unwrap();
        *log.lock().unwrap() = None;
        tee.text("after").unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            written,
            "3: kd> s\na heading\n00000000`00000010  4c\nno.!\nnote: one\n"
        );
        assert_eq!(out.text().lines().count(), 3);
    }

    #[test]
    fn a_log_that_cannot_be_written_is_closed_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        std::fs::write(&path, "").unwrap();
        let log: Log = Log::default();
        *log.lock().unwrap() = Some(File::open(&path).unwrap());
        let (out, err) = (Shared::default(), Shared::default());
        let lines = JsonLines::new(Console::to(out.clone(), err.clone()));
        let mut tee = Tee::new(Box::new(lines), log.clone());
        tee.text("x").unwrap();
        assert!(
            err.text()
                .starts_with("note: the log file was closed, it cannot be written: ")
        );
        assert!(log.lock().unwrap().is_none());
    }
}
