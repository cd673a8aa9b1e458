//! Calls readers of other people's that panic on damaged files: the panic becomes an error, and nothing of it reaches the
//! terminal.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// A reader panicked: the file is damaged in a way that it did not foresee.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is damaged in a way that its reader did not foresee")]
pub struct Panicked;

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Does the work. The panic hook of the process is called for all other threads, and for this one before and after, as it was.
///
/// # Errors
/// Those of the work; [`Panicked`] when it panics.
pub(crate) fn catch<T, E: From<Panicked>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            if !IS_CAUGHT.get() {
                hook(information);
            }
        }));
    });
    let before = IS_CAUGHT.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(before);
    done.unwrap_or_else(|_| Err(Panicked.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_work_goes_on() {
        #[allow(clippy::panic)]
        let broken: Result<(), Panicked> = catch(|| panic!("never seen"));
        assert_eq!(broken, Err(Panicked));
        assert_eq!(catch::<_, Panicked>(|| Ok(1)), Ok(1));
        assert!(!IS_CAUGHT.get());
    }
}
