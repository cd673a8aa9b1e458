//! Damaged dumps of every kind: whatever bytes a file has, opening and reading it ends, soon, without a panic.

use crate::support::data::data;
use crate::support::random::{self, Random};
use crate::support::writers::{FORMATS, Tables, put, stamp, triage};
use rkd_dump::Dump;
use rkd_dump::addr::{Pfn, Virt};
use rkd_dump::memory::AddressSpace;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BASE: u64 = 0xffff_f807_2260_0000;

/// A machine with page tables, so that damage reaches the walk too.
fn samples() -> Vec<(String, Vec<u8>)> {
    let mut tables = Tables::new(0x21);
    for page in 0..6 {
        tables.map(BASE + page * 0x1000, 0x40 + page * 3 % 5);
    }
    tables.raw(BASE + 0x6000, 1, 0x42 << 12 | 0x880);
    tables.raw(BASE + 0x7000, 1, BASE << 16 | 0x410);
    tables.raw(BASE + 0x20_0000, 2, 0x200 << 12 | 0xe3);
    tables.machine.pages.insert(0x207, stamp(7));
    let mut samples: Vec<_> = FORMATS
        .into_iter()
        .map(|format| {
            let bytes = tables.machine.write(format);
            (format!("{format:?}"), bytes)
        })
        .collect();
    let block = |index: u64| {
        (
            BASE + index * 0x30,
            vec![index as u8; 0x20 + index as usize],
        )
    };
    let small = triage(&(0..40).map(block).collect::<Vec<_>>());
    samples.push(("Triage".to_string(), small));
    samples
}

/// Numbers that break careless arithmetic.
const NASTY: [u64; 14] = [
    0,
    1,
    7,
    0x1000,
    0x2000,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 32,
    1 << 40,
    1 << 52,
    1 << 60,
    u64::MAX - 0xfff,
    u64::MAX,
    1 << 63,
];

/// Some bytes of the headers and tables changed; the pages after them seldom matter.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let place = match random.below(6) {
            0 => 0x30,
            1 => 0x88 + random.below(0x40) * 8,
            2 => 0xf98,
            3 => 0x2000 + random.below(0x20) * 4,
            4 => 0x2000 + random.below(0x400) * 8,
            _ => random.below(bytes.len() as u64),
        } as usize;
        let nasty = NASTY[random.below(NASTY.len() as u64) as usize];
        let value = match random.below(4) {
            0 => nasty.to_le_bytes().to_vec(),
            1 => (nasty as u32).to_le_bytes().to_vec(),
            2 => (bytes.len() as u64)
                .wrapping_add(random.below(64))
                .wrapping_sub(32)
                .to_le_bytes()
                .to_vec(),
            _ => vec![random.number() as u8],
        };
        if place + value.len() <= bytes.len() {
            put(bytes, place, &value);
        }
    }
    if random.below(8) == 0 {
        bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
    }
}

/// Uses everything that the two rooms offer; how much was read.
fn exercise(bytes: Vec<u8>, random: &mut Random) -> u64 {
    let len = bytes.len() as u64;
    let Ok(dump) = Dump::from_bytes("mutant.dmp", bytes) else {
        return 0;
    };
    let dump = Arc::new(dump);
    assert!(dump.notes().len() < 10 && dump.notes().iter().all(|note| note.len() < 500));
    let mut read = 0;
    if let Some(memory) = dump.physical() {
        let mut pages = 0;
        let mut end = 0;
        for run in memory.runs() {
            assert!(
                run.pages > 0 && run.first.0 >= end,
                "runs ascend and do not overlap"
            );
            assert!(run.offset + run.pages * 4096 <= len);
            end = run.first.0 + run.pages;
            pages += run.pages;
            assert_eq!(
                memory.locate(run.first, 1).map(|found| found.offset),
                Some(run.offset)
            );
            assert_eq!(memory.next_present(run.first), Some(run.first));
        }
        assert_eq!(pages, memory.present_pages());
        assert!(pages <= len / 4096);
        for _ in 0..20 {
            let pfn = Pfn(if random.below(2) == 0 {
                random.below(0x300)
            } else {
                random.number()
            });
            read += memory
                .run_at(pfn, random.number())
                .map_or(0, |run| run.len() as u64);
            assert_eq!(memory.page(pfn).is_some(), memory.locate(pfn, 1).is_some());
        }
    }
    if let Some(triage) = dump.triage() {
        read += triage
            .blocks()
            .take(100_000)
            .map(|block| block.bytes.len() as u64)
            .sum::<u64>();
        assert!(
            triage
                .drivers()
                .iter()
                .all(|driver| driver.name.len() < 0x4000)
        );
        read += triage.unloaded().len() as u64;
        read += [triage.process(), triage.thread(), triage.prcb()]
            .iter()
            .flatten()
            .count() as u64;
        read += triage.broken_driver().map_or(0, |name| name.len() as u64);
    }
    let root = dump.located().page_table_root.get().unwrap();
    for space in [
        AddressSpace::paged(Arc::clone(&dump), root),
        AddressSpace::blocks(Arc::clone(&dump)),
    ] {
        let mut buf = [0; 0x1800];
        for _ in 0..10 {
            let va = if random.below(2) == 0 {
                BASE + random.below(0x40_0000)
            } else {
                random.number()
            };
            read += space.read_prefix(Virt(va), &mut buf).0 as u64;
            let _ = space.walk(Virt(va));
            read += space
                .slice(Virt(va), usize::MAX)
                .map_or(0, |bytes| bytes.len() as u64);
        }
        assert!(space.read_vec(Virt(BASE), usize::MAX).is_err());
        let mut end = Some(0);
        for piece in space.mapped(Virt(0), u64::MAX).take(2000) {
            assert!(!piece.bytes.is_empty() && end.is_some_and(|end| piece.va.0 >= end));
            end = piece.va.0.checked_add(piece.bytes.len() as u64);
            assert_eq!(
                space.slice(piece.va, 1).map(|bytes| bytes[0]),
                Ok(piece.bytes[0])
            );
            read += 1;
        }
    }
    read
}

fn torment(name: &str, sample: &[u8], rounds: u64) {
    let rounds = random::rounds(rounds);
    let mut alive = 0;
    for round in 0..rounds {
        let mut random =
            Random(0x9e37_79b9_7f4a_7c15 ^ (round + 1).wrapping_mul(0xff51_afd7_ed55_8ccd));
        let mut bytes = sample.to_vec();
        mutate(&mut bytes, &mut random);
        let start = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| exercise(bytes, &mut random)));
        assert!(result.is_ok(), "{name}: mutant {round} panics");
        let spent = start.elapsed();
        assert!(
            spent < Duration::from_secs(30),
            "{name}: mutant {round} takes {spent:?}"
        );
        alive += u64::from(result.unwrap() > 0);
    }
    // Mutants that are all refused at once would test nothing.
    assert!(
        alive > rounds / 4,
        "{name}: only {alive} of {rounds} mutants could be read"
    );
}

#[test]
fn no_mutant_of_a_made_dump_panics_or_hangs() {
    for (name, sample) in samples() {
        torment(&name, &sample, 300);
    }
}

#[test]
fn no_mutant_of_the_real_triage_dump_panics_or_hangs() {
    if let Some(path) = data("dumps/triage_x64.dmp") {
        torment("real triage", &std::fs::read(path).unwrap(), 40);
    }
}
