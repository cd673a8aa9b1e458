//! What the pools themselves count: in descriptors of the old allocator, in the heaps of the new one.

use super::Windows;
use crate::plan::{Plan, Pool};
use crate::random::Random;
use rkd_dump::error::Result;

/// Writes the pools' own figures.
pub(super) fn write(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    write_descriptors(windows, plan)?;
    write_heaps(windows, plan)
}

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
        let mut structure = windows.structure("_POOL_DESCRIPTOR")?;
        structure.set_if("PoolType", kind);
        if !structure.set_if("PagesAllocated", pages + 9_000) {
            structure.set_if("TotalPages", pages);
            structure.set_if("TotalBigPages", big);
        }
        structure.set_if("PagesDeallocated", 9_000);
        structure.set_if("BigPagesAllocated", big + 70_000);
        structure.set_if("BigPagesDeallocated", 70_000);
        windows.memory.write(at, structure.bytes())?;
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
        let mut random = Random::named("RtlpHpHeapGlobals");
        windows.memory.write_u64(globals, random.next_u64())?;
        windows.memory.write_u64(globals + 8, random.next_u64())?;
        windows.memory.write_u64(state, globals.0)?;
    }
    windows.poke(MANAGER, state, "NumberOfPools", 1)?;
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
        let mut structure = windows.structure("_SEGMENT_HEAP")?;
        structure.set("Signature", 0xddee_ddee)?;
        if !described {
            structure.set("MemStats.TotalCommittedPages", small)?;
            structure.set("MemStats.TotalReservedPages", small.next_multiple_of(0x200))?;
            structure.set("LargeCommittedPages", large)?;
            structure.set("LargeReservedPages", large)?;
        }
        let at = windows.allocate(b"EtwP", structure.bytes().len() as u64)?;
        windows.memory.write(at, structure.bytes())?;
        windows.poke(MANAGER, state, &format!("PoolNode[0].Heaps[{index}]"), at.0)?;
    }
    Ok(())
}
