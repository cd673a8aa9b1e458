//! Dump files, written from the formats' descriptions: every kind that Windows and WinDbg write for a 64-bit machine.
//!
//! Nothing here shares a line with the room that reads dumps: what one gets wrong, the other finds.

mod header;
mod pages;
mod raw;
mod triage;

pub use triage::{Driver, Minidump, Unloaded};

use super::memory::Memory;
use super::ram::Ram;
use rkd_dump::addr::{Pfn, Phys, Virt};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

/// One line for each kind: its variant, its word on the command line, what it is, and what writes it.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $name:literal, $words:literal, $write:expr;)*) => {
        /// What kind of dump is written.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All kinds, in the order in which the manual lists them.
            pub const ALL: [Kind; [$($name),*].len()] = [$(Kind::$kind),*];

            /// The word for it on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                }
            }

            /// What it is, in a few words.
            pub fn in_words(self) -> &'static str {
                match self {
                    $(Kind::$kind => $words,)*
                }
            }
        }

        /// Writes a dump. Returns its size in bytes.
        ///
        /// # Errors
        /// What the writer says.
        pub fn write(snapshot: &Snapshot, kind: Kind, out: &mut dyn Output) -> io::Result<u64> {
            let write: fn(&Snapshot, &mut dyn Output) -> io::Result<u64> = match kind {
                $(Kind::$kind => $write,)*
            };
            write(snapshot, out)
        }
    };
}

kinds! {
    /// Type 6: a bitmap, kernel pages only. What Windows writes unless told otherwise.
    BitmapKernel, "kernel", "a kernel dump", |of, out| pages::bitmap(of, 6, out);
    /// Type 5: a bitmap says which pages are there; all of memory.
    BitmapFull, "bitmap-full", "a complete bitmap dump", |of, out| pages::bitmap(of, 5, out);
    /// Type 1: every page of the runs that the header lists.
    Full, "full", "a complete dump", pages::full;
    /// Type 8: ranges of pages, kernel only (`.dump /k`).
    RangeKernel, "range-kernel", "a kernel dump of ranges", |of, out| pages::ranges(of, 8, out);
    /// Type 9: ranges of pages, kernel and the user pages in use (`.dump /ka`).
    RangeActive, "range-active", "a dump of the active pages", |of, out| pages::ranges(of, 9, out);
    /// Type 10: ranges of pages, all of memory (`.dump /f`).
    RangeFull, "range-full", "a complete dump of ranges", |of, out| pages::ranges(of, 10, out);
    /// Type 4: some blocks of virtual memory, a "minidump".
    Triage, "triage", "a minidump", triage::write;
    /// No header: the memory of the machine and nothing else. As large as that memory, but most of it is a hole.
    Raw, "raw", "a raw image of memory", raw::write;
}

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where a dump is written to.
pub trait Output: Write {
    /// Writes zeroes, as a hole where the file can have one.
    ///
    /// # Errors
    /// Those of writing.
    fn skip(&mut self, bytes: u64) -> io::Result<()>;
}

impl Output for Vec<u8> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        self.resize(self.len() + bytes, 0);
        Ok(())
    }
}

impl Output for BufWriter<File> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > 0 {
            let bytes = i64::try_from(bytes).map_err(io::Error::other)?;
            self.seek(SeekFrom::Current(bytes))?;
        }
        Ok(())
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

    /// The frames that a dump of this type holds, ascending: kernel dumps leave out what only user addresses map.
    fn frames(&self, dump_type: u32) -> Vec<Pfn> {
        let is_kernel_only = matches!(dump_type, 6 | 8);
        let wanted = |pfn: &Pfn| !(is_kernel_only && self.user_frames.contains(&pfn.0));
        self.ram.numbers().filter(wanted).collect()
    }
}
