//! PE images, as they lie in the target's memory or in a file: what they are, which PDB they belong to, what they export and
//! import, and what their version resource says.
//!
//! Everything in an image may be damaged, hostile or simply not in the dump. Each question is answered with what can be read,
//! together with the first thing that could not ([`Partly`]); counts are taken for claims, and the work is bounded.

mod bytes;
mod debug;
mod exports;
mod headers;
mod imports;
mod resources;
mod version;

pub use debug::{Debug, DebugEntry};
pub use exports::{Export, Exports, Target};
pub use headers::{Details, Headers, Section};
pub use imports::{Import, Imported};
pub use version::{FixedInfo, StringTable, VersionInfo};

use super::{PdbId, Source, SymbolTable, TableBuilder};
use bytes::Bytes;
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Error, Result};
use rkd_dump::memory::AddressSpace;

/// What could be read, and the first thing that could not be.
#[derive(Debug)]
pub struct Partly<T> {
    /// What there is; whole if nothing is missing.
    pub value: T,
    /// [`Error::Fault`] for memory that the dump does not have, [`Error::Corrupt`] for what contradicts itself.
    pub missing: Option<Error>,
}

impl<T> Partly<T> {
    fn new(value: T) -> Partly<T> {
        Partly {
            value,
            missing: None,
        }
    }

    /// Keeps the first of all reasons.
    fn miss(&mut self, why: Error) {
        self.missing.get_or_insert(why);
    }
}

/// A PE image. Only its headers are read when it is made.
#[derive(Clone)]
pub struct Image<'a> {
    bytes: Bytes<'a>,
    headers: Headers,
}

/// The error of an image that contradicts itself.
fn corrupt(why: impl Into<String>) -> Error {
    Error::Corrupt {
        what: "the image".into(),
        why: why.into(),
    }
}

impl<'a> Image<'a> {
    /// An image that is mapped at `base`.
    ///
    /// # Errors
    /// [`Error::Fault`] if the headers are not there, [`Error::Corrupt`] if they are not those of a PE image.
    pub fn read(space: &'a AddressSpace, base: Virt) -> Result<Image<'a>> {
        Image::of(Bytes::Memory {
            space,
            base,
            size: u32::MAX,
        })
    }

    /// An image as it is in a file.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it is no PE image.
    pub fn parse_file(file: &'a [u8]) -> Result<Image<'a>> {
        Image::of(Bytes::File {
            file,
            sections: Vec::new(),
            headers: u32::MAX,
        })
    }

    fn of(mut bytes: Bytes<'a>) -> Result<Image<'a>> {
        let headers = Headers::read(&bytes)?;
        bytes.limit(&headers);
        Ok(Image { bytes, headers })
    }

    /// The headers and the sections.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The PDB that was made with the image, if its debug directory can be read and names one.
    pub fn codeview(&self) -> Option<PdbId> {
        self.debug().value.pdb
    }

    /// What the debug directory says.
    pub fn debug(&self) -> Partly<Debug> {
        debug::read(&self.bytes, &self.headers)
    }

    /// The entries of the debug directory, as they are stored.
    pub fn debug_entries(&self) -> Partly<Vec<DebugEntry>> {
        debug::entries(&self.bytes, &self.headers)
    }

    /// Whether the first and the last byte of a range of the image can be read.
    pub fn has(&self, rva: Rva, length: u32) -> bool {
        let last = rva.0.checked_add(length.saturating_sub(1));
        last.is_some_and(|last| {
            [rva.0, last]
                .iter()
                .all(|&at| self.bytes.exact(at, &mut [0]).is_ok())
        })
    }

    /// What the image offers to others.
    pub fn exports(&self) -> Partly<Exports> {
        exports::read(&self.bytes, &self.headers)
    }

    /// What the image wants of others.
    pub fn imports(&self) -> Partly<Vec<Import>> {
        imports::read(&self.bytes, &self.headers)
    }

    /// The version resource; `None` if the image has none.
    pub fn version_resource(&self) -> Partly<Option<VersionInfo>> {
        resources::version(&self.bytes, &self.headers)
    }

    /// A table of the exported names, for an image without any other symbols.
    pub fn export_symbols(&self) -> SymbolTable {
        let mut table = TableBuilder::new(Source::Exports);
        table
            .machine(self.headers.machine)
            .pointer_size(if self.headers.is_64 { 8 } else { 4 });
        if let Some(id) = self.codeview() {
            table.identity(id);
        }
        for export in self.exports().value.list {
            if let (Some(name), Target::Rva(rva)) = (export.name, export.target) {
                table.symbol(&name, rva);
            }
        }
        table.build()
    }
}
