//! Comma-separated values: tables for spreadsheets and data frames.
//!
//! Every kind of row is a table of its own with a heading, and a list that turns out to be empty is a heading alone. The first kind streams; rows of other kinds that a command
//! mixes in are held until it is over and follow as tables of their own, divided by an empty line. Addresses are
//! `0x...`, a missing value is an empty cell, lists and structures are JSON inside their cell.

use super::{Console, Outcome, Output, PARTIAL, labelled, sanitize};
use crate::command::{Name, Row, Schema, Sink, Value};
use crate::render::json::to_json;
use rkd_dump::error::{Error, Result};

/// What makes a table one table: the kind of its rows and the names of their columns.
type Heading = (&'static str, Vec<Name>);

/// Writes tables.
pub struct Csv {
    console: Console,
    /// The table that was written last, over all commands: its rows need no second heading.
    open: Option<Heading>,
    /// Whether the running command has written a row.
    streaming: bool,
    /// The table that the running command began, until a row comes: an empty one is shown by its heading.
    awaited: Option<Heading>,
    /// Tables that wait for the end of the command, in the order in which they were met.
    held: Vec<(Heading, String)>,
}

impl Csv {
    /// Writes to `console`.
    pub fn new(console: Console) -> Csv {
        Csv {
            console,
            open: None,
            streaming: false,
            awaited: None,
            held: Vec::new(),
        }
    }

    /// Writes lines of a table, under its heading if that does not stand already.
    fn put(&mut self, heading: &Heading, lines: &str) -> Result<()> {
        if self.open.as_ref() == Some(heading) {
            return self.console.put(lines);
        }
        let gap = if self.open.is_some() { "\n" } else { "" };
        self.open = Some(heading.clone());
        self.console.put(&format!(
            "{gap}{}{lines}",
            record(heading.1.iter().map(|name| name.to_string()))
        ))
    }
}

/// One line, with its newline.
fn record(cells: impl Iterator<Item = String>) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(cells.map(String::into_bytes));
    writer
        .into_inner()
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Addr(va) => format!("{:#x}", va.0),
        Value::U64(v) => v.to_string(),
        Value::I64(v) => v.to_string(),
        Value::F64(v) => v.to_string(),
        Value::Bool(v) => v.to_string(),
        Value::Str(v) => sanitize::cell(v).into_owned(),
        Value::Bytes(v) => v.iter().map(|b| format!("{b:02x}")).collect(),
        Value::List(_) | Value::Record(_) => to_json(value),
        Value::Absent(_) => String::new(),
    }
}

impl Sink for Csv {
    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.console.check()?;
        let data = row.record();
        let heading: Heading = (
            row.kind(),
            data.iter().map(|(name, _)| name.clone()).collect(),
        );
        let line = record(data.iter().map(|(_, value)| cell(value)));
        if !self.streaming || self.open.as_ref() == Some(&heading) {
            self.streaming = true;
            self.awaited = None;
            return self.put(&heading, &line);
        }
        match self.held.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, lines)) => lines.push_str(&line),
            None => self.held.push((heading, line)),
        }
        Ok(())
    }

    fn table(&mut self, rows: &'static Schema) -> Result<()> {
        if !self.streaming && self.awaited.is_none() {
            let names = rows
                .columns
                .iter()
                .map(|column| column.name.into())
                .collect();
            self.awaited = Some((rows.kind, names));
        }
        Ok(())
    }

    fn text(&mut self, _text: &str) -> Result<()> {
        self.console.check()
    }

    fn note(&mut self, note: &str) -> Result<()> {
        let painted = self
            .console
            .err_paint
            .note(&labelled("note", note))
            .into_owned();
        self.console.say(&painted)
    }

    fn error(&mut self, error: &Error) -> Result<()> {
        self.fail(error)
    }

    fn progress(&mut self, done: u64, total: u64, unit: &'static str) -> Result<()> {
        self.console.progress(done, total, unit)
    }
}

impl Output for Csv {
    fn begin(&mut self, _line: &str) -> Result<()> {
        self.console.begin();
        self.streaming = false;
        self.awaited = None;
        Ok(())
    }

    fn fail(&mut self, error: &dyn std::error::Error) -> Result<()> {
        // Nobody knows whether there would have been rows.
        self.awaited = None;
        let painted = self
            .console
            .err_paint
            .error(&labelled("error", &error.to_string()))
            .into_owned();
        self.console.say(&painted)
    }

    fn end(&mut self, outcome: Outcome<'_>) -> Result<()> {
        for (heading, lines) in std::mem::take(&mut self.held) {
            self.put(&heading, &lines)?;
        }
        if let (Some(heading), Outcome::Done) = (self.awaited.take(), &outcome) {
            self.put(&heading, "")?;
        }
        self.console.end()?;
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Stopped => self.note(PARTIAL),
            Outcome::Failed(error) => self.fail(error),
        }
    }

    fn close(&mut self) -> Result<()> {
        self.console.flush()
    }

    fn is_closed(&self) -> bool {
        self.console.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Kept;
    use crate::render::console::tests::Shared;
    use crate::render::json::tests::{hit, module};

    #[test]
    fn a_table_per_kind_of_row() {
        let (out, err) = (Shared::default(), Shared::default());
        let mut csv = Csv::new(Console::to(out.clone(), err.clone()));
        csv.begin("lm").unwrap();
        csv.text("start             end                 module name")
            .unwrap();
        csv.row(&module("=my, \"fault\"\x1b")).unwrap();
        csv.row(&hit(1)).unwrap();
        csv.row(&module("nt")).unwrap();
        csv.row(&hit(2)).unwrap();
        csv.note("two").unwrap();
        csv.end(Outcome::Done).unwrap();
        csv.begin("s").unwrap();
        csv.row(&hit(3)).unwrap();
        csv.end(Outcome::Failed(&Error::Syntax("Range error".into())))
            .unwrap();
        let other = Kept {
            kind: "hit",
            record: vec![
                (
                    "list".into(),
                    Value::List(vec![Value::Str("a".into()), Value::Bool(true)]),
                ),
                ("f".into(), 1.5.into()),
            ],
            text: String::new(),
        };
        csv.begin("other columns").unwrap();
        csv.row(&other).unwrap();
        csv.end(Outcome::Stopped).unwrap();
        csv.close().unwrap();
        assert_eq!(
            out.text(),
            "start,name,size_bytes,entry_point,image,comment\n\
             0xfffff80747f50000,\"'=my, \"\"fault\"\".\",36864,,\"{\"\"path\"\":null,\"\"size\"\":-5}\",\n\
             0xfffff80747f50000,nt,36864,,\"{\"\"path\"\":null,\"\"size\"\":-5}\",\n\
             \n\
             address,bytes\n\
             0x1,4c00\n\
             0x2,4c00\n\
             0x3,4c00\n\
             \n\
             list,f\n\
             \"[\"\"a\"\",true]\",1.5\n"
        );
        assert_eq!(
            err.text(),
            "note: two\nerror: Range error\nnote: stopped by Ctrl-C: the output is partial\n"
        );
    }

    /// What is found.
    #[derive(Row)]
    #[row(kind = "find")]
    struct Find<'a> {
        /// What it is.
        #[row(line)]
        what: &'a str,
        /// How many there are.
        count: u64,
    }

    #[test]
    fn an_empty_table_is_its_heading() {
        let (out, err) = (Shared::default(), Shared::default());
        let mut csv = Csv::new(Console::to(out.clone(), err));
        let failed: Error = Error::Syntax("Range error".into());
        for outcome in [Outcome::Failed(&failed), Outcome::Stopped, Outcome::Done] {
            csv.begin("find").unwrap();
            csv.table(Find::SCHEMA).unwrap();
            csv.end(outcome).unwrap();
        }
        csv.begin("find").unwrap();
        csv.table(Find::SCHEMA).unwrap();
        let (what, count) = ("nt", 1);
        csv.row(&Find { what, count }).unwrap();
        csv.end(Outcome::Done).unwrap();
        csv.begin("none").unwrap();
        csv.end(Outcome::Done).unwrap();
        csv.close().unwrap();
        assert_eq!(out.text(), "what,count\nnt,1\n");
    }
}
