//! What was made of a symbol file is kept for the next time, and never believed when it should not be.

use super::driver;
use crate::support::random::Random;
use rkd_symbols::cache::Cache;
use rkd_symbols::{SymbolTable, file};
use std::fs;
use std::path::{Path, PathBuf};

/// A symbol file and a cache in a folder that goes away.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(driver::file("driver.pdb"), folder.path().join("driver.pdb")).unwrap();
        Place { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("driver.pdb")
    }

    fn open(&self) -> SymbolTable {
        let cache = Cache::at(self.folder.path().join("cache"));
        file::open_through(Some(&cache), &self.file(), None).unwrap()
    }

    fn kept(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path().join("cache")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Everything that a table says.
pub fn all(table: &SymbolTable) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{:?} {:?} {}",
            table.identity(),
            table.machine(),
            table.pointer_size()
        ),
        format!("{} {:?}", table.is_private(), table.mi_state_slack()),
    ];
    lines.extend(table.all().map(|symbol| format!("{symbol:?}")));
    lines.extend(table.symbols_by_rva().map(|symbol| format!("{symbol:?}")));
    lines.extend(table.udts().map(|udt| format!("{udt:?}")));
    lines.extend(table.enumerations().map(|e| format!("{e:?}")));
    lines.extend(
        table
            .typedef_names()
            .map(|name| format!("{name} {:?}", table.typedef(name))),
    );
    lines
}

#[test]
fn the_second_opening_says_the_same_from_the_cache() {
    let place = Place::new();
    let whole = all(&driver::table());
    assert_eq!(all(&place.open()), whole);
    let [kept] = &place.kept()[..] else {
        unreachable!("one file is kept")
    };
    // A sign that it is the cache that answers: a name that only it has.
    let mut bytes = fs::read(kept).unwrap();
    let at = bytes
        .windows(14)
        .position(|w| w == b"AllocateObject")
        .unwrap();
    bytes[at..at + 14].copy_from_slice(b"AllocateObjecT");
    fs::write(kept, sealed(bytes)).unwrap();
    let table = place.open();
    assert!(table.rva("AllocateObjecT").is_some());
    assert_eq!(
        table.source().to_string(),
        place.file().display().to_string()
    );
    let id = driver::identity();
    let other = rkd_symbols::PdbId::new(id.guid, 7, "driver.pdb");
    let cache = Cache::at(place.folder.path().join("cache"));
    let refused = file::open_through(Some(&cache), &place.file(), Some(&other)).unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with(&format!("it is for {id}, not for {other}"))
    );
}

/// The bytes with the checksum that they should have.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&bytes[24..]);
    bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn a_file_that_was_changed_is_read_again() {
    let place = Place::new();
    place.open();
    let mut bytes = fs::read(place.file()).unwrap();
    let at: Vec<_> = (0..bytes.len() - 9)
        .filter(|&at| bytes[at..].starts_with(b"FreeObject"))
        .collect();
    for at in at {
        bytes[at..at + 10].copy_from_slice(b"SlewObject");
    }
    fs::write(place.file(), bytes).unwrap();
    let table = place.open();
    assert!(table.rva("SlewObject").is_some() && table.rva("FreeObject").is_none());
    assert_eq!(
        place.kept().len(),
        1,
        "the new state takes the place of the old one"
    );
}

#[test]
fn what_is_damaged_foreign_or_old_is_ignored_and_written_anew() {
    let place = Place::new();
    let whole = all(&place.open());
    let kept = place.kept().remove(0);
    let good = fs::read(&kept).unwrap();
    let mut bad: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"something else entirely, and long enough to be a header".to_vec(),
        good[..good.len() / 2].to_vec(),
        good[..20].to_vec(),
        [&good[..], b"more"].concat(),
        fs::read(place.file()).unwrap(),
    ];
    for at in (0..good.len())
        .step_by(good.len() / 60)
        .chain([12, 16, 20, 24, 30])
    {
        let mut turned = good.clone();
        turned[at] ^= 0x55;
        bad.push(turned);
    }
    for bytes in bad {
        fs::write(&kept, &bytes).unwrap();
        assert_eq!(all(&place.open()), whole);
        assert_eq!(fs::read(&kept).unwrap(), good);
    }
}

#[test]
fn a_cache_that_somebody_made_up_is_no_danger() {
    let place = Place::new();
    place.open();
    let kept = place.kept().remove(0);
    let good = fs::read(&kept).unwrap();
    let mut random = Random(0x5eed);
    for _ in 0..300 {
        let mut bytes = good.clone();
        for _ in 0..=random.index(6) {
            // The table of the parts and the numbers in them are what could lead astray.
            let limit = if random.index(2) == 0 {
                400
            } else {
                good.len() - 24
            };
            let at = 24 + random.index(limit);
            bytes[at] = match random.index(3) {
                0 => 0xff,
                1 => 0,
                _ => random.index(256) as u8,
            };
        }
        fs::write(&kept, sealed(bytes)).unwrap();
        let table = place.open();
        all(&table);
        for rva in [0, 0x1000, 0x1075, 0x3030, u32::MAX] {
            table.nearest(rkd_dump::addr::Rva(rva));
        }
        let _ = table.field("_OBJECT", "Entries[1].Hard.Software");
        table.rva("DriverEntry");
    }
}

#[test]
fn many_at_once_do_not_disturb_each_other() {
    let place = Place::new();
    let whole = all(&driver::table());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(all(&place.open()), whole);
                    // Another program finds the file damaged, and writes it anew.
                    for kept in place.kept() {
                        let _ = fs::remove_file(kept);
                    }
                }
            });
        }
    });
    place.open();
    assert_eq!(place.kept().len(), 1, "nothing half-written is left");
}

#[test]
fn without_a_folder_to_write_to_it_works_all_the_same() {
    let place = Place::new();
    // A file stands where the folder should be made.
    let cache = Cache::at(place.file().join("cache"));
    let table = file::open_through(Some(&cache), &place.file(), None).unwrap();
    assert_eq!(all(&table), all(&driver::table()));
    let small = place.folder.path().join("small.json");
    let text = "{\"metadata\": {\"format\": \"6.0.0\"}}";
    fs::write(&small, text).unwrap();
    let cache = Cache::at(place.folder.path().join("none"));
    file::open_through(Some(&cache), Path::new(&small), None).unwrap();
    assert!(
        !place.folder.path().join("none").exists(),
        "what is small is not kept"
    );
}
