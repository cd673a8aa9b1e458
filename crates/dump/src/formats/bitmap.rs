//! Dumps with a bitmap (`DumpType` 5 and 6): one bit per page frame, and the pages whose bit is set, packed.
//!
//! The second header lies at 0x2000: `SDMP` or `FDMP`, then `DUMP`; at 0x20 the file offset of the first page, at 0x28
//! how many pages there are, at 0x30 how many bits, at 0x38 the bits, lowest first.

use super::header::{self, Header};
use super::rank::Rank;
use super::{Contents, Format, Refusal, missing, with_header};
use crate::addr::{PAGE_SIZE, Pfn};
use crate::bytes::ReadAt;
use crate::map::Map;
use crate::physical::{PhysicalMemory, Run};
use std::sync::Arc;

/// `DumpType` 5: all physical memory that was in use.
pub(super) static FULL: Format = Format {
    name: "bitmap-full",
    description: "Kernel Bitmap Dump File: Full address space is available",
    is_of: |bytes| header::dump_type(bytes) == Some(5),
    open: |file, notes| with_header(file, notes, open),
};

/// `DumpType` 6: kernel, active and live dumps.
///
/// 7 ("automatic") is a setting of Windows: what it writes carries 5 or 6, but readers list the number, so a file
/// that has it is taken for what its second header says it is, a bitmap.
pub(super) static KERNEL: Format = Format {
    name: "bitmap-kernel",
    description: "Kernel Bitmap Dump File: Kernel address space is available, User address space may not be available.",
    is_of: |bytes| matches!(header::dump_type(bytes), Some(6 | 7)),
    open: |file, notes| with_header(file, notes, open),
};

const HEADER: u64 = 0x2000;
const BITS: u64 = HEADER + 0x38;

/// Windows supports at most 2^48 bytes of memory. A bitmap that claims more is lying, and reading it takes for ever.
const MAX_BITS: u64 = 1 << 36;

/// The physical memory of a bitmap dump.
struct Bitmap {
    file: Arc<Map>,
    rank: Rank,
    bitmap_bytes: u64,
    first_page: u64,
    in_file: u64,
}

fn open(file: Arc<Map>, _: &Header, notes: &mut Vec<String>) -> Result<Contents, Refusal> {
    Ok(Contents::physical(Bitmap::open(file, notes)?))
}

impl Bitmap {
    /// Reads the second header and counts the bits once.
    fn open(file: Arc<Map>, notes: &mut Vec<String>) -> Result<Bitmap, Refusal> {
        let bytes = file.bytes();
        let magic = bytes.slice_at(HEADER, 8).unwrap_or_default();
        if magic != b"SDMPDUMP" && magic != b"FDMPDUMP" {
            return Err(Refusal::second_header("SDMP or FDMP", magic));
        }
        let (Some(first_page), Some(total), Some(bits)) = (
            bytes.u64_at(HEADER + 0x20),
            bytes.u64_at(HEADER + 0x28),
            bytes.u64_at(HEADER + 0x30),
        ) else {
            return Err(Refusal::CutIn("bitmap header", bytes.len()));
        };
        let len = bytes.len() as u64;
        if len < first_page {
            let missing = first_page.saturating_add(total.saturating_mul(PAGE_SIZE)) - len;
            notes.push(format!(
                "the file is cut short by {missing} bytes, inside its bitmap: all of its {total} pages are missing"
            ));
            let rank = Rank::build(&[], 0);
            return Ok(Bitmap {
                rank,
                bitmap_bytes: 0,
                first_page,
                in_file: 0,
                file: Arc::clone(&file),
            });
        }
        // The pages begin after the bitmap, so it cannot reach past the first of them.
        let room = first_page
            .min(len)
            .saturating_sub(BITS)
            .saturating_mul(8)
            .min(MAX_BITS);
        if bits > room {
            notes.push(format!(
                "the bitmap should hold {bits} bits, but there is room for {room} only"
            ));
        }
        let bits = bits.min(room);
        let bitmap_bytes = bits.div_ceil(8);
        let rank = Rank::build(bytes.slice_at(BITS, bitmap_bytes).unwrap_or_default(), bits);
        if rank.ones() != total {
            notes.push(format!(
                "the header counts {total} pages, the bitmap {}: the bitmap is used",
                rank.ones()
            ));
        }
        let in_file = rank.ones().min(len.saturating_sub(first_page) / PAGE_SIZE);
        let bitmap = Bitmap {
            rank,
            bitmap_bytes,
            first_page,
            in_file,
            file: Arc::clone(&file),
        };
        bitmap.note_missing(notes);
        Ok(bitmap)
    }

    fn bits(&self) -> &[u8] {
        self.file
            .bytes()
            .slice_at(BITS, self.bitmap_bytes)
            .unwrap_or_default()
    }

    fn note_missing(&self, notes: &mut Vec<String>) {
        let ones = self.rank.ones();
        let missing = ones - self.in_file;
        if missing == 0 {
            return;
        }
        let end = self
            .first_page
            .saturating_add(ones.saturating_mul(PAGE_SIZE));
        let bytes = end.saturating_sub(self.file.bytes().len() as u64);
        let first = self
            .rank
            .select(self.bits(), self.in_file)
            .unwrap_or_default();
        let last = self.rank.select(self.bits(), ones - 1).unwrap_or_default();
        notes.push(missing::note(bytes, missing, ones, &[(first, last)]));
    }
}

impl PhysicalMemory for Bitmap {
    fn file(&self) -> &[u8] {
        self.file.bytes()
    }

    fn locate(&self, pfn: Pfn, max_pages: u64) -> Option<Run> {
        let bits = self.bits();
        let rank = self.rank.rank_of_set(bits, pfn.0)?;
        let left = self.in_file.checked_sub(rank).filter(|left| *left > 0)?;
        let pages = match max_pages {
            0 => return None,
            1 => 1,
            _ => self.rank.ones_from(bits, pfn.0, max_pages).min(left),
        };
        Some(Run {
            first: pfn,
            pages,
            offset: self.first_page + rank * PAGE_SIZE,
        })
    }

    fn next_present(&self, pfn: Pfn) -> Option<Pfn> {
        let next = Pfn(self.rank.next_one(self.bits(), pfn.0)?);
        self.locate(next, 1).map(|run| run.first)
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run> + '_> {
        let bits = self.bits();
        let (mut at, mut rank) = (0, 0);
        Box::new(std::iter::from_fn(move || {
            let left = self.in_file.checked_sub(rank).filter(|left| *left > 0)?;
            let first = self.rank.next_one(bits, at)?;
            let pages = self.rank.ones_from(bits, first, left);
            let run = Run {
                first: Pfn(first),
                pages,
                offset: self.first_page + rank * PAGE_SIZE,
            };
            at = first + pages;
            rank += pages;
            Some(run)
        }))
    }

    fn present_pages(&self) -> u64 {
        self.in_file
    }
}
