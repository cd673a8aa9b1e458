//! `.for`, `.while`, `.do`, and the ways out of them: `.break` and `.continue`.

use super::block::{braces, brackets, nothing_more};
use crate::command::{
    Args, Command, Completes, Example, Flow, Grammar, Sink, Topic, masm, run_line, sink,
};
use crate::session::{Jump, Session};
use rkd_dump::error::{Error, Result};

/// `.for`: run commands again and again.
pub static COMMAND: Command = Command {
    name: ".for",
    aliases: &[".while", ".do", ".break", ".continue"],
    rhai: "",
    topic: Topic::Session,
    summary: "run commands again and again",
    grammar: Grammar::own(".for (Commands; Expression; Commands) { Commands } | .while (Expression) { Commands } | .do { Commands } (Expression)", Completes::Commands),
    help: "\
Runs a block as long as a MASM expression is not zero. .for runs its first commands once before, its last ones after each turn;
.do looks at the expression after each turn. .break leaves the innermost loop, .continue goes on with its next turn. Ctrl-C ends
every loop.",
    examples: &[
        Example {
            line: ".for (r $t0 = 0; @$t0 < 3; r $t0 = @$t0 + 1) { ? @$t0 }",
            shows: "counting",
            output: "\
Evaluate expression: 0 = 00000000`00000000
Evaluate expression: 1 = 00000000`00000001
Evaluate expression: 2 = 00000000`00000002",
        },
        Example {
            line: "r $t0 = 0; .while (1) { r $t0 = @$t0 + 1; .if (@$t0 = 2) { .continue }; .if (@$t0 > 3) { .break }; ? @$t0 }",
            shows: "the ways out",
            output: "\
Evaluate expression: 1 = 00000000`00000001
Evaluate expression: 3 = 00000000`00000003",
        },
    ],
    rows: &[],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    match args.name.as_str() {
        ".break" => leave(session, Jump::Break),
        ".continue" => leave(session, Jump::Continue),
        ".while" => {
            let (condition, rest) = brackets(&args.text)?;
            let (body, rest) = braces(rest)?;
            nothing_more(rest)?;
            repeat(
                session,
                Loop {
                    condition,
                    body,
                    step: "",
                    body_first: false,
                },
                out,
            )
        }
        ".do" => {
            let (body, rest) = braces(&args.text)?;
            let (condition, rest) = brackets(rest)?;
            nothing_more(rest)?;
            repeat(
                session,
                Loop {
                    condition,
                    body,
                    step: "",
                    body_first: true,
                },
                out,
            )
        }
        _ => {
            let (head, rest) = brackets(&args.text)?;
            let (body, rest) = braces(rest)?;
            nothing_more(rest)?;
            let [start, condition, step] =
                thirds(head).ok_or_else(|| Error::Syntax(format!("Syntax error at '({head})'")))?;
            if run_line(session, start, out)? == Flow::Quit {
                return Ok(());
            }
            repeat(
                session,
                Loop {
                    condition,
                    body,
                    step,
                    body_first: false,
                },
                out,
            )
        }
    }
}

/// The three parts of a `.for`, divided at its first and last semicolon outside quotes.
fn thirds(head: &str) -> Option<[&str; 3]> {
    let mut quoted = false;
    let cuts: Vec<usize> = head
        .char_indices()
        .filter(|(_, c)| {
            quoted ^= *c == '"';
            *c == ';' && !quoted
        })
        .map(|(at, _)| at)
        .collect();
    let (first, second) = (*cuts.first()?, *cuts.get(1)?);
    Some([
        &head[..first],
        &head[first + 1..second],
        &head[second + 1..],
    ])
}

struct Loop<'t> {
    condition: &'t str,
    body: &'t str,
    step: &'t str,
    body_first: bool,
}

fn repeat(session: &mut Session, turns: Loop<'_>, out: &mut dyn Sink) -> Result<()> {
    let mut ask = !turns.body_first;
    loop {
        sink::check(&session.control.stop)?;
        if ask && masm::evaluate(session, turns.condition)? == 0 {
            return Ok(());
        }
        ask = true;
        session.control.loops += 1;
        let outcome = run_line(session, turns.body, out);
        session.control.loops -= 1;
        let jump = session.control.jump.take();
        if outcome? == Flow::Quit || jump == Some(Jump::Break) {
            return Ok(());
        }
        if run_line(session, turns.step, out)? == Flow::Quit {
            return Ok(());
        }
    }
}

fn leave(session: &mut Session, jump: Jump) -> Result<()> {
    if session.control.loops == 0 {
        return Err(Error::Syntax("There is no loop to leave here.".into()));
    }
    session.control.jump = Some(jump);
    Ok(())
}
