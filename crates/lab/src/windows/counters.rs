//! What the memory manager counts: in `MiState` and `MiSystemPartition` where the kernel has them, else in variables.

mod variables;

use super::{Windows, regions};
use crate::plan::{Counters, Plan};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

const STATE: &str = "_MI_SYSTEM_INFORMATION";
const VISIBLE: &str = "_MI_VISIBLE_STATE";
const PARTITION: &str = "_MI_PARTITION";

/// Writes all counters. `stack_pages` are the pages of the threads' kernel stacks.
pub(super) fn write(windows: &mut Windows<'_>, plan: &Plan, stack_pages: u64) -> Result<()> {
    match windows.visible_state() {
        Some(visible) => write_state(windows, plan, visible, stack_pages)?,
        None => variables::write(windows, plan, stack_pages)?,
    }
    write_memory_block(windows, plan)?;
    let regions = windows.regions;
    windows.set_u64("MmPfnDatabase", regions.pfn_database.0)?;
    windows.set_u64("MmPteBase", windows.memory.tables.pte_base().0)?;
    windows.set_u64("MmSystemRangeStart", 0xffff_8000_0000_0000)?;
    windows.set_u64("MmHighestUserAddress", 0x7fff_fffe_ffff)?;
    windows.set_u64(
        "MmSizeOfPagedPoolInBytes",
        plan.counters.paged_pool_max << 12,
    )?;
    Ok(())
}

/// What each line of commitment holds, by the field that holds it; shared commitment is the rest.
fn shared_commit(counters: &Counters, lines: &[u64]) -> u64 {
    counters.system_commit.saturating_sub(lines.iter().sum())
}

fn write_state(
    windows: &mut Windows<'_>,
    plan: &Plan,
    visible: Virt,
    stack_pages: u64,
) -> Result<()> {
    let counters = &plan.counters;
    let state = windows.symbol("MiState")?;
    let partition = windows.symbol("MiSystemPartition")?;
    windows.set_u64("MiVisibleState", visible.0)?;
    let vp = windows.table.field(PARTITION, "Vp")?.offset;
    windows.set_u64("MiVisiblePartition", (partition + vp).0)?;

    let mut charged = vec![
        stack_pages,
        counters.paged_pool,
        plan.sessions.iter().map(|session| session.1).sum(),
    ];
    for (path, value, name) in [
        ("ProcessCommit", counters.process_commit, "Processor Commit"),
        ("MdlPagesAllocated", counters.mdl_pages, "Pages For MDLs"),
        (
            "NonPagedPoolCommit",
            counters.non_paged_pool_commit,
            "NonPagedPool Commit",
        ),
        ("DriverCommit", counters.driver_commit, "Driver Commit"),
        ("BootCommit", counters.boot_commit, "Boot Commit"),
        (
            "PfnDatabaseCommit",
            counters.pfn_array_commit,
            "PFN Array Commit",
        ),
        (
            "SmallNonPagedPtesCommit",
            counters.small_pte_commit,
            "SmallNonPagedPtesCommit",
        ),
        (
            "SystemPageTableCommit",
            counters.page_table_commit,
            "System PageTables",
        ),
    ] {
        if windows.poke(VISIBLE, visible, path, value)? {
            charged.push(value);
        } else {
            windows.homeless.push(name.to_owned());
        }
    }
    let page = (windows.regions.system_ptes.0 & 0xffff_ffff_ffff) >> 12;
    for (path, value) in [
        (
            "SystemPteInfo.BasePte",
            (windows.memory.tables.pte_base() + page * 8).0,
        ),
        ("PagedPoolInfo.AllocatedPagedPool", counters.paged_pool),
        ("PagedPoolInfo.MaximumSize", counters.paged_pool_max),
        ("MaximumNonPagedPoolInPages", counters.non_paged_pool_max),
        ("SizeOfPagedPoolInPages", counters.paged_pool_max),
        (
            "SystemPteInfo.TotalFreeSystemPtes",
            counters.free_system_ptes,
        ),
        (
            "SystemPteInfo.TotalSystemPtes",
            counters.free_system_ptes + 0x4_1d00,
        ),
        ("PagingLevels", 4),
    ] {
        windows.poke(VISIBLE, visible, path, value)?;
    }
    if windows.poke(
        PARTITION,
        partition,
        "Vp.ProcessLockedFilePages",
        counters.locked_file_pages,
    )? {
        charged.push(counters.locked_file_pages);
    }
    let shared = shared_commit(counters, &charged);
    if !windows.poke(PARTITION, partition, "Vp.SharedCommit", shared)? {
        windows.poke(VISIBLE, visible, "SharedCommit", shared)?;
    }
    let end = windows.memory.ram.end();
    for (path, value) in [
        ("Vp.LowestPhysicalPage", 1),
        ("Vp.HighestPhysicalPage", end - 1),
        ("Vp.NumberOfPhysicalPages", counters.physical),
        ("Vp.AvailablePages", counters.available),
        ("Vp.ResidentAvailablePages", counters.resident_available),
        ("Vp.TotalCommittedPages", counters.committed),
        ("Vp.TotalCommitLimit", counters.commit_limit),
        (
            "Vp.TotalPagesForPagingFile",
            counters.commit_limit - counters.physical,
        ),
        ("Vp.ModifiedPageListHead.Total", counters.modified),
        (
            "Vp.ModifiedNoWritePageListHead.Total",
            counters.modified_no_write,
        ),
        ("Vp.SystemCacheInitialized", 1),
        (
            "PageLists.ModifiedPageListNoReservation.Total",
            counters.modified,
        ),
        ("Commit.PeakCommitment", counters.committed + 7_911),
    ] {
        windows.poke(PARTITION, partition, path, value)?;
    }
    windows.poke(
        STATE,
        state,
        "Pools.AllocatedNonPagedPool",
        counters.non_paged_pool + counters.non_paged_pool_nx,
    )?;
    windows.poke(
        STATE,
        state,
        "Pools.MaximumNonPagedPoolThreshold",
        counters.non_paged_pool_max,
    )?;
    let files = windows.table.field(PARTITION, "Vp.PagingFile")?.offset;
    write_page_files(windows, plan, partition + files)?;
    windows.poke(
        PARTITION,
        partition,
        "Vp.NumberOfPagingFiles",
        plan.page_files.len() as u64,
    )?;
    write_regions(windows, visible)
}

/// The table of regions.
fn write_regions(windows: &mut Windows<'_>, visible: Virt) -> Result<()> {
    let regions = windows.regions;
    for (index, name) in regions::order(windows.table).iter().enumerate() {
        if let Some((base, size)) = regions.named(name) {
            windows.poke(
                VISIBLE,
                visible,
                &format!("SystemVaRegions[{index}].BaseAddress"),
                base.0,
            )?;
            windows.poke(
                VISIBLE,
                visible,
                &format!("SystemVaRegions[{index}].NumberOfBytes"),
                size,
            )?;
        }
    }
    Ok(())
}

/// The structures of the page files, and the array of pointers to them.
fn write_page_files(windows: &mut Windows<'_>, plan: &Plan, array: Virt) -> Result<()> {
    for (index, file) in plan.page_files.iter().enumerate() {
        let mut structure = windows.structure("_MMPAGING_FILE")?;
        structure.set("Size", file.size)?;
        structure.set("FreeSpace", file.free)?;
        structure.set("MinimumSize", file.minimum)?;
        structure.set("MaximumSize", file.maximum)?;
        structure.set_if("PeakUsage", file.size - file.free);
        structure.set_if("PageFileNumber", index as u64);
        match file.path {
            Some(path) => {
                let name = windows.unicode_string(path)?;
                structure.put("PageFileName", &name)?;
            }
            None => {
                structure.set_if("VirtualStorePagefile", 1);
            }
        }
        let at = windows.allocate(b"MmPf", structure.bytes().len() as u64)?;
        windows.memory.write(at, structure.bytes())?;
        windows.memory.write_u64(array + index as u64 * 8, at.0)?;
    }
    Ok(())
}

/// `MmPhysicalMemoryBlock`: which frames the machine has.
fn write_memory_block(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    let mut structure = windows.structure("_PHYSICAL_MEMORY_DESCRIPTOR")?;
    structure.set("NumberOfRuns", plan.frames.len() as u64)?;
    structure.set(
        "NumberOfPages",
        plan.frames.iter().map(|run| run.pages).sum(),
    )?;
    let runs: Vec<u8> = plan
        .frames
        .iter()
        .flat_map(|run| [run.first.0, run.pages])
        .flat_map(u64::to_le_bytes)
        .collect();
    structure.put("Run", &runs)?;
    let at = windows.allocate(b"MmPb", structure.bytes().len() as u64)?;
    windows.memory.write(at, structure.bytes())?;
    windows.set_u64("MmPhysicalMemoryBlock", at.0)?;
    Ok(())
}
