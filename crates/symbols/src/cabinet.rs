//! Unpacks the cabinets in which symbol servers keep files: `ntkrnlmp.pd_` holds `ntkrnlmp.pdb` and nothing else.

use super::pdb::behind_wall;
use std::io::{Cursor, Read};

/// The first bytes of a cabinet.
pub const MAGIC: &[u8] = b"MSCF";

/// The most that a file may unpack to. The largest PDBs of Windows are a tenth of this.
pub const LIMIT: u64 = 512 << 20;

/// How many times larger than the cabinet its file may be; PDBs are packed to a quarter. What promises more wants memory.
const RATIO: u64 = 64;

/// The first file in a cabinet.
///
/// # Errors
/// In words: when the cabinet is damaged, empty, or unpacks to more than [`LIMIT`] or 64 times its own size.
pub fn only_file(bytes: &[u8]) -> Result<Vec<u8>, String> {
    behind_wall(|| unpack(bytes))
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let damaged = |e: std::io::Error| format!("the cabinet is damaged: {e}");
    let mut cabinet = cab::Cabinet::new(Cursor::new(bytes)).map_err(damaged)?;
    let name = cabinet
        .folder_entries()
        .flat_map(|folder| folder.file_entries())
        .map(|file| file.name().to_owned())
        .next()
        .ok_or("the cabinet is empty")?;
    let limit = LIMIT.min(RATIO.saturating_mul(bytes.len() as u64));
    let mut file = Vec::new();
    cabinet
        .read_file(&name)
        .and_then(|reader| reader.take(limit + 1).read_to_end(&mut file))
        .map_err(damaged)?;
    if file.len() as u64 > limit {
        return Err(format!("the cabinet unpacks to more than {limit} bytes"));
    }
    Ok(file)
}
