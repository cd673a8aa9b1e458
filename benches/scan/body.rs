//! Something like the memory of a machine, page by page, made of what is on this one: programs and libraries, zeroes, pool,
//! random bytes, text. Any page can be had by its number, so that a body of any size takes no memory.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// In bytes.
pub const PAGE: usize = 4096;

/// Pages of one kind in a row: texts and code of programs go on over many pages.
const ROW: u64 = 16;

/// Where pages come from.
pub struct Memory {
    programs: Vec<u8>,
    tags: Vec<[u8; 4]>,
}

impl Memory {
    /// Memory with at most so many bytes of different programs, and these tags in what looks like pool.
    pub fn new(programs: usize, tags: &[[u8; 4]]) -> Memory {
        Memory {
            programs: self::programs(programs),
            tags: tags.to_vec(),
        }
    }

    /// Writes a page into one of zeroes: 25 % stay zeroes, 35 % are programs and libraries, 15 % like pool, 10 % like heaps,
    /// 10 % random, 5 % text.
    pub fn page(&self, number: u64, page: &mut [u8; PAGE]) {
        let row = number / ROW;
        let mut kind = Random::new(row);
        let mut random = Random::new(number ^ 0x5eed_0000_0000);
        match kind.next() % 20 {
            0..5 => {}
            5..12 => {
                let pages = (self.programs.len() / PAGE) as u64;
                // No two rows are alike until the programs have been used up.
                let at = (row * ROW + number % ROW) % pages.max(1);
                let at = at as usize * PAGE;
                if let Some(part) = self.programs.get(at..at + PAGE) {
                    page.copy_from_slice(part);
                }
            }
            12..15 => pool(page, &self.tags, &mut random),
            15..17 => pool(page, &[], &mut random),
            17..19 => page.iter_mut().for_each(|b| *b = random.next() as u8),
            _ => page.iter_mut().for_each(|b| {
                *b = b" etaoinshrdluETAOIN,.\r\n_0123"[random.next() as usize % 28];
            }),
        }
    }
}

/// Tags as drivers spell them, no two alike.
pub fn tags(count: usize) -> Vec<[u8; 4]> {
    let mut random = Random::new(7);
    let mut seen = HashSet::new();
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
        if seen.insert(tag) {
            list.push(tag);
        }
    }
    list
}

/// Pointers, small numbers and zeroes; with tags, in blocks of 272 bytes on average that have headers.
fn pool(page: &mut [u8], tags: &[[u8; 4]], random: &mut Random) {
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
    while !tags.is_empty()
        && let Some(tag) = page.get_mut(at + 4..at + 8)
    {
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
                    bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
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
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok()
        && (&magic == b"\x7fELF" || magic.starts_with(b"MZ") || magic == [0xcf, 0xfa, 0xed, 0xfe])
}

/// xorshift64*: the same memory in every run.
pub struct Random(u64);

impl Random {
    /// Numbers that this seed decides.
    pub fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.next();
        random
    }

    /// The next one.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
