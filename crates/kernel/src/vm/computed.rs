//! The lines of `!vm` that are no field by itself: sums, lists, and what kd works out. Each answers `None` where this kernel
//! has not what it takes.

use super::view::CounterSource::{Vp, Vs};
use super::view::View;
use crate::list::List;
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::error::{Error, Result};

/// `Partition Pages:` – what was given to other memory partitions, over all nodes.
pub(super) fn child_partitions(view: &View) -> Option<Result<u64>> {
    const FIELD: &str = "Partitions.TotalNodePagesInChildPartitions";
    let kernel = view.kernel;
    let table = kernel.table().ok()?;
    let field = table.field("_MI_SYSTEM_INFORMATION", FIELD).ok()?;
    let nodes = table.size_of(field.ty)? / 8;
    Some(
        view.state()
            .and_then(|state| sum_u64(view, state + view.drift() + field.offset, nodes, 8)),
    )
}

/// Adds `count` 64-bit values that lie `stride` bytes apart.
fn sum_u64(view: &View, at: Virt, count: u64, stride: u64) -> Result<u64> {
    (0..count.min(1024)).try_fold(0u64, |sum, index| {
        Ok(sum.wrapping_add(view.kernel.space().read_u64(at + index * stride)?))
    })
}

/// `Session Commit:` over all sessions.
pub(super) fn session_commit(view: &View) -> Option<Result<u64>> {
    let kernel = view.kernel;
    let links = kernel
        .table()
        .ok()?
        .field("_MM_SESSION_SPACE", "WsListEntry")
        .ok()?
        .offset;
    let head = match kernel.symbol("MiSessionWsList") {
        Ok(head) => Ok(head),
        Err(_) if kernel.has_field("_MI_VISIBLE_STATE", "SessionWsList") => view
            .vs()
            .and_then(|vs| kernel.field_address(vs, "_MI_VISIBLE_STATE", "SessionWsList")),
        Err(_) => return None,
    };
    Some(head.and_then(|head| {
        List::new(kernel.space(), head, "SessionWsList").try_fold(0u64, |sum, entry| {
            Ok(sum.wrapping_add(kernel.field_u64(
                entry? - links,
                "_MM_SESSION_SPACE",
                "CommittedPages",
            )?))
        })
    }))
}

/// `Modified PF Pages:` – the pages on their way to a page file, with and without a reservation.
pub(super) fn modified_page_file(view: &View) -> Option<Result<u64>> {
    const FREE: &str = "PageLists.ModifiedPageListNoReservation.Total";
    const RESERVED: &str = "PageLists.ModifiedPageListByReservation";
    let kernel = view.kernel;
    let table = kernel.table().ok()?;
    table.field("_MI_PARTITION", FREE).ok()?;
    let reserved = table.field("_MI_PARTITION", RESERVED).ok()?;
    let stride = table.udt("_MMPFNLIST")?.size.max(8);
    Some(view.partition().and_then(|partition| {
        let free = kernel.field_u64(partition, "_MI_PARTITION", FREE)?;
        let lists = table.size_of(reserved.ty).unwrap_or(0) / stride;
        Ok(free.wrapping_add(sum_u64(view, partition + reserved.offset, lists, stride)?))
    }))
}

/// The usage of paged pool where it is a variable of its own.
pub(super) fn paged_pool_info(view: &View) -> Option<Result<u64>> {
    let kernel = view.kernel;
    let info = kernel.symbol("MmPagedPoolInfo").ok()?;
    Some(kernel.field_u64(info, "_MM_PAGED_POOL_INFO", "AllocatedPagedPool"))
}

/// `VAD/PageTable Bitmaps:`, gone since 17763.
pub(super) fn vad_bitmaps(view: &View) -> Option<Result<u64>> {
    if !view.keeps(Vs("VadBitmapPages")) {
        return None;
    }
    let read = |place| view.first(&[place]).unwrap_or(Ok(0));
    Some(
        read(Vs("VadBitmapPages"))
            .and_then(|vad| Ok(vad.wrapping_add(read(Vp("PageTableBitmapPages"))?))),
    )
}

/// Refused PTEs for kernel stacks on Windows 7.
pub(super) fn old_stack_failures(view: &View) -> Option<Result<u64>> {
    let info = view.kernel.symbol("MiKernelStackPteInfo").ok()?;
    Some(
        view.kernel
            .field_u64(info, "_MI_SYSTEM_PTE_TYPE", "PteFailures"),
    )
}

/// `Free System PTEs:` as kd prints it on Windows 10: the whole region of system PTEs in pages, plus a counter that is
/// signed, because it goes below zero while the region is being handed out. Published figures lie around 2^32 on both sides,
/// which fits a region of 2^44 bytes and nothing else.
pub(super) fn free_system_ptes(view: &View) -> Option<Result<u64>> {
    const TYPE: &str = "_MI_SYSTEM_PTE_TYPE";
    const FREE: &str = "TotalFreeSystemPtes";
    let kernel = view.kernel;
    if let Ok(info) = kernel.symbol("MiSystemPteInfo") {
        return Some(kernel.field_u64(info, TYPE, FREE));
    }
    if !kernel.has_field("_MI_VISIBLE_STATE", "SystemPteInfo") {
        return None;
    }
    Some(view.vs().and_then(|vs| {
        let info = kernel.field_address(vs, "_MI_VISIBLE_STATE", "SystemPteInfo")?;
        let free = kernel.field_i64(info, TYPE, FREE)? as u64;
        Ok((system_pte_region(view, vs, info)? / PAGE_SIZE).wrapping_add(free))
    }))
}

/// The size of the region of system PTEs, in bytes.
///
/// The order of the regions changed in 20348, so the region is found by the name of its index, and where the symbols do not
/// have the names, as the region that holds the first page which the allocator's first PTE maps.
fn system_pte_region(view: &View, vs: Virt, info: Virt) -> Result<u64> {
    const REGION: &str = "_MI_SYSTEM_VA_ASSIGNMENT";
    let kernel = view.kernel;
    let table = kernel.table()?;
    let regions = table.field("_MI_VISIBLE_STATE", "SystemVaRegions")?;
    let stride = table
        .udt(REGION)
        .ok_or_else(|| Error::NoType(REGION.into()))?
        .size
        .max(1);
    let count = (table.size_of(regions.ty).unwrap_or(0) / stride).min(64);
    let names = table.enumeration("_MI_ASSIGNED_REGION_TYPES");
    let base = vs + regions.offset;
    let bytes_of = |index: u64| kernel.field_u64(base + index * stride, REGION, "NumberOfBytes");
    if let Some(index) = names.and_then(|names| names.value_of("AssignedRegionSystemPtes")) {
        return bytes_of(index as u64);
    }
    let pte = kernel.field_u64(info, "_MI_SYSTEM_PTE_TYPE", "BasePte")?;
    let pte_base = kernel.global_u64("MmPteBase")?;
    // One PTE of 8 bytes maps one page, and the address is sign-extended from bit 47.
    let first = ((pte.wrapping_sub(pte_base) << 9 << 16) as i64 >> 16) as u64;
    for index in 0..count {
        let start = kernel.field_u64(base + index * stride, REGION, "BaseAddress")?;
        let bytes = bytes_of(index)?;
        if first.wrapping_sub(start) < bytes {
            return Ok(bytes);
        }
    }
    Err(Error::NotInDump(
        "the region of system PTEs is not in the list of regions".into(),
    ))
}
