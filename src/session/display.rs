//! How things are shown, and where the commands stand that go on where they stopped.

use jiff::tz::TimeZone;
use rkd_dump::addr::Virt;
use std::fs::File;
use std::sync::{Arc, Mutex};

/// The log file of `.logopen`: shared between the session, which opens it, and the terminal, which writes to it.
pub type Log = Arc<Mutex<Option<File>>>;

/// What was shown last, and how the next is shown.
#[derive(Debug)]
pub struct Display {
    /// The zone in which times are shown.
    pub time_zone: TimeZone,
    /// Where the next bare display command (`d`, `db` …) goes on, and in which form.
    pub cursor: Cursor,
    /// What Enter alone runs: the last command that shows memory or code, which goes on where it stopped.
    pub again: Option<String>,
    /// Where the next bare `u` goes on.
    pub next_code: Option<Virt>,
    /// The last type that `dt` showed, for `dt .`.
    pub last_type: String,
    /// Hits saved by `s -[s]`.
    pub saved_hits: Vec<Virt>,
    /// The open log.
    pub log: Log,
    /// The name of the open log, as it was given.
    pub log_name: String,
}

impl Default for Display {
    fn default() -> Display {
        Display {
            time_zone: TimeZone::system(),
            cursor: Cursor::default(),
            again: None,
            next_code: None,
            last_type: String::new(),
            saved_hits: Vec::new(),
            log: Log::default(),
            log_name: String::new(),
        }
    }
}

/// Where the display commands stand.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// The last display command (`db`), which a bare `d` repeats.
    pub command: Option<String>,
    /// The first address that was not shown yet.
    pub next: Virt,
    /// The last value that was shown, for `$p`.
    pub last: u64,
}
