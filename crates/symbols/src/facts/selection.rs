//! What is kept of a kernel's forty thousand symbols and two thousand types when it becomes a fact. This is the one list:
//! a command that needs more adds it here, and `examples/make_facts.rs` makes the file anew.

use crate::types::Type;
use crate::{Source, SymbolTable, TableBuilder};
use std::collections::HashSet;

/// The types that are kept, with every type that is embedded in one of them. What is only pointed at is not.
const TYPES: &[&str] = &[
    "_DBGKD_GET_VERSION64",
    "_DEVICE_OBJECT",
    "_DRIVER_OBJECT",
    "_EPROCESS",
    "_ETHREAD",
    "_EX_POOL_HEAP_MANAGER_STATE",
    "_HANDLE_TABLE",
    "_HANDLE_TABLE_ENTRY",
    "_HARDWARE_PTE",
    "_HEAP_LARGE_ALLOC_DATA",
    "_HEAP_LFH_SUBSEGMENT",
    "_HEAP_PAGE_SEGMENT",
    "_HEAP_VS_CHUNK_HEADER",
    "_HEAP_VS_SUBSEGMENT",
    "_KLDR_DATA_TABLE_ENTRY",
    "_KPCR",
    "_KUSER_SHARED_DATA",
    "_LDR_DATA_TABLE_ENTRY",
    "_MI_PARTITION",
    "_MI_SYSTEM_INFORMATION",
    "_MMPAGING_FILE",
    "_MMPFN",
    "_MMPFNLIST",
    "_MMVAD",
    "_MMVAD_SHORT",
    "_MM_SESSION_SPACE",
    "_OBJECT_HEADER",
    "_OBJECT_TYPE",
    "_PHYSICAL_MEMORY_DESCRIPTOR",
    "_POOL_HEADER",
    "_POOL_TRACKER_BIG_PAGES",
    "_POOL_TRACKER_TABLE",
    "_RTLP_HP_HEAP_GLOBALS",
    "_RTL_BALANCED_NODE",
    "_SEGMENT_HEAP",
];

/// The symbols that are kept.
pub const SYMBOLS: &[&str] = &[
    "CmNtCSDVersion",
    "EtwpDebuggerData",
    "ExAllocateHeapPool",
    "ExAllocatePool",
    "ExAllocatePool2",
    "ExAllocatePool3",
    "ExAllocatePoolEx",
    "ExAllocatePoolMm",
    "ExAllocatePoolSanityChecks",
    "ExAllocatePoolWithQuota",
    "ExAllocatePoolWithQuotaTag",
    "ExAllocatePoolWithTag",
    "ExAllocatePoolWithTagFromNode",
    "ExAllocatePoolWithTagPriority",
    "ExFreePool",
    "ExFreePool2",
    "ExFreePoolEx",
    "ExFreePoolSanityChecks",
    "ExFreePoolWithTag",
    "ExInitializeLookasideListEx",
    "ExInitializeLookasideListExInternal",
    "ExInitializeNPagedLookasideList",
    "ExInitializeNPagedLookasideListInternal",
    "ExInitializePagedLookasideList",
    "ExInitializePagedLookasideListInternal",
    "ExInitializeSystemLookasideList",
    "ExNPagedLookasideListHead",
    "ExPagedLookasideListHead",
    "ExPoolState",
    "ExPoolTagTables",
    "ExpLargePoolTableLock",
    "ExpNonPagedPoolDescriptor",
    "ExpNumberOfNonPagedPools",
    "ExpNumberOfPagedPools",
    "ExpPagedPoolDescriptor",
    "ExpPoolBigEntriesInUse",
    "ExpPoolFlags",
    "ExpPoolFlagsToPoolType",
    "ExpPoolIndex",
    "ExpPoolProtectionEstablished",
    "ExpPoolQuotaCookie",
    "ExpPoolScanCount",
    "ExpPoolTrackerChargeEntry",
    "ExpPoolTrackerReturnLimit",
    "ExpSessionPoolLookaside",
    "ExpSessionPoolSmallLists",
    "ExpSessionPoolTrackTable",
    "ExpSessionPoolTrackTableMask",
    "ExpSessionPoolTrackTableSize",
    "IoDriverObjectType",
    "IopRootDeviceNode",
    "KdDebuggerDataBlock",
    "KdVersionBlock",
    "KdpDataBlockEncoded",
    "KdpDebuggerDataListHead",
    "KeBugCheck",
    "KeBugCheckEx",
    "KeMaximumIncrement",
    "KeNumberProcessors",
    "KeNumberProcessorsGroup0",
    "KeTimeIncrement",
    "KernelVerifier",
    "KiBugCheckActive",
    "KiBugCheckData",
    "KiBugCheckDriver",
    "KiInitialPCR",
    "KiProcessorBlock",
    "KiWaitAlways",
    "KiWaitNever",
    "MiInvalidPteMask",
    "MiKernelStackPages",
    "MiKernelStackPteInfo",
    "MiNonPagedPoolEnd",
    "MiPagedPoolStart",
    "MiSessionWsList",
    "MiState",
    "MiSystemPartition",
    "MiSystemPteInfo",
    "MiVisiblePartition",
    "MiVisibleState",
    "MmAllocatedNonPagedPool",
    "MmAvailablePages",
    "MmAvailablePagesEvent",
    "MmAvailablePagesEventHigh",
    "MmAvailablePoolInPages",
    "MmBadPagesDetected",
    "MmDriverCommit",
    "MmHighestPhysicalPage",
    "MmHighestPossiblePhysicalPage",
    "MmHighestUserAddress",
    "MmKernelStackPages",
    "MmLastUnloadedDriver",
    "MmLowestPhysicalPage",
    "MmMaximumNonPagedPoolInBytes",
    "MmMaximumNonPagedPoolInPages",
    "MmMdlPagesAllocated",
    "MmModifiedNoWritePageListHead",
    "MmModifiedPageListByColor",
    "MmModifiedPageListHead",
    "MmModifiedPageListHeadLocked",
    "MmModifiedPageWriterGate",
    "MmModifiedProcessListByColor",
    "MmModifiedWriteMaximumPages",
    "MmNonPagedPoolStart",
    "MmNumberOfChannels",
    "MmNumberOfMappedMdls",
    "MmNumberOfMappedMdlsInUse",
    "MmNumberOfMappedMdlsInUsePeak",
    "MmNumberOfPagingFiles",
    "MmNumberOfPhysicalPages",
    "MmPagedPoolCommit",
    "MmPagedPoolEnd",
    "MmPagedPoolInfo",
    "MmPagingFile",
    "MmPeakCommitment",
    "MmPfnDatabase",
    "MmPhysicalMemoryBlock",
    "MmProcessCommit",
    "MmProcessList",
    "MmPteBase",
    "MmResidentAvailablePages",
    "MmSharedCommit",
    "MmSizeOfMdl",
    "MmSizeOfNonPagedPoolInBytes",
    "MmSizeOfPagedPoolInBytes",
    "MmSizeOfPagedPoolInPages",
    "MmSizeOfUnloadedDriverInformation",
    "MmSpecialPagesInUse",
    "MmSystemRangeStart",
    "MmTotalClaim",
    "MmTotalCommitLimit",
    "MmTotalCommitLimitMaximum",
    "MmTotalCommittedPages",
    "MmTotalNonPagedPoolQuota",
    "MmTotalPagedPoolQuota",
    "MmTotalPagesForPagingFile",
    "MmTotalProcessPagesForPagingFile",
    "MmTotalSystemCodePages",
    "MmTotalSystemDriverPages",
    "MmUnloadedDrivers",
    "MmVerifierData",
    "NonPagedPoolDescriptor",
    "NtBuildGUID",
    "NtBuildLab",
    "NtBuildLabEx",
    "NtBuildNumber",
    "NtBuildQfe",
    "ObHeaderCookie",
    "ObTypeIndexTable",
    "ObpInfoMaskToOffset",
    "ObpKernelHandleTable",
    "ObpRootDirectoryObject",
    "PoolBigPageTable",
    "PoolBigPageTableSize",
    "PoolHitTag",
    "PoolTrackTable",
    "PoolTrackTableExpansion",
    "PoolTrackTableExpansionSize",
    "PoolTrackTableMask",
    "PoolTrackTableSize",
    "PoolVector",
    "PsActiveProcessHead",
    "PsIdleProcess",
    "PsInitialSystemProcess",
    "PsLoadedModuleList",
    "PspCidTable",
    "RtlpHpHeapGlobals",
    "VfDriverApplyDifVerification",
    "VfDriverEnableVerifier",
    "VfDriverEnableVerifierForAll",
    "VfDriverInit",
    "VfDriverInitStarting",
    "VfDriverInitSuccess",
    "VfDriverIsKernelImageAddress",
    "VfDriverLoadBootDrivers",
    "VfDriverLoadImage",
    "VfDriverLoadSucceeded",
    "VfDriverLock",
    "VfDriverProcessUnload",
    "VfDriverRemoveAllDifVerification",
    "VfDriverRemoveDifVerification",
    "VfDriverUnloadImage",
    "VfDriverUnlock",
    "VfSuspectDriversList",
    "ViVerifierBugcheckAttributes",
    "ViVerifierDriverAddedSpecialThunkListHead",
    "ViVerifierDriverAddedThunkListHead",
    "ViVerifierEnabled",
    "ViVerifierSpecialThunkTables",
];

/// The part of a table that becomes a fact.
pub fn select(table: &SymbolTable) -> SymbolTable {
    let mut kept = TableBuilder::new(Source::Facts);
    kept.pointer_size(table.pointer_size())
        .mi_state_slack(table.mi_state_slack());
    if let Some(id) = table.identity() {
        kept.identity(id.clone());
    }
    if let Some(version) = table.version() {
        kept.version(version);
    }
    if let Some(machine) = table.machine() {
        kept.machine(machine);
    }
    for name in SYMBOLS {
        if let Some(rva) = table.exactly(name) {
            kept.symbol(name, rva);
        }
    }
    let mut seen = HashSet::new();
    let mut waiting: Vec<&str> = TYPES.to_vec();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name) {
            continue;
        }
        if let Some(e) = table.enumeration(name) {
            kept.enumeration(e.clone());
        }
        if let Some(udt) = table.udt(name) {
            waiting.extend(udt.fields.iter().filter_map(|field| embedded(&field.ty)));
            kept.udt(udt.clone());
        }
    }
    kept.build()
}

/// The name of the type that lies inside a field of this type.
fn embedded(ty: &Type) -> Option<&str> {
    match ty {
        Type::Udt(name) | Type::Enum(name) => Some(name),
        Type::Array(of, _) | Type::Bitfield { of, .. } => embedded(of),
        _ => None,
    }
}
