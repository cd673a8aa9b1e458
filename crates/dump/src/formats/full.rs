//! Full dumps (`DumpType` 1): the runs of the header, their pages packed from 0x2000 on.

use super::header::{self, HEADER_SIZE, Header};
use super::runs::RunTable;
use super::{Contents, Format, Refusal, with_header};
use crate::map::Map;
use std::sync::Arc;

/// `DumpType` 1: all physical memory, in runs.
pub(super) static FULL: Format = Format {
    name: "full",
    description: "Kernel Complete Dump File: Full address space is available",
    is_of: |bytes| header::dump_type(bytes) == Some(1),
    open: |file, notes| with_header(file, notes, open),
};

/// Reads the runs of the header.
fn open(file: Arc<Map>, header: &Header, notes: &mut Vec<String>) -> Result<Contents, Refusal> {
    if header.physical_runs.is_empty() {
        return Err(Refusal::NoRuns);
    }
    let fit = header.physical_runs.len();
    if header.physical_run_count as usize > fit {
        notes.push(format!(
            "the header claims {} runs of memory, but has room for {fit} only",
            header.physical_run_count
        ));
    }
    let sum = header
        .physical_runs
        .iter()
        .fold(0u64, |sum, (_, pages)| sum.saturating_add(*pages));
    if let Some(pages) = header.physical_pages.filter(|pages| *pages != sum) {
        notes.push(format!(
            "the header counts {pages} pages, its runs {sum}: the runs are used"
        ));
    }
    let listed = header.physical_runs.iter().copied();
    Ok(Contents::physical(RunTable::lay_out(
        file,
        HEADER_SIZE,
        listed,
        notes,
    )))
}
