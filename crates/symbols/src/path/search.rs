//! Looking for the symbol file of a PDB along a path: first everything that is on this machine, then the servers.

use super::{Level, PathElement, SymbolPath};
use crate::server::{Failure, Servers};
use crate::store::content::reason;
use crate::store::layout::{self, Candidate, in_folder, in_store};
use crate::store::{Pointer, file_copy};
use crate::{PdbId, SymbolTable, file, home};
use std::fmt;
use std::path::{Path, PathBuf};

/// How far a search goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Files only.
    #[default]
    Here,
    /// Servers too, as far as [`Servers`] lets it.
    Servers,
}

/// How a search is done.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// How far it goes.
    pub reach: Reach,
    /// Whether a file of another build is taken when there is no right one (`.reload /i`).
    pub mismatched: bool,
    /// The servers, and who is told.
    pub servers: Servers,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Lookup {
    /// The table, if one of the files was the right one, or one that was taken all the same.
    pub table: Option<SymbolTable>,
    /// Whether the table is of another build.
    pub is_mismatched: bool,
    /// Ctrl-C ended the search, or servers are not to be asked now: what it did not find may be there.
    pub is_stopped: bool,
    /// The places that did not give it, in the order of the search.
    pub tried: Vec<Tried>,
}

/// A place that was looked at in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// A file, a folder without a file that fits, or a server.
    pub place: String,
    /// What was wrong with it.
    pub why: String,
    /// Whether there was a file, and it was refused.
    pub is_refused: bool,
}

/// `DIR: there is no such directory`.
impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.why)
    }
}

impl SymbolPath {
    /// Looks for the symbol file of a PDB on this machine: directly in a folder, where dbghelp looks below it, or in a
    /// symbol store.
    ///
    /// A file must say itself that it has this GUID and age. Another one is refused, because each update of Windows moves
    /// every address, and wrong symbols give wrong answers that look right.
    pub fn find(&self, id: &PdbId) -> Lookup {
        self.search(id, &How::default())
    }

    /// The same, as far as `how` says.
    pub fn search(&self, id: &PdbId, how: &How) -> Lookup {
        let mut search = Search {
            id,
            how,
            lookup: Lookup::default(),
            pointers: Vec::new(),
            mismatched: None,
        };
        let found = search.here(self).or_else(|| search.servers(self));
        let found = found.or_else(|| search.mismatched());
        Lookup {
            table: found,
            ..search.lookup
        }
    }
}

struct Search<'a> {
    id: &'a PdbId,
    how: &'a How,
    lookup: Lookup,
    /// Addresses that stores on this machine point to, with the stores that are to get what is there.
    pointers: Vec<(String, Vec<PathBuf>)>,
    /// The first file of another build.
    mismatched: Option<PathBuf>,
}

impl Search<'_> {
    /// All places on this machine.
    fn here(&mut self, path: &SymbolPath) -> Option<SymbolTable> {
        let mut caches: Vec<PathBuf> = Vec::new();
        for place in &path.places {
            let found = match place {
                PathElement::Folder(folder) => self.folder(folder, &caches),
                PathElement::Cache(store) => {
                    let found = self.store(store, &caches);
                    caches.push(store.clone());
                    found
                }
                PathElement::Chain(levels) => {
                    let mut nearer = caches.clone();
                    levels.iter().find_map(|level| {
                        let store = level.folder()?;
                        let found = self.store(store, &nearer);
                        nearer.push(store.clone());
                        found
                    })
                }
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn folder(&mut self, folder: &Path, nearer: &[PathBuf]) -> Option<SymbolTable> {
        if !folder.is_dir() {
            // A symbol file may stand on the path itself.
            return self.among(
                folder,
                vec![Candidate::File(folder.into())],
                "DBGHELP:",
                nearer,
            );
        }
        self.among(folder, in_folder(folder, self.id), "DBGHELP:", nearer)
    }

    fn store(&mut self, store: &Path, nearer: &[PathBuf]) -> Option<SymbolTable> {
        self.among(store, in_store(store, self.id), "SYMSRV:  UNC:", nearer)
    }

    /// Looks at the candidates of a place.
    fn among(
        &mut self,
        place: &Path,
        candidates: Vec<Candidate>,
        speaker: &str,
        nearer: &[PathBuf],
    ) -> Option<SymbolTable> {
        let before = self.lookup.tried.len();
        for candidate in candidates {
            let path = candidate.path();
            if !path.is_file() {
                self.miss(path, speaker);
                continue;
            }
            let found = match &candidate {
                Candidate::File(path) => self.open(path, nearer),
                Candidate::Pointer(pointer) => self.follow(pointer, nearer),
            };
            if found.is_some() {
                return found;
            }
        }
        if self.lookup.tried.len() == before {
            let why = match place.is_dir() {
                true => format!("no file for {}", self.id),
                false => "there is no such directory".into(),
            };
            self.tried(place.display(), why, false);
        }
        None
    }

    /// The names by which symbol tables go, and names in lower case, are no business of dbghelp's: they would only fill the
    /// screen.
    fn miss(&self, path: &Path, speaker: &str) {
        let build = self.id.store_name();
        let is_lower = |part: &std::ffi::OsStr| {
            let part = part.to_str().unwrap_or_default();
            let is = |name: &str| part != name && part == name.to_lowercase();
            is(&build) || layout::safe_name(self.id).is_some_and(is)
        };
        if path.extension().is_some_and(|e| e == "json" || e == "xz") || path.iter().any(is_lower) {
            return;
        }
        self.how.servers.journal().noise(|| {
            let what = match path.parent().is_some_and(Path::is_dir) {
                true => "file",
                false => "path",
            };
            format!("{speaker} {} - {what} not found", path.display())
        });
    }

    fn open(&mut self, path: &Path, nearer: &[PathBuf]) -> Option<SymbolTable> {
        match file::open(path, Some(self.id)) {
            Ok(table) => {
                let journal = self.how.servers.journal();
                journal.noise(|| format!("DBGHELP: {} - OK", path.display()));
                for store in nearer.iter().rev() {
                    let copied = file_copy(path, store, self.id);
                    journal.noise(|| match copied {
                        Ok(copy) => format!("SYMSRV:  {} - copied", copy.display()),
                        Err(why) => format!("SYMSRV:  {} - not copied: {why}", store.display()),
                    });
                }
                Some(table)
            }
            Err(error) => {
                let why = reason(&error);
                self.mismatched.get_or_insert_with(|| path.to_owned());
                self.tried(path.display(), why, true);
                None
            }
        }
    }

    /// A store on this machine may point anywhere; only its own pointers are not followed twice.
    fn follow(&mut self, pointer: &Path, nearer: &[PathBuf]) -> Option<SymbolTable> {
        match Pointer::read(pointer) {
            Ok(Pointer::File(path)) if path.is_file() => return self.open(&path, nearer),
            Ok(Pointer::File(path)) => self.tried(
                pointer.display(),
                format!("it points to {}, which is not there", path.display()),
                true,
            ),
            Ok(Pointer::Url(url)) => self.pointers.push((url, nearer.to_vec())),
            Ok(Pointer::Message(text)) => {
                self.tried(pointer.display(), format!("it says: {text}"), true);
            }
            Err(error) => self.tried(pointer.display(), format!("cannot be read: {error}"), true),
        }
        None
    }

    /// The servers, in the order of the path.
    fn servers(&mut self, path: &SymbolPath) -> Option<SymbolTable> {
        if self.how.reach == Reach::Here {
            return None;
        }
        for (url, nearer) in std::mem::take(&mut self.pointers) {
            let store = nearer.last().cloned().or_else(home::symbols)?;
            let fetched = self.how.servers.fetch_from(&url, self.id, &store);
            let found = self.fetched(
                &url,
                fetched,
                nearer.split_last().map_or(&[], |(_, rest)| rest),
            );
            if found.is_some() || self.lookup.is_stopped {
                return found;
            }
        }
        let mut caches: Vec<PathBuf> = Vec::new();
        for place in &path.places {
            match place {
                PathElement::Folder(_) => {}
                PathElement::Cache(store) => caches.push(store.clone()),
                PathElement::Chain(levels) => {
                    let found = self.chain(levels, &caches);
                    if found.is_some() || self.lookup.is_stopped {
                        return found;
                    }
                }
            }
        }
        None
    }

    fn chain(&mut self, levels: &[Level], caches: &[PathBuf]) -> Option<SymbolTable> {
        let mut nearer = caches.to_vec();
        for level in levels {
            let server = match level {
                Level::Folder(store) => {
                    nearer.push(store.clone());
                    continue;
                }
                Level::Server(server) => server,
            };
            // What comes from a server goes into the store before it, and from there into the nearer ones.
            let Some((store, rest)) = nearer.split_last() else {
                self.tried(
                    server,
                    "no store before it, and no default cache".into(),
                    false,
                );
                continue;
            };
            let fetched = self.how.servers.fetch(server, self.id, store);
            let found = self.fetched(server, fetched, rest);
            if found.is_some() || self.lookup.is_stopped {
                return found;
            }
        }
        None
    }

    fn fetched(
        &mut self,
        server: &str,
        fetched: Result<PathBuf, Failure>,
        nearer: &[PathBuf],
    ) -> Option<SymbolTable> {
        match fetched {
            Ok(path) => return self.open(&path, nearer),
            Err(Failure::Stopped) => self.lookup.is_stopped = true,
            Err(Failure::Missing) => self.tried(server, format!("no file for {}", self.id), false),
            Err(Failure::Server(why) | Failure::Cache(why)) => self.tried(server, why, false),
            Err(Failure::File(why)) => self.tried(server, why, true),
        }
        None
    }

    /// A file of another build, when the user insists.
    fn mismatched(&mut self) -> Option<SymbolTable> {
        let path = self.mismatched.take().filter(|_| self.how.mismatched)?;
        let table = file::open(&path, None).ok()?;
        self.lookup.is_mismatched = true;
        self.how.servers.journal().remark(format!(
            "{} is of another build than {}: its names and addresses may be wrong",
            path.display(),
            self.id
        ));
        Some(table)
    }

    fn tried(&mut self, place: impl fmt::Display, why: String, is_refused: bool) {
        let journal = self.how.servers.journal();
        if is_refused {
            journal.noise(|| format!("DBGHELP: {place} - {why}"));
        }
        self.lookup.tried.push(Tried {
            place: place.to_string(),
            why,
            is_refused,
        });
    }
}

#[cfg(test)]
mod tests;
