//! `rkd symbols import`: puts symbol files that were carried here into the cache.

use super::super::arguments::Import;
use super::super::{FAILED, World};
use super::show;
use crate::command::{KdLine, Row};
use rkd_dump::error::{Error, Result};
use rkd_symbols::path::{Level, PathElement};
use rkd_symbols::store::{Content, StoreError, file_any};
use rkd_symbols::{PdbId, SymbolPath, home};
use std::path::PathBuf;

/// What was not meant to be a symbol file is passed over without a word; these endings mean it.
const SYMBOL_EXTENSIONS: &[&str] = &["pdb", "pd_", "json", "xz"];

/// Files everything that is a symbol file. The exit status is 1 when one was refused, or nothing was found.
///
/// # Errors
/// When there is no place to put files, or the output takes no more.
pub(super) fn run(world: &World<'_>, arguments: &Import) -> Result<u8> {
    let store = store(world, arguments)?;
    let mut done = Vec::new();
    for path in files(&arguments.paths) {
        let is_meant = path.extension().is_some_and(|extension| {
            let extension = extension.to_string_lossy().to_ascii_lowercase();
            SYMBOL_EXTENSIONS.contains(&extension.as_str())
        });
        if !is_meant && !matches!(Content::of_file(&path), Ok(Content::Pdb | Content::Cabinet)) {
            continue;
        }
        let filed = file_any(&path, &store);
        done.push((path, filed));
    }
    if done.is_empty() {
        return Err(Error::NotFound(
            "no symbol files there (PDBs, .pd_, ISF files)".into(),
        ));
    }
    let rows: Vec<Imported<'_>> = done.iter().map(Imported::new).collect();
    let status = show(world, "symbols import", &rows)?;
    let refused = done.iter().any(|(_, filed)| filed.is_err());
    Ok(if refused { FAILED } else { status })
}

/// The first folder of a chain or a cache on the path, or the default cache.
fn store(world: &World<'_>, arguments: &Import) -> Result<PathBuf> {
    if let Some(store) = &arguments.into {
        return Ok(store.clone());
    }
    let path = SymbolPath::parse(&world.cli.common.symbol_path());
    let on_path = path.places().iter().find_map(|place| match place {
        PathElement::Folder(_) => None,
        PathElement::Cache(store) => Some(store.clone()),
        PathElement::Chain(levels) => levels.iter().find_map(Level::folder).cloned(),
    });
    on_path.or_else(home::symbols).ok_or_else(|| {
        Error::NotFound("there is no default cache on this machine: say --into FOLDER".into())
    })
}

/// All files below the paths, in the order of their names. Links to folders are not followed.
fn files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut waiting = vec![path.clone()];
        while let Some(folder) = waiting.pop() {
            let mut entries: Vec<_> = std::fs::read_dir(&folder)
                .into_iter()
                .flatten()
                .flatten()
                .collect();
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                    Ok(_) => found.push(entry.path()),
                    Err(_) => {}
                }
            }
        }
    }
    found
}

/// A symbol file that was to be put into the cache.
#[derive(Row)]
#[row(kind = "imported_symbols")]
struct Imported<'a> {
    /// The file.
    file: String,
    /// The PDB that it is or describes.
    pdb: Result<String, &'a StoreError>,
    /// Where it is now.
    place: Result<String, &'a StoreError>,
}

impl<'a> Imported<'a> {
    fn new((path, filed): &'a (PathBuf, Result<(PdbId, PathBuf), StoreError>)) -> Imported<'a> {
        let filed = filed.as_ref();
        Imported {
            file: path.display().to_string(),
            pdb: filed.map(|(id, _)| id.to_string()),
            place: filed.map(|(_, place)| place.display().to_string()),
        }
    }
}

impl KdLine for Imported<'_> {
    fn line(&self) -> String {
        let file = &self.file;
        match (&self.pdb, &self.place) {
            (Ok(id), Ok(place)) => format!("{id}\n    {file}\n    is filed as {place}"),
            (Err(why), _) | (_, Err(why)) => format!("{file}: refused: {why}"),
        }
    }
}
