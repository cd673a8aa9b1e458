//! How a file gets into a store: written to a temporary file beside the folders, checked, and renamed into its place. Nobody
//! ever sees half a file, and two programs that fetch the same one do not disturb each other.

use super::content::{self, Content};
use super::error::StoreError;
use super::layout;
use crate::{PdbId, cabinet, file};
use rkd_dump::map::Map;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::{Builder, NamedTempFile};

/// Names of temporary files.
const PREFIX: &str = ".rkd-";
const SUFFIX: &str = ".part";

/// Whether a file of this name is on its way into a store.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// A temporary file of ours that has not been written to for so long belongs to a program that was killed.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// A file on its way into a store. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Incoming {
    temporary: NamedTempFile,
    store: PathBuf,
}

impl Incoming {
    /// An empty one. The store's folder is made if it is missing, and what killed programs left there is removed.
    ///
    /// # Errors
    /// [`StoreError::Folder`] when the folder cannot be written to.
    pub(crate) fn new(store: &Path) -> Result<Incoming, StoreError> {
        let refused = |error| StoreError::Folder {
            store: store.to_owned(),
            error,
        };
        fs::create_dir_all(store).map_err(refused)?;
        sweep(store, SystemTime::now());
        let mut builder = Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        // Temporary files are private, but this one will be everybody's.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        Ok(Incoming {
            temporary: builder.tempfile_in(store).map_err(refused)?,
            store: store.to_owned(),
        })
    }

    /// Checks what was written, and gives it its place: the PDB, unpacked if it came in a cabinet, or a symbol table.
    ///
    /// # Errors
    /// What is wrong with the file. Nothing of it is left then.
    pub(crate) fn file(self, id: &PdbId) -> Result<PathBuf, StoreError> {
        self.place(id, true)
    }

    fn place(self, id: &PdbId, may_be_packed: bool) -> Result<PathBuf, StoreError> {
        let path = self.temporary.path();
        let content = Content::of_file(path)?;
        if content == Content::Cabinet && may_be_packed {
            let mut inner = Incoming::new(&self.store)?;
            let packed = Map::open(path)?;
            let file = cabinet::only_file(packed.bytes())?;
            inner.write_all(&file)?;
            return inner.place(id, false);
        }
        let found = content::identity(path)?;
        if !found.same_link(id) {
            return Err(StoreError::WrongBuild {
                found,
                wanted: id.clone(),
            });
        }
        let packed = content == Content::Isf && is_xz(path);
        let place = layout::place(id, content == Content::Isf, packed)
            .ok_or_else(|| StoreError::Name(id.name.clone()))?;
        let place = self.store.join(place);
        let refused = |error| StoreError::Place {
            place: place.clone(),
            error,
        };
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder).map_err(refused)?;
        }
        match self.temporary.persist(&place) {
            Ok(_) => Ok(place),
            // Windows replaces no file that another program has mapped; if it is the same, nothing is lost.
            Err(_) if content::identity(&place).is_ok_and(|there| there.same_link(id)) => Ok(place),
            Err(e) => Err(refused(e.error)),
        }
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// Files what somebody brought: whatever build it is of, as long as it is a symbol file and whole.
///
/// # Errors
/// When it is none, is damaged, or the store cannot be written to.
pub fn file_any(source: &Path, store: &Path) -> Result<(PdbId, PathBuf), StoreError> {
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let id = match Content::of_file(source)? {
        Content::Cabinet => {
            let mut unpacked = Incoming::new(store)?;
            let packed = Map::open(source)?;
            unpacked
                .write_all(&cabinet::only_file(packed.bytes())?)
                .map_err(StoreError::Unpack)?;
            let found = content::identity(unpacked.temporary.path())?;
            match is_temporary(&found.name) {
                // A PDB is called as its cabinet is.
                true => PdbId {
                    name: layout::unpacked_name(&name),
                    ..found
                },
                false => found,
            }
        }
        _ => content::identity(source)?,
    };
    // The whole file is read, not only what it says of itself: what is filed is used without a second look.
    file::open(source, Some(&id))?;
    let path = file_copy(source, store, &id)?;
    Ok((id, path))
}

/// Copies a file into a store, checked and unpacked as one that was fetched.
///
/// # Errors
/// As [`Incoming::file`].
pub(crate) fn file_copy(source: &Path, store: &Path, id: &PdbId) -> Result<PathBuf, StoreError> {
    let mut incoming = Incoming::new(store)?;
    fs::File::open(source)
        .and_then(|mut file| io::copy(&mut file, &mut incoming))
        .map_err(StoreError::Copy)?;
    incoming.file(id)
}

fn is_xz(path: &Path) -> bool {
    let mut first = [0; 6];
    let read =
        fs::File::open(path).and_then(|mut file| io::Read::read_exact(&mut file, &mut first));
    read.is_ok() && first == *b"\xfd7zXZ\0"
}

fn sweep(store: &Path, now: SystemTime) {
    for entry in fs::read_dir(store).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        let age = || {
            now.duration_since(entry.metadata().ok()?.modified().ok()?)
                .ok()
        };
        if is_ours && age().is_some_and(|age| age > STALE) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::msf::tests::pdb;
    use super::*;
    use crate::Guid;

    const GUID: u128 = 0x606F_F669_409B_00F7_FC8C_61A9_C167_0129;

    fn id() -> PdbId {
        PdbId::new(Guid(GUID), 26, "nt.pdb")
    }

    /// All files below a folder.
    fn files(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(next) = waiting.pop() {
            for entry in fs::read_dir(next).unwrap().flatten() {
                match entry.path().is_dir() {
                    true => waiting.push(entry.path()),
                    false => found.push(
                        entry
                            .path()
                            .strip_prefix(folder)
                            .unwrap()
                            .to_string_lossy()
                            .replace('\\', "/"),
                    ),
                }
            }
        }
        found
    }

    fn filed(bytes: &[u8], store: &Path) -> Result<PathBuf, StoreError> {
        let mut incoming = Incoming::new(store)?;
        incoming.write_all(bytes).unwrap();
        incoming.file(&id())
    }

    fn cabinet(inner: &[u8]) -> Vec<u8> {
        let mut builder = cab::CabinetBuilder::new();
        builder
            .add_folder(cab::CompressionType::MsZip)
            .add_file("nt.pdb");
        let mut writer = builder.build(io::Cursor::new(Vec::new())).unwrap();
        writer
            .next_file()
            .unwrap()
            .unwrap()
            .write_all(inner)
            .unwrap();
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn the_right_file_gets_its_place() {
        let place = "nt.pdb/606FF669409B00F7FC8C61A9C16701291A/nt.pdb";
        for bytes in [pdb(GUID, 26), cabinet(&pdb(GUID, 26))] {
            let store = tempfile::tempdir().unwrap();
            let path = filed(&bytes, store.path()).unwrap();
            assert_eq!(path, store.path().join(place));
            assert_eq!(files(store.path()), [place]);
            assert_eq!(fs::read(path).unwrap(), pdb(GUID, 26));
        }
    }

    #[test]
    fn a_wrong_file_leaves_nothing() {
        let store = tempfile::tempdir().unwrap();
        let mut short = pdb(GUID, 26);
        short.truncate(3000);
        for (bytes, why) in [
            (
                pdb(GUID, 25),
                "it is for 606FF669409B00F7FC8C61A9C1670129-25, not for 606FF669409B00F7FC8C61A9C1670129-26",
            ),
            (b"<html>".to_vec(), "a web page, not a symbol file"),
            (short, "cut short: 3000 of 3584 bytes"),
            (cabinet(b"no PDB"), "not a symbol file"),
            (
                cabinet(&cabinet(&pdb(GUID, 26))),
                "a cabinet: unpack it first",
            ),
        ] {
            assert_eq!(filed(&bytes, store.path()).unwrap_err().to_string(), why);
            assert!(files(store.path()).is_empty());
        }
    }

    #[test]
    fn what_a_killed_program_left_goes_after_a_day() {
        let store = tempfile::tempdir().unwrap();
        for name in [".rkd-1.part", "nt.part", ".rkd-x"] {
            fs::write(store.path().join(name), "").unwrap();
        }
        sweep(store.path(), SystemTime::now() + STALE / 2);
        assert_eq!(files(store.path()).len(), 3);
        sweep(store.path(), SystemTime::now() + STALE * 2);
        let mut left = files(store.path());
        left.sort();
        assert_eq!(left, [".rkd-x", "nt.part"]);
    }
}
