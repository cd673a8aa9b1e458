//! `rkd docs`: the reference of the commands as Markdown, from the table that runs them.

use super::World;
use crate::command::line::table;
use crate::command::{Column, Command, Schema, Topic};
use crate::commands::help::title;
use rkd_dump::error::Result;

/// Prints the reference.
///
/// # Errors
/// When the output takes no more.
pub(super) fn run(world: &World<'_>) -> Result<u8> {
    let mut console = world.console();
    console.put(&markdown(table()))?;
    console.flush()?;
    Ok(0)
}

/// Every command, by topic.
fn markdown(commands: &[&Command]) -> String {
    let mut text = String::from(
        "# Commands\n\nThis page is printed by `rkd docs`; every example is run by the tests.\n",
    );
    let mut topic: Option<Topic> = None;
    for command in commands {
        if topic != Some(command.topic) {
            topic = Some(command.topic);
            text += &format!("\n## {}\n", title(command.topic));
        }
        text += &section(command);
    }
    text
}

fn section(command: &Command) -> String {
    let Command {
        name,
        aliases,
        rhai,
        summary,
        examples,
        rows,
        ..
    } = command;
    let code = |name: &str| format!("`{name}`");
    let mut text = format!("\n### `{name}`\n\n{}\n", sentence(summary));
    if !aliases.is_empty() {
        let names: Vec<String> = aliases.iter().copied().map(code).collect();
        text += &format!("\nAlso: {}.", names.join(", "));
    }
    text += &match *rhai {
        "" => "\nNot callable from Rhai.\n".to_string(),
        name => format!("\nIn Rhai: `{name}()`.\n"),
    };
    text += &block(&format!("{}\n\n{}", command.usage(), command.manual()));
    text.extend(rows.iter().map(|rows| columns(rows)));
    for example in *examples {
        text += &format!("\nExample: {}\n", example.shows);
        let output = example.output.trim_end();
        let gap = if output.is_empty() { "" } else { "\n" };
        text += &block(&format!("kd> {}{gap}{output}", example.line));
    }
    text
}

/// The columns of a kind of row. Where a value can be missing, JSON and Rhai say why.
fn columns(rows: &Schema) -> String {
    let mut text = format!(
        "\nRows of the kind `{}`. {}\n\n| column | kind | unit | what it holds |\n|---|---|---|---|\n",
        rows.kind, rows.doc
    );
    for column in rows.columns {
        let Column {
            name,
            kind,
            unit,
            doc,
            ..
        } = column;
        let missing = if column.is_optional { ", or none" } else { "" };
        text += &format!("| `{name}` | {kind}{missing} | {unit} | {doc} |\n");
    }
    text
}

/// A block of text as it stands, behind a fence that is longer than any in it.
fn block(text: &str) -> String {
    let ticks = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(ticks.max(2) + 1);
    format!("\n{fence}text\n{}\n{fence}\n", text.trim_end())
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}.", first.to_uppercase(), letters.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Completes, Example, Grammar, Row};

    /// A counter.
    #[derive(Row)]
    #[row(kind = "counter")]
    struct Counter<'a> {
        /// Its name.
        #[row(line)]
        name: &'a str,
        /// What it counts.
        pages: Option<u64>,
    }

    #[test]
    fn a_page() {
        let command = Command {
            name: "!vm",
            aliases: &["!vmm"],
            rhai: "vm",
            topic: Topic::Pool,
            summary: "what memory is used for",
            grammar: Grammar::own("!vm [Flags]", Completes::Nothing),
            help: "Shows counters.\n\n  1   no processes\n",
            examples: &[
                Example {
                    line: "!vm 1",
                    shows: "the counters",
                    output: "Physical Memory: ```1\n...",
                },
                Example {
                    line: "!vm",
                    shows: "nothing",
                    output: "",
                },
            ],
            rows: &[Counter::SCHEMA],
            run: |_, _, _| Ok(()),
        };
        assert_eq!(
            markdown(&[&command]),
            "# Commands\n\nThis page is printed by `rkd docs`; every example is run by the tests.\n\
             \n## Pool and memory counters\n\
             \n### `!vm`\n\nWhat memory is used for.\n\
             \nAlso: `!vmm`.\nIn Rhai: `vm()`.\n\
             \n```text\n!vm [Flags]\n\nShows counters.\n\n  1   no processes\n```\n\
             \nRows of the kind `counter`. A counter.\n\n| column | kind | unit | what it holds |\n|---|---|---|---|\n\
             | `name` | text |  | Its name. |\n| `pages` | number, or none | pages | What it counts. |\n\
             \nExample: the counters\n\
             \n````text\nkd> !vm 1\nPhysical Memory: ```1\n...\n````\n\
             \nExample: nothing\n\
             \n```text\nkd> !vm\n```\n"
        );
    }
}
