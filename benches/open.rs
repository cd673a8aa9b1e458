//! How long a dump of a 64 GiB machine takes to open, what it costs in private memory, and how fast a page is found:
//! rkd beside kdmp-parser, in the same run on the same file. The file is sparse, so it takes no room on the disk.
//!
//! `cargo bench --bench open`; only the ratios mean something on a machine that others use too.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use criterion::Criterion;
use kdmp_parser::gxa::Gpa;
use kdmp_parser::parse::KernelDumpParser;
use rkd_dump::Dump;
use rkd_dump::addr::{Pfn, Virt};
use rkd_dump::memory::AddressSpace;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// 64 GiB, in pages.
const PAGES: u64 = 16 << 20;

/// A bitmap dump whose pages are all holes of the file: nine of ten pages present, in stretches, as in a full machine.
fn write_sparse(file: &mut File) {
    let mut header = b"PAGE".repeat(0x2000 / 4);
    let mut put = |at: usize, value: &[u8]| header[at..at + value.len()].copy_from_slice(value);
    put(4, b"DU64");
    put(0x10, &0x1a_d000u64.to_le_bytes());
    put(0x20, &[0; 16]);
    put(0x30, &0x8664u32.to_le_bytes());
    put(0x80, &[0; 12]);
    put(0xf98, &5u32.to_le_bytes());
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let bitmap: Vec<u8> = (0..PAGES / 64)
        .flat_map(|word| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let bits = match word % 16 {
                0 => state,
                1 => state & (state >> 20),
                _ => u64::MAX,
            };
            bits.to_le_bytes()
        })
        .collect();
    let present: u64 = bitmap.iter().map(|byte| u64::from(byte.count_ones())).sum();
    let first_page = (0x2038 + bitmap.len() as u64).next_multiple_of(0x1000);
    let mut second = [0; 0x38];
    second[..8].copy_from_slice(b"FDMPDUMP");
    for (at, value) in [(0x20, first_page), (0x28, present), (0x30, PAGES)] {
        second[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    file.write_all(&header).unwrap();
    file.write_all(&second).unwrap();
    file.write_all(&bitmap).unwrap();
    file.set_len(first_page + present * 0x1000).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
}

/// Resident private memory in KiB, where the system tells (Linux).
fn private_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The median time of opening, and the growth of private memory by the first.
fn open<T>(times: usize, mut open: impl FnMut() -> T) -> (Duration, Option<u64>) {
    let before = private_memory();
    let first = open();
    let growth = private_memory()
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before));
    drop(first);
    let mut spent: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(open());
            start.elapsed()
        })
        .collect();
    spent.sort();
    (spent[times / 2], growth)
}

fn compare(path: &Path) {
    let (ours, our_memory) = open(25, || Dump::open(path).unwrap());
    let (theirs, their_memory) = open(3, || KernelDumpParser::new(path).unwrap());
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    let memory = |growth: Option<u64>| {
        growth.map_or("unknown".to_string(), |kib| {
            format!("{:.1} MiB", kib as f64 / 1024.0)
        })
    };
    println!("open 64 GiB  rkd {ours:.2?}  kdmp-parser {theirs:.2?}  {ratio:.0} times");
    println!(
        "private memory  rkd {}  kdmp-parser {}",
        memory(our_memory),
        memory(their_memory)
    );
}

/// Reads through page tables, on the practice dump.
fn read(criterion: &mut Criterion) {
    let table = rkd_symbols::builtin_facts()
        .by_version("19041.3570")
        .unwrap();
    let case = rkd_lab::scenario("notmyfault").unwrap();
    let mut bytes = Vec::new();
    rkd_lab::make(case, &table, &rkd_lab::Options::default(), &mut bytes).unwrap();
    let dump = Arc::new(Dump::from_bytes("notmyfault", bytes).unwrap());
    let space = AddressSpace::paged(
        Arc::clone(&dump),
        dump.located().page_table_root.get().unwrap(),
    );
    let everything = || space.mapped(Virt(0), u64::MAX);
    let places: Vec<Virt> = everything().map(|piece| piece.va).collect();
    let mut turn = 0;
    criterion.bench_function("read 8 bytes through the page tables", |bench| {
        bench.iter(|| {
            turn = (turn + 7919) % places.len();
            space.read_u64(places[turn])
        });
    });
    let pages: usize = everything().map(|piece| piece.bytes.len() / 4096).sum();
    let name = format!("enumerate all {pages} mapped pages of the practice dump");
    criterion.bench_function(&name, |bench| bench.iter(|| everything().count()));
}

fn main() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write_sparse(file.as_file_mut());
    compare(file.path());
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    criterion.bench_function("open 64 GiB bitmap dump", |bench| {
        bench.iter(|| Dump::open(file.path()).unwrap())
    });
    let dump = Dump::open(file.path()).unwrap();
    let theirs = KernelDumpParser::new(file.path()).unwrap();
    let theirs: std::collections::BTreeMap<Gpa, u64> = theirs.physmem().collect();
    let memory = dump.physical().unwrap();
    let mut frame = 0u64;
    let mut next = || {
        frame = (frame + 0x5_1ed3) % PAGES;
        frame
    };
    criterion.bench_function("find a page, rkd", |bench| {
        bench.iter(|| memory.locate(Pfn(next()), 1))
    });
    criterion.bench_function("find a page, a map entry per page", |bench| {
        bench.iter(|| theirs.get(&Gpa::new(next() << 12)));
    });
    read(&mut criterion);
    criterion.final_summary();
}
