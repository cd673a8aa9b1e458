//! How long the tag reader takes for a driver: wireguard.sys (490 KB, the largest that the packages hold) where
//! `tests/golden/fetch` has brought it, and drivers of our own.
//!
//! `cargo bench --bench tags`; the goal is 50 ms for 500 KB.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use criterion::Criterion;
use rkd_pooltags::{Options, TagImage, analyse};
use std::hint::black_box;
use std::path::PathBuf;

/// wireguard.sys for x64, x86 and ARM64.
const WIREGUARD: [(&str, &str); 3] = [
    (
        "x64",
        "94def0c6290dbc32ebb9a6e72d2f76d0ffe66365606efeef952834768e47f1d8",
    ),
    (
        "x86",
        "6a2800c44aef32489b12a857dcdf2ad1f9b5686e2d483a9145d3e240129cf2ad",
    ),
    (
        "arm64",
        "9ffbe56a169a5241a9e71499016137bfced0367791e5eb6ab464f69606bde1d1",
    ),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let folder = std::env::var_os("RKD_GOLDEN").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/golden")),
        PathBuf::from,
    );
    for (machine, sha256) in WIREGUARD {
        let Ok(bytes) = std::fs::read(folder.join(sha256).join("wireguard.sys")) else {
            println!("wireguard.sys for {machine} is not there; run tests/golden/fetch");
            continue;
        };
        let image = TagImage::from_file_bytes("wireguard.sys", &bytes).unwrap();
        criterion.bench_function(&format!("open wireguard {machine}"), |b| {
            b.iter(|| TagImage::from_file_bytes("wireguard.sys", black_box(&bytes)).unwrap());
        });
        criterion.bench_function(&format!("analyse wireguard {machine}"), |b| {
            b.iter(|| analyse(black_box(&image), &Options::default()));
        });
    }
    criterion.final_summary();
}
