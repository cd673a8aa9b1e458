//! Drivers of our own, for every machine and every optimisation, against answers written by hand from their sources: see
//! `tests/drivers`. `tests/drivers/build` makes them; the archive is small, so that the test needs no compiler.
use crate::support::drivers::drivers;
use rkd_pooltags::{Class, Options, Report, TagImage, analyse, tag_text};

fn report(name: &str, bytes: &[u8]) -> Report {
    analyse(
        &TagImage::from_file_bytes(name, bytes).unwrap(),
        &Options::default(),
    )
}

struct Expected {
    tag: String,
    api: String,
    strongest: String,
    weakest: String,
    pool: String,
    size: String,
}

/// The answers for a source.
fn expected(source: &str) -> Vec<Expected> {
    let lines = include_str!("../../drivers/expected").lines();
    let fields = lines
        .filter(|l| !l.starts_with('#'))
        .map(|l| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let wanted = fields.filter(|f| f.first().is_some_and(|f| f == source));
    let read = |f: Vec<String>| match <[String; 7]>::try_from(f).unwrap() {
        [_, tag, api, strongest, weakest, pool, size] => Expected {
            tag,
            api,
            strongest,
            weakest,
            pool,
            size,
        },
    };
    wanted.map(read).collect()
}

fn agrees(expected: &str, said: Option<u64>) -> bool {
    if let Some(number) = expected.strip_prefix('?') {
        return said.is_none() || agrees(number, said);
    }
    match (expected, expected.strip_prefix("0x")) {
        ("*", _) => true,
        ("-", _) => said.is_none(),
        (_, Some(digits)) => said == u64::from_str_radix(digits, 16).ok(),
        (number, None) => said == number.parse().ok(),
    }
}

/// Every expected tag is there with its interface, class, pool and size, and no tag that is not expected is claimed.
fn check(name: &str, report: &Report, wrong: &mut Vec<String>) {
    let source = name.split('-').next().unwrap();
    let answers = expected(source);
    assert!(!answers.is_empty(), "{name}");
    let lines = report.lines();
    for answer in &answers {
        let named = |l: &&rkd_pooltags::SiteRecord<'_>| {
            l.tag.as_ref() == Some(&answer.tag) && l.api == answer.api
        };
        let said: Vec<_> = lines.iter().filter(named).collect();
        let right = said.iter().any(|l| {
            let class = l.class.map(|c| format!("{c:?}")).unwrap_or_default();
            (&answer.strongest..=&answer.weakest).contains(&&class)
                && agrees(&answer.pool, l.pool)
                && agrees(&answer.size, l.size)
        });
        if !right {
            wrong.push(format!("{name}: {} {}: {said:#?}", answer.tag, answer.api));
        }
    }
    for site in report
        .sites
        .iter()
        .filter(|s| s.class.is_some_and(|c| c <= Class::E3))
    {
        let tag = tag_text(site.tag.unwrap());
        let class = format!("{:?}", site.class.unwrap());
        let known = answers
            .iter()
            .any(|a| a.tag == tag && a.api == site.api && a.strongest <= class);
        if !known || tag.contains('!') && site.class <= Some(Class::E2) {
            wrong.push(format!("{name}: claims {tag} {site:#x?}"));
        }
    }
}

#[test]
fn drivers_of_every_machine_and_optimisation_are_read_as_their_sources_say() {
    let drivers = drivers();
    assert!(drivers.len() > 100);
    let mut wrong = Vec::new();
    for (name, bytes) in drivers {
        check(name, &report(name, bytes), &mut wrong);
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
