//! Every practice case: the command that an answer names shows that answer on the case's dump.

use crate::support::practice::{scenario, session, table};
use rkd::command::{Collect, run_line};
use rkd::session::Session;
use rkd_symbols::ImagePath;

fn said(session: &mut Session, line: &str) -> (Collect, String) {
    let mut out = Collect::default();
    if let Err(error) = run_line(session, line, &mut out) {
        panic!("{line}: {error}");
    }
    let text = format!("{}\n{}", out.screen, out.notes.join("\n"));
    (out, text)
}

#[test]
fn every_answer_is_shown_by_its_command() {
    let mut wrong = String::new();
    for case in rkd_lab::scenarios() {
        let mut session = session(case.name);
        let mut known = std::collections::BTreeMap::new();
        for answer in case.answers {
            let (out, text) = known
                .entry(answer.command)
                .or_insert_with(|| said(&mut session, answer.command));
            let in_rows = out.rows.iter().flat_map(|row| &row.record).any(|(_, value)| {
                matches!(value, rkd::command::Value::Str(text) if text == answer.answer)
            });
            if !text.contains(answer.answer) && !in_rows {
                wrong += &format!(
                    "{}: {} -> {}\n{text}\n",
                    case.name, answer.command, answer.answer
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Module and confidence of every suspect of a tag.
fn owners(session: &mut Session, tag: &str) -> Vec<String> {
    let (out, _) = said(session, &format!("!poolowner {tag}"));
    let cell = |record: &rkd::command::Record, name: &str| {
        let found = record.iter().find(|(known, _)| known == name);
        match found.map(|(_, value)| value) {
            Some(rkd::command::Value::Str(text)) => text.clone(),
            _ => "-".to_owned(),
        }
    };
    let rows = out.rows.iter().map(|row| &row.record);
    rows.map(|r| {
        let names = [
            "module",
            "class",
            "confidence",
            "role",
            "explains",
            "source",
        ];
        names.map(|name| cell(r, name)).join(" ")
    })
    .collect()
}

#[test]
fn each_case_is_judged_as_it_should_be() {
    for (case, tag, expected) in [
        (
            "notmyfault",
            "Leak",
            &["myfault E1 proven allocates yes dump"][..],
        ),
        (
            "shared-tag",
            "AcLb",
            &[
                "acmekey E1 proven allocates yes dump",
                "auricle E1 proven allocates yes dump",
            ],
        ),
        (
            "wrong-pool",
            "Cfg1",
            &[
                "touchd E1 proven allocates yes dump",
                "panelcfg E1 ruled out allocates no dump",
            ],
        ),
        (
            "framework-default",
            "Dock",
            &["DockHub E4 very likely framework default yes dump"],
        ),
        (
            "agent",
            "VmBf",
            &["vmcore E1 proven allocates for others yes dump"],
        ),
        ("paged-out", "ScnQ", &["- - unknown - - -"]),
        ("unloaded", "Prb7", &["probe7.sys - likely unloaded - -"]),
    ] {
        let mut session = session(case);
        assert_eq!(owners(&mut session, tag), expected, "{case}");
    }
}

#[test]
fn the_files_of_drivers_convict_where_the_dump_cannot() {
    let folder = tempfile::tempdir().unwrap();
    for (case, tag) in [("paged-out", "ScnQ"), ("unloaded", "Prb7")] {
        let case = scenario(case);
        let table = table(case.version);
        let files = rkd_lab::driver_files(case, &table, &rkd_lab::Options::default()).unwrap();
        for (name, bytes) in &files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let mut session = session(case.name);
        session.target.image_path = ImagePath::parse(&folder.path().display().to_string());
        let (_, text) = said(&mut session, &format!("!poolowner {tag}"));
        match case.name {
            "paged-out" => {
                let source = folder.path().join("scanq.sys");
                let wanted = format!("scanq E1 proven allocates yes {}", source.display());
                assert_eq!(owners(&mut session, tag), [wanted]);
                assert!(text.contains("mov     r8d,516E6353h"), "{text}");
            }
            _ => {
                assert!(
                    text.contains(
                        "probe7.sys was unloaded: 18 blocks of the tag point to where it was"
                    ),
                    "{text}"
                );
                assert!(
                    text.contains("allocates under the tag (E1, proven at 1 of its calls)"),
                    "{text}"
                );
            }
        }
    }
}

/// Another build of the driver must not speak for the one that was loaded.
#[test]
fn a_file_of_another_build_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let case = scenario("paged-out");
    let table = table(case.version);
    for (name, mut bytes) in
        rkd_lab::driver_files(case, &table, &rkd_lab::Options::default()).unwrap()
    {
        let stamp = bytes.windows(4).position(|four| four == b"PE\0\0").unwrap() + 8;
        bytes[stamp] ^= 1;
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut session = session(case.name);
    session.target.image_path = ImagePath::parse(&folder.path().display().to_string());
    assert_eq!(owners(&mut session, "ScnQ"), ["- - unknown - - -"]);
}
