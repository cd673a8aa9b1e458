//! Where a symbol file may lie: flat in a folder, in the folders where dbghelp looks, or in a store of two or three tiers.

use crate::{PdbId, id};
use std::path::{Path, PathBuf};

/// dbghelp looks for the PDB of `x.sys` in the folder, in `sys` and in `symbols\sys` below it.
const EXTENSIONS: [&str; 3] = ["sys", "exe", "dll"];

/// A place to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidate {
    /// A symbol file, plain or packed.
    File(PathBuf),
    /// A `file.ptr`.
    Pointer(PathBuf),
}

impl Candidate {
    /// The path.
    pub fn path(&self) -> &Path {
        let (Candidate::File(path) | Candidate::Pointer(path)) = self;
        path
    }
}

/// The PDB's file name, if it is one that leads nowhere else: it comes out of an image in a dump.
pub fn safe_name(id: &PdbId) -> Option<&str> {
    let name = id::file_name(&id.name);
    let is_safe = !matches!(name, "" | "." | "..")
        && !name.contains([':', '*', '?', '"', '<', '>', '|'])
        && !name.contains(char::is_control);
    is_safe.then_some(name)
}

/// `nt.pdb` as it is called when it is packed: the last letter is an underscore.
pub(crate) fn packed_name(name: &str) -> String {
    let mut letters: String = name.to_string();
    letters.pop();
    letters + "_"
}

/// The name of what is in `nt.pd_`: a PDB in nearly every case.
pub(crate) fn unpacked_name(name: &str) -> String {
    match name.strip_suffix('_') {
        Some(start) if start.to_ascii_lowercase().ends_with(".pd") => format!("{start}b"),
        _ => name.to_string(),
    }
}

/// Where in a store a file is put: `nt.pdb/GUIDAGE/nt.pdb`, `nt.pdb/GUID-AGE.json.xz`.
pub fn place(id: &PdbId, is_isf: bool, is_packed: bool) -> Option<PathBuf> {
    let name = safe_name(id)?;
    let folder = Path::new(name);
    Some(match (is_isf, is_packed) {
        (false, _) => folder.join(id.store_name()).join(name),
        (true, true) => folder.join(format!("{}.json.xz", id.isf_name())),
        (true, false) => folder.join(format!("{}.json", id.isf_name())),
    })
}

/// The places in a store, in the order in which they are looked at.
pub(crate) fn in_store(store: &Path, id: &PdbId) -> Vec<Candidate> {
    let Some(name) = safe_name(id) else {
        return Vec::new();
    };
    let mut folders = Vec::new();
    for name in spellings(name.to_string()) {
        // A store of three tiers says so with this file, and begins with two letters of the name.
        if store.join("index2.txt").is_file() {
            let start: String = name.chars().take(2).collect();
            folders.push(store.join(start).join(&name));
        }
        folders.push(store.join(name));
    }
    // Collections of tables have no folders at all.
    let mut candidates = tables(store, id);
    for folder in &folders {
        for hash in spellings(id.store_name()) {
            let folder = folder.join(hash);
            for name in spellings(name.to_string()) {
                let packed = packed_name(&name);
                candidates.extend([name, packed].map(|name| Candidate::File(folder.join(name))));
            }
            candidates.extend(tables_in(&folder));
            candidates.push(Candidate::Pointer(folder.join("file.ptr")));
        }
        candidates.extend(tables(folder, id));
    }
    // Volatility's own folders have one more in front.
    candidates.extend(tables(&store.join("windows").join(name), id));
    without_doubles(candidates)
}

/// The places in a plain folder: those of dbghelp, tables by GUID and age, and the folder as a store.
pub(crate) fn in_folder(folder: &Path, id: &PdbId) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    if let Some(name) = safe_name(id) {
        let below = EXTENSIONS.iter().flat_map(|extension| {
            [
                folder.join("symbols").join(extension),
                folder.join(extension),
            ]
        });
        for folder in std::iter::once(folder.to_owned()).chain(below) {
            for name in spellings(name.to_string()) {
                let packed = packed_name(&name);
                candidates.extend([name, packed].map(|name| Candidate::File(folder.join(name))));
            }
        }
    }
    candidates.extend(in_store(folder, id));
    without_doubles(candidates)
}

/// `GUID-AGE.json.xz` in a folder.
fn tables(folder: &Path, id: &PdbId) -> Vec<Candidate> {
    let names = spellings(id.isf_name()).into_iter().flat_map(|name| {
        ["json", "json.xz"].map(|extension| folder.join(format!("{name}.{extension}")))
    });
    names.map(Candidate::File).collect()
}

/// The tables in the folder of one build, whatever they are called.
fn tables_in(folder: &Path) -> Vec<Candidate> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.retain(|path| {
        path.to_str()
            .is_some_and(|path| path.ends_with(".json") || path.ends_with(".json.xz"))
    });
    found.sort();
    found.into_iter().map(Candidate::File).collect()
}

/// Where the file system does not tell upper from lower case, two spellings are one file.
fn without_doubles(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut seen = std::collections::HashSet::new();
    candidates.retain(|candidate| {
        let path = candidate.path();
        seen.insert(std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
    });
    candidates
}

/// As it is, and in lower case where that is another.
fn spellings(name: String) -> Vec<String> {
    let lower = name.to_lowercase();
    match lower == name {
        true => vec![name],
        false => vec![name, lower],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Guid;

    fn id(name: &str) -> PdbId {
        PdbId::new(Guid(0xAB), 1, name)
    }

    #[test]
    fn a_name_from_a_dump_leads_nowhere_else() {
        for name in ["..", "../", r"x\..", "/", "", "c:x.pdb", "a\nb.pdb"] {
            assert_eq!(safe_name(&id(name)), None, "{name:?}");
            assert!(in_store(Path::new("/s"), &id(name)).is_empty());
            assert_eq!(place(&id(name), false, false), None);
        }
        assert_eq!(safe_name(&id(r"d:\build\x.pdb")), Some("x.pdb"));
    }

    #[test]
    fn packed_files_end_in_an_underscore() {
        assert_eq!(packed_name("nt.pdb"), "nt.pd_");
        assert_eq!(packed_name("é"), "_");
        assert_eq!(unpacked_name("nt.pd_"), "nt.pdb");
        assert_eq!(unpacked_name("nt.sy_"), "nt.sy_");
    }

    #[test]
    fn three_tiers_only_where_the_store_says_so() {
        let store = tempfile::tempdir().unwrap();
        let first = |store: &Path| {
            let candidates = in_store(store, &id("NT.pdb"));
            let is_pdb = |path: &&Path| path.extension().is_some_and(|e| e == "pdb");
            let first = candidates.iter().map(Candidate::path).find(is_pdb);
            first.unwrap().strip_prefix(store).unwrap().to_owned()
        };
        let hash = "000000000000000000000000000000AB1";
        assert_eq!(
            first(store.path()),
            Path::new("NT.pdb").join(hash).join("NT.pdb")
        );
        std::fs::write(store.path().join("index2.txt"), ".").unwrap();
        assert_eq!(
            first(store.path()),
            Path::new("NT/NT.pdb").join(hash).join("NT.pdb")
        );
    }
}
