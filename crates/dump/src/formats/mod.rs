//! The formats: one file for each, and one line in [`FORMATS`].
//!
//! A format knows its own files and turns one into the machine's memory (or, for triage dumps, into blocks of it) and into
//! what the file says of the machine.

mod bitmap;
mod full;
mod header;
mod missing;
mod ranges;
mod rank;
mod raw;
mod refusal;
mod runs;
mod triage;
mod triage_lists;

pub use refusal::Refusal;
pub use triage::{Triage, VirtualBlock};
pub use triage_lists::{TriageDriver, TriageUnloaded};

use crate::located::{Crash, Located};
use crate::map::Map;
use crate::physical::PhysicalMemory;
use header::Header;
use std::sync::Arc;

/// All formats. The first that takes a file for its own opens it.
static FORMATS: &[&Format] = &[
    &full::FULL,
    &triage::TRIAGE,
    &bitmap::FULL,
    &bitmap::KERNEL,
    &ranges::KERNEL,
    &ranges::ACTIVE,
    &ranges::FULL,
    &raw::RAW,
];

/// A format of dump files.
pub struct Format {
    /// Its name in one word, such as `bitmap-kernel`.
    pub name: &'static str,
    /// The sentence of kd's banner.
    pub description: &'static str,
    /// Whether the file claims to be of this format.
    is_of: fn(&[u8]) -> bool,
    /// Opens such a file; what is odd about it goes into the notes.
    open: fn(Arc<Map>, &mut Vec<String>) -> Result<Opened, Refusal>,
}

/// What a format makes of a file.
pub(crate) struct Opened {
    pub(crate) located: Located,
    /// `None` where the format has no place for it.
    pub(crate) crash: Option<Crash>,
    pub(crate) comment: Option<String>,
    pub(crate) contents: Contents,
}

/// What a dump holds.
pub(crate) enum Contents {
    Physical(Arc<dyn PhysicalMemory>),
    Virtual(Box<Triage>),
}

impl Contents {
    fn physical(memory: impl PhysicalMemory + 'static) -> Contents {
        Contents::Physical(Arc::new(memory))
    }
}

/// Opens a file of any format.
pub(crate) fn open(
    file: &Arc<Map>,
    notes: &mut Vec<String>,
) -> Result<(&'static Format, Opened), Refusal> {
    let bytes = file.bytes();
    match FORMATS.iter().find(|format| (format.is_of)(bytes)) {
        Some(format) => Ok((format, (format.open)(Arc::clone(file), notes)?)),
        None => Err(Refusal::of(bytes)),
    }
}

/// Opens a crash dump: what the header says is the same in all of them, `contents` is the format's own.
fn with_header(
    file: Arc<Map>,
    notes: &mut Vec<String>,
    contents: impl FnOnce(Arc<Map>, &Header, &mut Vec<String>) -> Result<Contents, Refusal>,
) -> Result<Opened, Refusal> {
    let header = Header::parse(file.bytes()).ok_or_else(|| Refusal::of(file.bytes()))?;
    let contents = contents(file, &header, notes)?;
    let Header {
        located,
        crash,
        comment,
        ..
    } = header;
    Ok(Opened {
        located,
        crash: Some(crash),
        comment,
        contents,
    })
}
