//! `.block`: commands in braces, whose aliases are looked up when the block is reached.

use crate::command::{Args, Command, Completes, Example, Grammar, Sink, Topic, run_line, split};
use crate::session::Session;
use rkd_dump::error::{Error, Result};

/// `.block`: run commands in braces.
pub static COMMAND: Command = Command {
    name: ".block",
    aliases: &[],
    rhai: "",
    topic: Topic::Session,
    summary: "run commands in braces",
    grammar: Grammar::own(".block { Commands }", Completes::Commands),
    help: "\
Runs the commands in the braces. Aliases in a line are replaced before any of its commands runs; those in a block when the
block is reached, so that an alias can be used in the line that makes it.",
    examples: &[Example {
        line: "aS x one; .block { .echo x }; ad x",
        shows: "an alias in the line that makes it",
        output: "one",
    }],
    rows: &[],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let (inside, rest) = braces(&args.text)?;
    nothing_more(rest)?;
    run_line(session, inside, out).map(|_| ())
}

/// The text without the blanks, line ends and semicolons in front of it: blocks may stand on lines of their own.
fn skip(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || c == ';')
}

/// The block in braces at the start of `text`, and what comes after it.
///
/// # Errors
/// kd's `Syntax error` where there is no block, or none that ends.
pub fn braces(text: &str) -> Result<(&str, &str)> {
    let text = skip(text);
    split::block(text, '{', '}')
        .map(|(inside, rest)| (inside, skip(rest)))
        .ok_or_else(|| syntax(text))
}

/// The same for round brackets.
///
/// # Errors
/// As for [`braces`].
pub fn brackets(text: &str) -> Result<(&str, &str)> {
    let text = skip(text);
    split::block(text, '(', ')')
        .map(|(inside, rest)| (inside, skip(rest)))
        .ok_or_else(|| syntax(text))
}

/// Refuses what comes after the last block.
///
/// # Errors
/// kd's `Syntax error`.
pub fn nothing_more(text: &str) -> Result<()> {
    if skip(text).is_empty() {
        Ok(())
    } else {
        Err(syntax(text))
    }
}

fn syntax(text: &str) -> Error {
    let at = if text.is_empty() { "<EOL>" } else { text };
    Error::Syntax(format!("Syntax error at '{at}'"))
}
