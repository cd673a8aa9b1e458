//! kd's look: the text that a WinDbg user knows, with our remarks kept apart from it.

use super::{Console, Outcome, Output, PARTIAL, WIDTH, labelled, sanitize, wrapped};
use crate::command::line::table;
use crate::command::{Row, Sink, Topic, head};
use rkd_dump::error::{Error, Result};

/// Writes kd's text to the output. Notes are kept until the command is over and go to standard error, so that they
/// never stand inside a table and never come along when the text is pasted.
pub struct Text {
    console: Console,
    notes: Vec<String>,
    /// Whether the text of the running command is headings.
    headings: bool,
}

impl Text {
    /// Writes to `console`.
    pub fn new(console: Console) -> Text {
        Text {
            console,
            notes: Vec::new(),
            headings: false,
        }
    }
}

impl Sink for Text {
    fn row(&mut self, row: &dyn Row) -> Result<()> {
        self.console.check()?;
        let text = row.text();
        if text.is_empty() {
            return Ok(());
        }
        let paint = self.console.out_paint;
        self.console
            .line(&paint.row(row.kind(), &sanitize::plain(&text)))
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.console.check()?;
        let text = sanitize::plain(text);
        let paint = self.console.out_paint;
        match self.headings {
            true => self.console.line(&paint.heading(&text)),
            false => self.console.line(&text),
        }
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

    fn clear(&mut self) -> Result<()> {
        // Into a file, a clear screen would be four strange characters.
        if self.console.is_watched() && self.console.out_paint.on {
            self.console.put("\x1b[2J\x1b[H")
        } else {
            Ok(())
        }
    }
}

impl Output for Text {
    fn echo(&mut self, prompt: &str, line: &str, seen: bool) -> Result<()> {
        if seen {
            return Ok(());
        }
        let prompt = self.console.out_paint.prompt(prompt).into_owned();
        self.console
            .line(&format!("{prompt}{}", sanitize::plain(line)))
    }

    fn begin(&mut self, line: &str) -> Result<()> {
        // What `.echo` and `help` say is what was asked for; elsewhere rows are.
        self.headings =
            head::find(table(), line).is_ok_and(|(command, _)| command.topic != Topic::Session);
        self.console.begin();
        Ok(())
    }

    fn fail(&mut self, error: &dyn std::error::Error) -> Result<()> {
        let text = sanitize::plain(&error.to_string()).into_owned();
        let painted = self.console.out_paint.error(&text).into_owned();
        self.console.line(&painted)
    }

    fn end(&mut self, outcome: Outcome<'_>) -> Result<()> {
        self.console.end()?;
        if let Outcome::Failed(error) = outcome {
            self.fail(error)?;
        }
        let stopped = matches!(outcome, Outcome::Stopped).then(|| PARTIAL.to_string());
        for note in std::mem::take(&mut self.notes).into_iter().chain(stopped) {
            let mut remark = labelled("note", &note);
            if note == PARTIAL && self.console.remarks_are_watched() {
                // The terminal has written ^C where the cursor was.
                remark.insert(0, '\r');
            }
            let painted = self.console.err_paint.note(&remark).into_owned();
            self.console.say(&painted)?;
        }
        self.console.flush()
    }

    fn lesson(&mut self, text: &str) -> Result<()> {
        let painted = self
            .console
            .out_paint
            .lesson(&wrapped(text, WIDTH))
            .into_owned();
        self.console.line(&painted)
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
    use crate::render::console::tests::Shared;
    use crate::render::json::tests::{hit, module};

    fn text() -> (Text, Shared, Shared) {
        let (out, err) = (Shared::default(), Shared::default());
        (Text::new(Console::to(out.clone(), err.clone())), out, err)
    }

    #[test]
    fn a_session_reads_like_kds() {
        let (mut text, out, err) = text();
        text.echo("3: kd> ", "lm m my*", false).unwrap();
        text.begin("lm m my*").unwrap();
        text.text("start             end                 module name")
            .unwrap();
        text.note("1 of 151 modules").unwrap();
        text.row(&module("my\x1b[2Jfault")).unwrap();
        text.row(&module("")).unwrap();
        text.end(Outcome::Done).unwrap();
        text.echo("3: kd> ", "s typed already", true).unwrap();
        text.begin("s").unwrap();
        text.row(&hit(0x1234)).unwrap();
        text.end(Outcome::Stopped).unwrap();
        text.begin("? zz").unwrap();
        text.end(Outcome::Failed(&Error::Syntax(
            "Couldn't resolve error at 'zz'".into(),
        )))
        .unwrap();
        assert_eq!(
            out.text(),
            "3: kd> lm m my*\n\
             start             end                 module name\n\
             fffff807`47f50000 fffff807`47f59000   my.[2Jfault\n\
             00000000`00001234  4c\n\
             Couldn't resolve error at 'zz'\n"
        );
        assert_eq!(
            err.text(),
            "note: 1 of 151 modules\nnote: stopped by Ctrl-C: the output is partial\n"
        );
    }
}
