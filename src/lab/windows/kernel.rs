//! The kernel's own image: its export table, its debug record, a few bytes of code where functions are, and the pages
//! of its variables. Two mebibyte pages map nearly all of it, as on a real machine.

use super::Windows;
use crate::addr::{Rva, Virt};
use crate::error::Result;
use crate::lab::image::{DATA, Fate, Image, RDATA, RSRC, TEXT};
use crate::lab::plan::{Module, Plan};
use crate::lab::version::{self, Version};
use crate::symbols::SymbolTable;
use std::collections::{BTreeMap, BTreeSet};

/// Functions that this kernel exports if its symbols know them.
const OWN: [&str; 17] = [
    "ExAllocatePool",
    "ExAllocatePool2",
    "ExAllocatePool3",
    "ExAllocatePoolWithQuota",
    "ExAllocatePoolWithQuotaTag",
    "ExAllocatePoolWithTag",
    "ExAllocatePoolWithTagPriority",
    "ExFreePool",
    "ExFreePoolWithTag",
    "ExInitializeLookasideListEx",
    "ExInitializeNPagedLookasideList",
    "ExInitializePagedLookasideList",
    "KeBugCheck",
    "KeBugCheckEx",
    "MmSizeOfMdl",
    "MmMapIoSpace",
    "ZwClose",
];

/// Functions that drivers import besides.
pub(super) const COMMON: [&str; 16] = [
    "DbgPrint",
    "IoCreateDevice",
    "IoCreateSymbolicLink",
    "IoDeleteDevice",
    "IoDeleteSymbolicLink",
    "IoGetCurrentProcess",
    "IofCompleteRequest",
    "KeDelayExecutionThread",
    "KeInitializeEvent",
    "KeSetEvent",
    "KeWaitForSingleObject",
    "MmBuildMdlForNonPagedPool",
    "MmGetSystemRoutineAddress",
    "ObfDereferenceObject",
    "PsCreateSystemThread",
    "RtlInitUnicodeString",
];

/// Code, for telling the kernel's sections apart.
fn is_code(name: &str) -> bool {
    OWN.contains(&name) || COMMON.contains(&name) || name.starts_with("ExAllocate")
}

/// The exports of all modules: where an import of a name leads.
#[derive(Clone, Debug, Default)]
pub struct Exports {
    kernel: BTreeMap<String, Virt>,
    others: BTreeMap<String, Virt>,
}

impl Exports {
    /// The address of a function of the kernel.
    pub fn kernel(&self, name: &str) -> Option<Virt> {
        self.kernel.get(name).copied()
    }

    /// The address of a function of another driver.
    pub fn other(&self, name: &str) -> Option<Virt> {
        self.others.get(name).copied()
    }

    /// Notes that a driver exports a function.
    pub fn add(&mut self, name: &str, at: Virt) {
        self.others.insert(name.to_owned(), at);
    }
}

/// Loads the kernel and says what it exports.
pub(super) fn load(windows: &mut Windows<'_>, plan: &Plan, module: &Module) -> Result<Exports> {
    let table = windows.table;
    let places = function_places(table);
    let mut image = Image::new(module.base, module.size);
    image.time_stamp = module.time_stamp;
    image.checksum = module.checksum;
    let tail = place_sections(&mut image, table, module.size);
    let names: Vec<(&str, Rva)> = places.iter().map(|(&name, &rva)| (name, rva)).collect();
    let used = image.exports(Rva(tail), "ntoskrnl.exe", &names);
    if let Some(id) = table.identity() {
        let mut guid = id.guid.0.to_be_bytes();
        guid[..4].reverse();
        guid[4..6].reverse();
        guid[6..8].reverse();
        let behind_exports = Rva((tail + used).next_multiple_of(16));
        let at = quiet_place(table).unwrap_or(behind_exports);
        image.debug_record(at, guid, id.age, &id.name);
    }
    for (&name, &rva) in &places {
        image.put(rva, stub(name));
    }
    let version = kernel_version(windows);
    let resources = version::resources(&version, module.size - 0x2_6000);
    image.resources(Rva(module.size - 0x2_6000), resources);
    map_large_parts(windows, module)?;
    image.load(&mut windows.memory)?;
    page_out_the_rest(windows, &image)?;
    write_labels(windows, plan)?;
    let kernel = places
        .into_iter()
        .map(|(name, rva)| (name.to_owned(), module.base + rva))
        .collect();
    Ok(Exports {
        kernel,
        others: BTreeMap::new(),
    })
}

/// Maps by large pages, and wholly into memory, the parts of the kernel that hold its headers and its variables.
///
/// Windows maps nearly all of itself so. Its code is left out here, because there is none to speak of.
fn map_large_parts(windows: &mut Windows<'_>, module: &Module) -> Result<()> {
    const LARGE: u32 = 0x20_0000;
    let variables = windows
        .table
        .symbols()
        .filter(|(name, _)| VARIABLES.contains(name));
    let mut parts: BTreeSet<u32> = variables.map(|(_, rva)| rva.0 / LARGE).collect();
    parts.insert(0);
    parts.retain(|part| (part + 1) * LARGE <= module.size);
    for part in parts {
        windows
            .memory
            .map_large(module.base + u64::from(part * LARGE))?;
    }
    Ok(())
}

/// What was never written to is code that nobody ran lately, in the page file.
fn page_out_the_rest(windows: &mut Windows<'_>, image: &Image) -> Result<()> {
    for section in image
        .sections()
        .iter()
        .filter(|section| section.fate == Fate::Sparse)
    {
        let pages = (section.size / 0x1000).into();
        for at in (0..pages).map(|page| image.base + section.rva + page * 0x1000) {
            if !windows.memory.is_present(at) {
                windows.memory.page_out(at)?;
            }
        }
    }
    Ok(())
}

/// Where each function lies: as the symbols say, and for the common ones that they do not know in a gap of the code.
fn function_places(table: &SymbolTable) -> BTreeMap<&'static str, Rva> {
    let mut places = BTreeMap::new();
    let mut strangers = Vec::new();
    for name in OWN.into_iter().chain(COMMON) {
        match table.rva(name) {
            Some(rva) => {
                places.insert(name, rva);
            }
            None if name.starts_with("ExAllocatePool") => {}
            None => strangers.push(name),
        }
    }
    let mut at = widest_gap(table);
    for name in strangers {
        places.insert(name, Rva(at));
        at += 0x40;
    }
    places
}

/// The middle of the widest gap between two functions whose neighbours in the table are functions too.
fn widest_gap(table: &SymbolTable) -> u32 {
    let mut widest = (0, 0x1_0000);
    let mut last: Option<Rva> = None;
    for (name, rva) in table.symbols_by_rva() {
        if !is_code(name) {
            last = None;
            continue;
        }
        if let Some(before) = last {
            let gap = rva.0 - before.0;
            if gap > widest.0 {
                widest = (gap, (before.0 + gap / 2) & !0xff);
            }
        }
        last = Some(rva);
    }
    widest.1
}

/// Room for the debug record near the beginning, where linkers put it and tools look for it: between two symbols.
fn quiet_place(table: &SymbolTable) -> Option<Rva> {
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

/// Sections by what lies where; returns the place of the export table.
fn place_sections(image: &mut Image, table: &SymbolTable, size: u32) -> u32 {
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

/// The first bytes of a function.
fn stub(name: &str) -> Vec<u8> {
    match name {
        // four arguments go to their home places, the flags to the stack, then 30h bytes are taken
        "KeBugCheckEx" => {
            b"\x48\x89\x4c\x24\x08\x48\x89\x54\x24\x10\x4c\x89\x44\x24\x18\x4c\x89\x4c\x24\x20\
            \x9c\x48\x83\xec\x30\xfa\x65\x48\x8b\x0c\x25\x20\x00\x00\x00\xcc"
                .to_vec()
        }
        _ => b"\x48\x83\xec\x28\x33\xc0\x48\x83\xc4\x28\xc3\xcc\xcc\xcc\xcc\xcc".to_vec(),
    }
}

fn kernel_version(windows: &Windows<'_>) -> Version {
    let [major, minor, build, revision] = windows.version.map(|part| part as u16);
    Version {
        company: "Microsoft Corporation".into(),
        description: "NT Kernel & System".into(),
        file: [major, minor, build, revision],
        product: "Microsoft\u{ae} Windows\u{ae} Operating System".into(),
        name: "ntkrnlmp.exe".into(),
        copyright: "\u{a9} Microsoft Corporation. All rights reserved.".into(),
    }
}

/// The texts that name the build.
fn write_labels(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    let [_, _, build, revision] = windows.version;
    let known = LABELS.iter().find(|(of, ..)| *of == build);
    let (revision, branch) = known
        .map_or((revision, "lab.000000-0000"), |&(_, revision, branch)| {
            (revision, branch)
        });
    if let Some(at) = windows.try_symbol("NtBuildLabEx") {
        windows.memory.write(
            at,
            format!("{build}.{revision}.amd64fre.{branch}\0").as_bytes(),
        )?;
    }
    if let Some(at) = windows.try_symbol("NtBuildLab") {
        windows
            .memory
            .write(at, format!("{build}.{branch}\0").as_bytes())?;
    }
    // 0xf in the highest digit: a free build
    windows.set_u32("NtBuildNumber", 0xf000_0000 | build)?;
    windows.set_u32("NtBuildQfe", windows.version[3])?;
    windows.set_u32("KeNumberProcessors", plan.processors)?;
    if let Some(at) = windows.try_symbol("KeNumberProcessorsGroup0") {
        windows.memory.write(at, &[plan.processors.min(64) as u8])?;
    }
    let service_pack = if build == 7601 { 0x100 } else { 0 };
    windows.set_u32("CmNtCSDVersion", service_pack)?;
    Ok(())
}

/// Build, revision and branch of the releases, as their kernels spell them.
const LABELS: [(u32, u32, &str); 9] = [
    (7601, 17514, "win7sp1_rtm.101119-1850"),
    (9600, 16384, "winblue_rtm.130821-1623"),
    (14393, 0, "rs1_release.160715-1616"),
    (17763, 1, "rs5_release.180914-1434"),
    (18362, 1, "19h1_release.190318-1202"),
    (19041, 1, "vb_release.191206-1406"),
    (20348, 1, "fe_release.210507-1500"),
    (22000, 1, "co_release.210604-1628"),
    (22621, 1, "ni_release.220506-1250"),
];

/// Variables of the kernel that somebody writes to, for telling its sections apart.
const VARIABLES: [&str; 40] = [
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
