//! A bar on stderr for whatever takes longer than half a second, and only where a person can see it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// How long a command may run before it has to say how far it is.
const PATIENCE: Duration = Duration::from_millis(500);

/// The progress of the command that runs now.
#[derive(Debug, Default)]
pub struct Progress {
    watched: bool,
    since: Option<Instant>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Shows itself only when `watched`: stderr is a terminal.
    pub fn new(watched: bool) -> Progress {
        Progress {
            watched,
            since: None,
            bar: None,
        }
    }

    /// Whether anybody would see it.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// A command begins: its half second starts.
    pub fn begin(&mut self) {
        self.end();
        self.since = Some(Instant::now());
    }

    /// `done` of `total` (0 when nobody knows) in `unit`.
    pub fn tick(&mut self, done: u64, total: u64, unit: &'static str) {
        if !self.watched
            || (self.bar.is_none() && self.since.is_some_and(|since| since.elapsed() < PATIENCE))
        {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            bar.set_message(unit);
            bar
        });
        if total > 0 && bar.length() != Some(total) {
            bar.set_length(total);
            if let Ok(style) = ProgressStyle::with_template(
                "[{wide_bar}] {human_pos} of {human_len} {msg}, {eta} left",
            ) {
                bar.set_style(style.progress_chars("=> "));
            }
        } else if total == 0
            && bar.position() == 0
            && let Ok(style) =
                ProgressStyle::with_template("{spinner} {human_pos} {msg}, {elapsed}")
        {
            bar.set_style(style);
        }
        bar.set_position(done);
    }

    /// Does something to the screen, with the bar out of the way.
    pub fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(act),
            None => act(),
        }
    }

    /// The command is over: the bar vanishes.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_command_shows_no_bar_and_nobody_watching_never_sees_one() {
        let mut progress = Progress::new(true);
        progress.begin();
        progress.tick(1, 10, "pages");
        assert!(progress.bar.is_none());
        progress.since = Instant::now().checked_sub(PATIENCE);
        progress.tick(2, 10, "pages");
        let bar = progress.bar.clone().unwrap();
        assert_eq!(
            (bar.position(), bar.length(), bar.message()),
            (2, Some(10), "pages".to_string())
        );
        progress.end();
        assert!(bar.is_finished() && progress.bar.is_none());

        let mut unwatched = Progress::new(false);
        unwatched.since = Instant::now().checked_sub(PATIENCE);
        unwatched.tick(2, 10, "pages");
        assert!(unwatched.bar.is_none());
    }
}
