//! Dumps that a debugger writes (`DumpType` 8, 9 and 0xA): a list of frame ranges, their pages packed after it.
//!
//! The second header lies at 0x2000: 0x40, `RDMP`, `DUMP`; at 0x10 the size of the list with its header, at 0x18 the
//! file offset of the first page. The ranges begin at 0x30 and end with one of frame 0, or where the list does.

use super::runs::RunTable;
use super::{Contents, Format, Refusal, bitmap, header, with_header};
use crate::bytes::ReadAt;
use crate::map::Map;
use std::sync::Arc;

/// `DumpType` 8: what a debugger's `.dump /k` writes.
pub(super) static KERNEL: Format = Format {
    name: "range-kernel",
    description: bitmap::KERNEL.description,
    is_of: |bytes| header::dump_type(bytes) == Some(8),
    open: |file, notes| with_header(file, notes, |file, _, notes| open(file, false, notes)),
};

/// `DumpType` 9: what a debugger's `.dump /ka` writes.
pub(super) static ACTIVE: Format = Format {
    name: "range-active",
    description: bitmap::FULL.description,
    is_of: |bytes| header::dump_type(bytes) == Some(9),
    open: |file, notes| with_header(file, notes, |file, _, notes| open(file, false, notes)),
};

/// `DumpType` 0xA: what a debugger's `.dump /f` writes.
pub(super) static FULL: Format = Format {
    name: "range-full",
    description: bitmap::FULL.description,
    is_of: |bytes| header::dump_type(bytes) == Some(0xa),
    open: |file, notes| with_header(file, notes, |file, _, notes| open(file, true, notes)),
};

const HEADER: u64 = 0x2000;
const RANGES: u64 = HEADER + 0x30;
/// From the start of the second header's list to the first page: both counts must agree on it.
const LIST: u64 = HEADER + 0x40;

/// Reads the ranges. Only the full kind counts its pages; the others end with an empty range.
fn open(file: Arc<Map>, is_counted: bool, notes: &mut Vec<String>) -> Result<Contents, Refusal> {
    let bytes = file.bytes();
    let magic = bytes.slice_at(HEADER, 12).unwrap_or_default();
    if magic != b"\x40\0\0\0RDMPDUMP" {
        return Err(Refusal::second_header("40 00 00 00 RDMP", magic));
    }
    let (Some(metadata), Some(first_page), Some(count), Some(total)) = (
        bytes.u64_at(HEADER + 0x10),
        bytes.u64_at(HEADER + 0x18),
        bytes.u32_at(HEADER + 0x20),
        bytes.u64_at(HEADER + 0x28),
    ) else {
        return Err(Refusal::CutIn("list of memory", bytes.len()));
    };
    if first_page < LIST {
        return Err(Refusal::PagesInHeader(first_page));
    }
    if metadata.wrapping_sub(0x20) != first_page.wrapping_sub(LIST) {
        notes.push(format!(
            "the list of memory is {metadata:#x} bytes long, which does not fit its first page at {first_page:#x}"
        ));
    }
    let end = first_page.min(bytes.len() as u64);
    let mut left = if is_counted { total } else { u64::MAX };
    let mut ended = false;
    let mut listed = 0u64;
    let ranges = (RANGES..end).step_by(16).map_while(|at| {
        let (first, pages) = (bytes.u64_at(at)?, bytes.u64_at(at + 8)?);
        if first == 0 || left == 0 || at + 16 > end {
            ended = true;
            return None;
        }
        let pages = pages.min(left);
        left -= pages;
        listed += 1;
        Some((first, pages))
    });
    let table = RunTable::lay_out(Arc::clone(&file), first_page, ranges, notes);
    if !ended && left > 0 && (bytes.len() as u64) < first_page {
        notes.push("the list of memory has no end: the file ends inside it".to_string());
    }
    if is_counted && (listed != u64::from(count) || left > 0) {
        notes.push(format!(
            "the header counts {count} ranges and {total} pages, the list holds {listed} and {}",
            total - left
        ));
    }
    Ok(Contents::physical(table))
}
