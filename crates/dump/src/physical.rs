//! What every dump of physical memory can do, whatever its format: find a page in the file.

use crate::addr::{PAGE_SIZE, Pfn};
use crate::bytes::ReadAt;

/// Pages that follow each other both in physical memory and in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first page.
    pub first: Pfn,
    /// How many there are; never 0.
    pub pages: u64,
    /// Where the first one begins in the file, in bytes.
    pub offset: u64,
}

/// One frame past the highest that a 64-bit processor can have: 52 bits of address.
pub(crate) const PFN_LIMIT: u64 = 1 << 40;

/// The physical memory of the machine, as far as the dump holds it.
///
/// A page which the dump lacks is not a page of zeroes: it is `None`.
pub trait PhysicalMemory: Send + Sync {
    /// The bytes in which [`Run::offset`] counts: the whole file.
    fn file(&self) -> &[u8];

    /// The run that begins exactly at `pfn`, of at most `max_pages` pages; `None` if that page is not in the dump.
    fn locate(&self, pfn: Pfn, max_pages: u64) -> Option<Run>;

    /// The first frame at or after `pfn` that the dump holds.
    fn next_present(&self, pfn: Pfn) -> Option<Pfn>;

    /// All pages in ascending order. Neighbours in memory that are apart in the file are separate runs.
    fn runs(&self) -> Box<dyn Iterator<Item = Run> + '_>;

    /// How many pages can be read: those which the dump lists, less those which a cut file has lost.
    fn present_pages(&self) -> u64;

    /// One page.
    fn page(&self, pfn: Pfn) -> Option<&[u8; 4096]> {
        let run = self.locate(pfn, 1)?;
        self.file().array_at(run.offset)
    }

    /// The bytes from `pfn` on that are contiguous in the file: whole pages, at least one, at most `max_pages`.
    fn run_at(&self, pfn: Pfn, max_pages: u64) -> Option<&[u8]> {
        let run = self.locate(pfn, max_pages)?;
        self.file()
            .slice_at(run.offset, run.pages.checked_mul(PAGE_SIZE)?)
    }
}
