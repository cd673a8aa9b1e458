//! The table of commands: what every entry must have, and that nothing is missing from it.

use rkd::commands::ALL;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_name_means_one_command() {
    let mut seen = BTreeSet::new();
    for command in ALL {
        for name in std::iter::once(&command.name).chain(command.aliases) {
            assert!(seen.insert(*name), "{name} is listed twice");
        }
    }
}

#[test]
fn every_command_explains_itself() {
    for command in ALL {
        let name = command.name;
        assert!(
            !command.summary.is_empty() && command.summary.chars().count() <= 60,
            "{name}: {}",
            command.summary
        );
        assert!(
            !command.summary.ends_with('.'),
            "{name}: the summary ends with a full stop"
        );
        assert!(
            command.usage().contains(name)
                || command
                    .aliases
                    .iter()
                    .any(|alias| command.usage().contains(alias))
                || name == "d",
            "{name}: {}",
            command.usage()
        );
        assert!(
            command.help.lines().all(|line| line.chars().count() <= 132),
            "{name}: a line of the help is too long"
        );
        assert!(!command.help.trim().is_empty(), "{name} has no help");
        assert!(!command.examples.is_empty(), "{name} has no example");
    }
}

#[test]
fn topics_follow_each_other() {
    let topics: Vec<_> = ALL.iter().map(|command| command.topic).collect();
    assert!(topics.is_sorted(), "{topics:?}");
}

#[test]
fn names_in_rhai_are_names_in_rhai() {
    let engine = rhai::Engine::new();
    let mut seen = BTreeSet::new();
    for command in ALL.iter().filter(|command| !command.rhai.is_empty()) {
        let name = command.rhai;
        assert!(
            name.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
            "{name}"
        );
        assert!(
            engine.compile(format!("let {name} = 1;")).is_ok(),
            "{name} is a word of Rhai"
        );
        assert!(seen.insert(name), "{name} is used twice");
    }
}

#[test]
fn every_file_is_listed() {
    let source = include_str!("../../src/commands/mod.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() || stem == "mod" {
            continue;
        }
        files += 1;
        assert!(
            source.contains(&format!("pub mod {stem};")),
            "src/commands/{stem}.rs is not a module"
        );
        assert!(
            source.contains(&format!("&{stem}::COMMAND,")),
            "src/commands/{stem}.rs is not in the table"
        );
    }
    assert_eq!(files, ALL.len());
}
