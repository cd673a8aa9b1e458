//! Practice dumps. Making one takes longer than most tests that read it: each is made once.

use rkd::session::Session;
use rkd_dump::Dump;
use rkd_kernel::{Kernel, Options};
use rkd_lab::{Kind, Scenario};
use rkd_symbols::{SymbolTable, builtin_facts};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// The machine of the article, which most tests look at.
pub const ARTICLE: &str = "notmyfault";

pub fn scenario(name: &str) -> &'static Scenario {
    rkd_lab::scenario(name).unwrap()
}

/// A built-in table, by a version: `19041.3570`.
pub fn table(version: &str) -> SymbolTable {
    builtin_facts().by_version(version).unwrap()
}

/// A dump made anew, for tests that want it otherwise than it usually is.
pub fn make(scenario: &Scenario, table: &SymbolTable, options: &rkd_lab::Options) -> Vec<u8> {
    let mut bytes = Vec::new();
    let made = rkd_lab::make(scenario, table, options, &mut bytes).unwrap();
    assert_eq!(made.bytes, bytes.len() as u64);
    bytes
}

/// The scenario's dump of this kind.
pub fn bytes(name: &'static str, kind: Kind) -> &'static [u8] {
    type Made = BTreeMap<(&'static str, &'static str), &'static OnceLock<Vec<u8>>>;
    static MADE: Mutex<Made> = Mutex::new(BTreeMap::new());
    let made = *MADE
        .lock()
        .unwrap()
        .entry((name, kind.name()))
        .or_insert_with(|| Box::leak(Box::default()));
    // The lock is open: other tests make other dumps meanwhile.
    made.get_or_init(|| {
        let scenario = scenario(name);
        let options = rkd_lab::Options {
            kind,
            ..rkd_lab::Options::default()
        };
        make(scenario, &table(scenario.version), &options)
    })
}

/// A folder in which the scenario's usual dump is `leak.dmp`, for all who only read there.
pub fn folder(name: &'static str) -> PathBuf {
    static WRITTEN: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut written = WRITTEN.lock().unwrap();
    if !written.contains(&name) {
        fs::create_dir_all(&folder).unwrap();
        // Another run may be reading the file of this name: it keeps the one that it has.
        let fresh = folder.join(std::process::id().to_string());
        fs::write(&fresh, bytes(name, Kind::BitmapKernel)).unwrap();
        fs::rename(&fresh, folder.join("leak.dmp")).unwrap();
        written.push(name);
    }
    folder
}

/// A folder of one's own, with `leak.dmp` in it.
pub fn own_folder(name: &'static str) -> tempfile::TempDir {
    let own = tempfile::tempdir().unwrap();
    fs::copy(folder(name).join("leak.dmp"), own.path().join("leak.dmp")).unwrap();
    own
}

/// The scenario's usual dump, open, under the name `leak.dmp`.
pub fn kernel(name: &'static str) -> Kernel {
    let bytes = bytes(name, Kind::BitmapKernel).to_vec();
    open("leak.dmp", bytes)
}

pub fn session(name: &'static str) -> Session {
    Session::new(kernel(name))
}

/// A dump in memory, without symbols but those that are built in.
pub fn open(name: &str, bytes: Vec<u8>) -> Kernel {
    let dump = Dump::from_bytes(name, bytes).unwrap();
    Kernel::open(dump, &Options::default())
}
