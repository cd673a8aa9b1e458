//! What the kernel keeps ready for a debugger: `KDDEBUGGER_DATA64`, which names the addresses of everything, and the
//! version block. In a running system the first is encoded; a crash dump has it decoded.

use super::Windows;
use crate::random::Random;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_symbols::SymbolTable;

/// Members that hold the address of a variable or function of the same name.
const ADDRESSES: [(usize, &str); 68] = [
    (0x20, "RtlpBreakWithStatusInstruction"),
    (0x28, "KiSaveContext"),
    (0x38, "KiCallUserMode"),
    (0x40, "KeUserCallbackDispatcher"),
    (0x48, "PsLoadedModuleList"),
    (0x50, "PsActiveProcessHead"),
    (0x58, "PspCidTable"),
    (0x60, "ExpSystemResourcesList"),
    (0x68, "ExpPagedPoolDescriptor"),
    (0x70, "ExpNumberOfPagedPools"),
    (0x78, "KeTimeIncrement"),
    (0x80, "KeBugCheckCallbackListHead"),
    (0x88, "KiBugCheckData"),
    (0x90, "IopErrorLogListHead"),
    (0x98, "ObpRootDirectoryObject"),
    (0xa0, "ObpTypeObjectType"),
    (0xc0, "MmPfnDatabase"),
    (0xe0, "MmNumberOfPagingFiles"),
    (0xe8, "MmLowestPhysicalPage"),
    (0xf0, "MmHighestPhysicalPage"),
    (0xf8, "MmNumberOfPhysicalPages"),
    (0x100, "MmMaximumNonPagedPoolInBytes"),
    (0x110, "MmNonPagedPoolStart"),
    (0x120, "MiPagedPoolStart"),
    (0x128, "MmPagedPoolEnd"),
    (0x130, "MmPagedPoolInfo"),
    (0x140, "MmSizeOfPagedPoolInBytes"),
    (0x148, "MmTotalCommitLimit"),
    (0x150, "MmTotalCommittedPages"),
    (0x158, "MmSharedCommit"),
    (0x160, "MmDriverCommit"),
    (0x168, "MmProcessCommit"),
    (0x170, "MmPagedPoolCommit"),
    (0x180, "MmZeroedPageListHead"),
    (0x188, "MmFreePageListHead"),
    (0x190, "MmStandbyPageListHead"),
    (0x198, "MmModifiedPageListHead"),
    (0x1a0, "MmModifiedNoWritePageListHead"),
    (0x1a8, "MmAvailablePages"),
    (0x1b0, "MmResidentAvailablePages"),
    (0x1b8, "PoolTrackTable"),
    (0x1c0, "NonPagedPoolDescriptor"),
    (0x1c8, "MmHighestUserAddress"),
    (0x1d0, "MmSystemRangeStart"),
    (0x1d8, "MmUserProbeAddress"),
    (0x200, "MmLoadedUserImageList"),
    (0x210, "KiSystemCall64"),
    (0x218, "KiProcessorBlock"),
    (0x220, "MmUnloadedDrivers"),
    (0x228, "MmLastUnloadedDriver"),
    (0x230, "MmTriageActionTaken"),
    (0x238, "MmSpecialPoolTag"),
    (0x240, "KernelVerifier"),
    (0x248, "MmVerifierData"),
    (0x250, "MmAllocatedNonPagedPool"),
    (0x258, "MmPeakCommitment"),
    (0x260, "MmTotalCommitLimitMaximum"),
    (0x268, "CmNtCSDVersion"),
    (0x270, "MmPhysicalMemoryBlock"),
    (0x278, "MmSessionBase"),
    (0x280, "MmSessionSize"),
    (0x2d8, "KeLoaderBlock"),
    (0x308, "IopNumTriageDumpDataBlocks"),
    (0x310, "IopTriageDumpDataBlocks"),
    (0x318, "VfCrashDataBlock"),
    (0x320, "MmBadPagesDetected"),
    (0x328, "MmZeroedPageSingleBitErrorsDetected"),
    (0x330, "EtwpDebuggerData"),
];

/// Members of two bytes that hold the offset of a field.
const OFFSETS: [(usize, &str, &str); 22] = [
    (0x298, "_KTHREAD", "NextProcessor"),
    (0x29a, "_KTHREAD", "Teb"),
    (0x29c, "_KTHREAD", "KernelStack"),
    (0x29e, "_KTHREAD", "InitialStack"),
    (0x2a0, "_KTHREAD", "ApcState.Process"),
    (0x2a2, "_KTHREAD", "State"),
    (0x2aa, "_EPROCESS", "Peb"),
    (0x2ac, "_EPROCESS", "InheritedFromUniqueProcessId"),
    (0x2ae, "_EPROCESS", "Pcb.DirectoryTableBase"),
    (0x2b4, "_KPRCB", "CurrentThread"),
    (0x2b6, "_KPRCB", "MHz"),
    (0x2b8, "_KPRCB", "CpuType"),
    (0x2ba, "_KPRCB", "VendorString"),
    (0x2bc, "_KPRCB", "ProcessorState.ContextFrame"),
    (0x2be, "_KPRCB", "Number"),
    (0x2e2, "_KPCR", "Self"),
    (0x2e4, "_KPCR", "CurrentPrcb"),
    (0x2e6, "_KPCR", "Prcb"),
    (0x2f2, "_KPRCB", "ProcessorState.SpecialRegisters"),
    (0x338, "_KPRCB", "Context"),
    (0x350, "_KPRCB", "IdleThread"),
    (0x35c, "_KTHREAD", "WaitReason"),
];

/// The same of four bytes.
const LONG_OFFSETS: [(usize, &str, &str); 4] = [
    (0x340, "_KTHREAD", "StackLimit"),
    (0x344, "_KTHREAD", "StackBase"),
    (0x348, "_KTHREAD", "QueueListEntry"),
    (0x34c, "_ETHREAD", "IrpList"),
];

const SIZES: [(usize, &str); 4] = [
    (0x2a8, "_EPROCESS"),
    (0x2b0, "_KPRCB"),
    (0x2c0, "_ETHREAD"),
    (0x2e0, "_KPCR"),
];

/// How long the block is: it grew with what kernels have.
fn length(table: &SymbolTable) -> usize {
    let has = |name| table.rva(name).is_some();
    if has("ExPoolState") {
        0x380
    } else if has("MmPteBase") {
        0x370
    } else if has("ExpPoolQuotaCookie") {
        0x360
    } else {
        0x340
    }
}

/// Writes the debugger's blocks, the first one encoded if that is wanted. Returns it as it is when decoded.
pub(super) fn write(windows: &mut Windows<'_>, encoded: bool) -> Result<Vec<u8>> {
    let table = windows.table;
    let block = windows.symbol("KdDebuggerDataBlock")?;
    // Tables without the list's head: the block is its own list.
    let head = windows
        .try_symbol("KdpDebuggerDataListHead")
        .unwrap_or(block);
    let length = length(table);
    let mut data = vec![0; length];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = data.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, &head.0.to_le_bytes());
    put(8, &head.0.to_le_bytes());
    put(0x10, b"KDBG");
    put(0x14, &(length as u32).to_le_bytes());
    put(0x18, &windows.base.0.to_le_bytes());
    for (at, name) in ADDRESSES {
        put(
            at,
            &windows.try_symbol(name).unwrap_or(Virt(0)).0.to_le_bytes(),
        );
    }
    // the long text that names the build in newer kernels, the short one in older
    let label = if table.rva("MmPteBase").is_some() {
        "NtBuildLabEx"
    } else {
        "NtBuildLab"
    };
    put(
        0x208,
        &windows
            .try_symbol(label)
            .unwrap_or_default()
            .0
            .to_le_bytes(),
    );
    put(0x36, &1_u16.to_le_bytes());
    put(0x138, &0x1000_u64.to_le_bytes());
    for (at, ty, path) in OFFSETS {
        let offset = table.field(ty, path).map_or(0, |field| field.offset);
        put(at, &(offset as u16).to_le_bytes());
    }
    for (at, ty, path) in LONG_OFFSETS {
        let offset = table.field(ty, path).map_or(0, |field| field.offset);
        put(at, &(offset as u32).to_le_bytes());
    }
    for (at, ty) in SIZES {
        put(
            at,
            &(table.udt(ty).map_or(0, |udt| udt.size) as u16).to_le_bytes(),
        );
    }
    put(0x360, &windows.memory.tables.pte_base().0.to_le_bytes());
    if head != block {
        windows.memory.write_u64(head, block.0)?;
        windows.memory.write_u64(head + 8, block.0)?;
    }
    write_version(windows, head)?;
    let mut random = Random::named("KdpDataBlockEncoded");
    let (never, always) = (random.next_u64(), random.next_u64());
    windows.set_u64("KiWaitNever", never)?;
    windows.set_u64("KiWaitAlways", always)?;
    let mut stored = data.clone();
    if let Some(flag) = windows.try_symbol("KdpDataBlockEncoded") {
        windows.memory.write(flag, &[u8::from(encoded)])?;
        if encoded {
            stored = encode(&data, never, always, flag);
        }
    }
    windows.memory.write(block, &stored)?;
    Ok(data)
}

/// The kernel's own encoding: each eight bytes apart.
fn encode(data: &[u8], never: u64, always: u64, flag: Virt) -> Vec<u8> {
    let eights = data
        .chunks_exact(8)
        .filter_map(|eight| eight.try_into().ok())
        .map(u64::from_le_bytes);
    eights
        .flat_map(|plain| {
            let turned = (plain ^ always).swap_bytes() ^ flag.0;
            (turned.rotate_right((never & 0x3f) as u32) ^ never).to_le_bytes()
        })
        .collect()
}

/// `DBGKD_GET_VERSION64`.
fn write_version(windows: &mut Windows<'_>, head: Virt) -> Result<()> {
    let Some(at) = windows.try_symbol("KdVersionBlock") else {
        return Ok(());
    };
    let list = windows.symbol("PsLoadedModuleList")?;
    let mut structure = windows.structure("_DBGKD_GET_VERSION64")?;
    for (name, value) in [
        ("MajorVersion", 0xf),
        ("MinorVersion", u64::from(windows.version[2])),
        ("ProtocolVersion", 6),
        ("Flags", 0x47),
        ("MachineType", 0x8664),
        ("MaxPacketType", 0x0c),
        ("MaxStateChange", 3),
        ("MaxManipulate", 0x33),
        ("KernBase", windows.base.0),
        ("PsLoadedModuleList", list.0),
        ("DebuggerDataList", head.0),
    ] {
        structure.set(name, value)?;
    }
    windows.memory.write(at, structure.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_by_the_published_rule() {
        let (never, always, flag) = (
            0x8123_4567_89ab_cd47,
            0x1122_3344_5566_7788,
            Virt(0xffff_f807_2325_0c40),
        );
        let plain = 0x4742_444b_0000_0380_u64;
        let bytes = encode(&plain.to_le_bytes(), never, always, flag);
        let raw = u64::from_le_bytes(bytes.try_into().unwrap());
        // rol by the low byte of KiWaitNever, swap, the flag's address, KiWaitAlways
        let x = (raw ^ never).rotate_left((never & 0xff) as u32 % 64);
        assert_eq!((x ^ flag.0).swap_bytes() ^ always, plain);
    }
}
