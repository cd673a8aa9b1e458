//! What is remembered of servers within a session, so that nobody waits twice for the same nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Addresses without a file, servers that are left alone, and what kind of store each is.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    missing: HashMap<String, String>,
    trouble: HashMap<String, String>,
    three_tiers: HashMap<String, bool>,
}

impl Hosts {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing is at an address.
    pub(super) fn missing(&self, url: &str) -> Option<String> {
        self.known().missing.get(url).cloned()
    }

    /// Nothing is at this address.
    pub(super) fn note_missing(&self, url: &str, why: &str) {
        self.known().missing.insert(url.into(), why.into());
    }

    /// Why a server is left alone.
    pub(super) fn trouble(&self, server: &str) -> Option<String> {
        self.known().trouble.get(server).cloned()
    }

    /// Leaves a server alone; true the first time.
    pub(super) fn leave_alone(&self, server: &str, why: &str) -> bool {
        let before = self.known().trouble.insert(server.into(), why.into());
        before.is_none()
    }

    /// Whether a server's store has three tiers, if that is known.
    pub(super) fn has_three_tiers(&self, server: &str) -> Option<bool> {
        self.known().three_tiers.get(server).copied()
    }

    /// Remembers what kind of store a server has.
    pub(super) fn note_tiers(&self, server: &str, three: bool) {
        self.known().three_tiers.insert(server.into(), three);
    }

    /// Forgets everything.
    pub(super) fn forgive(&self) {
        *self.known() = Known::default();
    }
}
