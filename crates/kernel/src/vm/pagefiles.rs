//! The paging files.

use super::view::View;
use crate::modules::unicode_string;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

/// Windows has at most this many paging files (`MAX_PAGE_FILES`).
const MAX_PAGE_FILES: u64 = 16;

/// A paging file; sizes in pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFile {
    /// Its path; `None` for the virtual one behind which memory compression keeps its store.
    pub name: Option<String>,
    /// What it takes now.
    pub size: u64,
    /// What of it is free.
    pub free: u64,
    /// Its smallest size.
    pub minimum: u64,
    /// What it may grow to.
    pub maximum: u64,
}

/// Reads `MmPagingFile[]`, or the array of the system partition that took its place in Windows 10.
///
/// # Errors
/// When the count or the array is not in the dump.
pub(super) fn page_files(view: &View) -> Result<Vec<PageFile>> {
    let kernel = view.kernel;
    let (count, array) = if kernel.has_field("_MI_PARTITION", "Vp.PagingFile") {
        let partition = view.partition()?;
        (
            kernel.field_u64(partition, "_MI_PARTITION", "Vp.NumberOfPagingFiles")?,
            kernel.field_address(partition, "_MI_PARTITION", "Vp.PagingFile")?,
        )
    } else {
        // A ULONG: read as eight bytes it gave 1099511627778 files.
        (
            u64::from(kernel.global_u32("MmNumberOfPagingFiles")?),
            kernel.symbol("MmPagingFile")?,
        )
    };
    (0..count.min(MAX_PAGE_FILES))
        .map(|index| page_file(view, kernel.space().read_virt(array + index * 8)?))
        .collect()
}

fn page_file(view: &View, at: Virt) -> Result<PageFile> {
    const TYPE: &str = "_MMPAGING_FILE";
    let kernel = view.kernel;
    let name = unicode_string(
        kernel.space(),
        kernel.field_address(at, TYPE, "PageFileName")?,
    )
    .unwrap_or_else(|_| "???".into());
    Ok(PageFile {
        name: (!name.is_empty()).then_some(name),
        size: kernel.field_u64(at, TYPE, "Size")?,
        free: kernel.field_u64(at, TYPE, "FreeSpace")?,
        minimum: kernel.field_u64(at, TYPE, "MinimumSize")?,
        maximum: kernel.field_u64(at, TYPE, "MaximumSize")?,
    })
}
