//! Why a PDB is not read.

use crate::file::IdentityError;
use crate::panic::Panicked;

/// What is wrong with a PDB.
#[derive(Debug, thiserror::Error)]
pub(super) enum PdbError {
    #[error("it is not a PDB")]
    NotAPdb,
    #[error("it is a portable PDB, which describes .NET code only")]
    Portable,
    #[error("it is a compressed PDB (MSFZ), which is not understood")]
    Msfz,
    #[error("it is a PDB of the old format 2.00, which is not understood")]
    OldFormat,
    #[error("the PDB is damaged: {0}")]
    Damaged(#[from] pdb2::Error),
    /// The types' stream states more types than its bytes can hold.
    #[error("the PDB is damaged: {types} types cannot lie in a stream of {bytes} bytes")]
    TypeCount { types: u64, bytes: usize },
    /// A list states more arguments than its record can hold.
    #[error("the PDB is damaged: {arguments} arguments cannot lie in {bytes} bytes")]
    ArgumentCount { arguments: u32, bytes: u16 },
    /// The types would be more than the file has room for.
    #[error("the PDB is damaged: its records share their parts without end")]
    SharedRecords,
    #[error("the PDB does not say where the sections of its image lie")]
    NoSections,
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}
