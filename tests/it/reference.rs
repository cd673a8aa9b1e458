//! `docs/commands.md` is what `rkd docs` prints; `RKD_BLESS=1` writes it anew.

use crate::support::blesses;
use crate::support::program::rkd;

#[test]
fn the_reference_is_what_rkd_prints() {
    let page = rkd(".".as_ref(), &["docs"]).wait("").out;
    assert!(page.starts_with("# Commands\n"), "{page}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/commands.md");
    if blesses() {
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
