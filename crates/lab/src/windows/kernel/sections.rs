//! Which parts of the kernel are code and which are data: told by the symbols, because its real section table is nobody's
//! to know here.

use super::functions::{COMMON, OWN};
use crate::image::{DATA, Fate, Image, RDATA, RSRC, TEXT};
use rkd_dump::addr::Rva;
use rkd_symbols::SymbolTable;
use std::collections::BTreeSet;

/// Code, for telling the kernel's sections apart.
fn is_code(name: &str) -> bool {
    OWN.contains(&name) || COMMON.contains(&name) || name.starts_with("ExAllocate")
}

/// Room for the debug record near the beginning, where linkers put it and tools look for it: between two symbols.
pub(super) fn quiet_place(table: &SymbolTable) -> Option<Rva> {
    const ROOM: u32 = 0x80;
    let mut end = 0x1000_u32;
    for (_, rva) in table.symbols_by_rva().filter(|(_, rva)| rva.0 >= 0x1000) {
        if rva.0 >= end.saturating_add(ROOM) {
            return (end < 0x6_0000).then_some(Rva(end));
        }
        // what is known of a symbol is its start: leave it some room
        end = (rva.0 + 0x40).next_multiple_of(16);
    }
    None
}

/// Room for code of our own: near the end of the largest section of code, where no function is known.
pub(super) fn free_code(image: &Image, table: &SymbolTable) -> Rva {
    const ROOM: u32 = 0x3000;
    let code = image
        .sections()
        .iter()
        .filter(|section| section.flags & 0x20 != 0 && section.fate == Fate::Sparse);
    let Some(largest) = code.max_by_key(|section| section.size) else {
        return Rva(0x1000);
    };
    let mut at = largest.rva.0 + largest.size;
    loop {
        at = at.saturating_sub(ROOM).max(largest.rva.0);
        let taken = |name: &&str| {
            table
                .rva(name)
                .is_some_and(|rva| rva.0 + 0x40 > at && rva.0 < at + ROOM)
        };
        if at == largest.rva.0 || !OWN.iter().chain(&COMMON).any(taken) {
            return Rva(at);
        }
    }
}

/// Sections by what lies where; returns the place of the export table.
pub(super) fn place_sections(image: &mut Image, table: &SymbolTable, size: u32) -> u32 {
    let written: BTreeSet<(Rva, bool)> = table
        .symbols()
        .filter(|(name, _)| is_code(name) || VARIABLES.contains(name))
        .map(|(name, rva)| (rva, is_code(name)))
        .collect();
    let mut groups: Vec<(u32, u32, bool)> = Vec::new();
    for (rva, code) in written {
        match groups.last_mut() {
            Some(group) if group.2 == code => group.1 = rva.0,
            _ => groups.push((rva.0, rva.0, code)),
        }
    }
    let tail = size - 0x14_6000;
    let (mut start, mut codes, mut datas) = (0x1000, 0, 0);
    for (index, group) in groups.iter().enumerate() {
        let end = match groups.get(index + 1) {
            Some(next) => (group.1 + (next.0 - group.1) / 2) & !0xfff,
            None => tail,
        };
        if end <= start {
            continue;
        }
        let names: [&'static str; 4] = if group.2 {
            [".text", "PAGE", "PAGELK", "PAGEVRFY"]
        } else {
            [".rdata", ".data", "ALMOSTRO", "CACHEALI"]
        };
        let count = if group.2 { &mut codes } else { &mut datas };
        let which = (*count + usize::from(!group.2 && groups.len() == 1)).min(3);
        *count += 1;
        let flags = match (group.2, which) {
            (true, _) => TEXT,
            (false, 0) => RDATA,
            (false, _) => DATA,
        };
        image.section(names[which], start, end - start, flags, Fate::Sparse);
        start = end;
    }
    image.section(".edata", tail, 0x2_0000, RDATA, Fate::Sparse);
    image.section(
        "INIT",
        tail + 0x2_0000,
        0x10_0000,
        TEXT | 0x0200_0000,
        Fate::Discarded,
    );
    image.section(".rsrc", size - 0x2_6000, 0x2_0000, RSRC, Fate::Sparse);
    image.section(".reloc", size - 0x6000, 0x6000, RSRC, Fate::Discarded);
    tail
}

/// Variables of the kernel that somebody writes to, for telling its sections apart.
pub(super) const VARIABLES: [&str; 40] = [
    "ExPoolState",
    "ExPoolTagTables",
    "KdDebuggerDataBlock",
    "KdVersionBlock",
    "KdpDataBlockEncoded",
    "KdpDebuggerDataListHead",
    "KeNumberProcessors",
    "KiProcessorBlock",
    "KiWaitAlways",
    "KiWaitNever",
    "MiSessionWsList",
    "MiState",
    "MiSystemPartition",
    "MiSystemPteInfo",
    "MiVisiblePartition",
    "MiVisibleState",
    "MmAllocatedNonPagedPool",
    "MmAvailablePages",
    "MmDriverCommit",
    "MmHighestUserAddress",
    "MmLastUnloadedDriver",
    "MmNumberOfPagingFiles",
    "MmNumberOfPhysicalPages",
    "MmPagedPoolInfo",
    "MmPagingFile",
    "MmPhysicalMemoryBlock",
    "MmPteBase",
    "MmSystemRangeStart",
    "MmTotalCommitLimit",
    "MmTotalCommittedPages",
    "MmUnloadedDrivers",
    "NonPagedPoolDescriptor",
    "NtBuildLab",
    "NtBuildLabEx",
    "NtBuildNumber",
    "PoolBigPageTable",
    "PoolTrackTable",
    "PoolTrackTableSize",
    "PsActiveProcessHead",
    "PsLoadedModuleList",
];
