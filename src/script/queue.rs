//! The jobs that a script has for the owner of the session, in their order. A script that prints a hundred thousand lines must
//! not wake the owner for each: jobs that nobody waits for are taken some at a time.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many jobs may wait: enough that printing does not wait for the screen, and few enough that Ctrl-C does not
/// find thousands of lines still to come.
const MAX_JOBS: usize = 1024;
/// So many are worth waking the owner for.
const WAKE_AT: usize = MAX_JOBS / 2;
/// How long a state may stay unprinted while the script computes on: nobody sees that.
const MAX_DELAY: Duration = Duration::from_millis(5);

/// A queue of jobs with a limit.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    emptied: Condvar,
}

struct State<T> {
    jobs: VecDeque<T>,
    /// Somebody waits for the answer.
    urgent: bool,
    closed: bool,
}

impl<T> State<T> {
    fn is_worth_it(&self) -> bool {
        self.urgent || self.closed || self.jobs.len() >= WAKE_AT
    }
}

impl<T> Queue<T> {
    /// An empty one.
    pub(super) fn new() -> Queue<T> {
        let state = State {
            jobs: VecDeque::new(),
            urgent: false,
            closed: false,
        };
        Queue {
            state: Mutex::new(state),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// Adds a job, and waits while the state is full; `false` when it is closed, and the job is dropped.
    pub(super) fn add(&self, job: T, urgent: bool) -> bool {
        let mut state = self.state();
        while state.jobs.len() >= MAX_JOBS && !state.closed {
            state = self
                .emptied
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.jobs.push_back(job);
        state.urgent |= urgent;
        // To wake somebody costs as much as a state, whether or not somebody sleeps.
        let wake = urgent || matches!(state.jobs.len(), 1 | WAKE_AT);
        drop(state);
        if wake {
            self.filled.notify_one();
        }
        true
    }

    /// Waits for jobs, and takes all that are there; `None` when there are none and the state is closed.
    pub(super) fn take(&self) -> Option<VecDeque<T>> {
        let mut state = self.state();
        while state.jobs.is_empty() && !state.closed {
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let more = |state: &mut State<T>| !state.is_worth_it();
        let waited = self.filled.wait_timeout_while(state, MAX_DELAY, more);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.urgent = false;
        let jobs = std::mem::take(&mut state.jobs);
        // Whoever is woken finds the state free.
        drop(state);
        self.emptied.notify_all();
        (!jobs.is_empty()).then_some(jobs)
    }

    /// Nothing is added any more; what waits can still be taken.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the state at the end of a scope, however that is left.
pub(super) struct CloseAtEnd<'q, T>(pub &'q Queue<T>);

impl<T> Drop for CloseAtEnd<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_jobs_arrive_in_their_order_and_then_the_line_is_closed() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _end = CloseAtEnd(&queue);
                for number in 0..10_000 {
                    assert!(queue.add(number, number % 777 == 0));
                }
            });
            let mut all = Vec::new();
            while let Some(jobs) = queue.take() {
                assert!(jobs.len() <= MAX_JOBS);
                all.extend(jobs);
            }
            assert_eq!(all, (0..10_000).collect::<Vec<_>>());
        });
        assert!(!queue.add(1, true));
    }

    #[test]
    fn whoever_waits_for_room_is_let_go_when_the_line_is_closed() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            let full = scope.spawn(|| (0..).take_while(|n| queue.add(*n, false)).count());
            assert!(queue.take().is_some());
            queue.close();
            assert!(full.join().unwrap() >= 1);
        });
    }
}
