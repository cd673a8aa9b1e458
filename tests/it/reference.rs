//! `docs/commands.md` is what `rkd docs` prints; `RKD_BLESS=1` writes it anew.

use std::process::Command;

#[test]
fn the_reference_is_what_rkd_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_rkd"))
        .arg("docs")
        .output()
        .unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.starts_with("# Commands\n"), "{page}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
    if std::env::var_os("RKD_BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    let at = written
        .lines()
        .zip(page.lines())
        .take_while(|(a, b)| a == b)
        .count();
    assert!(
        written == page,
        "docs/commands.md differs from `rkd docs` from line {}: run RKD_BLESS=1 cargo test --test it reference",
        at + 1
    );
}
