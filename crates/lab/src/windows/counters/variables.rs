//! The counters of kernels that keep each in a variable of its own: before Windows 10.

use super::{shared_commit, write_page_files};
use crate::plan::Plan;
use crate::windows::Windows;
use crate::windows::processes::STACK_PAGES;
use rkd_dump::error::Result;

/// The variables of kernels that have no `MiState`.
pub(super) fn write(windows: &mut Windows<'_>, plan: &Plan, stack_pages: u64) -> Result<()> {
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
    // Where the counter is wide enough it holds what later kernels keep as a region and a rest.
    let wide = windows
        .table
        .field("_MI_SYSTEM_PTE_TYPE", "TotalFreeSystemPtes");
    let wide = wide.is_ok_and(|field| windows.table.size_of(field.ty) == Some(8));
    let free_ptes = counters.free_system_ptes + if wide { 1 << 32 } else { 0 };
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
            free_ptes,
        ),
        (
            "MiSystemPteInfo",
            "_MI_SYSTEM_PTE_TYPE",
            "TotalSystemPtes",
            counters.free_system_ptes + 0x4_1d00,
        ),
    ] {
        if let Some(at) = windows.try_symbol(symbol) {
            windows.poke(ty, at, path, value)?;
        }
    }
    let array = windows.symbol("MmPagingFile")?;
    write_page_files(windows, plan, array)?;
    windows.set_u32("MmNumberOfPagingFiles", plan.page_files.len() as u32)?;
    Ok(())
}
