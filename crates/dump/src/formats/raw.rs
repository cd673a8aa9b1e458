//! Raw images: all of physical memory, so that the offset of a byte in the file is its physical address. `dd`, QEMU's
//! `pmemsave`, Xen's and many acquisition tools write them, as `.raw`, `.mem`, `.bin` or `.img`; where the machine has no
//! memory (below 4 GiB, for its devices) the file has zeroes.
//!
//! There is no header and no mark. A file is a raw image only if a Windows is found in it.

use super::runs::RunTable;
use super::{Contents, Format, Opened, Refusal};
use crate::addr::PAGE_SIZE;
use crate::map::Map;
use crate::physical::PhysicalMemory;
use crate::search;
use std::sync::Arc;

/// A raw image of physical memory.
pub(super) static RAW: Format = Format {
    name: "raw",
    description: "Raw Memory Image File: Full address space is available",
    // What has a mark of its own, or is text, is not searched.
    is_of: |bytes| matches!(Refusal::of(bytes), Refusal::Zeroes | Refusal::Unknown(_)),
    open,
};

fn open(file: Arc<Map>, notes: &mut Vec<String>) -> Result<Opened, Refusal> {
    let len = file.bytes().len() as u64;
    let all = std::iter::once((0, len / PAGE_SIZE));
    let memory: Arc<dyn PhysicalMemory> =
        Arc::new(RunTable::lay_out(Arc::clone(&file), 0, all, notes));
    let Some(located) = search::windows(&memory) else {
        return Err(Refusal::of(file.bytes()));
    };
    if let (Some(root), Some(base)) = (located.page_table_root.get(), located.kernel_base.get()) {
        notes.push(format!(
            "a raw memory image has no header: a search found the page tables at {root:x} and nt at {base}"
        ));
    }
    if !len.is_multiple_of(PAGE_SIZE) {
        notes.push(format!(
            "the last {} bytes of the image are no whole page: left out",
            len % PAGE_SIZE
        ));
    }
    Ok(Opened {
        located,
        crash: None,
        comment: None,
        contents: Contents::Physical(memory),
    })
}
