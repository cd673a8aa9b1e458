//! PDBs and cabinets whose bytes were turned: whatever they say, reading them ends, without a panic that anybody sees, and in
//! less than 256 MiB.

#![allow(clippy::unwrap_used, unsafe_code)]

#[path = "it/support/random.rs"]
mod random;

use random::{Random, rounds};
use rkd_dump::addr::Rva;
use rkd_symbols::{SymbolTable, file};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, which knows how much is in use and how much ever was.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LIMIT: usize = 256 << 20;

/// One test at a time: they share the count.
static ALONE: Mutex<()> = Mutex::new(());

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/driver")
        .join(name)
}

/// One to six changes: a byte, a number that is as large as it can be, a page that is another one, an end too early.
fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.index(6) {
        let at = random.index(bytes.len() - 8);
        match random.index(10) {
            0..=3 => bytes[at] = random.index(256) as u8,
            4 => bytes[at] ^= 1 << random.index(8),
            5 => bytes[at & !3..][..4].copy_from_slice(&u32::MAX.to_le_bytes()),
            6 => bytes[at & !3..][..4].copy_from_slice(&0x7fff_fff0u32.to_le_bytes()),
            7 => {
                let from = random.index(bytes.len() / 4096) * 4096;
                let to = random.index(bytes.len() / 4096) * 4096;
                let length = 4096.min(bytes.len() - from.max(to));
                bytes.copy_within(from..from + length, to);
            }
            8 => bytes[at..at + 2].copy_from_slice(&(random.index(2000) as u16).to_le_bytes()),
            _ if random.index(4) == 0 => bytes.truncate(at.max(16)),
            _ => {}
        }
        if bytes.len() < 64 {
            break;
        }
    }
    bytes
}

/// Reads the bytes and all that became of them. Returns whether they were taken, and how much memory that needed.
fn read(bytes: Vec<u8>) -> (bool, usize) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let table = file::parse(Path::new("x.pdb"), bytes, None);
    let taken = table.as_ref().is_ok_and(|table| use_all(table) > 0);
    drop(table);
    (taken, PEAK.load(Relaxed) - before)
}

fn use_all(table: &SymbolTable) -> usize {
    let symbols = table
        .all()
        .filter(|symbol| symbol.info.ty.is_some())
        .count();
    let types = table.udts().count() + table.enumerations().count();
    let near = (0..0x4000)
        .step_by(0x777)
        .filter(|&at| table.nearest(Rva(at)).is_some())
        .count();
    let sizes = table
        .udts()
        .flat_map(|udt| &udt.fields)
        .filter(|field| table.size_of(&field.ty).is_some())
        .count();
    symbols + types + near + sizes
}

/// Whether `rounds` mutants of the bytes all keep within the limit. Some must still be taken, and some refused.
fn survive(good: &[u8], rounds: u64, seed: u64) {
    let mut random = Random(seed);
    let mut taken = 0;
    for round in 0..rounds {
        let (ok, memory) = read(mutate(good, &mut random));
        assert!(memory < LIMIT, "round {round} took {memory} bytes");
        taken += u64::from(ok);
    }
    assert!(taken > 0 && taken < rounds, "{taken} of {rounds}");
}

#[test]
fn turned_pdbs_are_no_danger() {
    let _alone = ALONE.lock();
    survive(
        &std::fs::read(fixture("driver.pdb")).unwrap(),
        rounds(600),
        0x5eed1,
    );
}

/// Changes in the places that sizes and counts come from: the header, the directory, the first bytes of each stream.
#[test]
fn sizes_that_lie_are_no_danger() {
    let _alone = ALONE.lock();
    let good = std::fs::read(fixture("driver.pdb")).unwrap();
    for page in 0..good.len() / 4096 {
        for at in (0..64).step_by(4) {
            for lie in [u32::MAX, 0x7fff_ffff, 0x0fff_ffff, 0x00ff_ffff, 0xffff] {
                let mut bytes = good.clone();
                bytes[page * 4096 + at..][..4].copy_from_slice(&lie.to_le_bytes());
                // Most of these are refused at once; the rest are read whole.
                let (_, memory) = read(bytes);
                assert!(
                    memory < LIMIT,
                    "{lie:#x} at {page}:{at} took {memory} bytes"
                );
            }
        }
    }
}

fn cabinet(content: &[u8], compression: cab::CompressionType) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(compression).add_file("driver.pdb");
    let mut writer = builder.build(std::io::Cursor::new(Vec::new())).unwrap();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn cabinets_are_unpacked_and_turned_ones_are_no_danger() {
    let _alone = ALONE.lock();
    let pdb = std::fs::read(fixture("driver.pdb")).unwrap();
    for compression in [cab::CompressionType::None, cab::CompressionType::MsZip] {
        let packed = cabinet(&pdb, compression);
        let table = file::parse(Path::new("driver.pd_"), packed.clone(), None).unwrap();
        assert_eq!(table.identity().unwrap().name, "driver.pdb");
        assert_eq!(table.rva("DriverEntry"), Some(Rva(0x1020)));
        survive(&packed, rounds(200), 0x5eed2);
    }
    let why = |bytes| {
        file::parse(Path::new("x.pd_"), bytes, None)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        why(b"MSCF".to_vec()),
        "x.pd_: the cabinet is damaged: failed to fill whole buffer"
    );
    // Nothing but zeroes packs to a thousandth: a file of 100 KB that wants a hundred megabytes.
    let bomb = cabinet(&vec![0; 64 << 20], cab::CompressionType::MsZip);
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let length = bomb.len();
    assert_eq!(
        why(bomb),
        format!(
            "x.pd_: the cabinet unpacks to more than {} bytes",
            64 * length
        )
    );
    assert!(PEAK.load(Relaxed) - before < 32 << 20);
}
