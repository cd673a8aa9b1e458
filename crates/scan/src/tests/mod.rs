//! The walk against a loop over single bytes: pieces that are neighbours only by their addresses, holes, borders, stops.

mod serial;

use super::*;
use proptest::prelude::*;
use rkd_dump::addr::Virt;
use rkd_dump::memory::AddressSpace;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const BASE: u64 = 0xffff_f807_47f5_0000;

/// Blocks that lie in the file in the opposite order, so that no two are one piece.
fn space(blocks: &[(u64, Vec<u8>)]) -> AddressSpace {
    AddressSpace::of_blocks(
        blocks
            .iter()
            .rev()
            .map(|(at, bytes)| (Virt(*at), bytes.clone()))
            .collect(),
    )
}

fn start(blocks: &[(u64, Vec<u8>)], spans: &[(u64, u64)], patterns: Vec<Pattern>) -> Hits {
    let spans = spans
        .iter()
        .map(|&(start, len)| Span { start, len })
        .collect();
    Hits::new(
        Source::Virtual(space(blocks)),
        spans,
        Arc::new(Patterns::new(patterns).unwrap()),
        Arc::default(),
    )
}

fn tuples(hits: impl Iterator<Item = Hit>) -> Vec<(u32, u64, u32)> {
    hits.map(|hit| (hit.span, hit.address, hit.pattern))
        .collect()
}

fn naive(
    blocks: &[(u64, Vec<u8>)],
    spans: &[(u64, u64)],
    patterns: &[Vec<u8>],
) -> (Vec<(u32, u64, u32)>, u64) {
    let memory: BTreeMap<u64, u8> = blocks
        .iter()
        .flat_map(|(at, bytes)| {
            bytes
                .iter()
                .enumerate()
                .map(move |(i, b)| (at + i as u64, *b))
        })
        .collect();
    let (mut found, mut read) = (Vec::new(), 0);
    for (span, &(start, len)) in spans.iter().enumerate() {
        for (&at, _) in memory.range(start..start + len) {
            read += 1;
            for (number, pattern) in patterns.iter().enumerate() {
                let fits = (0..pattern.len() as u64).all(|i| {
                    at + i < start + len && memory.get(&(at + i)) == Some(&pattern[i as usize])
                });
                if fits {
                    found.push((span as u32, at, number as u32));
                }
            }
        }
    }
    (found, read)
}

fn check(blocks: &[(u64, Vec<u8>)], spans: &[(u64, u64)], patterns: &[Vec<u8>]) {
    let (expected, read) = naive(blocks, spans, patterns);
    let mut hits = start(
        blocks,
        spans,
        patterns.iter().map(|p| Pattern::bytes(p.clone())).collect(),
    );
    assert_eq!(tuples(hits.by_ref()), expected);
    let coverage = hits.coverage();
    let asked: u64 = spans.iter().map(|(_, len)| len).sum();
    assert_eq!((coverage.asked, coverage.read), (asked, read));
    assert_eq!(
        coverage.missing.iter().map(|(_, bytes)| bytes).sum::<u64>(),
        asked - read
    );
    assert_eq!(hits.progress(), (asked, asked));
}

/// Cuts the text into blocks of `size` bytes that follow each other.
fn cut(text: &[u8], size: usize) -> Vec<(u64, Vec<u8>)> {
    text.chunks(size)
        .enumerate()
        .map(|(i, chunk)| (BASE + (i * size) as u64, chunk.to_vec()))
        .collect()
}

#[test]
fn one_text_in_every_layout() {
    let text = b"Leak..LeLeakakLeak.\0\0\0Leak\0QQQQQ.L\0e\0a\0k\0..Lea";
    let patterns: Vec<Vec<u8>> = [
        &b"Leak"[..],
        b"QQQ",
        b"k",
        b"Le",
        b"L\0e\0a\0k\0",
        b"\0\0\0",
        b"LeLeakakLeak.\0\0\0Leak\0QQQQ",
    ]
    .map(Vec::from)
    .to_vec();
    let all = text.len() as u64;
    for size in (1..=text.len() + 1).chain([4096]) {
        let blocks = cut(text, size);
        check(&blocks, &[(BASE, all)], &patterns);
        check(&blocks, &[(BASE - 100, all + 200)], &patterns);
        // One pattern has an engine of its own.
        for pattern in &patterns {
            check(&blocks, &[(BASE, all)], std::slice::from_ref(pattern));
        }
        // With each block missing in turn.
        for gap in 0..blocks.len() {
            let mut blocks = blocks.clone();
            blocks.remove(gap);
            check(&blocks, &[(BASE, all)], &patterns);
        }
    }
    // Every span within the text, over overlaps: a hit lies wholly in its span.
    let blocks = cut(text, 5);
    for from in 0..all {
        let spans: Vec<(u64, u64)> = (0..=all - from).map(|len| (BASE + from, len)).collect();
        check(&blocks, &spans, &patterns);
    }
}

#[test]
fn a_hit_across_two_pages() {
    let mut memory = vec![0; 0x2000];
    memory[0xffe..0x1002].copy_from_slice(b"Leak");
    check(
        &cut(&memory, 0x1000),
        &[(BASE, 0x2000)],
        &[b"Leak".to_vec()],
    );
    check(
        &cut(&memory, 0x1000),
        &[(BASE, 0x1001)],
        &[b"Leak".to_vec()],
    );
    let two = vec![
        (BASE, memory[..0x1000].to_vec()),
        (BASE + 0x2000, memory[0x1000..].to_vec()),
    ];
    check(&two, &[(BASE, 0x3000)], &[b"Leak".to_vec()]);
}

#[test]
fn the_last_byte_of_the_address_space() {
    let top = u64::MAX - 0xfff;
    let mut memory = vec![b'.'; 0x1000];
    memory[0xffc..].copy_from_slice(b"Leak");
    let patterns = || vec![Pattern::text("Leak"), Pattern::text("k")];
    let expected = [(0, u64::MAX - 3, 0), (0, u64::MAX, 1)];
    for spans in [
        &[(top, 0x1000)][..],
        &[(top, u64::MAX)],
        &[(1 << 63, 1 << 63)],
    ] {
        assert_eq!(
            tuples(start(&[(top, memory.clone())], spans, patterns())),
            expected
        );
    }
    let everything = Hits::new(
        Source::Virtual(space(&[(top, memory.clone())])),
        Span::everything().to_vec(),
        Arc::new(Patterns::new(patterns()).unwrap()),
        Arc::default(),
    );
    assert_eq!(
        tuples(everything),
        expected.map(|(_, at, pattern)| (1, at, pattern))
    );
    assert_eq!(
        tuples(start(
            &[(top, memory)],
            &[(5, 0), (u64::MAX, 1)],
            patterns()
        )),
        [(1, u64::MAX, 1)]
    );
}

/// Over the borders of blocks, tasks and chunks, in one piece and in many.
#[test]
fn borders_inside_large_pieces() {
    let mut memory = vec![b'.'; 5 << 20];
    let long: Vec<u8> = (0..9000u32).map(|i| ((i * i) >> 3) as u8 | 1).collect();
    let mut expected = Vec::new();
    for border in (0..memory.len()).step_by(0x1_0000).skip(1) {
        for shift in 0..6 {
            let at = border - 11 + shift * 5;
            memory[at..at + 4].copy_from_slice(b"Leak");
            expected.push((0, BASE + at as u64, 0));
        }
    }
    for border in [0x2_0000, 0x10_0000, 0x20_0000, 0x30_0000] {
        let at = border - 4500;
        memory[at..at + long.len()].copy_from_slice(&long);
        expected.retain(|(_, hit, _)| {
            !(BASE + at as u64 - 3..BASE + (at + long.len()) as u64).contains(hit)
        });
        expected.push((0, BASE + at as u64, 1));
    }
    expected.sort_unstable();
    for size in [memory.len(), 1 << 20, 0x1000, 0x1234] {
        let hits = start(
            &cut(&memory, size),
            &[(BASE, memory.len() as u64)],
            vec![Pattern::text("Leak"), Pattern::bytes(long.clone())],
        );
        assert!(tuples(hits) == expected, "pieces of {size:#x}");
    }
}

#[test]
fn more_hits_than_a_task_may_keep() {
    let hits = start(
        &cut(&vec![0; 300_000], 70_000),
        &[(BASE, 300_000)],
        vec![Pattern::bytes([0]), Pattern::bytes([0, 0])],
    );
    let mut expected: Vec<_> = (0..300_000)
        .flat_map(|i| [(0, BASE + i, 0), (0, BASE + i, 1)])
        .collect();
    expected.pop();
    assert!(tuples(hits) == expected);
}

#[test]
fn a_script_that_asks_for_one_hit_does_not_search_everything() {
    let mut hits = start(
        &[(BASE, vec![b'Q'; 8 << 20])],
        &[(BASE, 8 << 20)],
        vec![Pattern::text("QQ")],
    );
    assert_eq!(hits.next().map(|hit| hit.address), Some(BASE));
    assert!(
        hits.coverage().read <= 1 << 18,
        "{} bytes were read for one hit",
        hits.coverage().read
    );
}

#[test]
fn what_was_found_before_the_stop_is_kept() {
    let memory = b"Leak............".repeat(1 << 18);
    let stop = Arc::new(AtomicBool::new(false));
    let source = Source::Virtual(space(&cut(&memory, 0x10_0000)));
    let tags = Arc::new(Patterns::new(vec![Pattern::text("Leak")]).unwrap());
    let spans = vec![
        Span {
            start: BASE,
            len: memory.len() as u64,
        },
        Span { start: 0, len: 16 },
    ];
    let mut hits = Hits::new(source, spans, tags, stop.clone());
    let mut found = Vec::new();
    let end = hits.each(|event| {
        if let Event::Hit(hit) = event {
            found.push(hit.address);
            stop.store(found.len() >= 1000, Ordering::Relaxed);
        }
        Ok(())
    });
    assert!(end.is_ok());
    assert!(found.len() >= 1000 && found.len() < 1 << 18);
    assert_eq!(
        found,
        (0..found.len() as u64)
            .map(|i| BASE + 16 * i)
            .collect::<Vec<_>>()
    );
    let coverage = hits.coverage();
    assert_eq!(coverage.asked, memory.len() as u64 + 16);
    assert!(
        coverage.stopped_at.is_some() && !coverage.is_complete() && coverage.missing.is_empty()
    );
    // Every hit of what is said to be searched is there.
    assert_eq!(coverage.read.div_ceil(16), found.len() as u64);
    assert!(
        coverage.to_string().contains("; stopped at fffff807`"),
        "{coverage}"
    );
    assert_eq!(hits.next(), None);
}

#[test]
fn a_search_that_nobody_listens_to_says_how_far_it_was_heard() {
    let memory = b"Leak............".repeat(1 << 16);
    let len = memory.len() as u64;
    let mut hits = start(
        &cut(&memory, 0x10_0000),
        &[(BASE, len)],
        vec![Pattern::text("Leak")],
    );
    let mut taken = 0;
    let end = hits.each(|event| match event {
        Event::Hit(_) if taken == 3 => Err(rkd_dump::error::Error::Stopped),
        Event::Hit(_) => {
            taken += 1;
            Ok(())
        }
        Event::Progress { .. } => Ok(()),
    });
    assert!(end.is_err());
    // The fourth was handed over and refused.
    assert_eq!(
        hits.break_off().stopped_at.as_deref(),
        Some("fffff807`47f50030")
    );
}

#[test]
fn the_account_says_what_was_missing_and_why() {
    let hits = |blocks: &[(u64, Vec<u8>)], spans: &[(u64, u64)]| {
        let mut hits = start(blocks, spans, vec![Pattern::text("Leak")]);
        assert_eq!(hits.by_ref().count(), 0);
        hits.coverage().to_string()
    };
    let pages = |n: usize| vec![0u8; n * 0x1000];
    assert_eq!(
        hits(&[(BASE, pages(9))], &[(BASE, 0x9000)]),
        "9 of 9 pages searched"
    );
    assert_eq!(
        hits(&[(BASE, pages(9))], &[(BASE + 16, 1)]),
        "0x1 of 0x1 byte searched"
    );
    assert_eq!(
        hits(
            &[(BASE, pages(2)), (BASE + 0x4000, pages(1))],
            &[(BASE, 0x9000)]
        ),
        "3 of 9 pages searched (6 not in the dump); the first missing address is \
         fffff807`47f52000: not in the dump, which holds only some blocks of memory"
    );
    assert_eq!(
        hits(&[], &[(0x1000, 0x20)]),
        "0x0 of 0x20 bytes searched (0x20 not in the dump); the first missing address is \
         00000000`00001000: not in the dump, which holds only some blocks of memory"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layout_agrees_with_the_naive_search(
        pieces in prop::collection::vec((prop::collection::vec(b'a'..=b'c', 1..40), prop_oneof![2 => Just(0u64), 1 => 1u64..20]), 1..20),
        spans in prop::collection::vec((0u64..400, 0u64..400), 1..4),
        patterns in prop_oneof![
            prop::collection::vec(prop::collection::vec(b'a'..=b'c', 1..60), 1..4),
            prop::collection::vec(prop::collection::vec(b'a'..=b'c', 1..12), 1..200),
        ],
    ) {
        let mut at = BASE;
        let mut blocks = Vec::new();
        for (bytes, gap) in pieces {
            at += gap;
            blocks.push((at, bytes.clone()));
            at += bytes.len() as u64;
        }
        let spans: Vec<_> = spans.into_iter().map(|(from, len)| (BASE + from, len)).collect();
        check(&blocks, &spans, &patterns);
    }
}
