//! The wall around pdb2: a panic inside becomes an error, and nothing of it reaches the terminal.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static BEHIND: Cell<bool> = const { Cell::new(false) };
}

/// Does the work. The panic hook of the process is called for all other threads, and for this one before and after, as it was.
///
/// # Errors
/// Those of the work; that the file is damaged, when the work panics.
pub(crate) fn behind<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            if !BEHIND.get() {
                hook(information);
            }
        }));
    });
    let before = BEHIND.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    BEHIND.set(before);
    done.unwrap_or_else(|_| Err("it is damaged in a way that its reader did not foresee".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_work_goes_on() {
        #[allow(clippy::panic)]
        let broken: Result<(), String> = behind(|| panic!("never seen"));
        assert!(broken.is_err());
        assert_eq!(behind(|| Ok(1)), Ok(1));
        assert!(!BEHIND.get());
    }
}
