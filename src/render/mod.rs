//! LOOKS: rows become kd's text, JSON, or CSV. The only room that knows what a terminal is.
//!
//! | format | standard output | notes and errors |
//! |---|---|---|
//! | [`Text`] | kd's text, fit to be pasted beside WinDbg's | notes on standard error, after the command's text; an error is part of the session's text, as in kd |
//! | [`Json`] | one document per command | inside the document |
//! | [`JsonLines`] | one line per row | standard error |
//! | [`Csv`] | one table per kind of row | standard error |
//!
//! Every renderer streams: the first row is out before the second is looked for.

pub mod console;
pub mod csv;
pub mod download;
pub mod json;
pub mod paint;
pub mod progress;
pub mod sanitize;
pub mod tee;
pub mod text;
mod wrap;

pub use self::csv::Csv;
use crate::command::Sink;
pub use anstream::ColorChoice;
pub use console::Console;
pub use download::Download;
pub use json::{Json, JsonLines};
pub use paint::Paint;
use rkd_dump::error::{Error, Result};
pub use tee::Tee;
pub use text::Text;
pub use wrap::wrapped;

/// How wide running text is made: what fits every terminal and is still easy to read.
pub const WIDTH: usize = 100;

/// A way to show rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// kd's text.
    #[default]
    Text,
    /// One JSON document per command.
    Json,
    /// One line of JSON per row.
    JsonLines,
    /// Tables of comma-separated values.
    Csv,
}

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'e> {
    /// It said all that it had to say.
    Done,
    /// Ctrl-C: what was handed over is right, but not everything.
    Stopped,
    /// It could not do what was asked.
    Failed(&'e dyn std::error::Error),
}

impl<'e, T> From<&'e Result<T>> for Outcome<'e> {
    fn from(result: &'e Result<T>) -> Outcome<'e> {
        match result {
            Ok(_) => Outcome::Done,
            Err(Error::Stopped) => Outcome::Stopped,
            Err(error) => Outcome::Failed(error),
        }
    }
}

/// A sink that knows where one command ends and the next begins.
///
/// Call `begin`, let the command write, call `end`; and `close` when no command will follow.
pub trait Output: Sink {
    /// Shows the prompt and what was typed at it. `seen` when the terminal shows them already, so that only a log needs them.
    fn echo(&mut self, _prompt: &str, _line: &str, _seen: bool) -> Result<()> {
        Ok(())
    }
    /// The command `line` begins.
    fn begin(&mut self, line: &str) -> Result<()>;
    /// What went wrong, without the reasons behind it. It does not end the command: [`Output::end`] does.
    fn fail(&mut self, error: &dyn std::error::Error) -> Result<()>;
    /// A reason behind what went wrong.
    fn reason(&mut self, why: &str) -> Result<()> {
        self.note(why)
    }
    /// The command is over. Called whatever happened, also after an error of the sink itself.
    fn end(&mut self, outcome: Outcome<'_>) -> Result<()>;
    /// An explanation between commands, for a person only (the demo).
    fn lesson(&mut self, _text: &str) -> Result<()> {
        Ok(())
    }
    /// Everything is over: whatever was held back is written.
    fn close(&mut self) -> Result<()>;
    /// Whether the reader has gone (`| head -1`): there is nobody left to write for.
    fn is_closed(&self) -> bool;
}

/// The renderer for a format.
pub fn output(format: Format, console: Console) -> Box<dyn Output> {
    match format {
        Format::Text => Box::new(Text::new(console)),
        Format::Json => Box::new(Json::new(console)),
        Format::JsonLines => Box::new(JsonLines::new(console)),
        Format::Csv => Box::new(Csv::new(console)),
    }
}

/// A remark as it stands on standard error: one or more lines, the first with its label, the others indented below it.
fn labelled(label: &str, text: &str) -> String {
    let indent = format!("\n{}", " ".repeat(label.len() + 2));
    format!(
        "{label}: {}",
        sanitize::plain(text).trim_end().replace('\n', &indent)
    )
}

/// The reasons behind an error that its own text does not tell.
fn reasons(error: &dyn std::error::Error) -> Vec<String> {
    let text = error.to_string();
    std::iter::successors(error.source(), |why| why.source())
        .map(|why| why.to_string())
        .filter(|why| !text.contains(why))
        .collect()
}

/// What a person is told when Ctrl-C ended a command.
const PARTIAL: &str = "stopped by Ctrl-C: the output is partial";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_of_several_lines_stays_under_its_label() {
        assert_eq!(
            labelled("note", "one\ntwo\x1b[2J\n"),
            "note: one\n      two.[2J"
        );
    }

    #[test]
    fn reasons_are_told_once() {
        let source = std::io::Error::other("disk on fire");
        let told = Error::open("x".as_ref(), source);
        assert_eq!(told.to_string(), "cannot open x: disk on fire");
        assert_eq!(reasons(&told), Vec::<String>::new());
        #[derive(Debug, thiserror::Error)]
        #[error("No export vmm found")]
        struct Refused(#[source] Error);
        assert_eq!(
            reasons(&Refused(Error::NotFound("did you mean !vm ?".into()))),
            ["did you mean !vm ?"]
        );
    }

    #[test]
    fn results_become_outcomes() {
        let done: Result<u8> = Ok(1);
        assert!(matches!(Outcome::from(&done), Outcome::Done));
        let stopped: Result<u8> = Err(Error::Stopped);
        assert!(matches!(Outcome::from(&stopped), Outcome::Stopped));
        let failed: Result<u8> = Err(Error::NotFound("x".into()));
        assert!(
            matches!(Outcome::from(&failed), Outcome::Failed(error) if error.to_string() == "x")
        );
    }
}
