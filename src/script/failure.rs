//! What went wrong in a script, and where: the line, a caret under the place, and who called.

use super::engine::EVALUATOR;
use super::flow::GaveUp;
use super::host::Host;
use super::sources::{PROMPT, Sources};
use rhai::{EvalAltResult, ParseError, ParseErrorType, Position};
use rkd_dump::error::Error;
use std::fmt;

/// Why a script did not come to its end.
#[derive(Debug)]
pub enum Failure {
    /// Ctrl-C, or a reader that wants no more.
    Stopped,
    /// The script is wrong, or a function that it called failed and nothing caught it.
    Script(Box<Report>),
    /// The script gave up, with a sentence that says why (`give_up`): nothing is wrong with the script.
    GaveUp(String),
    /// The world around it: a file that cannot be read, an output that cannot be written.
    Outside(Error),
}

/// An error of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Option<ScriptPosition>,
    /// The calls that led there, the innermost first.
    pub calls: Vec<Call>,
}

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptPosition {
    /// The file or module; `prompt` for what was typed.
    pub source: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The text of that line, when it is known.
    pub text: Option<String>,
}

/// A function that was running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub function: String,
    /// Where it was called.
    pub place: Option<ScriptPosition>,
}

/// The most characters of a source line that are shown.
const MAX_LINE_WIDTH: usize = 100;

/// The most calls that are shown; a recursion without end has hundreds.
const MAX_CALLS: usize = 8;

impl Failure {
    /// Makes a failure of Rhai's error.
    pub(super) fn of(error: &EvalAltResult, main: &str, host: &Host) -> Failure {
        if is_stop(error) {
            return Failure::Stopped;
        }
        if let Some(why) = gave_up(error) {
            return Failure::GaveUp(why);
        }
        let mut report = Report {
            message: String::new(),
            place: None,
            calls: Vec::new(),
        };
        walk(error, main, Position::NONE, host, &mut report);
        Failure::Script(Box::new(report))
    }

    /// Makes a failure of a text that does not parse.
    pub(super) fn of_parse(error: &ParseError, main: &str, host: &Host) -> Failure {
        let message = match error.err_type() {
            ParseErrorType::VariableUndefined(name) => no_variable(name, host),
            other => capital(&other.to_string()),
        };
        Failure::Script(Box::new(Report {
            message,
            place: place(error.position(), main, &host.sources),
            calls: Vec::new(),
        }))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            Error::Stopped => Failure::Stopped,
            error => Failure::Outside(error),
        }
    }
}

/// Whether an error is the end by Ctrl-C, however deep it was.
pub(super) fn is_stop(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorTerminated(..) => true,
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => is_stop(inner),
        _ => false,
    }
}

/// The sentence of `give_up`, however deep it was called.
fn gave_up(error: &EvalAltResult) -> Option<String> {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => {
            value.clone().try_cast::<GaveUp>().map(|why| why.0)
        }
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => gave_up(inner),
        _ => None,
    }
}

/// Goes inwards: every level but the last is a call.
fn walk(error: &EvalAltResult, source: &str, outer: Position, host: &Host, report: &mut Report) {
    let sources = &host.sources;
    match error {
        EvalAltResult::ErrorInFunctionCall(function, inside, inner, at) => {
            report.calls.insert(
                0,
                Call {
                    function: function.clone(),
                    place: place(*at, source, sources),
                },
            );
            let inside = if inside.is_empty() { source } else { inside };
            walk(inner, inside, *at, host, report);
        }
        EvalAltResult::ErrorInModule(module, inner, at) => {
            report.calls.insert(
                0,
                Call {
                    function: format!("import \"{module}\""),
                    place: place(*at, source, sources),
                },
            );
            walk(inner, module, *at, host, report);
        }
        other => {
            let at = other.position();
            report.message = message(other, host);
            // A native function that was handed over as a callback has no position of its own.
            report.place = place(if at.is_none() { outer } else { at }, source, sources);
        }
    }
}

fn place(at: Position, source: &str, sources: &Sources) -> Option<ScriptPosition> {
    let line = at.line()?;
    let column = at.position().unwrap_or(1);
    Some(ScriptPosition {
        source: source.to_string(),
        line,
        column,
        text: sources.line(source, line),
    })
}

/// Rhai's text without its own position, and plainer where it helps.
fn message(error: &EvalAltResult, host: &Host) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) if value.is_unit() => {
            "The script gave up (throw without a value)".into()
        }
        EvalAltResult::ErrorRuntime(value, _) => capital(&super::value::display(value)),
        EvalAltResult::ErrorParsing(why, _) => capital(&why.to_string()),
        EvalAltResult::ErrorVariableNotFound(name, _) => no_variable(name, host),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => no_function(signature, host),
        EvalAltResult::ErrorModuleNotFound(name, _) => format!("There is no module '{name}'"),
        EvalAltResult::ErrorStackOverflow(_) => "Too many functions call each other".into(),
        other => {
            let mut copy = other.to_string();
            // The position at the end is shown by the caret.
            if let Some(cut) = copy.rfind(" (line ").filter(|_| copy.ends_with(')')) {
                copy.truncate(cut);
            }
            capital(&copy)
        }
    }
}

fn no_variable(name: &str, host: &Host) -> String {
    match host.usages(name).first() {
        Some(usage) => format!("There is no variable '{name}'; the function is called as {usage}"),
        None => format!(
            "There is no variable '{name}' here (a function sees its parameters only, not the variables around it)"
        ),
    }
}

/// With what there is instead: the same function with other arguments, or a name that looks like it.
fn no_function(signature: &str, host: &Host) -> String {
    // The parser knows `eval` by another name: see `engine::names`.
    let signature = &signature.replacen(
        EVALUATOR,
        "eval",
        usize::from(signature.starts_with(EVALUATOR)),
    );
    let name = signature.split([' ', '(']).next().unwrap_or_default();
    let missing = format!("There is no function {}", plain(signature));
    let known = host.usages(name);
    if !known.is_empty() {
        return format!("{missing}; there is {}", known.join(", "));
    }
    match host.similar(name) {
        Some(usage) => format!("{missing}; did you mean {usage}?"),
        None => missing,
    }
}

/// Rhai's names of types in the words of the documentation.
fn plain(signature: &str) -> String {
    signature
        .replace("&str | ImmutableString | String", "text")
        .replace("string", "text")
        .replace("i64", "INT")
        .replace("f64", "FLOAT")
}

/// A sentence begins with a capital letter, unless it begins with a name (`eval() takes ..`).
fn capital(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    if !word.chars().all(|c| c.is_alphabetic() || c == ',') {
        return text.to_string();
    }
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Stopped => f.write_str("stopped"),
            Failure::Script(report) => report.fmt(f),
            Failure::GaveUp(why) => f.write_str(why),
            Failure::Outside(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Failure::Outside(error) => error.source(),
            _ => None,
        }
    }
}

/// ```text
/// leak.rhai:4:26: There is no function nosuch (INT)
///     let y = nosuch(1);
///             ^
///   in bad, called at main.rhai:1:24
/// ```
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            // What was typed a moment ago needs no name: the line itself is there.
            Some(place) if place.source == PROMPT => write!(f, "{}", self.message)?,
            Some(place) => write!(f, "{place}: {}", self.message)?,
            None => write!(f, "{}", self.message)?,
        }
        if let Some(place) = &self.place {
            place.caret(f)?;
        }
        for call in self.calls.iter().take(MAX_CALLS) {
            match &call.place {
                Some(place) => write!(f, "\n  in {}, called at {place}", call.function)?,
                None => write!(f, "\n  in {}", call.function)?,
            }
        }
        if self.calls.len() > MAX_CALLS {
            write!(f, "\n  and {} more calls", self.calls.len() - MAX_CALLS)?;
        }
        Ok(())
    }
}

impl fmt::Display for ScriptPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

impl ScriptPosition {
    /// The line and the caret under the column; a long line is cut around it.
    fn caret(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = &self.text else {
            return Ok(());
        };
        // A tab or a control character takes one column, as it does for Rhai.
        let line: Vec<char> = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let column = self.column.saturating_sub(1).min(line.len());
        let from = if column < MAX_LINE_WIDTH {
            0
        } else {
            column - MAX_LINE_WIDTH / 2
        };
        let shown: String = line.iter().skip(from).take(MAX_LINE_WIDTH).collect();
        write!(
            f,
            "\n    {}\n    {}^",
            shown.trim_end(),
            " ".repeat(column - from)
        )
    }
}
