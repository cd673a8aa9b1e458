//! `docs/commands.md` is made from the table of commands; `RKD_BLESS=1` writes it anew.

#![allow(clippy::panic, clippy::unwrap_used)]

use rkd::command::{Command, Topic};
use rkd::commands::ALL;
use std::fmt::Write;

const TOPICS: &[(Topic, &str)] = &[
    (Topic::Pool, "Pool and memory counters"),
    (Topic::Modules, "Modules"),
    (Topic::Memory, "Memory"),
    (Topic::Expressions, "Expressions"),
    (Topic::Target, "The target"),
    (Topic::Symbols, "Symbols"),
    (Topic::Session, "The session"),
];

fn command(page: &mut String, command: &Command) {
    writeln!(
        page,
        "\n### `{}`\n\n{}.\n",
        command.name,
        capital(command.summary)
    )
    .unwrap();
    writeln!(page, "```text\n{}\n```\n", command.usage).unwrap();
    if !command.aliases.is_empty() {
        let names: Vec<String> = command
            .aliases
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        writeln!(page, "Also: {}.\n", names.join(", ")).unwrap();
    }
    if !command.rhai.is_empty() {
        writeln!(
            page,
            "In Rhai: `{}(\"...\")`, one row for each line that holds data.\n",
            command.rhai
        )
        .unwrap();
    }
    writeln!(page, "```text\n{}\n```", command.help).unwrap();
    for example in command.examples {
        writeln!(
            page,
            "\n{}:\n\n```text\nkd> {}\n{}\n```",
            capital(example.shows),
            example.line,
            example.output
        )
        .unwrap();
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[test]
fn the_reference_is_made_from_the_table() {
    let mut page = String::from(
        "# Commands\n\nThis page is made from the table of commands (`RKD_BLESS=1 cargo test --test reference`). The examples are run by the \
         tests on the practice dump `notmyfault`; one that ends in `...` shows its first lines. `help NAME` shows the same at the prompt.\n",
    );
    for (topic, title) in TOPICS {
        let commands: Vec<_> = ALL
            .iter()
            .filter(|command| command.topic == *topic)
            .collect();
        if !commands.is_empty() {
            writeln!(page, "\n## {title}").unwrap();
            commands.iter().for_each(|one| command(&mut page, one));
        }
    }
    assert_eq!(
        ALL.iter()
            .filter(|command| !TOPICS.iter().any(|(topic, _)| *topic == command.topic))
            .count(),
        0
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    if written == page {
        return;
    }
    if std::env::var_os("RKD_BLESS").is_some() {
        std::fs::write(path, page).unwrap();
        return;
    }
    let at = written
        .lines()
        .zip(page.lines())
        .take_while(|(a, b)| a == b)
        .count();
    panic!(
        "docs/commands.md differs from the table of commands from line {}: RKD_BLESS=1 cargo test --test reference",
        at + 1
    );
}
