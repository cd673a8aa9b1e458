//! How long a dump waits for its symbols: unpacking and reading a kernel's ISF file, and finding a kernel in the built-in facts.

#![allow(clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use rkd::symbols::{builtin_facts, facts::Facts, isf};
use std::hint::black_box;
use std::path::Path;

const FACTS: &[u8] = include_bytes!("../src/symbols/facts/nt.facts.xz");
const ISF: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/data/isf/606FF669409B00F7FC8C61A9C1670129-1.json.xz"
);

fn symbols(c: &mut Criterion) {
    c.bench_function("facts: unpack", |b| {
        b.iter(|| Facts::parse(black_box(FACTS)).unwrap())
    });
    c.bench_function("facts: one kernel", |b| {
        b.iter(|| builtin_facts().by_version(black_box("19041.3570")))
    });
    if let Ok(packed) = std::fs::read(ISF) {
        let text = isf::unpack(&packed).unwrap().into_owned();
        c.bench_function("isf: unpack", |b| {
            b.iter(|| isf::unpack(black_box(&packed)).unwrap().len())
        });
        c.bench_function("isf: read", |b| {
            b.iter(|| isf::parse(Path::new("isf"), black_box(&text)).unwrap())
        });
        let table = isf::parse(Path::new("isf"), &text).unwrap();
        c.bench_function("table: a symbol by its name", |b| {
            b.iter(|| table.rva(black_box("PoolTrackTable")))
        });
        let rva = table.rva("PoolTrackTable").unwrap();
        c.bench_function("table: the name of an address", |b| {
            b.iter(|| table.nearest(black_box(rva)).is_some())
        });
    }
}

criterion_group!(benches, symbols);
criterion_main!(benches);
