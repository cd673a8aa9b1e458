//! The lines of `!vm` in kd's order: label, places, and when the line is there at all.

use super::computed::{
    child_partitions, free_system_ptes, modified_page_file, old_stack_failures, paged_pool_info,
    session_commit, vad_bitmaps,
};
use super::view::{CounterSource, View};
use CounterSource::{Computed, Partition, State, Variable, Variable32, Vp, Vs, VsSigned, Zero};

/// When a line is printed.
pub(super) enum Shown {
    /// On every kernel.
    Always,
    /// Where the kernel keeps the counter.
    IfKept,
    /// Where something else says so.
    If(fn(&View) -> bool),
}

/// A line of `!vm`.
pub(super) struct CounterLine {
    /// The name for programs, which all kernels share.
    pub key: &'static str,
    /// kd's label, with its colon.
    pub label: &'static str,
    /// Where kernels keep it, the newest place first.
    pub places: &'static [CounterSource],
    /// When it is printed.
    pub shown: Shown,
    /// Whether it is part of `Sum System Commit`.
    pub summed: bool,
}

const fn line(
    key: &'static str,
    label: &'static str,
    places: &'static [CounterSource],
    shown: Shown,
    summed: bool,
) -> CounterLine {
    CounterLine {
        key,
        label,
        places,
        shown,
        summed,
    }
}

use Shown::{Always, If, IfKept};

/// All lines from `Physical Memory:` to `Pagefile Hash Pages:`.
pub(super) const LINES: &[CounterLine] = &[
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

const PAGED_POOL: &[CounterSource] = &[
    Vs("PagedPoolInfo.AllocatedPagedPool"),
    Computed(paged_pool_info),
];
const PAGED_POOL_COMMIT: &[CounterSource] = &[
    Variable("MmPagedPoolCommit"),
    Vs("PagedPoolInfo.AllocatedPagedPool"),
    Computed(paged_pool_info),
];

/// `Committed pages:`.
pub(super) const COMMITTED: &[CounterSource] =
    &[Vp("TotalCommittedPages"), Variable("MmTotalCommittedPages")];
/// `Commit limit:`.
pub(super) const LIMIT: &[CounterSource] =
    &[Vp("TotalCommitLimit"), Variable("MmTotalCommitLimit")];
/// How often PTEs for a kernel stack were refused.
pub(super) const STACK_PTE_FAILURES: &[CounterSource] = &[
    State("SystemPtes.KernelStackPteInfo.PteFailures"),
    Computed(old_stack_failures),
];
/// How often a kernel stack could not grow.
pub(super) const STACK_GROWTH_FAILURES: &[CounterSource] =
    &[State("SystemPtes.StackGrowthFailures")];

/// How often pool could not be allocated. The built-in facts leave the variable out; nt's PDB has it.
pub(super) const POOL_FAILURES: &[CounterSource] = &[Variable32("ExPoolFailures")];

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
pub(super) fn has_partition_line(view: &View) -> bool {
    view.keeps(Computed(child_partitions))
}
