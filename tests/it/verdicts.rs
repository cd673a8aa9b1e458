//! The verdict of every practice case, in all the ways in which it is told, against the truth about the case.

use crate::support::practice::session;
use rkd::command::{Collect, run_line};
use rkd::render::{Console, Format, Outcome, output};
use rkd::script::Script;
use rkd::session::Session;
use rkd_lab::Find;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// What is written, for whoever keeps the other half.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a command or the script writes in a format.
fn written(session: &mut Session, format: Format, command: Option<&str>) -> String {
    let paper = Paper::default();
    let mut out = output(format, Console::to(paper.clone(), std::io::sink()));
    out.begin(command.unwrap_or("pool-leak")).unwrap();
    match command {
        Some(line) => {
            run_line(session, line, &mut *out).unwrap();
        }
        None => Script::with_modules(None)
            .run_file(session, "pool-leak".as_ref(), &[], &mut *out)
            .unwrap(),
    }
    out.end(Outcome::Done).unwrap();
    out.close().unwrap();
    let bytes = paper.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Name, role and word of everybody who is spoken of, those who are named first.
fn truth(find: &Find) -> Vec<[String; 3]> {
    let named = find.suspects.iter();
    let named = named.map(|culprit| [culprit.name, culprit.role, culprit.confidence]);
    let acquitted = find.acquitted.iter();
    let acquitted = acquitted.map(|name| [*name, "allocates", "ruled out"]);
    named
        .chain(acquitted)
        .map(|words| words.map(str::to_owned))
        .collect()
}

/// The lines of a screen that say who it is and how sure that is.
fn told(screen: &str, find: &Find) -> Vec<String> {
    let everybody = truth(find).into_iter();
    everybody
        .filter(|[name, role, word]| {
            let shown = match role.as_str() {
                "unloaded" => screen.lines().any(|line| {
                    line.contains(&format!("{name} was unloaded: "))
                        && line.ends_with(&format!("({word})"))
                }),
                _ => screen
                    .lines()
                    .any(|line| line.starts_with(&format!("{name}: {word} (E"))),
            };
            !shown
        })
        .map(|[name, ..]| name)
        .collect()
}

#[test]
fn every_case_gets_the_same_verdict_in_every_way_and_it_is_true() {
    for case in rkd_lab::scenarios() {
        let name = case.name;
        let find = &case.find;
        let mut session = session(case.name);
        let names: Vec<&str> = find.suspects.iter().map(|culprit| culprit.name).collect();

        // JSON: the rows themselves
        let json: serde_json::Value =
            serde_json::from_str(&written(&mut session, Format::Json, Some("!leak"))).unwrap();
        let rows = json["rows"].as_array().unwrap();
        let of_kind = |kind: &str| -> Vec<serde_json::Value> {
            rows.iter()
                .filter(|row| row["row"] == kind)
                .cloned()
                .collect()
        };
        let verdicts = of_kind("verdict");
        let sentences: Vec<&str> = verdicts
            .iter()
            .map(|row| row["sentence"].as_str().unwrap())
            .collect();
        let words: Vec<&str> = verdicts
            .iter()
            .map(|row| row["verdict"].as_str().unwrap())
            .collect();
        assert_eq!(words, find.verdicts, "{name}");
        for row in &verdicts {
            assert_eq!(row["confidence"].as_str(), find.confidence, "{name}");
            assert_eq!(row["suspects"], serde_json::json!(names), "{name}");
        }
        let suspects: Vec<[String; 3]> = of_kind("suspect")
            .iter()
            .map(|row| {
                ["image_name", "role", "confidence"]
                    .map(|cell| row[cell].as_str().unwrap().to_owned())
            })
            .collect();
        assert_eq!(suspects, truth(find), "{name}");
        // who is named explains all of it, who is acquitted nothing
        for row in of_kind("suspect") {
            let explains = match row["confidence"].as_str() {
                Some("ruled out") => 0,
                _ => verdicts[0]["tag_bytes"].as_u64().unwrap(),
            };
            let is_tag = row["tag"] == verdicts[0]["tag"];
            assert!(
                !is_tag || row["explained_bytes"] == explains,
                "{name}: {row}"
            );
        }

        // text
        let text = written(&mut session, Format::Text, Some("!leak"));
        let (_, end) = text.split_once("\nThe verdict\n").unwrap();
        assert_eq!(
            end.lines().map(str::trim).collect::<Vec<_>>(),
            sentences,
            "{name}"
        );
        assert_eq!(told(&text, find), [""; 0], "{name}: {text}");
        for sentence in &sentences {
            assert!(
                names.iter().all(|name| sentence.contains(name)),
                "{name}: {sentence}"
            );
            assert!(
                !find.acquitted.iter().any(|name| sentence.contains(name)),
                "{name}: {sentence}"
            );
        }

        // the script's text
        let text = written(&mut session, Format::Text, None);
        assert!(
            sentences
                .iter()
                .all(|sentence| text.contains(&format!("\n\n{sentence}\n"))),
            "{name}: {text}"
        );
        assert_eq!(told(&text, find), [""; 0], "{name}: {text}");

        // the script's CSV
        let table = written(&mut session, Format::Csv, None);
        let mut reader = csv::Reader::from_reader(table.as_bytes());
        let heading = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let column = |name: &str| -> Vec<String> {
            let at = heading.iter().position(|known| known == name).unwrap();
            rows.iter().map(|row| row[at].to_owned()).collect()
        };
        assert_eq!(column("verdict"), find.verdicts, "{name}");
        assert_eq!(column("sentence"), sentences, "{name}");
        let list = |words: Vec<&str>| serde_json::to_string(&words).unwrap();
        let roles = find.suspects.iter().map(|culprit| culprit.role).collect();
        for (cell, expected) in [
            ("confidence", find.confidence.unwrap_or_default().to_owned()),
            ("suspects", list(names.clone())),
            ("roles", list(roles)),
        ] {
            assert!(
                column(cell).iter().all(|found| *found == expected),
                "{name}: {cell}: {table}"
            );
        }

        // and Rhai
        let mut out = Collect::default();
        let line = "for row in leak() { if row.kind() == \"verdict\" { print(row.sentence) } }";
        Script::with_modules(None)
            .run_line(&mut session, line, &mut out)
            .unwrap();
        assert_eq!(out.screen.lines().collect::<Vec<_>>(), sentences, "{name}");
    }
}
