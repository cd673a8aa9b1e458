//! How long a search takes, as a multiple of the time that it takes to add up the same bytes: figures that hold on any machine.
//!
//! `cargo bench --bench scan` (`-- --mib 256` for a smaller buffer). Everything runs on one buffer and one thread, each
//! measurement between two sums.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use aho_corasick::{AhoCorasick, MatchKind};
use rkd::addr::Virt;
use rkd::memory::AddressSpace;
use rkd::scan::{Hits, Pattern, Patterns, Source, Span};
use std::collections::HashSet;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: usize = 5;
const PAGE: usize = 4096;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mib = args
        .iter()
        .position(|a| a == "--mib")
        .and_then(|i| args.get(i + 1)?.parse().ok())
        .unwrap_or(512);
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let tags = tags(5000, &mut random);
    let memory = memory(mib << 20, &tags, &mut random);
    println!(
        "{mib} MiB: 25 % zero pages, 35 % programs and libraries, 15 % like pool, 10 % heap, 10 % random, 5 % text; one thread"
    );
    println!(
        "{:<56} {:>10} {:>8} {:>10}",
        "", "times sum", "GB/s", "hits"
    );

    // One thread, also where the search would take all.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    pool.install(|| measure(memory, &tags, &mut random));
}

fn measure(memory: Vec<u8>, tags: &[[u8; 4]], random: &mut Random) {
    let mut bench = Bench { memory: &memory };
    bench.run("plain sum of u64", || sum(&memory) as usize & 1);
    let one = memchr::memmem::Finder::new(&tags[0]);
    bench.run("memchr::memmem, 1 tag", || one.find_iter(&memory).count());
    for count in [1, 4, 50, 500, 5000] {
        let set =
            Patterns::new(tags[..count].iter().map(|t| Pattern::bytes(*t)).collect()).unwrap();
        bench.run(&format!("rkd, {count} tags"), || {
            set.find_all(&memory, 0).len()
        });
    }
    let mixed = tags[..20]
        .iter()
        .map(|t| Pattern::bytes(*t))
        .chain((0..180).map(|i| {
            let text: String = (0..3 + i % 12)
                .map(|_| char::from(b'a' + (random.next() % 26) as u8))
                .collect();
            if i % 2 == 0 {
                Pattern::text(&text).any_case()
            } else {
                Pattern::utf16(&text)
            }
        }));
    let mixed = Patterns::new(mixed.collect()).unwrap();
    bench.run("rkd, 200 mixed: tags, any-case, UTF-16", || {
        mixed.find_all(&memory, 0).len()
    });
    let masked = Patterns::new(vec![Pattern::hex("41b8 ???????? 33d2").unwrap()]).unwrap();
    bench.run("rkd, 1 byte mask (41b8????????33d2)", || {
        masked.find_all(&memory, 0).len()
    });

    for (name, size) in [
        ("in one piece", memory.len()),
        ("in pages that are apart", PAGE),
    ] {
        // Blocks in the opposite order are neighbours only by their addresses.
        let blocks = memory
            .chunks(size)
            .enumerate()
            .rev()
            .map(|(i, bytes)| (Virt((i * size) as u64), bytes.to_vec()));
        let space = AddressSpace::of_blocks(blocks.collect());
        for count in [1, 50, 5000] {
            let set = Arc::new(
                Patterns::new(tags[..count].iter().map(|t| Pattern::bytes(*t)).collect()).unwrap(),
            );
            let spans = vec![Span::new(Virt(0), memory.len() as u64)];
            bench.run(&format!("rkd, address space {name}, {count} tags"), || {
                Hits::new(
                    Source::Virtual(space.clone()),
                    spans.clone(),
                    set.clone(),
                    Arc::default(),
                )
                .count()
            });
        }
    }
    for count in [4, 50, 500] {
        let kinds = [
            ("default", MatchKind::Standard),
            ("LeftmostFirst", MatchKind::LeftmostFirst),
        ];
        for (name, kind) in kinds {
            let automaton = AhoCorasick::builder()
                .match_kind(kind)
                .build(&tags[..count])
                .unwrap();
            bench.run(&format!("aho-corasick {name}, {count} tags"), || {
                automaton.find_iter(&memory).count()
            });
        }
    }
}

struct Bench<'a> {
    memory: &'a [u8],
}

impl Bench<'_> {
    /// The median of some rounds, each divided by the mean of the sums before and after it.
    fn run(&mut self, name: &str, work: impl Fn() -> usize) {
        let mut ratios = Vec::new();
        let mut seconds = Vec::new();
        let mut hits = 0;
        for _ in 0..ROUNDS {
            let before = time(|| sum(self.memory) as usize).0;
            let (taken, found) = time(&work);
            let after = time(|| sum(self.memory) as usize).0;
            ratios.push(taken / ((before + after) / 2.0));
            seconds.push(taken);
            hits = found;
        }
        let speed = self.memory.len() as f64 / median(seconds) / 1e9;
        println!(
            "{name:<56} {:>10.2} {speed:>8.2} {hits:>10}",
            median(ratios)
        );
    }
}

fn time(work: impl Fn() -> usize) -> (f64, usize) {
    let (start, on_processor) = (Instant::now(), on_processor());
    let result = black_box(work());
    let seconds = self::on_processor()
        .zip(on_processor)
        .map(|(now, then)| now - then);
    (
        seconds.unwrap_or_else(|| start.elapsed().as_secs_f64()),
        result,
    )
}

/// Seconds that this thread has run, where the system tells (Linux): on a busy machine the clock on the wall says little.
fn on_processor() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(stat.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn sum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words
        .iter()
        .fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

/// Tags as drivers spell them.
fn tags(count: usize, random: &mut Random) -> Vec<[u8; 4]> {
    let mut tags = HashSet::new();
    let mut list = Vec::new();
    while list.len() < count {
        let mut letter = |from: u8| from + (random.next() % 26) as u8;
        let tag = match list.len() % 4 {
            0 | 1 => [letter(b'A'), letter(b'a'), letter(b'a'), letter(b'a')],
            2 => [
                letter(b'A'),
                letter(b'A'),
                letter(b'a'),
                b'0' + letter(0) % 10,
            ],
            _ => [letter(b'a'), letter(b'A'), letter(b'A'), b' '],
        };
        if tags.insert(tag) {
            list.push(tag);
        }
    }
    list
}

/// Something like the memory of a machine, in pages.
fn memory(size: usize, tags: &[[u8; 4]], random: &mut Random) -> Vec<u8> {
    let programs = programs(size / 3);
    let mut memory = vec![0; size];
    for page in memory.chunks_mut(PAGE) {
        match random.next() % 20 {
            0..5 => {}
            5..12 => {
                let at = random.next() as usize % (programs.len() / PAGE) * PAGE;
                page.copy_from_slice(&programs[at..at + PAGE]);
            }
            12..15 => pool(page, Some(tags), random),
            15..17 => pool(page, None, random),
            17..19 => page.iter_mut().for_each(|b| *b = random.next() as u8),
            _ => page.iter_mut().for_each(|b| {
                *b = b" etaoinshrdluETAOIN,.\r\n_0123"[random.next() as usize % 28];
            }),
        }
    }
    memory
}

/// Pointers, small numbers and zeroes; with tags, in blocks of 272 bytes on average that have headers.
fn pool(page: &mut [u8], tags: Option<&[[u8; 4]]>, random: &mut Random) {
    for word in page.chunks_mut(8) {
        let value = match random.next() % 4 {
            0 => 0,
            1 => 0xffff_a50e_0000_0000 | random.next() >> 32,
            2 => random.next() & 0xffff,
            _ => random.next() & 0x0000_00ff_00ff_ffff,
        };
        word.copy_from_slice(&value.to_le_bytes());
    }
    let mut at = 0;
    while let (Some(tags), Some(tag)) = (tags, page.get_mut(at + 4..at + 8)) {
        tag.copy_from_slice(&tags[random.next() as usize % tags.len()]);
        at += 32 + random.next() as usize % 31 * 16;
    }
}

/// Real code and data from this machine.
fn programs(size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut folders: Vec<PathBuf> = [
        "/usr/lib",
        "/usr/bin",
        "/System/Library",
        "C:\\Windows\\System32",
    ]
    .map(PathBuf::from)
    .to_vec();
    while bytes.len() < size
        && let Some(folder) = folders.pop()
    {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() && is_program(&entry.path()) && bytes.len() < size => {
                    bytes.extend(std::fs::read(entry.path()).unwrap_or_default());
                }
                _ => {}
            }
        }
    }
    bytes.resize(bytes.len().max(PAGE), 0);
    bytes
}

fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = std::fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut magic));
    read.is_ok()
        && (&magic == b"\x7fELF" || magic.starts_with(b"MZ") || magic == [0xcf, 0xfa, 0xed, 0xfe])
}

/// xorshift64*: the same memory in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
