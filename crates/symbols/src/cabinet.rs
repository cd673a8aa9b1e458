//! Unpacks the cabinets in which symbol servers keep files: `ntkrnlmp.pd_` holds `ntkrnlmp.pdb` and nothing else.

use super::panic::{self, Panicked};
use std::io::{self, Cursor, Read};

/// The first bytes of a cabinet.
pub(crate) const MAGIC: &[u8] = b"MSCF";

/// The most that a file may unpack to. The largest PDBs of Windows are a tenth of this.
pub(crate) const LIMIT: u64 = 512 << 20;

/// How many times larger than the cabinet its file may be; PDBs are packed to a quarter. What promises more wants memory.
const MAX_RATIO: u64 = 64;

/// What is wrong with a cabinet.
#[derive(Debug, thiserror::Error)]
pub enum CabinetError {
    /// Its bytes contradict each other.
    #[error("the cabinet is damaged: {0}")]
    Damaged(#[from] io::Error),
    /// It holds no file.
    #[error("the cabinet is empty")]
    Empty,
    /// Its file has more than so many bytes.
    #[error("the cabinet unpacks to more than {0} bytes")]
    TooLarge(u64),
    /// It is damaged, and its reader panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// The first file in a cabinet.
///
/// # Errors
/// When the cabinet is damaged, empty, or unpacks to more than [`LIMIT`] or 64 times its own size.
pub(crate) fn only_file(bytes: &[u8]) -> Result<Vec<u8>, CabinetError> {
    panic::catch(|| unpack(bytes))
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, CabinetError> {
    let mut cabinet = cab::Cabinet::new(Cursor::new(bytes))?;
    let name = cabinet
        .folder_entries()
        .flat_map(|folder| folder.file_entries())
        .map(|file| file.name().to_owned())
        .next()
        .ok_or(CabinetError::Empty)?;
    let limit = LIMIT.min(MAX_RATIO.saturating_mul(bytes.len() as u64));
    let mut file = Vec::new();
    cabinet
        .read_file(&name)
        .and_then(|reader| reader.take(limit + 1).read_to_end(&mut file))?;
    if file.len() as u64 > limit {
        return Err(CabinetError::TooLarge(limit));
    }
    Ok(file)
}
