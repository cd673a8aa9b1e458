//! `help`, `.hh`, `.help`, `!help`: what there is, and how it is used.

use crate::command::line::table;
use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic, head};
use crate::session::Session;
use rkd_dump::error::{Error, Result};

/// `help`: list the commands, or explain one.
pub static COMMAND: Command = Command {
    name: "help",
    aliases: &[".hh", ".help", "!help"],
    rhai: "",
    topic: Topic::Session,
    summary: "list the commands, or explain one",
    grammar: Grammar::of(&[Item::optional("Command", Kind::Command, "")]),
    help: "\
Without an argument it lists every command with one line of explanation, by topic. With the name of a command it shows how
the command is called, what its arguments mean, and examples with what they print on the practice dump of rkd demo.

kd's .hh opens a help file; here it is the same as help.",
    examples: &[Example {
        line: ".hh q",
        shows: "the help of a command",
        output: "\
q  -  leave rkd

Usage: q
Also:  qq, qd
Rhai:  none

Leaves at once; the dump is never changed. q, qq and qd are the same here.

  q
    the end of the session",
    }],
    rows: &[Summary::SCHEMA, Help::SCHEMA],
    run,
};

fn run(_: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let Some(name) = args
        .text("Command")
        .and_then(|text| text.split_whitespace().next())
    else {
        return list(out);
    };
    match find(name) {
        Some(command) => out.row(&Help {
            name: command.name,
            aliases: command.aliases,
            rhai: command.rhai,
            summary: command.summary,
            usage: command.usage().into_owned(),
            help: command.manual(),
            examples: command.examples,
        }),
        None => Err(Error::NotFound(match head::suggest(table(), name) {
            Some(guess) => format!("There is no command {name}; did you mean {guess} ?"),
            None => format!("There is no command {name}; help lists them."),
        })),
    }
}

/// The command that is meant: its `!` or `.` may be left out.
fn find(name: &str) -> Option<&'static Command> {
    let named = |name: &str| head::named(table(), name);
    named(name)
        .or_else(|| named(&format!("!{name}")))
        .or_else(|| named(&format!(".{name}")))
        .or_else(|| {
            // `help lmvm`: a name with its options.
            head::find(table(), name).ok().map(|(command, _)| command)
        })
}

/// The list of all commands, by topic.
pub fn list(out: &mut dyn Sink) -> Result<()> {
    let mut topic = None;
    for command in table() {
        if topic != Some(command.topic) {
            if topic.is_some() {
                out.text("")?;
            }
            out.text(title(command.topic))?;
            topic = Some(command.topic);
        }
        out.row(&Summary {
            name: command.name,
            summary: command.summary,
            usage: command.usage().into_owned(),
        })?;
    }
    out.text("\nhelp COMMAND explains a command. Everything that is no command is Rhai: try  for m in lm() { print(m.name) }")
}

/// The heading of a chapter.
pub fn title(topic: Topic) -> &'static str {
    match topic {
        Topic::Pool => "Pool and memory counters",
        Topic::Modules => "Modules",
        Topic::Memory => "Searching and showing memory",
        Topic::Expressions => "Expressions",
        Topic::Code => "Code and stacks",
        Topic::Target => "The target",
        Topic::Symbols => "Symbols",
        Topic::Session => "The session",
    }
}

/// A command in the list of all.
#[derive(Row)]
#[row(kind = "command")]
struct Summary {
    /// Its name.
    name: &'static str,
    /// What it does, in a few words.
    summary: &'static str,
    /// How it is called.
    usage: String,
}

impl KdLine for Summary {
    fn line(&self) -> String {
        format!("  {:<18}{}", self.name, self.summary)
    }
}

/// All about a command.
#[derive(Row)]
#[row(kind = "help")]
struct Help {
    /// Its name.
    name: &'static str,
    /// Its other names.
    aliases: &'static [&'static str],
    /// The function's name in Rhai; empty where there is none.
    rhai: &'static str,
    /// What it does, in a few words.
    summary: &'static str,
    /// How it is called.
    usage: String,
    /// The long text.
    help: String,
    #[row(skip)]
    examples: &'static [Example],
}

impl KdLine for Help {
    fn line(&self) -> String {
        let command = self;
        let mut text = format!(
            "{}  -  {}\n\nUsage: {}",
            command.name, command.summary, command.usage
        );
        if !command.aliases.is_empty() {
            text.push_str(&format!("\nAlso:  {}", command.aliases.join(", ")));
        }
        let rhai = if command.rhai.is_empty() {
            "none".to_string()
        } else {
            format!("{}(\"...\")", command.rhai)
        };
        text.push_str(&format!("\nRhai:  {rhai}\n\n{}", command.help));
        for example in command.examples {
            text.push_str(&format!("\n\n  {}\n    {}", example.line, example.shows));
            for line in example.output.lines() {
                text.push_str(&format!("\n    | {line}"));
            }
        }
        text
    }
}
