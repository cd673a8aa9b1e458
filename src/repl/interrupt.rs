//! Ctrl-C ends a command, never the program; a command that does not listen is ended by a second one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Two presses within this time mean it.
const FORCE_QUIT_WINDOW: Duration = Duration::from_secs(2);

/// The status that shells give to a program ended by Ctrl-C: 128 and the number of SIGINT.
pub const INTERRUPTED_STATUS: u8 = 130;

/// Knows whether a command runs, and sets the session's stop flag when Ctrl-C is pressed.
///
/// At the prompt the terminal is in raw mode and Ctrl-C is a key like others, which the line editor answers with a
/// fresh prompt; only while a command runs does it become a signal.
#[derive(Clone)]
pub struct Interrupts {
    stop: Arc<AtomicBool>,
    busy: Arc<AtomicBool>,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Interrupts {
    /// Listens from now on. If another part of the process listens already, nothing is changed: Ctrl-C does what that part says.
    pub fn listen(stop: Arc<AtomicBool>) -> Interrupts {
        let interrupts = Interrupts {
            stop,
            busy: Arc::default(),
            last: Arc::default(),
        };
        let handler = interrupts.clone();
        let _ = ctrlc::set_handler(move || {
            if handler.pressed(Instant::now()) {
                std::process::exit(i32::from(INTERRUPTED_STATUS));
            }
        });
        interrupts
    }

    /// Runs a command, during which Ctrl-C means: stop that.
    pub fn during<T>(&self, command: impl FnOnce() -> T) -> T {
        self.stop.store(false, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.busy.store(true, Ordering::Relaxed);
        let result = command();
        self.busy.store(false, Ordering::Relaxed);
        result
    }

    /// Whether Ctrl-C was pressed during the last command.
    pub fn were_pressed(&self) -> bool {
        self.last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// Sets the flag; true when the program is to end at once.
    fn pressed(&self, now: Instant) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let again = last.is_some_and(|before| now.duration_since(before) < FORCE_QUIT_WINDOW);
        *last = Some(now);
        again && self.busy.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_press_stops_the_command_and_two_the_program() {
        let interrupts = Interrupts {
            stop: Arc::default(),
            busy: Arc::default(),
            last: Arc::default(),
        };
        let start = Instant::now();
        interrupts.during(|| {
            assert!(!interrupts.pressed(start));
            assert!(interrupts.stop.load(Ordering::Relaxed));
            assert!(
                !interrupts.pressed(start + FORCE_QUIT_WINDOW),
                "a slow second press is a first one"
            );
            assert!(interrupts.pressed(start + FORCE_QUIT_WINDOW + FORCE_QUIT_WINDOW / 2));
        });
        assert!(interrupts.were_pressed());
        assert!(
            !interrupts.pressed(start + FORCE_QUIT_WINDOW * 2),
            "no command runs"
        );
        interrupts.during(|| {
            assert!(
                !interrupts.stop.load(Ordering::Relaxed),
                "the next command starts afresh"
            )
        });
        assert!(!interrupts.were_pressed());
    }
}
