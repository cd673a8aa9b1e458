//! The bytes of a dump: a file mapped into memory, or bytes that a test made.
//!
//! A mapping costs no private memory and opens a file of any size at once. Its price: another program may cut the file
//! short while it is open (what is lost then reads as zeroes). The length is taken at opening, so a file that was *already* cut is no danger.

mod cut;

use cut::Watch;
use std::fs::File;
use std::io;
use std::path::Path;

/// What a machine may well have to spare, in bytes.
#[cfg(unix)]
const LARGE: usize = 2 << 30;

/// Read-only bytes, alive as long as the value.
#[derive(Debug)]
pub enum Map {
    /// A mapped file. The watch ends before the mapping does.
    Mapped(Option<Watch>, memmap2::Mmap),
    /// Bytes in memory.
    Owned(Vec<u8>),
}

impl Map {
    /// Maps the whole of a regular file.
    pub fn open(path: &Path) -> io::Result<Map> {
        Map::of(&File::open(path)?)
    }

    /// Maps the whole of a regular file that is open.
    pub fn of(file: &File) -> io::Result<Map> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if metadata.len() == 0 {
            return Ok(Map::Owned(Vec::new()));
        }
        // SAFETY: the mapping is read-only and private to us, and only ever handed out as `&[u8]`, for which any bytes
        // are valid. What Rust cannot rule out is another process that writes to the file meanwhile: a dump at rest is
        // not written to, and what we read is judged byte by byte anyway.
        #[allow(unsafe_code)]
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Map::Mapped(Watch::on(&map), map))
    }

    /// Asks the system to fetch a part of [`Map::bytes`] now, without waiting for it. On its own it reads a mapping ahead
    /// by less than a disk likes, and on Windows there is no such call for a mapping.
    pub fn will_need(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Some((map, at)) = self.place(part) {
            // It is a hint: what comes of it shows in the time alone.
            let _ = map.advise_range(memmap2::Advice::WillNeed, at, part.len());
        }
        #[cfg(not(unix))]
        let _ = part;
    }

    /// Lets go of a part that was read and will not be read again soon. Only of a large file: a system that is short of
    /// memory must look for every mapping of a page before it can take the page back, which makes reading a file that is
    /// larger than memory four times as slow; a small one stays where it is, to be searched again.
    pub fn release(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Some((map, at)) = self.place(part)
            && map.len() >= LARGE
        {
            // SAFETY: the mapping is of a file and read-only, so what is dropped is read again from the file when somebody
            // touches it, as it was at first.
            #[allow(unsafe_code)]
            let _ = unsafe {
                map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, at, part.len())
            };
        }
        #[cfg(not(unix))]
        let _ = part;
    }

    /// The mapping, and where in it a part lies.
    #[cfg(unix)]
    fn place(&self, part: &[u8]) -> Option<(&memmap2::Mmap, usize)> {
        let Map::Mapped(_, map) = self else {
            return None;
        };
        let at = part.as_ptr().addr().checked_sub(map.as_ptr().addr())?;
        (at.checked_add(part.len())? <= map.len()).then_some((map, at))
    }

    /// All the bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Map::Mapped(_, map) => map,
            Map::Owned(bytes) => bytes,
        }
    }

    /// Whether the file was found to have been cut short since it was opened. What is lost reads as zeros.
    pub fn is_cut(&self) -> bool {
        match self {
            Map::Mapped(watch, _) => watch.as_ref().is_some_and(Watch::is_cut),
            Map::Owned(_) => false,
        }
    }
}
