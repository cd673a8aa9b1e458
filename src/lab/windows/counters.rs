//! What the memory manager counts: in `MiState` and `MiSystemPartition` where the kernel has them, else in variables.

use super::processes::STACK_PAGES;
use super::{Windows, regions};
use crate::addr::Virt;
use crate::error::Result;
use crate::lab::dice::Dice;
use crate::lab::plan::{Counters, Plan, Pool};

const STATE: &str = "_MI_SYSTEM_INFORMATION";
const VISIBLE: &str = "_MI_VISIBLE_STATE";
const PARTITION: &str = "_MI_PARTITION";

/// Pages that are taken from the pool in whole pages, of all that is nonpaged and may be executed.
fn big_pages(plan: &Plan) -> u64 {
    let nonpaged = plan
        .blocks
        .iter()
        .filter(|block| block.pool == Pool::NonPaged && !block.stale);
    nonpaged
        .map(|block| block.bytes / 0x1000)
        .sum::<u64>()
        .min(plan.counters.non_paged_pool)
}

/// Writes all counters. `stack_pages` are the pages of the threads' kernel stacks.
pub(super) fn write(windows: &mut Windows<'_>, plan: &Plan, stack_pages: u64) -> Result<()> {
    match windows.visible_state() {
        Some(visible) => write_state(windows, plan, visible, stack_pages)?,
        None => write_variables(windows, plan, stack_pages)?,
    }
    write_descriptors(windows, plan)?;
    write_heaps(windows, plan)?;
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

/// Writes a field of a structure in place; says whether the type has it.
fn poke(windows: &mut Windows<'_>, ty: &str, at: Virt, path: &str, value: u64) -> Result<bool> {
    let Ok(field) = windows.table.field(ty, path) else {
        return Ok(false);
    };
    let width = windows.table.size_of(field.ty).unwrap_or(8).min(8) as usize;
    let bytes = value.to_le_bytes();
    windows
        .memory
        .write(at + field.offset, bytes.get(..width).unwrap_or_default())?;
    Ok(true)
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
        if poke(windows, VISIBLE, visible, path, value)? {
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
        poke(windows, VISIBLE, visible, path, value)?;
    }
    if poke(
        windows,
        PARTITION,
        partition,
        "Vp.ProcessLockedFilePages",
        counters.locked_file_pages,
    )? {
        charged.push(counters.locked_file_pages);
    }
    let shared = shared_commit(counters, &charged);
    if !poke(windows, PARTITION, partition, "Vp.SharedCommit", shared)? {
        poke(windows, VISIBLE, visible, "SharedCommit", shared)?;
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
        poke(windows, PARTITION, partition, path, value)?;
    }
    poke(
        windows,
        STATE,
        state,
        "Pools.AllocatedNonPagedPool",
        counters.non_paged_pool + counters.non_paged_pool_nx,
    )?;
    poke(
        windows,
        STATE,
        state,
        "Pools.MaximumNonPagedPoolThreshold",
        counters.non_paged_pool_max,
    )?;
    let files = windows.table.field(PARTITION, "Vp.PagingFile")?.offset;
    write_page_files(windows, plan, partition + files)?;
    poke(
        windows,
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
            poke(
                windows,
                VISIBLE,
                visible,
                &format!("SystemVaRegions[{index}].BaseAddress"),
                base.0,
            )?;
            poke(
                windows,
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
        let mut form = windows.form("_MMPAGING_FILE")?;
        form.set("Size", file.size)?;
        form.set("FreeSpace", file.free)?;
        form.set("MinimumSize", file.minimum)?;
        form.set("MaximumSize", file.maximum)?;
        form.set_if("PeakUsage", file.size - file.free);
        form.set_if("PageFileNumber", index as u64);
        match file.path {
            Some(path) => {
                let name = windows.unicode_string(path)?;
                form.put("PageFileName", &name)?;
            }
            None => {
                form.set_if("VirtualStorePagefile", 1);
            }
        }
        let at = windows.allocate(b"MmPf", form.bytes().len() as u64)?;
        windows.memory.write(at, form.bytes())?;
        windows.memory.write_u64(array + index as u64 * 8, at.0)?;
    }
    Ok(())
}

/// The variables of kernels that have no `MiState`.
fn write_variables(windows: &mut Windows<'_>, plan: &Plan, stack_pages: u64) -> Result<()> {
    let counters = &plan.counters;
    let mut charged = vec![
        plan.sessions.iter().map(|session| session.1).sum(),
        counters.paged_pool,
    ];
    charged.push(stack_pages);
    // four bytes wide; MiKernelStackPages of 9600 is one byte, and a setting
    windows.set_u32("MmKernelStackPages", stack_pages as u32)?;
    if let Some(at) = windows.try_symbol("MiKernelStackPages") {
        windows.memory.write(at, &[STACK_PAGES as u8])?;
    }
    for (name, value) in [
        ("MmProcessCommit", counters.process_commit),
        ("MmMdlPagesAllocated", counters.mdl_pages),
    ] {
        if windows.set_u64(name, value)? {
            charged.push(value);
        }
    }
    if windows.set_u32("MmDriverCommit", counters.driver_commit as u32)? {
        charged.push(counters.driver_commit);
    }
    for name in [
        "NonPagedPool Commit",
        "Boot Commit",
        "PFN Array Commit",
        "System PageTables",
    ] {
        windows.homeless.push(name.to_owned());
    }
    windows.set_u64("MmSharedCommit", shared_commit(counters, &charged))?;
    let nx = if windows.knows_nx() {
        counters.non_paged_pool_nx
    } else {
        0
    };
    let all_non_paged = counters.non_paged_pool + nx;
    for (name, value) in [
        ("MmNumberOfPhysicalPages", counters.physical),
        ("MmLowestPhysicalPage", 1),
        ("MmHighestPhysicalPage", windows.memory.ram.end() - 1),
        ("MmAvailablePages", counters.available),
        ("MmResidentAvailablePages", counters.resident_available),
        ("MmTotalCommittedPages", counters.committed),
        ("MmTotalCommitLimit", counters.commit_limit),
        (
            "MmTotalCommitLimitMaximum",
            counters.commit_limit + 0x20_0000,
        ),
        ("MmPeakCommitment", counters.committed + 7_911),
        (
            "MmTotalPagesForPagingFile",
            counters.commit_limit - counters.physical,
        ),
        ("MmAllocatedNonPagedPool", all_non_paged),
        ("MmModifiedPageListByColor", counters.modified),
        ("MmMaximumNonPagedPoolInPages", counters.non_paged_pool_max),
        (
            "MmMaximumNonPagedPoolInBytes",
            counters.non_paged_pool_max << 12,
        ),
        ("MmSizeOfPagedPoolInPages", counters.paged_pool_max),
        ("MmPagedPoolCommit", counters.paged_pool),
    ] {
        windows.set_u64(name, value)?;
    }
    for (symbol, ty, path, value) in [
        (
            "MmModifiedPageListHead",
            "_MMPFNLIST",
            "Total",
            counters.modified,
        ),
        (
            "MmModifiedNoWritePageListHead",
            "_MMPFNLIST",
            "Total",
            counters.modified_no_write,
        ),
        (
            "MmPagedPoolInfo",
            "_MM_PAGED_POOL_INFO",
            "AllocatedPagedPool",
            counters.paged_pool,
        ),
        (
            "MmPagedPoolInfo",
            "_MM_PAGED_POOL_INFO",
            "PagedPoolCommit",
            counters.paged_pool,
        ),
        (
            "MmPagedPoolInfo",
            "_MM_PAGED_POOL_INFO",
            "MaximumSize",
            counters.paged_pool_max,
        ),
        (
            "MiSystemPteInfo",
            "_MI_SYSTEM_PTE_TYPE",
            "TotalFreeSystemPtes",
            counters.free_system_ptes,
        ),
        (
            "MiSystemPteInfo",
            "_MI_SYSTEM_PTE_TYPE",
            "TotalSystemPtes",
            counters.free_system_ptes + 0x4_1d00,
        ),
    ] {
        if let Some(at) = windows.try_symbol(symbol) {
            poke(windows, ty, at, path, value)?;
        }
    }
    let array = windows.symbol("MmPagingFile")?;
    write_page_files(windows, plan, array)?;
    windows.set_u32("MmNumberOfPagingFiles", plan.page_files.len() as u32)?;
    Ok(())
}

/// The descriptors of pools, where the kernel has them: nonpaged, nonpaged and not executable, paged.
fn write_descriptors(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    let Some(first) = windows.try_symbol("NonPagedPoolDescriptor") else {
        return Ok(());
    };
    let counters = &plan.counters;
    let big = big_pages(plan);
    let Some(size) = windows.table.udt("_POOL_DESCRIPTOR").map(|udt| udt.size) else {
        return Ok(());
    };
    let paged = windows.allocate(b"Pool", size)?;
    let mut all = vec![
        (first, 0, counters.non_paged_pool - big, big),
        (paged, 1, counters.paged_pool, 0),
    ];
    if windows.knows_nx() {
        all.push((first + size, 0x200, counters.non_paged_pool_nx, 0));
    }
    for (at, kind, pages, big) in all {
        let mut form = windows.form("_POOL_DESCRIPTOR")?;
        form.set_if("PoolType", kind);
        if !form.set_if("PagesAllocated", pages + 9_000) {
            form.set_if("TotalPages", pages);
            form.set_if("TotalBigPages", big);
        }
        form.set_if("PagesDeallocated", 9_000);
        form.set_if("BigPagesAllocated", big + 70_000);
        form.set_if("BigPagesDeallocated", 70_000);
        windows.memory.write(at, form.bytes())?;
    }
    if let Some(at) = windows.try_symbol("PoolVector") {
        windows.memory.write_u64(at, first.0)?;
        windows.memory.write_u64(at + 8, paged.0)?;
    }
    let mut nonpaged = vec![first];
    if windows.knows_nx() {
        nonpaged.push(first + size);
    }
    if let Some(array) = windows.try_symbol("ExpNonPagedPoolDescriptor") {
        for (index, at) in nonpaged.iter().enumerate() {
            windows.memory.write_u64(array + index as u64 * 8, at.0)?;
        }
    }
    windows.set_u64("ExpPagedPoolDescriptor", paged.0)?;
    windows.set_u32("ExpNumberOfNonPagedPools", nonpaged.len() as u32)?;
    windows.set_u32("ExpNumberOfPagedPools", 1)?;
    Ok(())
}

/// The heaps that pools are made of in newer kernels, of which only what they count is true.
fn write_heaps(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    const MANAGER: &str = "_EX_POOL_HEAP_MANAGER_STATE";
    let Some(state) = windows.try_symbol("ExPoolState") else {
        return Ok(());
    };
    if let Some(globals) = windows.try_symbol("RtlpHpHeapGlobals") {
        let mut dice = Dice::named("RtlpHpHeapGlobals");
        windows.memory.write_u64(globals, dice.roll())?;
        windows.memory.write_u64(globals + 8, dice.roll())?;
        windows.memory.write_u64(state, globals.0)?;
    }
    poke(windows, MANAGER, state, "NumberOfPools", 1)?;
    let counters = &plan.counters;
    let big = big_pages(plan);
    // where pools still have descriptors, these count everything
    let described = windows.try_symbol("NonPagedPoolDescriptor").is_some()
        && windows.table.udt("_POOL_DESCRIPTOR").is_some();
    let heaps = [
        (counters.non_paged_pool - big, big),
        (counters.non_paged_pool_nx, 0),
        (counters.paged_pool, 0),
        (0, 0),
    ];
    for (index, (small, large)) in heaps.into_iter().enumerate() {
        let mut form = windows.form("_SEGMENT_HEAP")?;
        form.set("Signature", 0xddee_ddee)?;
        if !described {
            form.set("MemStats.TotalCommittedPages", small)?;
            form.set("MemStats.TotalReservedPages", small.next_multiple_of(0x200))?;
            form.set("LargeCommittedPages", large)?;
            form.set("LargeReservedPages", large)?;
        }
        let at = windows.allocate(b"EtwP", form.bytes().len() as u64)?;
        windows.memory.write(at, form.bytes())?;
        poke(
            windows,
            MANAGER,
            state,
            &format!("PoolNode[0].Heaps[{index}]"),
            at.0,
        )?;
    }
    Ok(())
}

/// `MmPhysicalMemoryBlock`: which frames the machine has.
fn write_memory_block(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    let mut form = windows.form("_PHYSICAL_MEMORY_DESCRIPTOR")?;
    form.set("NumberOfRuns", plan.frames.len() as u64)?;
    form.set(
        "NumberOfPages",
        plan.frames.iter().map(|run| run.pages).sum(),
    )?;
    let runs: Vec<u8> = plan
        .frames
        .iter()
        .flat_map(|run| [run.first.0, run.pages])
        .flat_map(u64::to_le_bytes)
        .collect();
    form.put("Run", &runs)?;
    let at = windows.allocate(b"MmPb", form.bytes().len() as u64)?;
    windows.memory.write(at, form.bytes())?;
    windows.set_u64("MmPhysicalMemoryBlock", at.0)?;
    Ok(())
}
