//! `dt`, `x`, `ln`, `!lmi`, `!dh`: whole screens on a driver whose PDB has every shape of type, the layout of a real kernel's
//! types against another reader of the same file, and what a hostile symbol file can do.

mod hostile;
mod machine;
mod real;

use crate::support::{blesses, say};
use rkd::command::{Collect, run_line};
use std::path::Path;

/// Plays a session: lines behind `kd> ` are typed, and the whole must come out as it is written. `RKD_BLESS=1` writes what
/// comes out.
fn play(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/types")
        .join(name);
    let transcript = std::fs::read_to_string(&file).unwrap();
    let fixtures = machine::fixtures();
    let mut session = machine::session(&fixtures);
    let mut played = String::new();
    for line in transcript
        .lines()
        .filter_map(|line| line.strip_prefix("kd> "))
    {
        let said = say(&mut session, line).replace(&fixtures.display().to_string(), "SYMBOLS");
        played.push_str(&format!("kd> {line}\n{said}"));
    }
    if blesses() {
        std::fs::write(file, played).unwrap();
    } else {
        assert!(
            played == transcript,
            "--- expected\n{transcript}--- played\n{played}---"
        );
    }
}

#[test]
fn types() {
    play("types.txt");
}

#[test]
fn values() {
    play("values.txt");
}

#[test]
fn symbols() {
    play("symbols.txt");
}

#[test]
fn cpp_expressions() {
    play("cpp.txt");
}

#[test]
fn headers() {
    play("headers.txt");
}

/// The rows carry what the screen shows, typed.
#[test]
fn rows_are_typed() {
    let mut session = machine::session(&machine::fixtures());
    let mut out = Collect::default();
    let line = format!(
        "dt driver!_OBJECT {:x} Size Other Shape Next u1.Inner",
        machine::OBJECTS
    );
    run_line(&mut session, &line, &mut out).unwrap();
    let rows: Vec<String> = out
        .rows
        .iter()
        .map(|row| {
            let get = |name: &str| {
                row.record
                    .iter()
                    .find(|(key, _)| key == name)
                    .unwrap()
                    .1
                    .clone()
            };
            format!(
                "{:?} {:?} {:?} {:?}",
                get("path"),
                get("offset"),
                get("type"),
                get("value")
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            r#"Str("Size") U64(2) Str("Uint2B") U64(280)"#,
            r#"Str("Next") U64(8) Str("Ptr64 _OBJECT") Addr(Virt(18446620928407241728))"#,
            r#"Str("Shape") U64(124) Str("_SHAPE") I64(2)"#,
            r#"Str("Other") U64(128) Str("_SIGNED_SHAPE") I64(-2)"#,
            r#"Str("u1") U64(176) Str("_OBJECT::<unnamed-tag>") Absent("a structure: its fields are rows of their own")"#,
            r#"Str("u1.Inner") U64(0) Str("Pos 0, 3 Bits") U64(5)"#,
        ]
    );
}
