//! Where a command's output goes. Commands never print, colour, page or format: they hand rows to a [`Sink`].

use super::schema::Schema;
use super::value::Record;
use rkd_dump::error::{Error, Result};

/// One thing that a command found: data, and the line that kd prints for it.
///
/// `#[derive(Row)]` makes it of a struct with a [`KdLine`].
pub trait Row {
    /// What the row is, in one snake_case word (`module`, `hit`, `tag`); the same for all rows of one kind.
    fn kind(&self) -> &'static str;
    /// The data. Always the same names in the same order for one kind.
    fn record(&self) -> Record;
    /// kd's text: one or more lines, without a newline at the end. Empty when kd shows nothing of this row.
    fn text(&self) -> String;
}

/// kd's line of a row whose data are derived.
pub trait KdLine {
    /// See [`Row::text`].
    fn line(&self) -> String;
}

/// A consumer of output: the terminal, a JSON document, a Rhai array, a test.
///
/// Every method may answer [`Error::Stopped`] (Ctrl-C, a closed pipe, a script that wants no more): pass it on at once,
/// what was handed over before is kept.
pub trait Sink {
    /// A row.
    fn row(&mut self, row: &dyn Row) -> Result<()>;
    /// A list of such rows begins. It may turn out to be empty, which a table shows by its heading.
    fn table(&mut self, _rows: &'static Schema) -> Result<()> {
        Ok(())
    }
    /// Text that only kd's look has: headings and blank lines. One or more lines, without a newline at the end.
    fn text(&mut self, text: &str) -> Result<()>;
    /// A remark for the person: coverage, a doubt, the reason for a missing value, the next step. Never part of kd's text.
    fn note(&mut self, note: &str) -> Result<()>;
    /// An error that ends a command but not the line: kd's text, and the reasons behind it as a note.
    fn error(&mut self, error: &Error) -> Result<()> {
        self.text(&error.to_string())?;
        let mut reason = std::error::Error::source(error);
        while let Some(why) = reason {
            self.note(&why.to_string())?;
            reason = why.source();
        }
        Ok(())
    }
    /// How far a long run has come, `done` of `total` (0 when unknown), in `unit` ("pages", "modules").
    fn progress(&mut self, _done: u64, _total: u64, _unit: &'static str) -> Result<()> {
        Ok(())
    }
    /// Clears the screen, where there is one.
    fn clear(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A row that was kept: what [`Collect`] holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// See [`Row::kind`].
    pub kind: &'static str,
    /// See [`Row::record`].
    pub record: Record,
    /// See [`Row::text`].
    pub text: String,
}

impl Kept {
    /// Keeps a row.
    pub fn of(row: &dyn Row) -> Kept {
        Kept {
            kind: row.kind(),
            record: row.record(),
            text: row.text(),
        }
    }
}

impl Row for Kept {
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn record(&self) -> Record {
        self.record.clone()
    }
    fn text(&self) -> String {
        self.text.clone()
    }
}

/// Keeps everything: for scripts and tests.
#[derive(Default, Debug)]
pub struct Collect {
    /// The rows, in order.
    pub rows: Vec<Kept>,
    /// kd's whole text, lines ended by newlines.
    pub screen: String,
    /// The notes, in order.
    pub notes: Vec<String>,
}

impl Sink for Collect {
    fn row(&mut self, row: &dyn Row) -> Result<()> {
        let row = Kept::of(row);
        if !row.text.is_empty() {
            self.screen.push_str(&row.text);
            self.screen.push('\n');
        }
        self.rows.push(row);
        Ok(())
    }
    fn text(&mut self, text: &str) -> Result<()> {
        self.screen.push_str(text);
        self.screen.push('\n');
        Ok(())
    }
    fn note(&mut self, note: &str) -> Result<()> {
        self.notes.push(note.to_string());
        Ok(())
    }
}

/// Turns a set stop flag into [`Error::Stopped`]; long loops call it once a chunk.
pub fn check(stop: &std::sync::atomic::AtomicBool) -> Result<()> {
    if stop.load(std::sync::atomic::Ordering::Relaxed) {
        Err(Error::Stopped)
    } else {
        Ok(())
    }
}
