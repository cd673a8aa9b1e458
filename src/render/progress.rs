//! A bar on stderr for whatever takes longer than half a second, and only where a person can see it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// How long a command may run before it has to say how far it is.
const SHOW_AFTER: Duration = Duration::from_millis(500);

/// The progress of the command that runs now.
#[derive(Debug, Default)]
pub struct Progress {
    watched: bool,
    since: Option<Instant>,
    /// What is counted: commands that run commands tell their own progress, and the inner ones theirs in between.
    unit: Option<&'static str>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Shows itself only when `watched`: stderr is a terminal.
    pub fn new(watched: bool) -> Progress {
        Progress {
            watched,
            since: None,
            unit: None,
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

    /// `done` of `total` (0 when nobody knows) in `unit`. The unit that came first is shown until it is through.
    pub fn tick(&mut self, done: u64, total: u64, unit: &'static str) {
        if *self.unit.get_or_insert(unit) != unit {
            return;
        }
        if self.watched && self.since.is_none_or(|since| since.elapsed() >= SHOW_AFTER) {
            self.show(done, total, unit);
        }
        if total > 0 && done >= total {
            self.unit = None;
        }
    }

    fn show(&mut self, done: u64, total: u64, unit: &'static str) {
        let bar = self.bar.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10))
        });
        let length = (total > 0).then_some(total);
        if bar.message() != unit || bar.length() != length {
            let look = match length {
                Some(_) => "[{bar:40}] {human_pos} of {human_len} {msg}, {eta} left",
                None => "{spinner} {human_pos} {msg}, {elapsed}",
            };
            if let Ok(style) = ProgressStyle::with_template(look) {
                bar.set_style(style.progress_chars("=> "));
            }
            match length {
                Some(length) => bar.set_length(length),
                None => bar.unset_length(),
            }
            bar.set_message(unit);
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
        (self.since, self.unit) = (None, None);
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
        progress.since = Instant::now().checked_sub(SHOW_AFTER);
        progress.tick(2, 10, "pages");
        let bar = progress.bar.clone().unwrap();
        assert_eq!(
            (bar.position(), bar.length(), bar.message()),
            (2, Some(10), "pages".to_string())
        );
        progress.end();
        assert!(bar.is_finished() && progress.bar.is_none());

        let mut unwatched = Progress::new(false);
        unwatched.tick(2, 10, "pages");
        assert!(unwatched.bar.is_none());
    }

    #[test]
    fn the_outer_count_is_shown_until_it_is_through() {
        let mut progress = Progress::new(true);
        let mut shown = |done, total, unit| {
            progress.tick(done, total, unit);
            let bar = progress.bar.clone().unwrap();
            (bar.position(), bar.length(), bar.message())
        };
        assert_eq!(shown(1, 2, "modules"), (1, Some(2), "modules".into()));
        assert_eq!(shown(500, 1000, "bytes"), (1, Some(2), "modules".into()));
        assert_eq!(shown(2, 2, "modules"), (2, Some(2), "modules".into()));
        assert_eq!(shown(7, 0, "pages"), (7, None, "pages".into()));
    }
}
