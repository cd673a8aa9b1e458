//! What can go wrong, as data: where, and why. The text is made at the edge, by `Display`.

use crate::addr::{Pfn, Virt};
use crate::formats::Refusal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of everything that can fail in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A read of the target's memory that could not be done: the first address that is missing, and the reason.
///
/// Faults are normal in a dump and never the end of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {at}: {why}")]
pub struct Fault {
    /// The first address that could not be read.
    pub at: Virt,
    /// Why it could not.
    pub why: Why,
}

/// Why a page cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Bits 48..63 do not repeat bit 47.
    #[error("the address is not canonical")]
    NonCanonical,
    /// The entry of the named table is zero: nothing was ever there.
    #[error("not mapped ({0} is zero)")]
    NotMapped(Level),
    /// The page tables name a frame which the dump does not hold.
    #[error("page {pfn} is not in the dump{}", level.map(|l| format!(" (needed as the table of the {l})")).unwrap_or_default())]
    PageNotInDump {
        /// The frame.
        pfn: Pfn,
        /// The entry that was to be read from the missing page, when the page is itself a page table.
        level: Option<Level>,
    },
    /// The dump holds blocks of virtual memory only (triage), and none covers the address.
    #[error("not in the dump, which holds only some blocks of memory")]
    NoBlock,
    /// The page was written to a page file.
    #[error("paged out (page file {file}, page {page:#x})")]
    PagedOut {
        /// The page file's number.
        file: u8,
        /// The page in that file.
        page: u64,
    },
    /// The page lies in the memory compression store.
    #[error("compressed (store page {page:#x})")]
    Compressed {
        /// The page of the virtual page file.
        page: u64,
    },
    /// The page table below the named entry was written to a page file.
    #[error("the page table below the {level} is paged out (page file {file}, page {page:#x})")]
    TablePagedOut {
        /// The entry that should lead to the table.
        level: Level,
        /// The page file's number.
        file: u8,
        /// The page in that file.
        page: u64,
    },
    /// The page table below the named entry lies in the memory compression store.
    #[error("the page table below the {level} is compressed (store page {page:#x})")]
    TableCompressed {
        /// The entry that should lead to the table.
        level: Level,
        /// The page of the virtual page file.
        page: u64,
    },
    /// Committed, but never touched: Windows would hand out a page of zeroes.
    #[error("demand zero: committed, never touched")]
    DemandZero,
    /// A prototype PTE stands for the page, and it cannot be followed.
    #[error("mapped by the prototype PTE {0}, which cannot be followed")]
    Prototype(Virt),
    /// Nothing of a mapped file was in memory there: its contents are in the file.
    #[error("not in memory: a page of a mapped file (prototype PTE {0})")]
    MappedFile(Virt),
    /// The page table leaves it to the process' address descriptors (VADs) what belongs there.
    #[error("not in memory: the process' VAD says what belongs there")]
    SeeVad,
    /// The address space ends before the last byte.
    #[error("the address space ends there")]
    EndOfSpace,
    /// Page tables were asked of a dump that holds blocks of virtual memory only.
    #[error("the dump holds no page tables")]
    NoPageTables,
    /// Page tables of a kind that is not understood; the text says which.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A table holds something that no Windows writes.
    #[error("the page tables are corrupt ({0})")]
    CorruptTable(Level),
}

/// The levels of x64 page tables, by Windows' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Level {
    /// Page map level 4 entry.
    #[error("PXE")]
    Pxe,
    /// Page directory pointer entry.
    #[error("PPE")]
    Ppe,
    /// Page directory entry.
    #[error("PDE")]
    Pde,
    /// Page table entry.
    #[error("PTE")]
    Pte,
}

/// Everything else that can go wrong.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened or read.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The file is not a kernel dump, or one of a kind that is not understood.
    #[error("{}: {reason}", path.display())]
    NotADump {
        /// The file.
        path: PathBuf,
        /// What was found instead, and what to do.
        reason: Refusal,
    },
    /// Memory that cannot be read.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A symbol that no source knows.
    #[error("no symbol {0}")]
    NoSymbol(String),
    /// A type that no source knows.
    #[error("no type {0}")]
    NoType(String),
    /// A type without such a field.
    #[error("{ty} has no field {field}")]
    NoField {
        /// The type.
        ty: String,
        /// The field, dotted where nested.
        field: String,
    },
    /// Bytes that contradict themselves.
    #[error("{what} is corrupt: {why}")]
    Corrupt {
        /// The structure and its place.
        what: String,
        /// The contradiction.
        why: String,
    },
    /// This dump, or a dump of its kind, does not hold it: the text says what, why, and which dump would.
    #[error("{0}")]
    NotInDump(String),
    /// It takes symbols that are not there: the text says whose, and how to get them.
    #[error("{0}")]
    NeedsSymbols(String),
    /// What a person named – a module, a processor, a tag, a scenario – does not exist.
    #[error("{0}")]
    NotFound(String),
    /// kd, or a file format, has this and rkd does not.
    #[error("{0}")]
    NotSupported(String),
    /// Permission is missing: the text says whose, and how it is given.
    #[error("{0}")]
    Forbidden(String),
    /// A value of another type than the operation takes.
    #[error("{0}")]
    WrongType(String),
    /// More than a limit allows.
    #[error("{0}")]
    TooLarge(String),
    /// The machine that rkd runs on would not do its part.
    #[error("{0}")]
    Failed(String),
    /// A line that cannot be understood; the text is kd's where kd has one.
    #[error("{0}")]
    Syntax(String),
    /// A range whose end lies before its start, or that is none: kd's text.
    #[error("Range error in '{0}'")]
    Range(String),
    /// A line that is understood and cannot be done: kd's text, and behind it (as the error's source) the reason that kd keeps to itself.
    #[error("{text}")]
    Refused {
        /// kd's text.
        text: String,
        /// The reason, for a note.
        #[source]
        why: Box<Error>,
    },
    /// A file beside the dump (symbols, tag list, script) that cannot be used.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Ctrl-C, or a reader that wants no more.
    #[error("stopped")]
    Stopped,
}

impl Error {
    /// The file at `path` could not be opened or read.
    pub fn open(path: &Path, source: std::io::Error) -> Error {
        Error::Open {
            path: path.to_path_buf(),
            source: Arc::new(source),
        }
    }

    /// The reason alone: of a fault without its address, so that many faults for one reason are told once.
    pub fn reason(&self) -> String {
        match self {
            Error::Fault(fault) => fault.why.to_string(),
            other => other.to_string(),
        }
    }
}
