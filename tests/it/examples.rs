//! Every example of every command, run on the practice dump and compared to the letter.

use crate::support::practice::{self, ARTICLE};
use jiff::tz::TimeZone;
use rkd::command::{Collect, Command, Example, Kept, run_line};
use rkd::session::Session;
use rkd_dump::error::Error;

fn session() -> Session {
    let mut session = practice::session(ARTICLE);
    session.display.time_zone =
        TimeZone::get("Asia/Shanghai").expect("the zones come with the program");
    session
}

/// What a line prints, without the newline at its end, and its rows.
fn output(session: &mut Session, line: &str) -> (String, Vec<Kept>) {
    let mut out = Collect::default();
    match run_line(session, line, &mut out) {
        Ok(_) => {}
        Err(Error::Stopped) => out.screen.push_str("(stopped)"),
        Err(error) => panic!("{line}: {error}"),
    }
    let screen = out.screen.strip_suffix('\n').unwrap_or(&out.screen);
    (screen.to_string(), out.rows)
}

/// Whether some command declares these columns of a kind of row: a line may run several commands.
fn is_declared(row: &Kept) -> bool {
    let schemas = rkd::commands::ALL.iter().flat_map(|command| command.rows);
    schemas
        .filter(|schema| schema.kind == row.kind)
        .any(|schema| {
            let declared = schema.columns.iter().map(|column| column.name);
            declared.eq(row.record.iter().map(|(name, _)| &**name))
        })
}

/// An expected output that ends in a line `...` gives the first lines only.
fn fits(expected: &str, printed: &str) -> bool {
    match expected.strip_suffix("...") {
        Some(start) if start.is_empty() || start.ends_with('\n') => {
            printed.starts_with(start) && printed.len() > start.len()
        }
        _ => printed == expected,
    }
}

#[test]
fn examples_print_what_they_say() {
    let mut wrong = String::new();
    let all = rkd::commands::ALL.iter().flat_map(|command| {
        command
            .examples
            .iter()
            .map(move |example| (*command, example))
    });
    for (command, example) in all {
        let (
            Command { name, .. },
            Example {
                line,
                output: expected,
                ..
            },
        ) = (command, example);
        let (printed, rows) = output(&mut session(), line);
        if let Some(row) = rows.iter().find(|row| !is_declared(row)) {
            wrong += &format!("=== {name}: {line}\n--- no command declares {row:?}\n\n");
        }
        if !fits(expected, &printed) {
            wrong += &format!(
                "=== {name}: {line}\n--- the example says\n{expected}\n--- printed\n{printed}\n\n"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn three_dots_stand_for_the_rest() {
    assert!(fits("a\n...", "a\nb"));
    assert!(!fits("a\n...", "a\n"));
    assert!(!fits("a...", "ab"));
    assert!(fits("a...", "a..."));
    assert!(fits("", ""));
    assert!(!fits("...", ""));
}
