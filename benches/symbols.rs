//! How long a dump waits for its symbols: reading a kernel's ISF file and a PDB the first time, mapping what was kept of them
//! the second time, and finding a kernel in the built-in facts. The memory that each opening takes is printed before.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use rkd_symbols::cache::Cache;
use rkd_symbols::{SymbolTable, builtin_facts, facts::Facts, file, isf};
use std::hint::black_box;
use std::path::{Path, PathBuf};

const FACTS: &[u8] = include_bytes!("../crates/symbols/src/facts/nt.facts.xz");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What is opened: the kernel's own ISF file (1 MB, 6 MB unpacked), a PDB by Microsoft's linker (6 MB; `tests/symbols/fetch`
/// brings it), the small driver that is always there, and the file that `RKD_BENCH_PDB` names.
const FILES: [(&str, &str); 3] = [
    (
        "isf",
        "../shared/data/isf/606FF669409B00F7FC8C61A9C1670129-1.json.xz",
    ),
    ("pdb", "target/pdb-samples/node-pty-win32-x64/conpty.pdb"),
    ("driver", "tests/fixtures/driver/driver.pdb"),
];

fn files() -> impl Iterator<Item = (&'static str, PathBuf)> {
    let named = std::env::var_os("RKD_BENCH_PDB").map(|path| ("named", path.into()));
    FILES
        .map(|(name, place)| (name, Path::new(ROOT).join(place)))
        .into_iter()
        .chain(named)
        .filter(|(_, path)| path.exists())
}

/// What the process holds in memory, in KiB; 0 where there is no /proc.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

/// What a session asks first.
fn ask(table: &SymbolTable) -> bool {
    let symbol = table.rva("PsLoadedModuleList");
    let near = symbol.and_then(|at| table.nearest(at));
    table.field("_EPROCESS", "ActiveProcessLinks").is_ok() | near.is_some()
}

fn memory() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("cache"));
    for opening in ["first", "second"] {
        for (name, path) in files() {
            let before = resident();
            let table = file::open_through(Some(&cache), &path, None).unwrap();
            black_box(ask(&table));
            let after = resident();
            println!(
                "{name}: {opening} opening, {} KiB more in memory",
                after.saturating_sub(before)
            );
            drop(table);
        }
    }
    for entry in std::fs::read_dir(folder.path().join("cache")).unwrap() {
        let entry = entry.unwrap();
        println!(
            "{}: {} KiB",
            entry.file_name().display(),
            entry.metadata().unwrap().len() >> 10
        );
    }
}

fn symbols(c: &mut Criterion) {
    memory();
    c.bench_function("facts: unpack", |b| {
        b.iter(|| Facts::parse(black_box(FACTS)).unwrap())
    });
    c.bench_function("facts: one kernel", |b| {
        b.iter(|| builtin_facts().by_version(black_box("19041.3570")))
    });
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("cache"));
    for (name, path) in files() {
        c.bench_function(&format!("{name}: first opening"), |b| {
            b.iter(|| ask(&file::open_through(None, &path, None).unwrap()))
        });
        file::open_through(Some(&cache), &path, None).unwrap();
        c.bench_function(&format!("{name}: second opening"), |b| {
            b.iter(|| ask(&file::open_through(Some(&cache), &path, None).unwrap()))
        });
    }
    if let Some((_, path)) = files().find(|(name, _)| *name == "isf") {
        let packed = std::fs::read(&path).unwrap();
        c.bench_function("isf: unpack", |b| {
            b.iter(|| isf::unpack(black_box(&packed)).unwrap().len())
        });
        let table = file::open_through(Some(&cache), &path, None).unwrap();
        c.bench_function("table: a symbol by its name", |b| {
            b.iter(|| table.rva(black_box("PoolTrackTable")))
        });
        c.bench_function("table: a field by its path", |b| {
            b.iter(|| {
                table
                    .field(black_box("_EPROCESS"), "ActiveProcessLinks.Flink")
                    .is_ok()
            })
        });
        let rva = table.rva("PoolTrackTable").unwrap();
        c.bench_function("table: the name of an address", |b| {
            b.iter(|| table.nearest(black_box(rva)).is_some())
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = symbols
}
criterion_main!(benches);
