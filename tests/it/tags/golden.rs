//! Real drivers with known answers. They are not ours to hand on: `tests/golden/fetch` gets them from the packages they are
//! published in, and without them the test says loudly that it checked nothing.
use crate::support::data;
use rkd_pooltags::{Class, Options, Report, TagImage, Verdict, analyse};
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

fn sample(name: &str) -> Option<PathBuf> {
    data::sample("RKD_GOLDEN", "golden", name, "tests/golden/fetch")
}

fn driver(sha256: &str, file: &str) -> Option<Report> {
    let path = sample(&format!("{sha256}/{file}"))?;
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
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../golden/cases.json")).unwrap();
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
                && report.machine.name() == case.arch
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

/// The drivers that the packages hold, from the list that `fetch` leaves: hash and name.
fn listed(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let Some(list) = sample("index.tsv") else {
        return Vec::new();
    };
    let list = std::fs::read_to_string(list).unwrap();
    let line = |line: &str| {
        let mut fields = line.split('\t');
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    };
    list.lines()
        .filter_map(line)
        .filter(|(_, name)| wanted(name))
        .collect()
}

#[test]
fn drivers_without_pool_interfaces_have_no_sites() {
    for (sha256, name) in listed(|name| name.starts_with("WinRing0")) {
        let Some(report) = driver(&sha256, &name) else {
            continue;
        };
        assert_eq!(report.verdict, Verdict::NoInterface, "{name}");
        assert!(report.lines().is_empty(), "{name}");
    }
}

/// Wine's drivers allocate with the old interface only: it takes no tag, and Windows files the pool under `None`.
#[test]
fn drivers_that_give_no_tag_are_convicted_of_none() {
    let mut untagged = Vec::new();
    for (sha256, name) in listed(|name| name.ends_with(".sys") || name == "ntoskrnl.exe") {
        let Some(path) = sample(&format!("{sha256}/{name}")) else {
            continue;
        };
        let Ok(image) = TagImage::open(&path) else {
            continue;
        };
        if image.time_stamp != 0x63f1_4e2b {
            continue;
        }
        let report = analyse(&image, &Options::default());
        assert!(
            !matches!(report.verdict, Verdict::CannotTell(_)),
            "{name}: {:?}",
            report.verdict
        );
        for line in report.lines() {
            // a free without a tag names none
            let none = line.tag.as_deref() == Some("None") && line.class == Some(Class::E4);
            let nothing = line.tag_u32.as_deref() == Some("0x00000000") && line.class.is_none();
            assert!(none || nothing, "{name}: {line:?}");
            if none {
                untagged.push(format!("{name} {}", line.api));
            }
        }
    }
    if !listed(|name| name == "hidclass.sys").is_empty() {
        assert_eq!(
            untagged
                .iter()
                .filter(|u| *u == "hidclass.sys ExAllocatePool")
                .count(),
            2
        );
    }
}
