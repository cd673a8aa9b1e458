//! The lines of `!vm` in kd's order: label, places, and when the line is there at all.

use super::view::{Place, View};
use crate::addr::{PAGE_SIZE, Virt};
use crate::error::{Error, Result};
use crate::kernel::list::List;
use Place::{Computed, Partition, State, Variable, Variable32, Vp, Vs, VsSigned, Zero};

/// When a line is printed.
pub enum Shown {
    /// On every kernel.
    Always,
    /// Where the kernel keeps the counter.
    IfKept,
    /// Where something else says so.
    If(fn(&View) -> bool),
}

/// A line.
pub struct Line {
    /// See [`super::Counter::key`].
    pub key: &'static str,
    /// See [`super::Counter::label`].
    pub label: &'static str,
    /// Where kernels keep it, the newest place first.
    pub places: &'static [Place],
    /// When it is printed.
    pub shown: Shown,
    /// Whether it is part of `Sum System Commit`.
    pub summed: bool,
}

const fn line(
    key: &'static str,
    label: &'static str,
    places: &'static [Place],
    shown: Shown,
    summed: bool,
) -> Line {
    Line {
        key,
        label,
        places,
        shown,
        summed,
    }
}

use Shown::{Always, If, IfKept};

/// All lines from `Physical Memory:` to `Pagefile Hash Pages:`.
pub const LINES: &[Line] = &[
    line(
        "physical_pages",
        "Physical Memory:",
        &[
            Vp("NumberOfPhysicalPages"),
            Variable("MmNumberOfPhysicalPages"),
        ],
        Always,
        false,
    ),
    line(
        "available_pages",
        "Available Pages:",
        &[Vp("AvailablePages"), Variable("MmAvailablePages")],
        Always,
        false,
    ),
    line(
        "resident_available_pages",
        "ResAvail Pages:",
        &[
            Vp("ResidentAvailablePages"),
            Variable("MmResidentAvailablePages"),
        ],
        Always,
        false,
    ),
    line(
        "locked_io_pages",
        "Locked IO Pages:",
        &[Zero],
        Always,
        false,
    ),
    line(
        "free_system_ptes",
        "Free System PTEs:",
        &[Computed(free_system_ptes)],
        Always,
        false,
    ),
    line(
        "modified_pages",
        "Modified Pages:",
        &[
            Vp("ModifiedPageListHead.Total"),
            Variable("MmModifiedPageListHead"),
        ],
        Always,
        false,
    ),
    line(
        "modified_page_file_pages",
        "Modified PF Pages:",
        &[
            Computed(modified_page_file),
            Variable("MmModifiedPageListByColor"),
        ],
        Always,
        false,
    ),
    line(
        "modified_no_write_pages",
        "Modified No Write Pages:",
        &[
            Vp("ModifiedNoWritePageListHead.Total"),
            Variable("MmModifiedNoWritePageListHead"),
        ],
        Always,
        false,
    ),
    line(
        "nonpaged_pool_pages",
        "NonPagedPool Usage:",
        &[],
        Always,
        false,
    ),
    line(
        "nonpaged_pool_nx_pages",
        "NonPagedPoolNx Usage:",
        &[],
        If(has_nx_pool),
        false,
    ),
    line(
        "nonpaged_pool_max_pages",
        "NonPagedPool Max:",
        &[
            Vs("MaximumNonPagedPoolInPages"),
            Variable("MmMaximumNonPagedPoolInPages"),
        ],
        Always,
        false,
    ),
    line(
        "paged_pool_pages",
        "PagedPool Usage:",
        PAGED_POOL,
        Always,
        false,
    ),
    line(
        "paged_pool_max_pages",
        "PagedPool Maximum:",
        &[
            Vs("SizeOfPagedPoolInPages"),
            Variable("MmSizeOfPagedPoolInPages"),
        ],
        Always,
        false,
    ),
    line(
        "processor_commit_pages",
        "Processor Commit:",
        &[Vs("ProcessCommit"), Variable("MmProcessCommit")],
        Always,
        true,
    ),
    line(
        "session_commit_pages",
        "Session Commit:",
        &[Computed(session_commit)],
        Always,
        true,
    ),
    // Moved from Vs to Vp between 14393 and 17763.
    line(
        "shared_commit_pages",
        "Shared Commit:",
        &[
            Vp("SharedCommit"),
            Vs("SharedCommit"),
            Variable("MmSharedCommit"),
        ],
        Always,
        true,
    ),
    // Gone since 18362: special pool is counted in no public field there, and kd prints 0.
    line(
        "special_pool_pages",
        "Special Pool:",
        &[
            Vs("SpecialPagesInUse"),
            Variable("MmSpecialPagesInUse"),
            Zero,
        ],
        Always,
        true,
    ),
    line(
        "kernel_stack_pages",
        "Kernel Stacks:",
        &[Variable32("MmKernelStackPages")],
        Always,
        true,
    ),
    line(
        "mdl_pages",
        "Pages For MDLs:",
        &[
            Vp("MdlPagesAllocated"),
            Vs("MdlPagesAllocated"),
            Variable("MmMdlPagesAllocated"),
        ],
        Always,
        true,
    ),
    // kd prints the line since 19041 and a 0 where the counter does not exist yet.
    line(
        "contiguous_pages",
        "ContigMem Pages:",
        &[
            Vp("ContiguousPagesAllocated"),
            Vs("ContiguousPagesAllocated"),
            Zero,
        ],
        If(has_slabs),
        true,
    ),
    line(
        "partition_pages",
        "Partition Pages:",
        &[Computed(child_partitions)],
        IfKept,
        true,
    ),
    line(
        "awe_pages",
        "Pages For AWE:",
        &[Vp("VadPhysicalPages"), Zero],
        Always,
        true,
    ),
    line(
        "nonpaged_pool_commit_pages",
        "NonPagedPool Commit:",
        &[Vs("NonPagedPoolCommit")],
        Always,
        true,
    ),
    // Equal to the usage in every published transcript but those of one kdexts that printed a pointer.
    line(
        "paged_pool_commit_pages",
        "PagedPool Commit:",
        PAGED_POOL_COMMIT,
        Always,
        true,
    ),
    line(
        "driver_commit_pages",
        "Driver Commit:",
        &[VsSigned("DriverCommit"), Variable32("MmDriverCommit")],
        Always,
        true,
    ),
    line(
        "boot_commit_pages",
        "Boot Commit:",
        &[Vs("BootCommit")],
        Always,
        true,
    ),
    line(
        "pfn_array_commit_pages",
        "PFN Array Commit:",
        &[Vs("PfnDatabaseCommit")],
        IfKept,
        true,
    ),
    line(
        "small_nonpaged_ptes_commit_pages",
        "SmallNonPagedPtesCommit:",
        &[Vs("SmallNonPagedPtesCommit")],
        IfKept,
        true,
    ),
    line(
        "slab_allocator_pages",
        "SlabAllocatorPages:",
        &[Vp("SlabAllocatorPages")],
        IfKept,
        true,
    ),
    line(
        "secure_kernel_uncharged_pages",
        "SkPagesInUnchargedSlabs:",
        &[
            Vp("SecureKernelPagesFromNonChargedSlabs"),
            Partition("Core.NonChargedSecurePages"),
        ],
        If(has_slabs),
        true,
    ),
    line(
        "system_page_table_pages",
        "System PageTables:",
        &[Vs("SystemPageTableCommit")],
        Always,
        true,
    ),
    line(
        "vad_bitmap_pages",
        "VAD/PageTable Bitmaps:",
        &[Computed(vad_bitmaps)],
        If(has_no_pfn_commit),
        true,
    ),
    line(
        "process_locked_file_pages",
        "ProcessLockedFilePages:",
        &[Vp("ProcessLockedFilePages")],
        Always,
        true,
    ),
    line(
        "page_file_hash_pages",
        "Pagefile Hash Pages:",
        &[Vs("PagefileHashPages")],
        Always,
        true,
    ),
];

const PAGED_POOL: &[Place] = &[
    Vs("PagedPoolInfo.AllocatedPagedPool"),
    Computed(paged_pool_info),
];
const PAGED_POOL_COMMIT: &[Place] = &[
    Variable("MmPagedPoolCommit"),
    Vs("PagedPoolInfo.AllocatedPagedPool"),
    Computed(paged_pool_info),
];

/// `Committed pages:`.
pub const COMMITTED: &[Place] = &[Vp("TotalCommittedPages"), Variable("MmTotalCommittedPages")];
/// `Commit limit:`.
pub const LIMIT: &[Place] = &[Vp("TotalCommitLimit"), Variable("MmTotalCommitLimit")];
/// How often PTEs for a kernel stack were refused.
pub const STACK_PTE_FAILURES: &[Place] = &[
    State("SystemPtes.KernelStackPteInfo.PteFailures"),
    Computed(old_stack_failures),
];
/// How often a kernel stack could not grow.
pub const STACK_GROWTH_FAILURES: &[Place] = &[State("SystemPtes.StackGrowthFailures")];

fn has_slabs(view: &View) -> bool {
    view.keeps(Vp("SlabAllocatorPages"))
}

fn has_no_pfn_commit(view: &View) -> bool {
    !view.keeps(Vs("PfnDatabaseCommit"))
}

/// NX pool came with Windows 8, and with it its own pool type.
fn has_nx_pool(view: &View) -> bool {
    let types = view
        .kernel
        .table()
        .ok()
        .and_then(|table| table.enumeration("_POOL_TYPE"));
    types.is_some_and(|types| types.value_of("NonPagedPoolNx").is_some())
}

/// Whether `Partition Pages:` is printed, which decides what the sum holds.
pub fn has_partition_line(view: &View) -> bool {
    view.keeps(Computed(child_partitions))
}

fn child_partitions(view: &View) -> Option<Result<u64>> {
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

fn session_commit(view: &View) -> Option<Result<u64>> {
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
fn modified_page_file(view: &View) -> Option<Result<u64>> {
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

fn paged_pool_info(view: &View) -> Option<Result<u64>> {
    let kernel = view.kernel;
    let info = kernel.symbol("MmPagedPoolInfo").ok()?;
    Some(kernel.field_u64(info, "_MM_PAGED_POOL_INFO", "AllocatedPagedPool"))
}

fn vad_bitmaps(view: &View) -> Option<Result<u64>> {
    if !view.keeps(Vs("VadBitmapPages")) {
        return None;
    }
    let read = |place| view.first(&[place]).unwrap_or(Ok(0)).map_err(Error::Absent);
    Some(
        read(Vs("VadBitmapPages"))
            .and_then(|vad| Ok(vad.wrapping_add(read(Vp("PageTableBitmapPages"))?))),
    )
}

fn old_stack_failures(view: &View) -> Option<Result<u64>> {
    let info = view.kernel.symbol("MiKernelStackPteInfo").ok()?;
    Some(
        view.kernel
            .field_u64(info, "_MI_SYSTEM_PTE_TYPE", "PteFailures"),
    )
}

/// `Free System PTEs:` as kd prints it on Windows 10: the whole region of system PTEs in pages, plus a counter that is
/// signed, because it goes below zero while the region is being handed out. Published figures lie around 2^32 on both sides,
/// which fits a region of 2^44 bytes and nothing else.
fn free_system_ptes(view: &View) -> Option<Result<u64>> {
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
    Err(Error::Absent(
        "the region of system PTEs is not in the list of regions".into(),
    ))
}
