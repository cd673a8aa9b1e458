//! Tables over many dumps: every row says which dump it is of, and a dump without a row gets one that says why.

use crate::command::{Kept, Name, Record, Row, Sink, Value};
use crate::render::{Outcome, Output};
use rkd_dump::error::Result;
use std::cell::RefCell;
use std::rc::Rc;

/// The screen, shared by the sessions with one dump after the other.
#[derive(Clone)]
pub(super) struct PerDump(Rc<RefCell<Inner>>);

struct Inner {
    screen: Box<dyn Output>,
    dump: String,
    /// Whether the dump in hand has a row.
    has_row: bool,
    /// Why the dump in hand gave less than it should.
    trouble: Option<String>,
    /// What rows look like: the kind and the columns of the first.
    shape: Option<(&'static str, Vec<Name>)>,
    /// Dumps that had no row before it was known what rows look like.
    waiting: Vec<(String, Option<String>)>,
}

impl PerDump {
    /// Rows go to `screen`.
    pub(super) fn new(screen: Box<dyn Output>) -> PerDump {
        PerDump(Rc::new(RefCell::new(Inner {
            screen,
            dump: String::new(),
            has_row: false,
            trouble: None,
            shape: None,
            waiting: Vec::new(),
        })))
    }

    /// The rows that follow are of this dump.
    pub(super) fn dump(&self, name: &str) {
        let mut inner = self.0.borrow_mut();
        (inner.dump, inner.has_row, inner.trouble) = (name.to_string(), false, None);
    }

    /// No more rows of the dump: if it had none, or went wrong, its row is made here.
    ///
    /// # Errors
    /// Those of the screen.
    pub(super) fn done(&self, trouble: Option<String>) -> Result<()> {
        let mut inner = self.0.borrow_mut();
        let trouble = trouble.or_else(|| inner.trouble.take());
        if inner.has_row && trouble.is_none() {
            return Ok(());
        }
        let dump = inner.dump.clone();
        match inner.shape.clone() {
            Some(shape) => inner.blank(&shape, dump, trouble),
            None => {
                inner.waiting.push((dump, trouble));
                Ok(())
            }
        }
    }

    /// No more dumps.
    ///
    /// # Errors
    /// Those of the screen.
    pub(super) fn finish(&self) -> Result<()> {
        let mut inner = self.0.borrow_mut();
        let shape = inner.shape.clone().unwrap_or(("dump", Vec::new()));
        for (dump, trouble) in std::mem::take(&mut inner.waiting) {
            inner.blank(&shape, dump, trouble)?;
        }
        inner.screen.close()
    }
}

impl Inner {
    /// A row of nothing but the dump's name and the reason.
    fn blank(
        &mut self,
        (kind, columns): &(&'static str, Vec<Name>),
        dump: String,
        trouble: Option<String>,
    ) -> Result<()> {
        let record = columns
            .iter()
            .map(|name| (name.clone(), Value::Absent(String::new())))
            .collect();
        let record = framed(dump, record, trouble);
        self.screen.row(&Kept {
            kind,
            record,
            text: String::new(),
        })
    }
}

/// A row between its dump and its error.
fn framed(dump: String, record: Record, error: Option<String>) -> Record {
    let mut framed = vec![("dump".into(), Value::Str(dump))];
    framed.extend(record);
    framed.push(("error".into(), error.into()));
    framed
}

impl Sink for PerDump {
    fn row(&mut self, row: &dyn Row) -> Result<()> {
        let mut inner = self.0.borrow_mut();
        let record = row.record();
        if inner.shape.is_none() {
            let shape = (
                row.kind(),
                record.iter().map(|(name, _)| name.clone()).collect(),
            );
            inner.shape = Some(shape.clone());
            for (dump, trouble) in std::mem::take(&mut inner.waiting) {
                inner.blank(&shape, dump, trouble)?;
            }
        }
        inner.has_row = true;
        let record = framed(inner.dump.clone(), record, None);
        inner.screen.row(&Kept {
            kind: row.kind(),
            record,
            text: row.text(),
        })
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.0.borrow_mut().screen.text(text)
    }

    fn note(&mut self, note: &str) -> Result<()> {
        let mut inner = self.0.borrow_mut();
        let note = format!("{}: {note}", inner.dump);
        inner.screen.note(&note)
    }

    fn error(&mut self, error: &rkd_dump::error::Error) -> Result<()> {
        self.fail(error)
    }

    fn progress(&mut self, done: u64, total: u64, unit: &'static str) -> Result<()> {
        self.0.borrow_mut().screen.progress(done, total, unit)
    }
}

impl Output for PerDump {
    fn begin(&mut self, line: &str) -> Result<()> {
        self.0.borrow_mut().screen.begin(line)
    }

    fn fail(&mut self, error: &dyn std::error::Error) -> Result<()> {
        let mut inner = self.0.borrow_mut();
        inner.trouble.get_or_insert_with(|| error.to_string());
        Ok(())
    }

    /// The row of a dump tells the trouble itself and no more.
    fn reason(&mut self, _why: &str) -> Result<()> {
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
        self.0.borrow_mut().screen.end(outcome)
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.0.borrow().screen.is_closed()
    }
}
