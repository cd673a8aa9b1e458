//! FILES: from the bytes on disk to pages of physical memory, or, for triage dumps, to blocks of virtual memory.
//!
//! One file per format. Nothing here knows more of Windows than the formats themselves; and nothing in a file is
//! trusted: a dump that lies or was cut short opens, if it can, and its [`Dump::notes`] say what is wrong.

#![warn(unreachable_pub)]

pub mod addr;
mod bitmap;
pub mod bytes;
pub mod error;
mod full;
mod header;
mod identify;
mod kind;
pub mod map;
pub mod memory;
mod missing;
mod physical;
mod ranges;
mod rank;
mod runs;
mod secondary;
mod triage;
mod triage_lists;

pub use header::{Exception, HEADER_SIZE, Header, MACHINE_ARM64, MACHINE_X64, PhysicalRun};
pub use kind::Kind;
pub use physical::{PhysicalMemory, Run};
pub use secondary::{Blob, Guid};
pub use triage::{Triage, VirtualBlock};
pub use triage_lists::{TriageDriver, TriageUnloaded};

use crate::error::{Error, Result};
use map::Map;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open dump.
pub struct Dump {
    path: PathBuf,
    file: Arc<Map>,
    header: Header,
    kind: Kind,
    contents: Contents,
    notes: Vec<String>,
}

/// What a dump holds.
enum Contents {
    Physical(Box<dyn PhysicalMemory>),
    Virtual(Box<Triage>),
}

impl Dump {
    /// Opens a dump of any kind. The file is mapped, not read: this takes the same time for a gigabyte as for a terabyte.
    ///
    /// # Errors
    /// [`Error::Open`] if the file cannot be read, [`Error::NotADump`] if it is something else or too damaged; the
    /// sentence says what it is and what to do.
    pub fn open(path: &Path) -> Result<Dump> {
        let map = Map::open(path).map_err(|source| Error::open(path, source))?;
        Dump::new(path.to_path_buf(), map)
    }

    /// Opens a dump that is in memory already; `name` stands for its path.
    ///
    /// # Errors
    /// [`Error::NotADump`], as [`Dump::open`].
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Dump> {
        Dump::new(PathBuf::from(name), Map::Owned(bytes))
    }

    fn new(path: PathBuf, map: Map) -> Result<Dump> {
        let file = Arc::new(map);
        match Dump::parse(&file) {
            Ok((header, kind, contents, notes)) => Ok(Dump {
                path,
                file,
                header,
                kind,
                contents,
                notes,
            }),
            Err(reason) => Err(Error::NotADump { path, reason }),
        }
    }

    fn parse(file: &Arc<Map>) -> Result<(Header, Kind, Contents, Vec<String>), String> {
        let bytes = file.bytes();
        if !bytes.starts_with(b"PAGEDU64") {
            return Err(identify::not_a_dump(bytes));
        }
        let header = Header::parse(bytes).ok_or_else(|| identify::not_a_dump(bytes))?;
        let kind =
            Kind::of(header.dump_type).ok_or_else(|| identify::unknown_kind(header.dump_type))?;
        let mut notes = Vec::new();
        let file = Arc::clone(file);
        let contents = match kind {
            Kind::Full => Contents::Physical(Box::new(full::open(file, &header, &mut notes)?)),
            Kind::BitmapFull | Kind::BitmapKernel => {
                Contents::Physical(Box::new(bitmap::Bitmap::open(file, &mut notes)?))
            }
            Kind::RangeKernel | Kind::RangeKernelActive | Kind::RangeFull => {
                Contents::Physical(Box::new(ranges::open(file, kind, &mut notes)?))
            }
            Kind::Triage => Contents::Virtual(Box::new(Triage::open(file, &header, &mut notes)?)),
        };
        Ok((header, kind, contents, notes))
    }

    /// Where the dump came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What kind of dump this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What a person must know about the file: what is missing, what contradicts itself. Empty for a sound dump.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The machine's memory; `None` for a triage dump, which has none.
    pub fn physical(&self) -> Option<&dyn PhysicalMemory> {
        match &self.contents {
            Contents::Physical(memory) => Some(memory.as_ref()),
            Contents::Virtual(_) => None,
        }
    }

    /// The blocks and lists of a triage dump; `None` for all others.
    pub fn triage(&self) -> Option<&Triage> {
        match &self.contents {
            Contents::Physical(_) => None,
            Contents::Virtual(triage) => Some(triage),
        }
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        self.file.bytes()
    }

    /// Complains when the file was cut short after it was opened: pages that were in it read as zeros since then, and no
    /// answer can be trusted any more.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn check_whole(&self) -> Result<()> {
        match self.file.is_cut() {
            false => Ok(()),
            true => Err(Error::File {
                path: self.path.clone(),
                reason: "the file was cut short while it was open, and what is lost reads as zeros; open it again to see what is left".into(),
            }),
        }
    }

    /// Tells the system that a part of [`Dump::bytes`] will be read soon.
    pub fn will_need(&self, part: &[u8]) {
        self.file.will_need(part);
    }

    /// Tells the system that a part of [`Dump::bytes`] was read and will not be read again soon.
    pub fn release(&self, part: &[u8]) {
        self.file.release(part);
    }

    /// What drivers left in the dump, in the order of the file.
    pub fn secondary_blobs(&self) -> Vec<Blob> {
        let start = match &self.contents {
            Contents::Physical(memory) => memory.end_of_pages(),
            Contents::Virtual(triage) => u64::from(triage.size_of_dump),
        };
        secondary::blobs(self.bytes(), start)
    }
}

impl std::fmt::Debug for Dump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dump")
            .field("path", &self.path)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
