//! The jobs that a script has for the owner of the session, in their order. A script that prints a hundred thousand lines must
//! not wake the owner for each: jobs that nobody waits for are taken some at a time.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many jobs may wait: enough that printing does not wait for the screen, and few enough that Ctrl-C does not
/// find thousands of lines still to come.
const MOST: usize = 1024;
/// So many are worth waking the owner for.
const ENOUGH: usize = MOST / 2;
/// How long a line may stay unprinted while the script computes on: nobody sees that.
const PATIENCE: Duration = Duration::from_millis(5);

/// A line of jobs.
pub(super) struct Queue<T> {
    line: Mutex<Line<T>>,
    filled: Condvar,
    emptied: Condvar,
}

struct Line<T> {
    jobs: VecDeque<T>,
    /// Somebody waits for the answer.
    urgent: bool,
    closed: bool,
}

impl<T> Line<T> {
    fn is_worth_it(&self) -> bool {
        self.urgent || self.closed || self.jobs.len() >= ENOUGH
    }
}

impl<T> Queue<T> {
    /// An empty one.
    pub(super) fn new() -> Queue<T> {
        let line = Line {
            jobs: VecDeque::new(),
            urgent: false,
            closed: false,
        };
        Queue {
            line: Mutex::new(line),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// Adds a job, and waits while the line is full; `false` when it is closed, and the job is dropped.
    pub(super) fn add(&self, job: T, urgent: bool) -> bool {
        let mut line = self.line();
        while line.jobs.len() >= MOST && !line.closed {
            line = self
                .emptied
                .wait(line)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if line.closed {
            return false;
        }
        line.jobs.push_back(job);
        line.urgent |= urgent;
        // To wake somebody costs as much as a line, whether or not somebody sleeps.
        let wake = urgent || matches!(line.jobs.len(), 1 | ENOUGH);
        drop(line);
        if wake {
            self.filled.notify_one();
        }
        true
    }

    /// Waits for jobs, and takes all that are there; `None` when there are none and the line is closed.
    pub(super) fn take(&self) -> Option<VecDeque<T>> {
        let mut line = self.line();
        while line.jobs.is_empty() && !line.closed {
            line = self
                .filled
                .wait(line)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let more = |line: &mut Line<T>| !line.is_worth_it();
        let waited = self.filled.wait_timeout_while(line, PATIENCE, more);
        let (mut line, _) = waited.unwrap_or_else(PoisonError::into_inner);
        line.urgent = false;
        let jobs = std::mem::take(&mut line.jobs);
        // Whoever is woken finds the line free.
        drop(line);
        self.emptied.notify_all();
        (!jobs.is_empty()).then_some(jobs)
    }

    /// Nothing is added any more; what waits can still be taken.
    pub(super) fn close(&self) {
        self.line().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }

    fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the line at the end of a scope, however that is left.
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
                assert!(jobs.len() <= MOST);
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
