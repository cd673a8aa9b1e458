//! JSON for programs: a document per command, or a line per row.
//!
//! A document is written as it grows and looks like this, one row on a line:
//!
//! ```text
//! {"command":"lm m nt","rows":[
//! {"row":"module","start":"0xfffff80722600000","end":"0xfffff80723646000","name":"nt"}
//! ],"notes":[],"errors":[],"status":"ok"}
//! ```
//!
//! `status` is `ok`, `stopped` (Ctrl-C: the rows are right, but not all), or `error` when `errors` is not empty.
//! `text` is there when the command had something to say but no rows (`.echo`, `help`). A value that is not known is
//! `null`, and the row's `absent` says why: `"absent":{"entry_point":"page 1a2b is not in the dump"}`.

use super::{Console, Outcome, Output, PARTIAL, labelled, sanitize};
use crate::command::{Record, Row, Sink, Value};
use rkd_dump::error::{Error, Result};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};
use std::io;

/// One document per command.
pub struct Json {
    console: Console,
    rows: u64,
    notes: Vec<String>,
    errors: Vec<String>,
    text: Vec<String>,
}

/// One line per row; notes and errors go to standard error.
pub struct JsonLines {
    console: Console,
}

/// A value as JSON on one line, with everything escaped that a terminal would obey.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, SanitizingFormatter);
    // Only a failing writer or a map whose keys are no strings could fail, and there is neither.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// [`CompactFormatter`], with [`sanitize::json_fragment`].
struct SanitizingFormatter;

impl Formatter for SanitizingFormatter {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        CompactFormatter.write_string_fragment(writer, &sanitize::json_fragment(fragment))
    }
}

/// A row on its way out: its kind, its data, and the reasons for what it lacks.
struct RowJson<'r> {
    kind: &'static str,
    record: &'r Record,
}

impl Serialize for RowJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("row", self.kind)?;
        for (name, value) in self.record {
            map.serialize_entry(name, value)?;
        }
        let mut reasons = serde_json::Map::new();
        absent("", self.record, &mut reasons);
        if !reasons.is_empty() {
            map.serialize_entry("absent", &reasons)?;
        }
        map.end()
    }
}

/// Collects why values are missing, by dotted name.
fn absent(prefix: &str, record: &Record, reasons: &mut serde_json::Map<String, serde_json::Value>) {
    for (name, value) in record {
        match value {
            Value::Absent(why) if !why.is_empty() => {
                reasons.insert(format!("{prefix}{name}"), why.as_str().into());
            }
            Value::Record(inner) => absent(&format!("{prefix}{name}."), inner, reasons),
            _ => {}
        }
    }
}

fn row_json(row: &dyn Row) -> String {
    to_json(&RowJson {
        kind: row.kind(),
        record: &row.record(),
    })
}

impl Json {
    /// Writes to `console`.
    pub fn new(console: Console) -> Json {
        Json {
            console,
            rows: 0,
            notes: Vec::new(),
            errors: Vec::new(),
            text: Vec::new(),
        }
    }
}

impl Sink for Json {
    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.console.check()?;
        let separator = if self.rows == 0 { "\n" } else { ",\n" };
        self.rows += 1;
        self.text.clear();
        self.console.put(&format!("{separator}{}", row_json(row)))
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.console.check()?;
        if self.rows == 0 {
            self.text.push(text.to_string());
        }
        Ok(())
    }

    fn note(&mut self, note: &str) -> Result<()> {
        self.notes.push(note.to_string());
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result<()> {
        self.fail(error)
    }

    fn progress(&mut self, done: u64, total: u64, unit: &'static str) -> Result<()> {
        self.console.progress(done, total, unit)
    }
}

impl Output for Json {
    fn begin(&mut self, line: &str) -> Result<()> {
        self.console.begin();
        self.rows = 0;
        for texts in [&mut self.notes, &mut self.errors, &mut self.text] {
            texts.clear();
        }
        self.console
            .put(&format!("{{\"command\":{},\"rows\":[", to_json(&line)))
    }

    fn fail(&mut self, error: &dyn std::error::Error) -> Result<()> {
        self.errors.push(error.to_string());
        Ok(())
    }

    fn end(&mut self, outcome: Outcome<'_>) -> Result<()> {
        if let Outcome::Failed(error) = outcome {
            self.fail(error)?;
        }
        let mut tail = if self.rows == 0 { "]" } else { "\n]" }.to_string();
        if self.rows == 0 && self.text.iter().any(|text| !text.trim().is_empty()) {
            tail += &format!(",\"text\":{}", to_json(&self.text.join("\n")));
        }
        let status = match outcome {
            Outcome::Stopped => "stopped",
            _ if self.errors.is_empty() => "ok",
            _ => "error",
        };
        let (notes, errors) = (to_json(&self.notes), to_json(&self.errors));
        tail += &format!(",\"notes\":{notes},\"errors\":{errors},\"status\":\"{status}\"}}\n");
        self.console.put(&tail)?;
        self.console.end()
    }

    fn close(&mut self) -> Result<()> {
        self.console.flush()
    }

    fn is_closed(&self) -> bool {
        self.console.is_closed()
    }
}

impl JsonLines {
    /// Writes to `console`.
    pub fn new(console: Console) -> JsonLines {
        JsonLines { console }
    }
}

impl Sink for JsonLines {
    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.console.check()?;
        self.console.line(&row_json(row))
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

impl Output for JsonLines {
    fn begin(&mut self, _line: &str) -> Result<()> {
        self.console.begin();
        Ok(())
    }

    fn fail(&mut self, error: &dyn std::error::Error) -> Result<()> {
        let painted = self
            .console
            .err_paint
            .error(&labelled("error", &error.to_string()))
            .into_owned();
        self.console.say(&painted)
    }

    fn end(&mut self, outcome: Outcome<'_>) -> Result<()> {
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
pub(crate) mod tests {
    use super::*;
    use crate::command::Kept;
    use crate::render::console::tests::Shared;
    use rkd_dump::addr::Virt;

    /// A row as `lm` has it; without a text when `name` is empty.
    pub(crate) fn module(name: &str) -> Kept {
        let text = format!("fffff807`47f50000 fffff807`47f59000   {name}");
        Kept {
            kind: "module",
            record: vec![
                ("start".into(), Virt(0xffff_f807_47f5_0000).into()),
                ("name".into(), name.into()),
                ("size_bytes".into(), 0x9000_u64.into()),
                (
                    "entry_point".into(),
                    Value::Absent("page 1a2b is not in the dump".into()),
                ),
                (
                    "image".into(),
                    Value::Record(vec![
                        ("path".into(), Value::Absent("no\x1bway".into())),
                        ("size".into(), Value::I64(-5)),
                    ]),
                ),
                ("comment".into(), Value::Absent(String::new())),
            ],
            text: if name.is_empty() { String::new() } else { text },
        }
    }

    /// A row as `s` has it.
    pub(crate) fn hit(at: u64) -> Kept {
        Kept {
            kind: "hit",
            record: vec![
                ("address".into(), Virt(at).into()),
                ("bytes".into(), Value::Bytes(vec![0x4c, 0])),
            ],
            text: format!("{}  4c", Virt(at)),
        }
    }

    #[test]
    fn a_document_per_command() {
        let (out, err) = (Shared::default(), Shared::default());
        let mut json = Json::new(Console::to(out.clone(), err.clone()));
        json.begin("lm m \"my*\"").unwrap();
        json.text("start             end                 module name")
            .unwrap();
        json.row(&module("my\x1b[2J\u{9b}fault")).unwrap();
        json.note("1 of 151").unwrap();
        json.row(&hit(0x1234)).unwrap();
        json.text("Unloaded modules:").unwrap();
        json.end(Outcome::Done).unwrap();
        json.begin(".echo").unwrap();
        json.text("hello").unwrap();
        json.text("world").unwrap();
        json.end(Outcome::Stopped).unwrap();
        json.begin("? zz").unwrap();
        json.text("").unwrap();
        json.end(Outcome::Failed(&Error::Syntax(
            "Couldn't resolve error at 'zz'".into(),
        )))
        .unwrap();
        json.close().unwrap();
        assert_eq!(
            out.text(),
            r#"{"command":"lm m \"my*\"","rows":[
{"row":"module","start":"0xfffff80747f50000","name":"my\u001b[2J\u009bfault","size_bytes":36864,"entry_point":null,"image":{"path":null,"size":-5},"comment":null,"absent":{"entry_point":"page 1a2b is not in the dump","image.path":"no\u001bway"}},
{"row":"hit","address":"0x1234","bytes":"4c00"}
],"notes":["1 of 151"],"errors":[],"status":"ok"}
{"command":".echo","rows":[],"text":"hello\nworld","notes":[],"errors":[],"status":"stopped"}
{"command":"? zz","rows":[],"notes":[],"errors":["Couldn't resolve error at 'zz'"],"status":"error"}
"#
        );
        assert_eq!(err.text(), "");
        let documents = serde_json::Deserializer::from_str(&out.text())
            .into_iter::<serde_json::Value>()
            .collect::<Result<Vec<_>, _>>()
            .unwrap();
        assert_eq!(documents.len(), 3);
        assert_eq!(documents[0]["rows"][0]["name"], "my\x1b[2J\u{9b}fault");
    }

    #[test]
    fn a_line_per_row() {
        let (out, err) = (Shared::default(), Shared::default());
        let mut lines = JsonLines::new(Console::to(out.clone(), err.clone()));
        lines.begin("s").unwrap();
        lines.text("heading").unwrap();
        lines.row(&hit(1)).unwrap();
        lines.note("9 of 9 pages read").unwrap();
        lines.row(&hit(2)).unwrap();
        lines.end(Outcome::Stopped).unwrap();
        lines.begin("?").unwrap();
        lines
            .end(Outcome::Failed(&Error::Syntax(
                "Syntax error\n at 'x'".into(),
            )))
            .unwrap();
        assert_eq!(
            out.text(),
            "{\"row\":\"hit\",\"address\":\"0x1\",\"bytes\":\"4c00\"}\n\
             {\"row\":\"hit\",\"address\":\"0x2\",\"bytes\":\"4c00\"}\n"
        );
        assert_eq!(
            err.text(),
            "note: 9 of 9 pages read\nnote: stopped by Ctrl-C: the output is partial\nerror: Syntax error\n        at 'x'\n"
        );
    }
}
