//! The user's own facts: kernels that were added with `rkd symbols facts`, kept in a file of the same form as the built-in one.

use super::{Facts, builtin_facts, encode, select};
use crate::{PdbId, SymbolTable, home};
use rkd_dump::addr::Rva;
use rkd_dump::error::{Error, Result};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The user's facts, read once; nothing where there is no such file.
///
/// # Errors
/// [`Error::File`] when the file cannot be used.
pub fn own_facts() -> Result<&'static Facts, &'static Error> {
    static FACTS: OnceLock<Result<Facts>> = OnceLock::new();
    FACTS
        .get_or_init(|| match home::facts() {
            Some(path) => read(&path),
            None => Ok(Facts::default()),
        })
        .as_ref()
}

/// The table of the kernel with this PDB: of the built-in ones, or of the user's.
pub fn find(id: &PdbId) -> Option<SymbolTable> {
    builtin_facts()
        .find(id)
        .or_else(|| own_facts().ok()?.find(id).map(SymbolTable::of_own_facts))
}

/// The version of the kernel with this PDB.
pub fn version_of(id: &PdbId) -> Option<&'static str> {
    builtin_facts()
        .version_of(id)
        .or_else(|| own_facts().ok()?.version_of(id))
}

/// All known kernels in which the `stated` symbols lie where it is stated; see [`Facts::matching`].
pub fn matching(stated: &[(&str, Rva)]) -> Vec<(usize, &'static PdbId)> {
    let mut found = builtin_facts().matching(stated);
    let own = own_facts().map_or_else(|_| Vec::new(), |own| own.matching(stated));
    found.extend(own.into_iter().filter(|(_, id)| {
        // A kernel that is known twice is one kernel.
        builtin_facts().version_of(id).is_none()
    }));
    found
}

/// A kernel's table in a facts file.
fn read(path: &Path) -> Result<Facts> {
    match std::fs::read(path) {
        Ok(packed) => Facts::parse(&packed).map_err(|error| Error::File {
            path: path.to_owned(),
            reason: format!(
                "not a facts file of this version ({error}): remove it and add the kernels again"
            ),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Facts::default()),
        Err(source) => Err(Error::open(path, source)),
    }
}

/// Adds kernels to a facts file; one that is in it already is replaced. Returns how many it holds then.
///
/// # Errors
/// [`Error::File`] when the file is no facts file or cannot be written; [`Error::Corrupt`] for a table without an identity.
pub fn add(path: &Path, tables: &[SymbolTable]) -> Result<usize> {
    let refused = |e: std::io::Error| Error::File {
        path: path.to_owned(),
        reason: format!("cannot be written: {e}"),
    };
    let mut all: Vec<SymbolTable> = tables.iter().map(select).collect();
    let is_new = |table: &SymbolTable| {
        table.identity().is_some_and(|id| {
            !tables
                .iter()
                .filter_map(SymbolTable::identity)
                .any(|new| new.same_link(id))
        })
    };
    all.extend(read(path)?.tables().filter(is_new));
    let packed = encode(&all)?;
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    std::fs::create_dir_all(&folder).map_err(refused)?;
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(refused)?;
    file.write_all(&packed).map_err(refused)?;
    file.persist(path).map_err(|e| refused(e.error))?;
    Ok(all.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_added_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own").join("nt.facts.xz");
        let known = |version| builtin_facts().by_version(version).unwrap();
        let oldest = builtin_facts().builds()[0].0;
        let (old, new) = (known(oldest), known("19041.3570"));
        assert_eq!(add(&path, std::slice::from_ref(&old)).unwrap(), 1);
        assert_eq!(add(&path, &[new.clone(), old.clone()]).unwrap(), 2);
        let facts = read(&path).unwrap();
        let id = new.identity().unwrap();
        let found = facts.find(id).unwrap();
        assert_eq!(found.rva("PoolTrackTable"), new.rva("PoolTrackTable"));
        assert_eq!(facts.version_of(id), Some("10.0.19041.3570"));

        std::fs::write(&path, b"no facts").unwrap();
        let said = add(&path, &[old]).unwrap_err().to_string();
        assert!(
            said.contains("remove it and add the kernels again"),
            "{said}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"no facts");
    }
}
