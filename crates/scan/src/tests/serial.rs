//! Strings and regular expressions, over pieces of every size.

use super::{BASE, cut, space};
use crate::{Regex, Source, Span, Strings};
use rkd_dump::error::Error;
use std::sync::atomic::AtomicBool;

#[test]
fn strings_go_over_borders_and_end_at_holes() {
    let list = |blocks: &[(u64, Vec<u8>)], len: u64, wide: bool| {
        let mut found = Vec::new();
        let strings = Strings { wide, shortest: 3 };
        let coverage = strings.find(
            &Source::Virtual(space(blocks)),
            &[Span { start: BASE, len }],
            &AtomicBool::new(false),
            |at, text| {
                found.push((at - BASE, text.to_string()));
                Ok(())
            },
        );
        (found, coverage.unwrap().read)
    };
    let text = b"ab\0Leak 1\x7fxyz\0L\0e\0a\0\0\0m\0y\0n\0";
    let owned = |list: &[(u64, &str)]| {
        list.iter()
            .map(|(at, text)| (*at, text.to_string()))
            .collect::<Vec<_>>()
    };
    for size in 1..=text.len() {
        let blocks = cut(text, size);
        assert_eq!(
            list(&blocks, 28, false),
            (owned(&[(3, "Leak 1"), (10, "xyz")]), 28),
            "pieces of {size}"
        );
        assert_eq!(
            list(&blocks, 28, true),
            (owned(&[(12, "zLea"), (22, "myn")]), 28),
            "pieces of {size}"
        );
    }
    let mut blocks = cut(text, 6);
    blocks.remove(1);
    assert_eq!(list(&blocks, 28, false), (owned(&[(3, "Lea")]), 22));
    assert_eq!(list(&blocks, 9, false).0, owned(&[(3, "Lea")]));
}

fn matches(blocks: &[(u64, Vec<u8>)], len: u64, regex: &str) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let take = |at: u64, bytes: &[u8]| {
        found.push((at - BASE, bytes.to_vec()));
        Ok(())
    };
    let spans = [Span { start: BASE, len }];
    Regex::new(regex)
        .unwrap()
        .find(
            &Source::Virtual(space(blocks)),
            &spans,
            &AtomicBool::new(false),
            take,
        )
        .unwrap();
    found
}

#[test]
fn regular_expressions_go_over_borders_and_not_over_holes() {
    let text = b"Leak-1;leak22;\xff\xfe\0LEAK333. Leak4";
    let found = |list: &[(u64, &[u8])]| {
        list.iter()
            .map(|(at, bytes)| (*at, bytes.to_vec()))
            .collect::<Vec<_>>()
    };
    for size in 1..=text.len() {
        let blocks = cut(text, size);
        assert_eq!(
            matches(&blocks, 32, r"[Ll]eak\d+"),
            found(&[(7, b"leak22"), (26, b"Leak4")]),
            "pieces of {size}"
        );
        assert_eq!(
            matches(&blocks, 32, r"(?i)\bleak\b"),
            found(&[(0, b"Leak")]),
            "pieces of {size}"
        );
        assert_eq!(
            matches(&blocks, 32, r"\xff.\x00"),
            found(&[(14, b"\xff\xfe\0")]),
            "pieces of {size}"
        );
    }
    let mut blocks = cut(text, 8);
    blocks.remove(1);
    assert_eq!(
        matches(&blocks, 32, r"(?i)l?eak[0-9]"),
        found(&[(17, b"LEAK3"), (26, b"Leak4")])
    );
    assert_eq!(matches(&blocks, 30, "Leak4"), []);
}

#[test]
fn regular_expressions_in_large_memory() {
    let mut memory = vec![b'.'; 0x5_0000];
    let mut expected = Vec::new();
    for border in [0x1_0000usize, 0x1_f000, 0x2_0000, 0x3_0000 - 4096, 0x4_0000] {
        for length in [1, 7, 4000] {
            let at = border - 2100 + length / 3;
            if length == 4000 && border != 0x2_0000 || length != 4000 && border == 0x2_0000 {
                continue;
            }
            let at = at + length * 8 % 64;
            memory[at] = b'<';
            memory[at + 1..=at + length].fill(b'x');
            memory[at + length + 1] = b'>';
            expected.push((at as u64, memory[at..at + length + 2].to_vec()));
        }
    }
    expected.sort();
    for size in [memory.len(), 0x1000, 0x1234] {
        assert!(
            matches(&cut(&memory, size), memory.len() as u64, "<x*>") == expected,
            "pieces of {size:#x}"
        );
    }
    assert!(
        Regex::new("x*")
            .unwrap_err()
            .to_string()
            .contains("matches nothing at all")
    );
    assert!(
        Regex::new("(")
            .unwrap_err()
            .to_string()
            .contains("unclosed group")
    );
}

#[test]
fn what_nobody_listens_to_any_more_is_accounted_for() {
    // A hit every eight bytes, 0x2000 in each of the blocks that are handed over at once.
    let memory = b"Leak\0\0\0\0".repeat(0x8000);
    let source = Source::Virtual(space(&[(BASE, memory.clone())]));
    let whole = Span {
        start: BASE,
        len: memory.len() as u64,
    };
    let spans = [
        whole,
        Span {
            len: 0x100,
            ..whole
        },
    ];
    let stop = AtomicBool::new(false);
    for most in [0, 0x3000, 0x8000] {
        let listen = || {
            let mut left = most;
            move || match left {
                0 => Err(Error::Stopped),
                _ => {
                    left -= 1;
                    Ok(())
                }
            }
        };
        let mut take = listen();
        let regex = Regex::new("Leak").unwrap();
        let matches = regex.find(&source, &spans, &stop, |_, _| take());
        let mut take = listen();
        let strings = Strings {
            wide: false,
            shortest: 3,
        };
        let strings = strings.find(&source, &spans, &stop, |_, _| take());
        let (read, stopped_at) = match most {
            0 => (0, "fffff807`47f50000"),
            0x3000 => (0x1_0000, "fffff807`47f68000"),
            // All of the first span was heard, nothing of the second.
            _ => (0x4_0000, "fffff807`47f50000"),
        };
        for coverage in [matches.unwrap(), strings.unwrap()] {
            assert_eq!(coverage.asked, 0x4_0100);
            // The end of a match may be known only at the end of the memory.
            assert!((read..=read + 0x100).contains(&coverage.read), "{most:#x}");
            assert_eq!(
                coverage.stopped_at.as_deref(),
                Some(stopped_at),
                "{most:#x}"
            );
        }
    }
}
