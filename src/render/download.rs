//! A bar on stderr for a download, and only where a person can see it. Symbols are fetched in the midst of other work, so it is
//! not the bar of the command.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rkd_symbols::server::Watch;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a request may take before it has to say what it is.
const SHOW_AFTER: Duration = Duration::from_millis(400);

// Short enough for a narrow terminal: where a line wraps, the echo of Ctrl-C leaves a piece of it standing.
const WAITING_TEMPLATE: &str = "{spinner} asking {msg} for {prefix}, {elapsed}";
const SPINNER_TEMPLATE: &str = "{spinner} {prefix}: {bytes}, {bytes_per_sec}";
const BAR_TEMPLATE: &str = "[{bar:20}] {prefix}: {bytes} of {total_bytes}, {eta} left";

/// The bar of a session's downloads.
#[derive(Debug, Default)]
pub struct Download {
    is_watched: bool,
    now: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    file: String,
    host: String,
    since: Option<Instant>,
    look: &'static str,
    bar: Option<ProgressBar>,
}

impl Download {
    /// A bar that shows itself when stderr is a terminal.
    pub fn new() -> Download {
        Download {
            is_watched: std::io::stderr().is_terminal(),
            now: Mutex::default(),
        }
    }
}

impl Watch for Download {
    fn begin(&self, file: &str, host: &str) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.file = super::sanitize::plain(file).into_owned();
        now.host = super::sanitize::plain(host).into_owned();
        now.since.get_or_insert_with(Instant::now);
    }

    fn progress(&self, done: u64, total: u64) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_watched && now.since.is_some_and(|since| since.elapsed() >= SHOW_AFTER) {
            now.show(done, total);
        }
    }

    fn end(&self) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = now.bar.take() {
            bar.finish_and_clear();
        }
        *now = State::default();
    }
}

impl State {
    fn show(&mut self, done: u64, total: u64) {
        let look = match (done, total) {
            (0, _) => WAITING_TEMPLATE,
            (_, 0) => SPINNER_TEMPLATE,
            _ => BAR_TEMPLATE,
        };
        let bar = self.bar.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10))
        });
        if self.look != look {
            self.look = look;
            if let Ok(style) = ProgressStyle::with_template(look) {
                bar.set_style(style.progress_chars("=> "));
            }
        }
        match total {
            0 => bar.unset_length(),
            total => bar.set_length(total),
        }
        if bar.prefix() != self.file || bar.message() != self.host {
            bar.set_prefix(self.file.clone());
            bar.set_message(self.host.clone());
        }
        bar.set_position(done);
        bar.tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_download_is_shown_to_whoever_watches() {
        let bar = |download: &Download| {
            download.begin("nt.pdb", "s.example");
            let long_ago = Instant::now().checked_sub(SHOW_AFTER * 2);
            download.now.lock().unwrap().since = long_ago;
            download.progress(5, 10);
            let now = download.now.lock().unwrap();
            now.bar
                .as_ref()
                .map(|bar| (bar.position(), bar.length(), bar.prefix(), bar.message()))
        };
        let watched = Download {
            is_watched: true,
            ..Download::default()
        };
        let expected = (5, Some(10), "nt.pdb".to_string(), "s.example".to_string());
        assert_eq!(bar(&watched), Some(expected));
        watched.end();
        assert!(watched.now.lock().unwrap().bar.is_none());
        watched.begin("x", "y");
        watched.progress(1, 2);
        assert!(watched.now.lock().unwrap().bar.is_none(), "not yet");
        assert_eq!(bar(&Download::default()), None);
    }
}
