//! The rooms of the program lie in one direction: a room imports only from rooms that come before it. Between the crates
//! Cargo holds the direction.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms from which it may import. This table is the architecture: change it only with a reason.
const MAY_USE: &[(&str, &[&str])] = &[
    ("session", &[]),
    // A command's `run` takes the session; the table of commands is reached through one function of this room.
    ("command", &["session", "commands"]),
    ("commands", &["session", "command"]),
    // The log belongs to the session.
    ("render", &["session", "command"]),
    ("script", &["session", "command", "commands"]),
    (
        "repl",
        &["session", "command", "commands", "render", "script"],
    ),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The names behind `crate::` in the code, comments left out; `crate::{a, b::c}` gives `a` and `b`.
fn imports(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n");
    let mut names = Vec::new();
    for part in code.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => names.push(std::mem::take(&mut name)),
                    c if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            names.push(name);
        } else {
            names.push(part.to_string());
        }
    }
    let first_word = |name: &str| {
        name.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    names
        .iter()
        .map(|name| first_word(name))
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn rooms_import_in_one_direction() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms: Vec<&str> = MAY_USE.iter().map(|(room, _)| *room).collect();
    let mut wrong = Vec::new();
    for path in sources(&src) {
        let relative = path.strip_prefix(&src).unwrap();
        let room = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs");
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == room) else {
            assert!(
                ["lib", "main", "cli"].contains(&room),
                "{} is in no room of the table",
                relative.display()
            );
            continue;
        };
        for import in imports(&fs::read_to_string(&path).unwrap()) {
            if rooms.contains(&import.as_str())
                && import != room
                && !allowed.contains(&import.as_str())
            {
                wrong.push(format!("{} uses crate::{import}", relative.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports against the direction of the house:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_test_sees_imports() {
    assert_eq!(
        imports("use crate::{a, b::{c, d}, e};\nlet x = crate::f::g(); // crate::h"),
        ["a", "b", "e", "f"]
    );
}
