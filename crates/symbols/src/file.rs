//! A file with symbols, whatever it is: what it begins with decides, not what it is called.

use super::cache::{self, Cache, Stamp};
use super::{PdbId, SymbolTable, cabinet, isf, pdb};
use rkd_dump::error::{Error, Result};
use rkd_dump::map::Map;
use std::path::Path;
use std::sync::Arc;

/// Reads a symbol file: a PDB, an ISF file (JSON, plain or packed with xz), or one of them in a cabinet (`.pd_`). With
/// `wanted`, the file must say itself that it has this GUID and age. Another one is refused, because each build of a
/// program moves every address, and wrong symbols give wrong answers that look right.
///
/// # Errors
/// [`Error::Open`] when the file cannot be read; [`Error::File`] when it is none of these, is damaged, or belongs to another
/// link.
pub fn open(path: &Path, wanted: Option<&PdbId>) -> Result<SymbolTable> {
    open_through(cache::used(), path, wanted)
}

/// As [`open`], but what was made of the file before is sought in a cache, and what is made of it now is kept there.
///
/// # Errors
/// As [`open`]. What is wrong with the cache is no error.
pub fn open_through(
    cache: Option<&Cache>,
    path: &Path,
    wanted: Option<&PdbId>,
) -> Result<SymbolTable> {
    let map = Map::open(path).map_err(|source| Error::open(path, source))?;
    let is_small = (map.bytes().len() as u64) < cache::MIN_FILE_BYTES;
    let stamped = cache
        .filter(|_| !is_small)
        .and_then(|cache| Some((cache, Stamp::of(path, &map).ok()?)));
    let Some((cache, stamp)) = stamped else {
        return read(path, map, wanted);
    };
    if let Some(table) = cache.find(&stamp, path) {
        is_wanted(table.identity(), wanted).map_err(|error| unusable(path, &error))?;
        return Ok(table);
    }
    let table = read(path, map, wanted)?;
    let kept = cache.keep(&stamp, &table);
    // What is mapped costs less memory than what was made.
    Ok(kept
        .ok()
        .and_then(|()| cache.find(&stamp, path))
        .unwrap_or(table))
}

/// Reads a symbol file's bytes; `path` is for the error and the table's [`Source`](super::Source).
///
/// # Errors
/// As [`open`], but never [`Error::Open`].
pub fn parse(path: &Path, bytes: Vec<u8>, wanted: Option<&PdbId>) -> Result<SymbolTable> {
    read(path, Map::Owned(bytes), wanted)
}

fn read(path: &Path, mut map: Map, wanted: Option<&PdbId>) -> Result<SymbolTable> {
    if map.bytes().starts_with(cabinet::MAGIC) {
        map = Map::Owned(cabinet::only_file(map.bytes()).map_err(|error| unusable(path, &error))?);
    }
    if pdb::is_meant(map.bytes()) {
        return pdb::parse(path, Arc::new(map), wanted);
    }
    let table = isf::parse(path, map.bytes())?;
    is_wanted(table.identity(), wanted).map_err(|error| unusable(path, &error))?;
    Ok(table)
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::File {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// Why a symbol file is not the one that is asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum IdentityError {
    #[error("it is for {found}, not for {wanted}")]
    WrongBuild { found: PdbId, wanted: PdbId },
    #[error("it does not say which PDB it was made from")]
    Unknown,
}

/// Whether a file belongs to the link that is asked for.
pub(super) fn is_wanted(
    found: Option<&PdbId>,
    wanted: Option<&PdbId>,
) -> Result<(), IdentityError> {
    match (found, wanted) {
        (_, None) => Ok(()),
        (Some(found), Some(wanted)) if found.same_link(wanted) => Ok(()),
        (Some(found), Some(wanted)) => Err(IdentityError::WrongBuild {
            found: found.clone(),
            wanted: wanted.clone(),
        }),
        (None, Some(_)) => Err(IdentityError::Unknown),
    }
}
