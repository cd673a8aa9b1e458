//! Dump files, written from the formats' descriptions: every kind that Windows and WinDbg write for a 64-bit machine.
//!
//! Nothing here shares a line with the room that reads dumps: what one gets wrong, the other finds.

mod header;
mod pages;
mod triage;

pub use triage::{Driver, Minidump, Unloaded};

use super::memory::Memory;
use super::ram::Ram;
use rkd_dump::addr::{Pfn, Phys, Virt};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// What kind of dump is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Type 1: every page of the runs that the header lists.
    Full,
    /// Type 5: a bitmap says which pages are there; all of memory.
    BitmapFull,
    /// Type 6: a bitmap, kernel pages only. What Windows writes unless told otherwise.
    BitmapKernel,
    /// Type 8: ranges of pages, kernel only (`.dump /k`).
    RangeKernel,
    /// Type 9: ranges of pages, kernel and the user pages in use (`.dump /ka`).
    RangeActive,
    /// Type 10: ranges of pages, all of memory (`.dump /f`).
    RangeFull,
    /// Type 4: some blocks of virtual memory, a "minidump".
    Triage,
}

impl Kind {
    /// All kinds, in the order in which the manual lists them.
    pub const ALL: [Kind; 7] = [
        Kind::BitmapKernel,
        Kind::BitmapFull,
        Kind::Full,
        Kind::RangeKernel,
        Kind::RangeActive,
        Kind::RangeFull,
        Kind::Triage,
    ];

    /// The word for it on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Full => "full",
            Kind::BitmapFull => "bitmap-full",
            Kind::BitmapKernel => "kernel",
            Kind::RangeKernel => "range-kernel",
            Kind::RangeActive => "range-active",
            Kind::RangeFull => "range-full",
            Kind::Triage => "triage",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// `DumpType` in the header.
    fn dump_type(self) -> u32 {
        match self {
            Kind::Full => 1,
            Kind::Triage => 4,
            Kind::BitmapFull => 5,
            Kind::BitmapKernel => 6,
            Kind::RangeKernel => 8,
            Kind::RangeActive => 9,
            Kind::RangeFull => 10,
        }
    }

    /// Whether pages that only user addresses map are left out.
    fn is_kernel_only(self) -> bool {
        matches!(self, Kind::BitmapKernel | Kind::RangeKernel)
    }
}

/// What the header of every dump says about the machine and its end.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The build of Windows, such as 19041.
    pub build: u32,
    /// CR3 of the processor that crashed.
    pub root: Phys,
    /// The address of the variable `MmPfnDatabase`.
    pub pfn_database: Virt,
    /// The address of `PsLoadedModuleList`.
    pub module_list: Virt,
    /// The address of `PsActiveProcessHead`.
    pub process_head: Virt,
    /// The address of `KdDebuggerDataBlock`.
    pub debugger_data: Virt,
    /// Processors.
    pub processors: u32,
    /// The bug check code.
    pub code: u32,
    /// Its four parameters.
    pub parameters: [u64; 4],
    /// `CONTEXT` of the processor that crashed, 0x4d0 bytes.
    pub context: Vec<u8>,
    /// `EXCEPTION_RECORD64`, 0x98 bytes.
    pub exception: Vec<u8>,
    /// When, as `FILETIME` (100 ns since 1601, UTC).
    pub system_time: u64,
    /// Since the start, in 100 ns.
    pub up_time: u64,
    /// 1 workstation, 2 domain controller, 3 server.
    pub product_type: u32,
    /// `VER_SUITE_*`.
    pub suite_mask: u32,
    /// What a tool wrote into the comment.
    pub comment: Option<String>,
}

/// A machine that stands still, ready to be written.
pub struct Snapshot {
    /// What the header says.
    pub facts: Facts,
    /// Its memory.
    pub ram: Ram,
    /// Frames that only user addresses map.
    pub user_frames: BTreeSet<u64>,
    /// What a triage dump holds instead of memory.
    pub minidump: Minidump,
}

impl Snapshot {
    /// A machine with this memory, of which nothing else is known: build 19041, one processor, bug check 0xD1, no time. Whoever
    /// knows more sets it in the facts.
    pub fn bare(memory: Memory) -> Snapshot {
        Snapshot {
            facts: Facts {
                build: 19041,
                root: memory.tables.root(),
                pfn_database: Virt(0),
                module_list: Virt(0),
                process_head: Virt(0),
                debugger_data: Virt(0),
                processors: 1,
                code: 0xd1,
                parameters: [0; 4],
                context: vec![0; 0x4d0],
                exception: vec![0; 0x98],
                system_time: 0,
                up_time: 0,
                product_type: 1,
                suite_mask: 0,
                comment: None,
            },
            ram: memory.ram,
            user_frames: BTreeSet::new(),
            minidump: Minidump::default(),
        }
    }

    /// The frames that a dump of this kind holds, ascending.
    fn frames(&self, kind: Kind) -> Vec<Pfn> {
        let wanted = |pfn: &Pfn| !(kind.is_kernel_only() && self.user_frames.contains(&pfn.0));
        self.ram.numbers().filter(wanted).collect()
    }
}

/// Writes a dump. Returns its size in bytes.
///
/// # Errors
/// What the writer says.
pub fn write(snapshot: &Snapshot, kind: Kind, out: &mut dyn Write) -> io::Result<u64> {
    match kind {
        Kind::Full => pages::full(snapshot, out),
        Kind::BitmapFull | Kind::BitmapKernel => pages::bitmap(snapshot, kind, out),
        Kind::RangeKernel | Kind::RangeActive | Kind::RangeFull => {
            pages::ranges(snapshot, kind, out)
        }
        Kind::Triage => triage::write(snapshot, out),
    }
}
