//! The texts that are running, by name, so that an error can show the line it stands in.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The name of what is typed at the prompt.
pub(super) const PROMPT: &str = "prompt";

/// Texts by name.
#[derive(Default)]
pub(super) struct Sources(Mutex<BTreeMap<String, String>>);

impl Sources {
    /// Keeps a text, in place of an older one of that name.
    pub(super) fn keep(&self, name: &str, text: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_string(), text.to_string());
    }

    /// Adds what was typed at the prompt to what was typed before, and returns the text to compile: the new lines
    /// at the place (the line number) that they have in the whole. So a function that was typed an hour ago
    /// still knows its lines.
    pub(super) fn typed(&self, text: &str) -> String {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = sources.entry(PROMPT.to_string()).or_default();
        let above = whole.matches('\n').count();
        whole.push_str(text);
        whole.push('\n');
        format!("{}{text}", "\n".repeat(above))
    }

    /// A line of a text; the first is 1.
    pub(super) fn line(&self, name: &str, line: usize) -> Option<String> {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sources
            .get(name)?
            .lines()
            .nth(line.checked_sub(1)?)
            .map(str::to_string)
    }
}
