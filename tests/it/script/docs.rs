//! The reference in `docs/rhai.md`: every example gives what stands below it, and no function is missing.

use super::support::{practice, say};
use crate::support::blesses;
use rkd::script::{Group, Script};
use std::path::PathBuf;

const MARK: &str =
    "<!-- reference: written by `RKD_BLESS=1 cargo test --test it script::docs` -->\n";

fn page() -> (PathBuf, String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/rhai.md");
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

/// The blocks of the page: what is typed, and what it prints.
fn examples(page: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) if !kind.is_empty() => open = Some((kind, String::new())),
            (Some((kind, text)), Some("")) => {
                match *kind {
                    "rhai" => found.push((std::mem::take(text), String::new())),
                    "text" => found.last_mut().unwrap().1 = std::mem::take(text),
                    _ => {}
                }
                open = None;
            }
            (Some((_, text)), _) => *text += &format!("{line}\n"),
            _ => {}
        }
    }
    found
}

#[test]
fn examples_of_the_documentation() {
    let (_, page) = page();
    let examples = examples(&page);
    assert!(examples.len() > 20, "the page lost its examples");
    let mut script = Script::with_modules(None);
    let mut session = practice();
    for (typed, printed) in examples {
        let said = say(&mut script, &mut session, typed.trim_end());
        // Remarks go to standard error, and are not part of an example.
        let said: String = said
            .split_inclusive('\n')
            .filter(|line| !line.starts_with("note: "))
            .collect();
        assert_eq!(said, printed, "{typed}");
    }
}

#[test]
fn reference_of_the_documentation() {
    let (path, page) = page();
    let script = Script::with_modules(None);
    let mut reference = String::new();
    let groups = [
        (Group::Function, "Functions"),
        (Group::Property, "Methods and properties"),
        (Group::Module, "Modules"),
    ];
    for (group, heading) in groups {
        reference += &format!("\n### {heading}\n\n");
        for entry in script.entries().iter().filter(|entry| entry.group == group) {
            reference += &format!("- `{}` – {}\n", entry.usage, entry.text);
        }
    }
    let (head, tail) = page.split_once(MARK).unwrap();
    if blesses() {
        std::fs::write(path, format!("{head}{MARK}{reference}")).unwrap();
    } else {
        assert_eq!(
            tail, reference,
            "docs/rhai.md is out of date: RKD_BLESS=1 cargo test --test it script::docs"
        );
    }
}

/// What is described can be called: a description without a function would be worse than none.
#[test]
fn every_function_of_the_reference_exists() {
    let mut script = Script::with_modules(None);
    let mut session = practice();
    for entry in script.entries().to_vec() {
        if entry.group == Group::Function {
            let said = say(
                &mut script,
                &mut session,
                &format!(
                    "is_def_fn(\"{0}\", 0) || {0}(\"no\", \"such\", \"arguments\", \"at all\", 5)",
                    entry.name()
                ),
            );
            // Refused for its arguments, with its own usage: then it is there.
            assert!(
                said.contains("there is ") || said.contains("eval"),
                "{}: {said}",
                entry.usage
            );
        }
    }
}
