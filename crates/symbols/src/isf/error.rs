//! Why an ISF file is not read, or not written.

use super::LIMIT;
use crate::id::GuidError;
use std::io;

/// What is wrong with an ISF file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IsfError {
    /// More bytes than [`LIMIT`].
    #[error("larger than {} MiB when unpacked", LIMIT >> 20)]
    TooLarge,
    /// What is packed with xz is damaged, or wants too much memory.
    #[error("cannot unpack: {0}")]
    Unpack(io::Error),
    /// It is no JSON, or JSON of another kind.
    #[error("not an ISF symbol file: {0}")]
    Json(serde_json::Error),
    /// A version of the format other than 6.
    #[error("ISF version {0:?} is not understood (6.x is)")]
    Version(String),
    /// The PDB's GUID is none.
    #[error(transparent)]
    Guid(#[from] GuidError),
    /// A base type of a kind that is not in the format.
    #[error("base type {name:?} is of the unknown kind {kind:?}")]
    BaseKind {
        /// The type.
        name: String,
        /// Its kind.
        kind: String,
    },
    /// A structure or union of a kind that is not in the format.
    #[error("type {name:?} is of the unknown kind {kind:?}")]
    UdtKind {
        /// The type.
        name: String,
        /// Its kind.
        kind: String,
    },
    /// The type of a symbol or a field.
    #[error("{of}: {error}")]
    Type {
        /// The symbol, or the structure and its field.
        of: String,
        /// What is wrong with its type.
        error: TypeError,
    },
}

/// What is wrong with the description of a type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// A type of this kind goes by its name, and has none.
    #[error("a {0} without a name")]
    NoName(String),
    /// No base type has this name.
    #[error("base type {0:?} is not defined")]
    NoBase(String),
    /// A part is missing: the text says which.
    #[error("{0}")]
    Incomplete(&'static str),
    /// A kind that is not in the format.
    #[error("unknown kind {0:?}")]
    Kind(String),
}

/// Why a table is not written as an ISF file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A file that does not say which PDB it is of would never be found by anyone.
    #[error("the symbols do not say which PDB they are of")]
    NoIdentity,
    /// The JSON cannot be made.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}
