//! Where the machine is: what a reader must know of a memory before the first structure of Windows can be read.

use crate::addr::{Pfn, Virt};

/// `IMAGE_FILE_MACHINE_AMD64`.
pub const MACHINE_X64: u32 = 0x8664;
/// `IMAGE_FILE_MACHINE_ARM64`.
pub const MACHINE_ARM64: u32 = 0xaa64;

/// One thing that a dump may say, with the way it was found, or why it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<T> {
    /// Known.
    Known(T, Way),
    /// Not known.
    Missing(Missing),
}

/// How a fact was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The dump's header says so.
    Header,
    /// A search of the memory found it, in a dump that has no header.
    Search,
    /// nt's own variables say so, found by its symbols.
    Symbols,
    /// The version resource of nt's image says so.
    Image,
}

/// Why a fact is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The writer of the dump left the field as it was.
    #[error("the header does not say")]
    NotWritten,
    /// The search did not find it; the text says what it looked for.
    #[error("{0}")]
    NotFound(&'static str),
}

impl<T: Copy> Fact<T> {
    /// What a search came to; `sought` says what it looked for in vain.
    pub(crate) fn searched(found: Option<T>, sought: &'static str) -> Fact<T> {
        found.map_or(Fact::Missing(Missing::NotFound(sought)), |value| {
            Fact::Known(value, Way::Search)
        })
    }

    /// A field of the header; `None` when it was never set.
    pub(crate) fn header(field: Option<T>) -> Fact<T> {
        field.map_or(Fact::Missing(Missing::NotWritten), |value| {
            Fact::Known(value, Way::Header)
        })
    }

    /// The value, if it is known.
    pub fn get(self) -> Option<T> {
        match self {
            Fact::Known(value, _) => Some(value),
            Fact::Missing(_) => None,
        }
    }

    /// The value.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn known(self) -> Result<T, Missing> {
        match self {
            Fact::Known(value, _) => Ok(value),
            Fact::Missing(why) => Err(why),
        }
    }

    /// The same fact, or, where it is missing, what was found in another way.
    #[must_use]
    pub fn or(self, way: Way, value: impl FnOnce() -> Option<T>) -> Fact<T> {
        match self {
            Fact::Missing(_) => value().map_or(self, |value| Fact::Known(value, way)),
            known => known,
        }
    }
}

/// What a dump says of its machine, each part by the dump's header or by a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The `IMAGE_FILE_MACHINE_*` number: [`MACHINE_X64`] or [`MACHINE_ARM64`].
    pub machine: Fact<u32>,
    /// CR3 (x64) or TTBR (ARM64), as stored: flags in the low bits.
    pub page_table_root: Fact<u64>,
    /// Where nt was loaded.
    pub kernel_base: Fact<Virt>,
    /// The address of `PsLoadedModuleList`.
    pub module_list: Fact<Virt>,
    /// The address of `KdDebuggerDataBlock`.
    pub debugger_block: Fact<Virt>,
    /// The build number, such as 19041.
    pub build: Fact<u32>,
    /// Whether it is a checked (debug) build.
    pub is_checked: Fact<bool>,
    /// How many processors the machine had.
    pub processors: Fact<u32>,
    /// 1 workstation, 2 domain controller, 3 server.
    pub product_type: Fact<u32>,
    /// The `VER_SUITE_*` flags.
    pub suite_mask: Fact<u32>,
    /// When the memory was taken: a FILETIME, in units of 100 ns since 1601, UTC.
    pub system_time: Fact<u64>,
    /// How long the machine had been up, in units of 100 ns.
    pub up_time: Fact<u64>,
    /// One past the highest frame of the machine's memory.
    pub memory_end: Fact<Pfn>,
}

/// How the machine ended. A live dump has one too: code 0, or the code that its maker chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The bug check code.
    pub code: u32,
    /// The bug check's four parameters.
    pub parameters: [u64; 4],
    /// The `CONTEXT` of the processor that crashed, in the machine's own layout (3000 bytes).
    pub context: Option<Vec<u8>>,
    /// The exception.
    pub exception: Option<Exception>,
}

/// `EXCEPTION_RECORD64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// An NTSTATUS, such as 0xC0000005.
    pub code: u32,
    /// Bit 0: cannot be continued.
    pub flags: u32,
    /// Another record, of which this one is the consequence.
    pub record: Virt,
    /// The instruction.
    pub address: Virt,
    /// At most 15 numbers which depend on the code.
    pub parameters: Vec<u64>,
}
