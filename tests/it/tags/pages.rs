//! Images of which pages are missing, as in a dump.

use crate::support::drivers::drivers;
use crate::support::image::{mapped, memory};
use rkd_dump::addr::Virt;
use rkd_pooltags::{Class, Options, TagImage, Verdict, analyse};
use std::collections::BTreeSet;

/// The tags that are said, with their calls.
fn said(image: &TagImage) -> BTreeSet<(u32, u32)> {
    let report = analyse(image, &Options::default());
    let proven = report
        .sites
        .iter()
        .filter(|s| s.class.is_some_and(|c| c <= Class::E2));
    proven.filter_map(|s| Some((s.call_rva, s.tag?))).collect()
}

/// The driver in a memory, at the address that it wants, without the pages that `missing` names by their number; nothing if its
/// headers are gone.
fn without(name: &str, missing: impl Fn(u64) -> bool) -> Option<TagImage> {
    let file = &drivers()[name];
    let base = Virt(TagImage::from_file_bytes(name, file).unwrap().base);
    let space = memory(&mapped(file), base, missing);
    TagImage::from_memory(name, &space, base, &|_| None).ok()
}

#[test]
fn missing_pages_take_away_and_add_nothing() {
    for name in [
        "hard-x64-O2.sys",
        "hard-arm64-O2.sys",
        "hard-x86-O2.sys",
        "wrapped-x64-O0.sys",
    ] {
        let whole = without(name, |_| false).unwrap();
        let truth = said(&whole);
        assert!(truth.len() > 10);
        for page in 1..u64::from(whole.size) / 0x1000 {
            let left = said(&without(name, |number| number == page).unwrap());
            assert!(
                left.is_subset(&truth),
                "{name} without page {page}: {left:x?}"
            );
        }
        assert!(without(name, |number| number == 0).is_none());
    }
}

#[test]
fn code_that_is_not_there_is_no_reason_to_say_no() {
    let name = "hard-x64-O2.sys";
    let whole = without(name, |_| false).unwrap();
    let code = whole.sections.iter().find(|s| s.is_code()).unwrap();
    let pages = u64::from(code.rva / 0x1000)..u64::from(code.end().div_ceil(0x1000));
    let report = analyse(
        &without(name, |number| pages.contains(&number)).unwrap(),
        &Options::default(),
    );
    assert_eq!(
        report.verdict,
        Verdict::CannotTell("none of its code is there".to_owned())
    );
    assert!(report.sites.is_empty());
}
