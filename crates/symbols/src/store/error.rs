//! Why a file does not get into a store.

use super::content::reason;
use super::filing::is_temporary;
use super::msf::MsfError;
use crate::PdbId;
use crate::cabinet::CabinetError;
use rkd_dump::error::Error;
use std::io;
use std::path::PathBuf;

/// What is wrong with a symbol file, or with the store that it was meant for. The text says nothing of the file's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The file cannot be copied to the store.
    #[error("cannot be copied: {0}")]
    Copy(io::Error),
    /// There is no room for what the cabinet holds.
    #[error("cannot be unpacked: {0}")]
    Unpack(io::Error),
    /// The store's folder cannot be written to.
    #[error("{} cannot be written to: {error}", store.display())]
    Folder {
        /// The store.
        store: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file's place in the store cannot be written.
    #[error("{} cannot be written: {error}", place.display())]
    Place {
        /// The place.
        place: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A name from a dump or a file leads out of the store.
    #[error("{0:?} is no name for a file")]
    Name(String),
    /// The file belongs to another build.
    #[error(
        "it is for {}, not for {}",
        spelled(found, found),
        spelled(found, wanted)
    )]
    WrongBuild {
        /// The build that it belongs to.
        found: PdbId,
        /// The build that is wanted.
        wanted: PdbId,
    },
    /// A symbol table that does not say which PDB it was made from.
    #[error("it does not say which PDB it was made from")]
    NoIdentity,
    /// A cabinet within a cabinet.
    #[error("a cabinet: unpack it first")]
    NestedCabinet,
    /// No symbol file: what it is instead.
    #[error("{0}")]
    NotSymbols(&'static str),
    /// A PDB without a legible identity.
    #[error(transparent)]
    Msf(#[from] MsfError),
    /// A damaged cabinet.
    #[error(transparent)]
    Cabinet(#[from] CabinetError),
    /// A symbol file that cannot be used.
    #[error("{}", reason(.0))]
    Symbols(#[from] Error),
}

/// A PDB does not know its name, and that of a temporary file means nothing.
fn spelled(found: &PdbId, id: &PdbId) -> String {
    match is_temporary(&found.name) {
        true => id.isf_name(),
        false => id.to_string(),
    }
}
