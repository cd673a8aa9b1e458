//! Bytes of another origin in the machine's memory: programs, libraries, whatever somebody wants to see found again. What is
//! in them is none of the lab's business; they lie in one stretch of virtual memory, and all over the physical one.

use super::ram::{FrameRun, Page};
use super::windows::Windows;
use rkd_dump::addr::{PAGE_SIZE, Pfn, Virt};
use rkd_dump::error::{Error, Result};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a payload begins, counted from the start of the system cache: behind everything that a scenario has there.
const OFFSET: u64 = 64 << 30;

/// Puts one page of a payload, by its number, into the room given.
type Reader = dyn Fn(u64, &mut Page) -> io::Result<()> + Send + Sync;

/// Pages that are read when the dump is written, so that a payload of any size takes no memory.
#[derive(Clone)]
pub struct Payload {
    pages: u64,
    read: Arc<Reader>,
}

/// Where a payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadRange {
    /// Its first address.
    pub at: Virt,
    /// Its bytes, a multiple of the page size.
    pub bytes: u64,
}

impl Payload {
    /// So many pages, each of which `read` can write into a page of zeroes.
    pub fn new(
        pages: u64,
        read: impl Fn(u64, &mut Page) -> io::Result<()> + Send + Sync + 'static,
    ) -> Payload {
        Payload {
            pages,
            read: Arc::new(read),
        }
    }

    /// The bytes of a file; the last page is filled up with zeroes.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn of_file(path: &Path) -> Result<Payload> {
        let failed = |source| Error::open(path, source);
        let file = File::open(path).map_err(failed)?;
        let pages = file.metadata().map_err(failed)?.len().div_ceil(PAGE_SIZE);
        let file = Mutex::new(file);
        Ok(Payload::new(pages, move |number, page| {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(number * PAGE_SIZE))?;
            let mut rest = page.as_mut_slice();
            while !rest.is_empty() {
                match file.read(rest)? {
                    0 => break,
                    read => rest = rest.get_mut(read..).unwrap_or_default(),
                }
            }
            Ok(())
        }))
    }

    /// How many pages.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// One page.
    pub(super) fn read(&self, number: u64, page: &mut Page) -> io::Result<()> {
        page.fill(0);
        (self.read)(number, page)
    }

    /// Frames for the payload and for the tables that map it, behind all other memory of the machine.
    pub(super) fn room(&self, machine: &[FrameRun]) -> FrameRun {
        const LARGE: u64 = 512;
        let ends = machine.iter().map(|run| run.first.0 + run.pages);
        let end = ends.max().unwrap_or(0);
        FrameRun {
            first: Pfn(end.next_multiple_of(LARGE)),
            pages: (self.pages + self.pages / LARGE + LARGE).next_multiple_of(LARGE),
        }
    }

    /// Maps the payload as kernel data.
    pub(super) fn lay(&self, windows: &mut Windows<'_>) -> Result<PayloadRange> {
        let at = windows.regions.system_cache + OFFSET;
        let full = || Error::from(super::paging::Full);
        let memory = &mut windows.memory;
        memory.ram.set_payload(self.clone());
        for page in 0..self.pages {
            let frame = memory.ram.allocate_foreign(page).ok_or_else(full)?;
            let access = super::paging::Access::Data;
            memory
                .tables
                .map(&mut memory.ram, at + page * PAGE_SIZE, frame, access)?;
        }
        Ok(PayloadRange {
            at,
            bytes: self.pages * PAGE_SIZE,
        })
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("pages", &self.pages)
            .finish_non_exhaustive()
    }
}
