//! A stretch of addresses to search.

use rkd_dump::addr::Virt;

/// A stretch of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first address.
    pub start: u64,
    /// Bytes. What would lie past the end of the address space does not count.
    pub len: u64,
}

impl Span {
    /// A stretch of virtual memory.
    pub fn new(start: Virt, len: u64) -> Span {
        Span {
            start: start.0,
            len,
        }
    }

    /// The whole of an address space: its two halves, because one length cannot say 2^64.
    pub fn everything() -> [Span; 2] {
        [0, 1 << 63].map(|start| Span {
            start,
            len: 1 << 63,
        })
    }

    /// The last address; `None` for an empty span.
    pub(super) fn last(self) -> Option<u64> {
        self.len
            .checked_sub(1)
            .map(|len| self.start.saturating_add(len))
    }
}
