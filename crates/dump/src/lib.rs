#![doc = include_str!("../README.md")]
#![warn(unreachable_pub)]

pub mod addr;
pub mod bytes;
pub mod error;
mod formats;
mod located;
pub mod map;
pub mod memory;
mod physical;
mod search;

pub use formats::{Format, Refusal, Triage, TriageDriver, TriageUnloaded, VirtualBlock};
pub use located::{Crash, Exception, Fact, Located, MACHINE_ARM64, MACHINE_X64, Missing, Way};
pub use physical::{PhysicalMemory, Run};

use crate::error::{Error, Result};
use formats::{Contents, Opened};
use map::Map;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open dump.
pub struct Dump {
    path: PathBuf,
    file: Arc<Map>,
    format: &'static Format,
    opened: Opened,
    notes: Vec<String>,
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
        let mut notes = Vec::new();
        match formats::open(&file, &mut notes) {
            Ok((format, opened)) => Ok(Dump {
                path,
                file,
                format,
                opened,
                notes,
            }),
            Err(reason) => Err(Error::NotADump { path, reason }),
        }
    }

    /// Where the dump came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's format.
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// What the dump says of its machine, by a header or by a search.
    pub fn located(&self) -> &Located {
        &self.opened.located
    }

    /// How the machine ended; `None` for an image of its memory alone.
    pub fn crash(&self) -> Option<&Crash> {
        self.opened.crash.as_ref()
    }

    /// What the writer of the dump wanted to say, such as the text of `.dump /c`.
    pub fn comment(&self) -> Option<&str> {
        self.opened.comment.as_deref()
    }

    /// What a person must know about the file: what is missing, what contradicts itself. Empty for a sound dump.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The machine's memory; `None` for a triage dump, which has none.
    pub fn physical(&self) -> Option<&dyn PhysicalMemory> {
        match &self.opened.contents {
            Contents::Physical(memory) => Some(memory.as_ref()),
            Contents::Virtual(_) => None,
        }
    }

    /// The same, for those who outlive the dump.
    pub(crate) fn shared_physical(&self) -> Option<Arc<dyn PhysicalMemory>> {
        match &self.opened.contents {
            Contents::Physical(memory) => Some(Arc::clone(memory)),
            Contents::Virtual(_) => None,
        }
    }

    /// The blocks and lists of a triage dump; `None` for all others.
    pub fn triage(&self) -> Option<&Triage> {
        match &self.opened.contents {
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
}

impl std::fmt::Debug for Dump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dump")
            .field("path", &self.path)
            .field("format", &self.format.name)
            .finish_non_exhaustive()
    }
}
