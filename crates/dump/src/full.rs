//! Full dumps (`DumpType` 1): the runs of the header, their pages packed from 0x2000 on.

use crate::header::{HEADER_SIZE, Header};
use crate::map::Map;
use crate::runs::RunTable;
use std::sync::Arc;

/// Reads the runs of the header. `Err` says in words what is wrong.
pub(crate) fn open(
    file: Arc<Map>,
    header: &Header,
    notes: &mut Vec<String>,
) -> Result<RunTable, String> {
    if header.physical_runs.is_empty() {
        return Err("a full dump whose header does not say which memory it holds".to_string());
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
        .fold(0u64, |sum, run| sum.saturating_add(run.pages));
    if let Some(pages) = header.physical_pages.filter(|pages| *pages != sum) {
        notes.push(format!(
            "the header counts {pages} pages, its runs {sum}: the runs are used"
        ));
    }
    let listed = header
        .physical_runs
        .iter()
        .map(|run| (run.first.0, run.pages));
    Ok(RunTable::lay_out(file, HEADER_SIZE, listed, notes))
}
