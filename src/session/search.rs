//! An account of searches inside of another command (`!for_each_module s ...`), which that command tells once.

/// How much was asked for, and how much was there.
#[derive(Clone, Copy, Debug, Default)]
pub struct SearchAccount {
    /// Bytes that the searches were asked to look at.
    pub asked: u64,
    /// Bytes of them that the dump holds.
    pub read: u64,
}

impl SearchAccount {
    /// Adds a search.
    pub fn add(&mut self, asked: u64, read: u64) {
        self.asked = self.asked.saturating_add(asked);
        self.read = self.read.saturating_add(read);
    }
}
