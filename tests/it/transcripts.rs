//! Whole sessions: `tests/transcripts/NAME.kd` holds what a person types and everything that rkd prints.
//!
//! A transcript begins with lines that say how the session was started:
//!
//! ```text
//! # lab make notmyfault --build 19041.3570
//! # rkd DUMP --tz Asia/Shanghai
//! ```
//!
//! The first makes the dump, the second is the command line; `DUMP` stands for the dump's path, here and in the output.
//! Then follows the session as it stands on the screen. The lines behind each prompt are what is typed. `RKD_BLESS=1` rewrites
//! the transcripts from what rkd prints now.

use crate::support::blesses;
use crate::support::data::{self, data};
use crate::support::program::rkd;
use std::fs;
use std::path::{Path, PathBuf};

/// What a transcript's head says, and the session below it.
struct Transcript {
    head: Vec<String>,
    session: String,
}

impl Transcript {
    fn read(path: &Path) -> Transcript {
        let text = fs::read_to_string(path).unwrap();
        let head: Vec<String> = text
            .lines()
            .take_while(|line| line.starts_with("# "))
            .map(str::to_string)
            .collect();
        let session = text
            .lines()
            .skip(head.len())
            .fold(String::new(), |all, line| all + line + "\n");
        Transcript { head, session }
    }

    fn words<'a>(&'a self, start: &str) -> Option<Vec<&'a str>> {
        let line = self
            .head
            .iter()
            .find_map(|line| line.strip_prefix("# ")?.strip_prefix(start))?;
        Some(line.split_whitespace().collect())
    }

    /// What is typed: the rest of each line that begins with a prompt.
    fn typed(&self) -> String {
        let behind_prompt = |line: &str| {
            let (prompt, typed) = line.split_once("kd> ")?;
            prompt
                .chars()
                .all(|c| c.is_ascii_digit() || c == ':' || c == ' ')
                .then(|| format!("{typed}\n"))
        };
        self.session.lines().filter_map(behind_prompt).collect()
    }
}

fn run(arguments: &[&str], input: &str) -> String {
    rkd(".".as_ref(), arguments).wait(input).all()
}

/// The dump of the transcript's head, made in the folder unless it is there already; nothing if it is one that is not on this
/// machine.
fn dump(transcript: &Transcript, folder: &Path) -> Option<PathBuf> {
    if let Some(wanted) = transcript.words("lab make ") {
        let path = folder.join(format!("{}.dmp", wanted.join("")));
        let arguments = [
            &["lab", "make"],
            &wanted[..],
            &["-o", path.to_str().unwrap()],
        ]
        .concat();
        if !path.exists() {
            run(&arguments, "");
        }
        assert!(path.exists(), "rkd {} made no dump", arguments.join(" "));
        return Some(path);
    }
    data(transcript.words("shared data/")?[0])
}

fn replay(path: &Path, folder: &Path) -> Result<(), String> {
    let transcript = Transcript::read(path);
    let Some(dump) = dump(&transcript, folder) else {
        return Ok(());
    };
    let dump = dump.to_str().unwrap();
    let isf = data::folder().join("isf").display().to_string();
    let arguments = transcript.words("rkd ").unwrap();
    let arguments: Vec<&str> = arguments
        .into_iter()
        .map(|word| match word {
            "DUMP" => dump,
            "ISF" => &isf,
            word => word,
        })
        .collect();
    let screen = run(&arguments, &transcript.typed())
        .replace(dump, "DUMP")
        .replace(&isf, "ISF");
    if screen == transcript.session {
        return Ok(());
    }
    if blesses() {
        fs::write(path, transcript.head.join("\n") + "\n" + screen.as_str()).unwrap();
        return Ok(());
    }
    let expected: Vec<&str> = transcript.session.lines().collect();
    let got: Vec<&str> = screen.lines().collect();
    let at = expected
        .iter()
        .zip(&got)
        .take_while(|(a, b)| a == b)
        .count();
    let line = |lines: &[&str]| {
        lines
            .get(at)
            .map_or("(the end)".to_string(), |line| format!("{line:?}"))
    };
    Err(format!(
        "{}: line {} of the session\n expected {}\n      got {}",
        path.display(),
        at + 1,
        line(&expected),
        line(&got)
    ))
}

#[test]
fn sessions_print_what_they_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "kd"));
    paths.sort();
    assert!(!paths.is_empty());
    let dumps = tempfile::tempdir().unwrap();
    let failures: Vec<String> = paths
        .iter()
        .filter_map(|path| replay(path, dumps.path()).err())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
