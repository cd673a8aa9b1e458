//! `help`, `.hh`, `.help`, `!help`: what there is, and how it is used.

use crate::command::line::table;
use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, Record, Row, Sink, Topic, Value, head};
use crate::session::Session;
use rkd_dump::error::{Error, Result};

/// See the module.
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
    rows: &[],
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
        Some(command) => out.row(&Help(command)),
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
        out.row(&Summary(command))?;
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

/// A command in the list.
struct Summary(&'static Command);

impl Row for Summary {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn record(&self) -> Record {
        vec![
            ("name", self.0.name.into()),
            ("summary", self.0.summary.into()),
            ("usage", self.0.usage().into_owned().into()),
        ]
    }

    fn text(&self) -> String {
        format!("  {:<18}{}", self.0.name, self.0.summary)
    }
}

/// All about a command.
struct Help(&'static Command);

impl Row for Help {
    fn kind(&self) -> &'static str {
        "help"
    }

    fn record(&self) -> Record {
        let command = self.0;
        vec![
            ("name", command.name.into()),
            (
                "aliases",
                command
                    .aliases
                    .iter()
                    .map(|alias| Value::from(*alias))
                    .collect::<Vec<_>>()
                    .into(),
            ),
            ("rhai", command.rhai.into()),
            ("summary", command.summary.into()),
            ("usage", command.usage().into_owned().into()),
            ("help", command.help.into()),
        ]
    }

    fn text(&self) -> String {
        let command = self.0;
        let mut text = format!(
            "{}  -  {}\n\nUsage: {}",
            command.name,
            command.summary,
            command.usage()
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
