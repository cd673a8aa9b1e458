//! `.foreach`: commands for every word that other commands print.

use super::block::{braces, brackets, nothing_more};
use crate::command::{
    Args, Collect, Command, Completes, Example, Flow, Grammar, Sink, Topic, alias, masm, run_line,
    sink,
};
use crate::session::{Jump, Session};
use rkd_dump::error::{Error, Result};

/// `.foreach`: run commands for every word of an output.
pub static COMMAND: Command = Command {
    name: ".foreach",
    aliases: &[],
    rhai: "",
    topic: Topic::Session,
    summary: "run commands for every word of an output",
    grammar: Grammar::own(".foreach [/pS N] [/ps N] (Name { Commands }) { Commands } | .foreach /s (Name \"Text\") { Commands }", Completes::Commands),
    help: "\
Runs the commands in the round brackets without showing what they print, divides it at blanks and line ends, and runs the other
commands once for each word. There the name stands for the word: alone between blanks, or anywhere as ${name}.

  /pS N    leaves out the first N words       /ps N    leaves out N words after each that was taken
  /s       takes the words of a text instead of an output

Rhai does the same with data instead of words:  for m in lm() { print(m.name) }",
    examples: &[Example {
        line: ".foreach /s (word \"one two three\") { .echo <${word}> }",
        shows: "a loop over words",
        output: "<one>\n<two>\n<three>",
    }],
    rows: &[],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let (options, rest) = Options::parse(session, &args.text)?;
    let (head, rest) = brackets(rest)?;
    let (body, rest) = braces(rest)?;
    nothing_more(rest)?;
    let head = head.trim();
    let (name, source) = head.split_at(
        head.find(|c: char| c.is_whitespace() || c == '{' || c == '"')
            .unwrap_or(head.len()),
    );
    let text = match options.from_text {
        true => source.trim().trim_matches('"').to_string(),
        false => output(session, braces(source)?.0, out)?,
    };
    for word in text
        .split_whitespace()
        .skip(options.skip_first)
        .step_by(options.skip_between + 1)
    {
        sink::check(&session.control.stop)?;
        let line = alias::substitute(body, &|wanted| (wanted == name).then(|| word.to_string()));
        session.control.loops += 1;
        let outcome = run_line(session, &line, out);
        session.control.loops -= 1;
        let jump = session.control.jump.take();
        if outcome? == Flow::Quit || jump == Some(Jump::Break) {
            break;
        }
    }
    Ok(())
}

/// What commands print; their notes are shown all the same.
fn output(session: &mut Session, commands: &str, out: &mut dyn Sink) -> Result<String> {
    let mut kept = Collect::default();
    let outcome = run_line(session, commands, &mut kept);
    kept.notes.iter().try_for_each(|note| out.note(note))?;
    outcome.map(|_| kept.screen)
}

#[derive(Default)]
struct Options {
    skip_first: usize,
    skip_between: usize,
    from_text: bool,
}

impl Options {
    fn parse<'t>(session: &Session, text: &'t str) -> Result<(Options, &'t str)> {
        let mut options = Options::default();
        let mut rest = text.trim_start();
        let count = |text: &'t str| -> Result<(usize, &'t str)> {
            // A number alone: the bracket that follows must not be taken for a part of the expression.
            let text = text.trim_start();
            let end = text
                .find(|c: char| c.is_whitespace() || c == '(')
                .unwrap_or(text.len());
            let number = masm::evaluate(session, &text[..end])?;
            Ok((
                usize::try_from(number)
                    .unwrap_or(usize::MAX - 1)
                    .min(usize::MAX - 1),
                text[end..].trim_start(),
            ))
        };
        loop {
            if let Some(after) = rest.strip_prefix("/pS") {
                (options.skip_first, rest) = count(after)?;
            } else if let Some(after) = rest.strip_prefix("/ps") {
                (options.skip_between, rest) = count(after)?;
            } else if let Some(after) = rest.strip_prefix("/s") {
                options.from_text = true;
                rest = after.trim_start();
            } else if rest.starts_with("/f") {
                return Err(Error::NotSupported(
                    "The words of a file (/f) are left to Rhai.".into(),
                ));
            } else {
                return Ok((options, rest));
            }
        }
    }
}
