//! Real drivers with known answers. They are not ours to hand on: `tests/golden/fetch` gets them from the packages they are
//! published in, and without them the test says loudly that it checked nothing.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

use rkd::analysis::tags::{Options, Report, TagImage, analyse};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Case {
    package: String,
    file: String,
    sha256: String,
    arch: String,
    call_rva: String,
    function_rva: Option<String>,
    api: String,
    wrapper: Option<String>,
    tag_u32: String,
    constant_rva: String,
    pool: Option<u64>,
    size: Option<u64>,
}

fn folder() -> PathBuf {
    let target = || {
        PathBuf::from(
            std::env::var("CARGO_TARGET_DIR")
                .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/target").to_owned()),
        )
    };
    std::env::var("RKD_GOLDEN").map_or_else(|_| target().join("golden"), PathBuf::from)
}

fn driver(sha256: &str, file: &str) -> Option<Report> {
    let path = folder().join(sha256).join(file);
    if !path.is_file() {
        eprintln!(
            "SKIPPED: {} is not there; run tests/golden/fetch",
            path.display()
        );
        return None;
    }
    Some(analyse(
        &TagImage::open(&path).unwrap(),
        &Options::default(),
    ))
}

fn hex(text: &str) -> u32 {
    u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn real_drivers_are_read_as_an_expert_reads_them() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("golden/cases.json")).unwrap();
    let mut reports: BTreeMap<String, Option<Report>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let report = reports
            .entry(case.sha256.clone())
            .or_insert_with(|| driver(&case.sha256, &case.file));
        let Some(report) = report else { continue };
        let call = hex(&case.call_rva);
        let tag = hex(&case.tag_u32);
        let said: Vec<_> = report.sites.iter().filter(|s| s.call_rva == call).collect();
        let right = said.iter().any(|s| {
            s.tag == Some(tag)
                && s.api == case.api
                && s.constant_rvas.contains(&hex(&case.constant_rva))
                && s.pool == case.pool
                && s.size == case.size
                && case.wrapper.as_deref().map(hex) == s.wrapper
                && case
                    .function_rva
                    .as_deref()
                    .is_none_or(|f| hex(f) == s.function_rva)
                && report.arch.name() == case.arch
        });
        if !right || said.len() != 1 {
            let expected = (
                &case.api,
                &case.tag_u32,
                &case.constant_rva,
                case.pool,
                case.size,
            );
            wrong.push(format!(
                "{} {} {call:#x}: expected {expected:x?}, said {said:#x?}",
                case.package, case.file
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
