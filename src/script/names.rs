//! Names that a script invents for the columns of its rows. A [`Record`](crate::command::Record) holds `'static` names,
//! because those of the commands are written in the source; the few that scripts add are kept for good.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// How many different names all scripts of one process may invent. They are never given back.
const MAX_NAMES: usize = 4096;

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 256;

static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The name as a `'static` one; `None` when it is too long, or when scripts have invented too many.
pub(super) fn keep(name: &str) -> Option<&'static str> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return Some(known);
    }
    if name.len() > MAX_NAME_BYTES || names.len() >= MAX_NAMES {
        return None;
    }
    let kept: &'static str = Box::leak(name.to_string().into_boxed_str());
    names.insert(kept);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_name_once_and_no_more_than_it_may() {
        let first = keep("made_up").unwrap();
        let second = keep(&String::from("made_up")).unwrap();
        assert!(std::ptr::eq(first, second));
        assert_eq!(keep(&"x".repeat(MAX_NAME_BYTES + 1)), None);
    }
}
