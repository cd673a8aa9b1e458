//! What several tests need.

pub mod data;
pub mod drivers;
pub mod image;
pub mod machine;
pub mod practice;
pub mod program;
pub mod random;
pub mod writers;

use rkd::command::{Collect, run_line};
use rkd::session::Session;
use rkd_dump::error::Error;

/// Whether the texts that tests compare with are to be written anew (`RKD_BLESS=1`).
pub fn blesses() -> bool {
    std::env::var_os("RKD_BLESS").is_some()
}

/// What a line prints: the screen, then every note behind `note: `.
pub fn say(session: &mut Session, line: &str) -> String {
    let mut out = Collect::default();
    match run_line(session, line, &mut out) {
        Ok(_) => {}
        Err(Error::Stopped) => out.screen.push_str("(stopped)\n"),
        Err(error) => panic!("{line}: {error}"),
    }
    out.notes
        .iter()
        .fold(out.screen, |screen, note| format!("{screen}note: {note}\n"))
}
