//! What is typed after `!poolowner`.

use crate::command::Args;
use rkd_kernel::owners::Search;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How owners are looked for, and how much of them is shown.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// How many lines a list has at most.
    pub most: Option<usize>,
    /// Every site is shown.
    pub verbose: bool,
    /// Every module is read.
    pub thorough: bool,
    /// Bytes that prove nothing are shown.
    pub raw: bool,
}

impl Request {
    /// How the search is to be done.
    pub fn search(&self, stop: &Arc<AtomicBool>) -> Search {
        Search {
            thorough: self.thorough,
            mentions: self.raw,
            stop: Arc::clone(stop),
        }
    }

    pub(super) fn of(args: &Args) -> Request {
        Request {
            most: args.most(),
            verbose: args.has("v"),
            thorough: args.has("all"),
            raw: args.has("raw"),
        }
    }
}
