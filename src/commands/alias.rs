//! `as`, `aS`, `ad`, `al`: names that stand for text.

use crate::command::{Args, Command, Completes, Example, Grammar, KdLine, Row, Sink, Topic, masm};
use crate::session::Session;
use rkd_dump::error::{Error, Result};

/// `as`: make, delete and list names that stand for text.
pub static COMMAND: Command = Command {
    name: "as",
    aliases: &["aS", "ad", "al"],
    rhai: "",
    topic: Topic::Session,
    summary: "make, delete and list names that stand for text",
    grammar: Grammar::own("as [/x] Name Text | aS [/x] Name Text | ad Name | ad * | al", Completes::Commands),
    help: "\
as makes a name stand for the rest of the line, semicolons included; aS for the text up to the next semicolon. From the next
line on, the name is replaced where it stands alone between blanks, and anywhere as ${name}. /x takes the value of an expression
instead of its text. ad deletes one name or all (*), al lists them.

${/d:name} is 1 where the name exists and 0 otherwise, ${/f:name} is empty where it does not exist.",
    examples: &[Example {
        line: "aS leak L?0x9000 \"Leak\"; al; ad leak",
        shows: "a name for a range and a pattern",
        output: "  Alias            Value \n -------          ------- \n leak             L?0x9000 \"Leak\" ",
    }],
    rows: &[Alias::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    match args.name.as_str() {
        "al" => list(session, out),
        "ad" => delete(session, args.text.trim()),
        _ => define(session, &args.text),
    }
}

fn define(session: &mut Session, text: &str) -> Result<()> {
    let (is_expression, text) = match text.strip_prefix("/x") {
        Some(text) => (true, text.trim_start()),
        None => (false, text),
    };
    if text.starts_with('/') {
        return Err(Error::NotSupported(
            "Of the switches of as only /x is done.".into(),
        ));
    }
    let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if name.is_empty() {
        return Err(Error::Syntax(format!(
            "Syntax error: usage is {}",
            COMMAND.usage()
        )));
    }
    let value = match is_expression {
        true => format!("{:#x}", masm::evaluate(session, value)?),
        false => value.trim().to_string(),
    };
    session.numbers.aliases.insert(name.to_string(), value);
    Ok(())
}

fn delete(session: &mut Session, name: &str) -> Result<()> {
    if name == "*" {
        session.numbers.aliases.clear();
        return Ok(());
    }
    match session.numbers.aliases.remove(name) {
        Some(_) => Ok(()),
        None => Err(Error::NotFound(format!("There is no alias {name}."))),
    }
}

fn list(session: &Session, out: &mut dyn Sink) -> Result<()> {
    if session.numbers.aliases.is_empty() {
        return out.text("No aliases");
    }
    out.text("  Alias            Value \n -------          ------- ")?;
    session
        .numbers
        .aliases
        .iter()
        .try_for_each(|(name, value)| out.row(&Alias { name, value }))
}

/// A name that stands for other text.
#[derive(Row)]
#[row(kind = "alias")]
struct Alias<'a> {
    /// The name.
    name: &'a str,
    /// What it is replaced by.
    value: &'a str,
}

impl KdLine for Alias<'_> {
    fn line(&self) -> String {
        format!(" {:<16} {} ", self.name, self.value)
    }
}
