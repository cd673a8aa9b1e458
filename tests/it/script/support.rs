//! A machine that is small enough for any test: some pages, no modules, no symbols.

use rkd::command::Collect;
use rkd::script::{Failure, Script};
use rkd::session::Session;
use rkd_dump::Dump;
use rkd_dump::addr::{Pfn, Virt};
use rkd_kernel::{Kernel, Options};
use rkd_lab::FrameRun;
use rkd_lab::Memory;
use rkd_lab::files::{self, Kind, Snapshot};
use rkd_symbols::builtin_facts;
use std::sync::OnceLock;

/// A session with a machine that holds these bytes at these addresses.
pub fn machine(contents: &[(u64, &[u8])]) -> Session {
    let mut memory = Memory::new(
        vec![FrameRun {
            first: Pfn(0x100),
            pages: 0x8000,
        }],
        0x1ed,
    )
    .unwrap();
    for (at, bytes) in contents {
        memory.write(Virt(*at), bytes).unwrap();
    }
    let snapshot = Snapshot::bare(memory);
    let mut bytes = Vec::new();
    files::write(&snapshot, Kind::Full, &mut bytes).unwrap();
    let dump = Dump::from_bytes("small.dmp", bytes).unwrap();
    Session::new(Kernel::open(dump, &Options::default()))
}

/// Nothing at all.
pub fn empty() -> Session {
    machine(&[])
}

/// What a conversation shows: the screen, then notes as `note: ..`, then the error.
pub fn talk(lines: &[&str]) -> String {
    let mut script = Script::with_modules(None);
    let mut session = empty();
    lines
        .iter()
        .map(|line| say(&mut script, &mut session, line))
        .collect()
}

/// One line of a conversation.
pub fn say(script: &mut Script, session: &mut Session, line: &str) -> String {
    let mut out = Collect::default();
    let outcome = script.run_line(session, line, &mut out);
    finish(out, outcome)
}

/// The screen, the notes, the error.
pub fn finish(out: Collect, outcome: Result<(), Failure>) -> String {
    let mut text = out.screen;
    for note in out.notes {
        text += &format!("note: {}\n", steady(&note));
    }
    if let Err(why) = outcome {
        text += &format!("{why}\n");
    }
    text
}

/// How much of the modules a practice dump holds is the lab's affair, and grows.
fn steady(note: &str) -> String {
    match (note.strip_prefix("searched "), note.find(" in modules")) {
        (Some(_), Some(at)) => format!("searched A of B{}", &note[at..]),
        _ => note.to_string(),
    }
}

/// The practice dump: the article's machine, made once.
pub fn practice() -> Session {
    static DUMP: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = DUMP.get_or_init(|| {
        let scenario = rkd_lab::scenario("notmyfault").unwrap();
        let table = builtin_facts().by_version("19041.3570").unwrap();
        let mut bytes = Vec::new();
        rkd_lab::make(scenario, &table, &rkd_lab::Options::default(), &mut bytes).unwrap();
        bytes
    });
    let dump = Dump::from_bytes("leak.dmp", bytes.clone()).unwrap();
    Session::new(Kernel::open(dump, &Options::default()))
}

/// Lines of a conversation about the practice dump.
pub fn practise(lines: &[&str]) -> String {
    let mut script = Script::with_modules(None);
    let mut session = practice();
    lines
        .iter()
        .map(|line| say(&mut script, &mut session, line))
        .collect()
}
