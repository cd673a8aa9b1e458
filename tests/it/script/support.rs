//! Conversations with scripts.

use crate::support::machine::{dump, memory};
use crate::support::practice::{ARTICLE, session};
use rkd::command::Collect;
use rkd::script::{Failure, Script};
use rkd::session::Session;
use rkd_kernel::{Kernel, Options};
use rkd_lab::files::Snapshot;

/// A session with a machine that holds these bytes at these addresses.
pub fn machine(contents: &[(u64, &[u8])]) -> Session {
    let dump = dump("small.dmp", &Snapshot::bare(memory(contents)));
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

/// The practice dump: the article's machine.
pub fn practice() -> Session {
    session(ARTICLE)
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
