//! What the search for symbols has to tell: remarks that everybody gets, and the noise of `!sym noisy`. Symbols load in the
//! midst of other work, so it is kept until a command can show it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A line of the noisy mode.
    Noise(String),
    /// A remark.
    Remark(String),
}

/// More than this is not kept between two commands.
const MAX_ENTRIES: usize = 20_000;

/// What is to be told.
#[derive(Debug, Default)]
pub struct Journal {
    noisy: AtomicBool,
    entries: Mutex<Vec<Entry>>,
}

impl Journal {
    /// Whether every place that is tried is told.
    pub fn is_noisy(&self) -> bool {
        self.noisy.load(Ordering::Relaxed)
    }

    /// `!sym noisy` and `!sym quiet`.
    pub fn set_noisy(&self, noisy: bool) {
        self.noisy.store(noisy, Ordering::Relaxed);
    }

    /// A line for the noisy mode, made only when it is on.
    pub fn noise(&self, line: impl FnOnce() -> String) {
        if self.is_noisy() {
            self.push(Entry::Noise(line()));
        }
    }

    /// A remark. One that waits already is not made twice.
    pub fn remark(&self, text: String) {
        self.push(Entry::Remark(text));
    }

    fn push(&self, entry: Entry) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let is_double = matches!(entry, Entry::Remark(_)) && entries.contains(&entry);
        if entries.len() < MAX_ENTRIES && !is_double {
            entries.push(entry);
        }
    }

    /// Everything that waits, in its order.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_only_when_it_is_wanted_and_remarks_once() {
        let journal = Journal::default();
        journal.noise(|| "a".into());
        journal.set_noisy(true);
        journal.noise(|| "b".into());
        journal.remark("c".into());
        journal.remark("c".into());
        let expected = [Entry::Noise("b".into()), Entry::Remark("c".into())];
        assert_eq!(journal.take(), expected);
        assert!(journal.take().is_empty());
    }
}
