//! What was made of a symbol file, kept for the next time: reading a kernel's PDB takes a second, mapping what became of
//! it a millisecond.
//!
//! Each symbol file has one cache file, which says of which file in which state it is, and is believed only if its checksum
//! is right. It is written under another name and then renamed, so that two programs that write it do not disturb each
//! other, and nobody ever sees half of it. Whatever is wrong with it, the symbol file is read again.

use super::packed::Packed;
use super::table::{Source, SymbolTable};
use super::{builder, home};
use rkd_dump::bytes::ReadAt;
use rkd_dump::map::Map;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::UNIX_EPOCH;

const MAGIC: &[u8; 12] = b"rkd symbols\0";

/// Raise it when the form of what is packed changes, and when a reader makes more of a symbol file than before.
const VERSION: u32 = 1;

/// The magic, the version, the checksum and the length of the stamp.
const HEADER: usize = 24;

/// Symbol files below this size, in bytes, are read faster than they are found here.
pub(crate) const MIN_FILE_BYTES: u64 = 32 << 10;

/// When all cache files together are larger than this, in bytes, the oldest go.
const MAX_CACHE_BYTES: u64 = 2 << 30;

/// How much of a symbol file's beginning and end is compared, in bytes.
const COMPARED_BYTES: usize = 4096;

/// A folder of cache files.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// Which file it is, in which state. A file that was changed since has another one.
#[derive(Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Without links and detours.
    path: PathBuf,
    bytes: Vec<u8>,
}

static USED: OnceLock<Cache> = OnceLock::new();

/// From now on every symbol file that this process reads is kept in the user's cache folder ([`home::cache`]), and sought
/// there first. A library that reads symbols keeps nothing unless it is told so.
pub fn enable() {
    if let Some(folder) = home::cache() {
        let _ = USED.set(Cache::at(folder.join("index")));
    }
}

/// The cache of this process, if there is one.
pub(super) fn used() -> Option<&'static Cache> {
    USED.get()
}

impl Stamp {
    /// The stamp of a file that is already mapped.
    ///
    /// # Errors
    /// When the file's state cannot be asked for.
    pub(super) fn of(path: &Path, file: &Map) -> io::Result<Stamp> {
        let path = fs::canonicalize(path)?;
        let state = fs::metadata(&path)?;
        let modified = state
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default();
        let bytes = file.bytes();
        let (length, probe) = (bytes.len(), COMPARED_BYTES.min(bytes.len()));
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(bytes.get(..probe).unwrap_or_default());
        checksum.update(bytes.get(length - probe..).unwrap_or_default());
        let mut stamp = Vec::new();
        stamp.extend((length as u64).to_le_bytes());
        stamp.extend(modified.as_nanos().to_le_bytes());
        stamp.extend(checksum.finalize().to_le_bytes());
        stamp.extend(path.as_os_str().as_encoded_bytes());
        Ok(Stamp { path, bytes: stamp })
    }

    /// One name for each path; the state is inside.
    fn file_name(&self) -> String {
        // FNV-1a: the same for every build of the program.
        let path = self.path.as_os_str().as_encoded_bytes();
        let hash = path.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let stem = self.path.file_name().unwrap_or_default().to_string_lossy();
        let stem: String = stem.chars().take(64).collect();
        format!("{stem}-{hash:016x}.rkdsym")
    }
}

impl Cache {
    /// The cache in a folder, which is made when something is kept.
    pub fn at(folder: PathBuf) -> Cache {
        Cache { folder }
    }

    /// What is kept of a symbol file.
    pub(super) fn find(&self, stamp: &Stamp, path: &Path) -> Option<SymbolTable> {
        let mut file = File::open(self.folder.join(stamp.file_name())).ok()?;
        let start = checked(&mut file, stamp)?;
        let packed = Packed::open(Map::of(&file).ok()?, start)?;
        // The last byte before what is packed says what kind of file it was.
        let source = match packed.before().last()? {
            b'i' => Source::Isf(path.to_owned()),
            _ => Source::Pdb(path.to_owned()),
        };
        let table = SymbolTable::of(source, Arc::new(packed));
        let slack = builder::slack_after_mi_state(&table);
        Some(table.with_mi_state_slack(slack))
    }

    /// Keeps a table for the next time.
    ///
    /// # Errors
    /// When the folder cannot be written to. That is no reason to worry anybody: the table is there all the same.
    pub(super) fn keep(&self, stamp: &Stamp, table: &SymbolTable) -> io::Result<()> {
        let kind = match table.source() {
            Source::Isf(_) => b'i',
            Source::Pdb(_) => b'p',
            _ => return Ok(()),
        };
        let image = table.packed().image();
        let mut checksum = crc32fast::Hasher::new();
        for part in [&stamp.bytes, [kind].as_slice(), image] {
            checksum.update(part);
        }
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(".rkdsym")
            .tempfile_in(&self.folder)?;
        file.write_all(MAGIC)?;
        for number in [VERSION, checksum.finalize(), stamp.bytes.len() as u32] {
            file.write_all(&number.to_le_bytes())?;
        }
        for part in [&stamp.bytes, [kind].as_slice(), image] {
            file.write_all(part)?;
        }
        file.persist(self.folder.join(stamp.file_name()))
            .map_err(|e| e.error)?;
        self.make_room(MAX_CACHE_BYTES);
        Ok(())
    }

    /// Removes the oldest files, and what a program that was killed left half-written, until the rest fits.
    fn make_room(&self, room: u64) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let state = entry.metadata().ok().filter(fs::Metadata::is_file)?;
                Some((state.modified().ok()?, state.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (modified, length, path) in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_old = modified.elapsed().is_ok_and(|age| age.as_secs() > 86_400);
            let is_left = name.starts_with(".rkdsym") && is_old;
            if is_left || (total > room && name.ends_with(".rkdsym")) {
                total = total.saturating_sub(length);
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Where what is packed begins, if the file is of this version, of the stamped file, and whole. It is read for that, not
/// mapped: what was only checked is not to stay in memory.
fn checked(file: &mut File, stamp: &Stamp) -> Option<usize> {
    let mut header = [0; HEADER];
    file.read_exact(&mut header).ok()?;
    if !header.starts_with(MAGIC)
        || header.u32_at(12)? != VERSION
        || header.u32_at(20)? as usize != stamp.bytes.len()
    {
        return None;
    }
    let mut found = vec![0; stamp.bytes.len()];
    file.read_exact(&mut found).ok()?;
    if found != stamp.bytes {
        return None;
    }
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&found);
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece).ok()? {
            0 => break,
            length => checksum.update(piece.get(..length)?),
        }
    }
    (checksum.finalize() == header.u32_at(16)?).then_some(HEADER + stamp.bytes.len() + 1)
}
