//! Images of which pages are missing, as in a dump.

use super::{Class, Options, TagImage, Verdict, analyse};
use std::collections::BTreeSet;

#[path = "../../../tests/drivers/mod.rs"]
mod drivers;

/// The tags that are said, with their calls.
fn said(image: &TagImage) -> BTreeSet<(u32, u32)> {
    let report = analyse(image, &Options::default());
    let proven = report
        .sites
        .iter()
        .filter(|s| s.class.is_some_and(|c| c <= Class::E2));
    proven.filter_map(|s| Some((s.call_rva, s.tag?))).collect()
}

#[test]
fn missing_pages_take_away_and_add_nothing() {
    for name in [
        "hard-x64-O2.sys",
        "hard-arm64-O2.sys",
        "hard-x86-O2.sys",
        "wrapped-x64-O0.sys",
    ] {
        let bytes = &drivers::drivers()[name];
        let whole = TagImage::from_file_bytes(name, bytes).unwrap();
        let truth = said(&whole);
        assert!(truth.len() > 10);
        for page in 0..whole.present.len() {
            let mut image = whole.clone();
            image.present[page] = false;
            let left = said(&image);
            assert!(
                left.is_subset(&truth),
                "{name} without page {page}: {left:x?}"
            );
        }
    }
}

#[test]
fn code_that_is_not_there_is_no_reason_to_say_no() {
    let name = "hard-x64-O2.sys";
    let mut image = TagImage::from_file_bytes(name, &drivers::drivers()[name]).unwrap();
    let code = image
        .sections
        .iter()
        .find(|s| s.is_code())
        .cloned()
        .unwrap();
    for page in code.rva / 0x1000..code.end().div_ceil(0x1000) {
        image.present[page as usize] = false;
    }
    let report = analyse(&image, &Options::default());
    assert_eq!(
        report.verdict,
        Verdict::CannotTell("none of its code is there".to_owned())
    );
    assert!(report.sites.is_empty());
}
