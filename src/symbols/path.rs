//! The symbol path: where symbol files are looked for, in kd's notation, and what was found there and why not.

use super::{PdbId, SymbolTable, file, id};
use std::fmt;
use std::path::{Path, PathBuf};

/// A list of places, as `_NT_SYMBOL_PATH` and `.sympath` have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolPath {
    text: String,
    directories: Vec<PathBuf>,
    servers: Vec<String>,
}

/// What a search found.
#[derive(Debug)]
pub struct Lookup {
    /// The table, if one of the files was the right one.
    pub table: Option<SymbolTable>,
    /// The places that did not give it, in the order of the search.
    pub tried: Vec<Tried>,
}

/// A place that was looked at in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// A file, or a directory without a file that fits.
    pub path: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

/// `DIR: there is no such directory`.
impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl SymbolPath {
    /// Reads a path: places with semicolons between them. A place is a directory, a symbol file, `srv*CACHE*URL`,
    /// `symsrv*DLL*CACHE*URL` or `cache*CACHE`. Of a server's place the local caches are used as directories, and the
    /// addresses are kept; nothing is refused.
    pub fn parse(text: &str) -> SymbolPath {
        let mut path = SymbolPath {
            text: text.trim().to_owned(),
            ..SymbolPath::default()
        };
        for place in text
            .split(';')
            .map(str::trim)
            .filter(|place| !place.is_empty())
        {
            let mut parts = place.split('*');
            let first = parts.next().unwrap_or_default();
            let is = |name: &str| first.eq_ignore_ascii_case(name) && place.contains('*');
            if is("symsrv") {
                parts.next();
            } else if !is("srv") && !is("cache") {
                path.add(place);
                continue;
            }
            parts.for_each(|part| path.add(part.trim()));
        }
        path
    }

    fn add(&mut self, place: &str) {
        if place.contains("://") {
            if !self.servers.iter().any(|server| server == place) {
                self.servers.push(place.to_owned());
            }
        } else if !place.is_empty() && !self.directories.iter().any(|d| d == Path::new(place)) {
            self.directories.push(place.into());
        }
    }

    /// The directories and files, each once, in their order.
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// The servers' addresses, each once, in their order.
    pub fn servers(&self) -> &[String] {
        &self.servers
    }

    /// Looks for the symbol file of a PDB: directly in a directory, in the folder of its PDB's name, or in a symbol store.
    ///
    /// A file must say itself that it has this GUID and age. Another one is refused, because each update of Windows moves
    /// every address, and wrong symbols give wrong answers that look right.
    pub fn find(&self, id: &PdbId) -> Lookup {
        let mut tried = Vec::new();
        for directory in &self.directories {
            let before = tried.len();
            let candidates = if directory.is_dir() {
                candidates(directory, id)
            } else {
                vec![directory.clone()]
            };
            for path in candidates.into_iter().filter(|path| path.is_file()) {
                match open(&path, id) {
                    Ok(table) => {
                        return Lookup {
                            table: Some(table),
                            tried,
                        };
                    }
                    Err(why) => tried.push(Tried { path, why }),
                }
            }
            if tried.len() == before {
                let why = if directory.is_dir() {
                    format!("no file for {id}")
                } else {
                    "there is no such directory".into()
                };
                tried.push(Tried {
                    path: directory.clone(),
                    why,
                });
            }
        }
        Lookup { table: None, tried }
    }
}

/// As it was typed.
impl fmt::Display for SymbolPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn open(path: &Path, id: &PdbId) -> Result<SymbolTable, String> {
    file::open(path, Some(id)).map_err(|e| {
        let text = e.to_string();
        text.strip_prefix(&format!("{}: ", path.display()))
            .map_or(text.clone(), str::to_owned)
    })
}

/// The files that may be the one, whether they exist or not.
fn candidates(directory: &Path, id: &PdbId) -> Vec<PathBuf> {
    // The name comes out of an image in a dump: it must not lead anywhere else.
    let pdb = id::file_name(&id.name);
    let folders = match pdb {
        "" | "." | ".." => vec![],
        pdb => vec![directory.join(pdb), directory.join("windows").join(pdb)],
    };
    let mut files: Vec<PathBuf> = folders.iter().take(1).cloned().collect();
    for folder in std::iter::once(directory).chain(folders.iter().map(PathBuf::as_path)) {
        for name in spellings(id.isf_name()) {
            files.extend(
                ["json", "json.xz"].map(|extension| folder.join(format!("{name}.{extension}"))),
            );
        }
    }
    for store in folders
        .first()
        .into_iter()
        .flat_map(|folder| spellings(id.store_name()).map(|name| folder.join(name)))
    {
        let mut found: Vec<_> = std::fs::read_dir(store)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        found.retain(|path| {
            path.to_str().is_some_and(|p| {
                [".json", ".json.xz", ".pdb", ".pd_"]
                    .iter()
                    .any(|end| p.ends_with(end))
            })
        });
        found.sort();
        files.append(&mut found);
    }
    // Where the file system does not tell upper from lower case, both spellings are the same file.
    let mut seen = std::collections::HashSet::new();
    files.retain(|path| seen.insert(std::fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    files
}

/// In upper and in lower case.
fn spellings(name: String) -> [String; 2] {
    let lower = name.to_lowercase();
    [name, lower]
}

#[cfg(test)]
mod tests {
    use super::super::Guid;
    use super::*;

    #[test]
    fn servers_are_remembered_and_their_caches_used() {
        let text = r" /a ;srv*C:\sym*https://msdl.example/x;SymSrv*symsrv.dll*\\host\share;cache*;;Cache*/c;SRV*https://b.example;/a;srv";
        let path = SymbolPath::parse(text);
        let expected = [r"/a", r"C:\sym", r"\\host\share", "/c", "srv"].map(PathBuf::from);
        assert_eq!(path.directories(), expected);
        assert_eq!(
            path.servers(),
            ["https://msdl.example/x", "https://b.example"]
        );
        assert_eq!(path.to_string(), text.trim());
        assert_eq!(
            SymbolPath::parse(" ; "),
            SymbolPath {
                text: ";".into(),
                ..SymbolPath::default()
            }
        );
    }

    fn isf(guid: &str, age: u32) -> String {
        format!(
            r#"{{"metadata": {{"format": "6.1.0", "windows": {{"pdb": {{"GUID": "{guid}", "age": {age}, "database": "nt.pdb"}}}}}}}}"#
        )
    }

    const GUID: &str = "606FF669409B00F7FC8C61A9C1670129";

    fn id() -> PdbId {
        PdbId::new(GUID.parse::<Guid>().unwrap(), 10, "nt.pdb")
    }

    #[test]
    fn every_layout_is_found() {
        for place in [
            format!("{GUID}-10.json"),
            format!("{}-10.json", GUID.to_lowercase()),
            format!("nt.pdb/{GUID}-10.json"),
            format!("windows/nt.pdb/{GUID}-10.json"),
            format!("nt.pdb/{GUID}A/nt.json"),
            format!("nt.pdb/{}a/x.json", GUID.to_lowercase()),
        ] {
            let root = tempfile::tempdir().unwrap();
            let file = root.path().join(&place);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, isf(GUID, 10)).unwrap();
            for element in [root.path(), &file] {
                let found =
                    SymbolPath::parse(&format!("/nonexistent;{}", element.display())).find(&id());
                let table = found.table.unwrap_or_else(|| panic!("{place}"));
                assert_eq!(table.source().to_string(), file.display().to_string());
                assert_eq!(found.tried.len(), 1);
                assert_eq!(
                    found.tried[0].to_string(),
                    "/nonexistent: there is no such directory"
                );
            }
        }
    }

    #[test]
    fn a_file_of_another_build_is_refused_and_said() {
        let root = tempfile::tempdir().unwrap();
        let file = |name: &str| root.path().join(format!("{GUID}-10.{name}"));
        std::fs::write(file("json"), isf(GUID, 9)).unwrap();
        std::fs::write(file("json.xz"), b"\xfd7zXZ\0garbage").unwrap();
        std::fs::create_dir_all(root.path().join(format!("nt.pdb/{GUID}A"))).unwrap();
        std::fs::write(
            root.path().join(format!("nt.pdb/{GUID}A/a.json")),
            r#"{"metadata": {"format": "6.0"}}"#,
        )
        .unwrap();
        let found = SymbolPath::parse(&root.path().display().to_string()).find(&id());
        assert!(found.table.is_none());
        let why: Vec<_> = found.tried.iter().map(|tried| tried.why.as_str()).collect();
        assert_eq!(
            why,
            [
                &*format!("it is for nt.pdb {GUID}-9, not for nt.pdb {GUID}-10"),
                "cannot unpack: lzma data error",
                "it does not say which PDB it was made from",
            ]
        );
    }

    #[test]
    fn a_pdb_name_from_an_image_leads_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("in");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(root.path().join(format!("{GUID}-10.json")), isf(GUID, 10)).unwrap();
        for name in ["..", "../", r"x\..", "/"] {
            let id = PdbId {
                name: name.into(),
                ..id()
            };
            let found = SymbolPath::parse(&inner.display().to_string()).find(&id);
            assert!(found.table.is_none(), "{name}");
            assert_eq!(found.tried.len(), 1);
        }
    }
}
