//! What a file is, by its first bytes. A name proves nothing: servers answer with web pages, and people rename files.

use super::error::StoreError;
use super::msf;
use crate::{PdbId, id, isf};
use rkd_dump::error::Error;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A program database.
    Pdb,
    /// A cabinet, in which symbol stores keep compressed files (`.pd_`).
    Cabinet,
    /// A symbol table as Volatility has it, packed or not.
    Isf,
    /// Something else; the words say what.
    Other(&'static str),
}

/// What is known by the first bytes, in the order in which it is tried.
const MAGICS: &[(&[u8], Content)] = &[
    (msf::MAGIC, Content::Pdb),
    (b"MSCF", Content::Cabinet),
    (b"\xfd7zXZ\0", Content::Isf),
    (b"{", Content::Isf),
    (
        b"Microsoft C/C++ program database 2.00",
        Content::Other("a PDB of the old format 2.00"),
    ),
    (b"BSJB", Content::Other("a portable PDB of .NET")),
    (b"MZ", Content::Other("an image, not a symbol file")),
    (b"PAGE", Content::Other("a dump, not a symbol file")),
    (b"<", Content::Other("a web page, not a symbol file")),
    (
        b"PK\x03\x04",
        Content::Other("a zip archive: unpack it first"),
    ),
    (
        b"\x1f\x8b",
        Content::Other("packed with gzip: unpack it first"),
    ),
];

impl Content {
    /// What begins like this.
    pub fn of(head: &[u8]) -> Content {
        if head.is_empty() {
            return Content::Other("an empty file");
        }
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let text = text.trim_ascii_start();
        let known = MAGICS
            .iter()
            .find(|(magic, _)| head.starts_with(magic) || text.starts_with(magic));
        known.map_or(Content::Other("not a symbol file"), |(_, content)| *content)
    }

    /// What the file is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Content> {
        let mut head = Vec::new();
        File::open(path).and_then(|file| file.take(64).read_to_end(&mut head))?;
        Ok(Content::of(&head))
    }
}

/// Which build a PDB or a symbol table belongs to. A PDB does not know its own name: it takes that of the file.
///
/// # Errors
/// Why the file does not say it.
pub(crate) fn identity(path: &Path) -> Result<PdbId, StoreError> {
    match Content::of_file(path)? {
        Content::Pdb => {
            let mut file = File::open(path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok(msf::identity(&mut file, id::file_name(&name))?)
        }
        Content::Isf => isf::open(path)?
            .identity()
            .cloned()
            .ok_or(StoreError::NoIdentity),
        Content::Cabinet => Err(StoreError::NestedCabinet),
        Content::Other(what) => Err(StoreError::NotSymbols(what)),
    }
}

/// The text of an error about a file, without the file's name in front.
pub(crate) fn reason(error: &Error) -> String {
    match error {
        Error::File { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell() {
        for (head, content) in [
            (&msf::MAGIC[..], Content::Pdb),
            (b"MSCF\0\0", Content::Cabinet),
            (b"\xfd7zXZ\0..", Content::Isf),
            (b"\xef\xbb\xbf \n{\"metadata\"", Content::Isf),
            (
                b"\r\n<!DOCTYPE html>",
                Content::Other("a web page, not a symbol file"),
            ),
            (b"Microsoft", Content::Other("not a symbol file")),
            (b"", Content::Other("an empty file")),
        ] {
            assert_eq!(Content::of(head), content);
        }
    }
}
