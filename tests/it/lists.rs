//! What other programs say of pool tags, as people have it on their disks: `cases/lists` for `!pooldiff`, `cases/tagfiles` for
//! `--pooltag`. Every file of both folders has its answer here.

use crate::support::data::data;
use crate::support::practice::{ARTICLE, session};
use crate::support::say;
use rkd_kernel::growth::lists::{List, Unreadable, read};
use rkd_kernel::growth::{Held, Look};
use rkd_kernel::pool::{Tag, TagNames};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A tag, then outstanding allocations and bytes of nonpaged and of paged pool. What a list does not say is nothing.
type Row = (Tag, [Option<u64>; 4]);

fn list(path: &Path, which: Option<usize>) -> Result<List, Unreadable> {
    read(&fs::read(path).unwrap(), &Look::default(), which)
}

fn rows(list: &List) -> Vec<Row> {
    let figures = |held: Held| [held.allocs, held.bytes];
    let row = |(tag, [a, b]): (Tag, [Held; 2])| {
        let ([a, b], [c, d]) = (figures(a), figures(b));
        (tag, [a, b, c, d])
    };
    let tags = list.look.tags.iter();
    tags.map(|held| row((held.tag, [held.nonpaged, held.paged])))
        .collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    entries.map(|entry| name(entry).unwrap()).collect()
}

const fn nonpaged(tag: &[u8; 4], allocs: u64, bytes: u64) -> Row {
    (Tag(*tag), [Some(allocs), Some(bytes), None, None])
}

const fn paged(tag: &[u8; 4], allocs: u64, bytes: u64) -> Row {
    (Tag(*tag), [None, None, Some(allocs), Some(bytes)])
}

const LEAK_19: Row = nonpaged(b"Leak", 19, 796_917_760);
const LEAK_119: Row = nonpaged(b"Leak", 119, 4_991_221_760);
const NTFF: Row = paged(b"NtfF", 8138, 20_000_000);

/// The files with an answer that fits on a few lines: rows in the order of the tags, and the remarks.
fn answers() -> Vec<(&'static str, Vec<Row>, Vec<&'static str>)> {
    let megabytes = |tag, bytes| (Tag(tag), [None, Some(bytes), None, None]);
    vec![
        (
            "poolmon_appended.txt",
            vec![
                paged(b"CM25", 2990, 13_000_000),
                nonpaged(b"ConT", 200, 12_000_000),
                nonpaged(b"File", 9000, 3_600_000),
                nonpaged(b"Leak", 38, 1_593_835_520),
                NTFF,
            ],
            vec![
                "the file holds 2 lists, one after the other: the last is used (FILE#1 names the first)",
            ],
        ),
        (
            "poolmon_g_mapped_driver.txt",
            vec![nonpaged(b"ConT", 200, 12_000_000), LEAK_19, NTFF],
            vec![],
        ),
        ("poolmon_g_min.txt", vec![LEAK_19], vec![]),
        ("poolmon_partial.txt", vec![LEAK_19], vec![]),
        (
            "ps_gb.csv",
            vec![megabytes(*b"Leak", 4_939_212_390)],
            vec![
                "the figures under NPUsedGB are rounded: they may be off by 53687092 bytes, and a smaller change says nothing",
            ],
        ),
        (
            "ps_mb.csv",
            vec![
                (Tag(*b"Leak"), [Some(19), Some(796_917_760), None, Some(0)]),
                (Tag(*b"NtfF"), [Some(0), Some(0), None, Some(19_996_344)]),
            ],
            vec![
                "the figures under NonPagedUsedMB are rounded: they may be off by 52429 bytes, and a smaller change says nothing",
                "the figures under PagedUsedMB are rounded: they may be off by 52429 bytes, and a smaller change says nothing",
            ],
        ),
        ("quoted.txt", vec![LEAK_119], vec![]),
        ("systeminformer_de.csv", vec![LEAK_19, NTFF], vec![]),
        ("tabbed.txt", vec![LEAK_119], vec![]),
        (
            "table_np_mb.txt",
            vec![
                megabytes(*b"EtwB", 60_712_550),
                megabytes(*b"HalD", 67_528_294),
                megabytes(*b"Leak", 796_917_760),
            ],
            vec![
                "the figures under NP_MB are rounded: they may be off by 52429 bytes, and a smaller change says nothing",
            ],
        ),
        ("thousands.txt", vec![LEAK_119], vec![]),
        ("two_blanks.txt", vec![LEAK_119], vec![]),
        ("xray.csv", vec![LEAK_19, NTFF], vec![]),
    ]
}

/// The rows of a file that is too long to be written down here, by the places of its figures.
fn by_places(text: &str, separator: fn(char) -> bool, places: [usize; 4], tag: usize) -> Vec<Row> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split(separator).filter(|w| !w.is_empty()).collect();
        let figures: Vec<u64> = places
            .iter()
            .map_while(|&at| words.get(at)?.parse().ok())
            .collect();
        let figures: [u64; 4] = figures.try_into().ok()?;
        let bytes = match tag {
            0 => <[u8; 4]>::try_from(words.first()?.as_bytes()).ok()?,
            _ => u32::from_str_radix(words.get(tag)?, 16).ok()?.to_be_bytes(),
        };
        Some((Tag(bytes), figures.map(Some)))
    };
    let mut rows: Vec<Row> = text.lines().filter_map(row).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn every_list_of_another_program_is_read_as_it_is() {
    let Some(folder) = data("cases/lists") else {
        return;
    };
    let blank = |char: char| char.is_whitespace();
    let comma = |char: char| char == ',';
    let mut left = names(&folder);
    for (name, separator, places, tag) in [
        (
            "kd_poolused_2.txt",
            blank as fn(char) -> bool,
            [1, 2, 3, 4],
            0,
        ),
        ("kd_poolused_3.txt", blank, [3, 4, 7, 8], 0),
        ("rkd_poolused.csv", comma, [4, 5, 8, 9], 1),
    ] {
        assert!(left.remove(name), "{name}");
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let want = by_places(&text, separator, places, tag);
        assert!(want.len() > 30, "{name}");
        let list = list(&folder.join(name), None).unwrap();
        assert_eq!(rows(&list), want, "{name}");
        assert_eq!(list.remarks, [], "{name}");
    }
    for (name, want, remarks) in answers() {
        assert!(left.remove(name), "{name}");
        let list = list(&folder.join(name), None).unwrap();
        assert_eq!(rows(&list), want, "{name}");
        let said: Vec<String> = list.remarks.iter().map(ToString::to_string).collect();
        assert_eq!(said, remarks, "{name}");
    }
    assert_eq!(left, BTreeSet::new(), "files without an answer");
    let first = list(&folder.join("poolmon_appended.txt"), Some(1)).unwrap();
    assert_eq!(rows(&first)[3], LEAK_19);
}

#[test]
fn a_comparison_says_what_the_list_leaves_out() {
    let Some(folder) = data("cases/lists") else {
        return;
    };
    let mut session = session(ARTICLE);
    let mut diff = |file: &str| {
        say(
            &mut session,
            &format!("!pooldiff {}", folder.join(file).display()),
        )
    };
    let leak = |bytes: &str, allocs: &str| {
        format!(
            " Tag      Change in bytes    Allocs      Bytes per hour   Allocs per hour\n Leak {bytes:>19} {allocs:>9}                   -                 -\tUNKNOWN pooltag 'Leak', please update pooltag.txt\n"
        )
    };
    let earlier = "note: the other file does not say how long the machine had run: there is no rate, and it is taken for the earlier one\n";
    let partial = diff("poolmon_partial.txt");
    let rest = "note: 411 tags are not in the list, which may be a part of one: whether these grew is not known. They hold ";
    let start = leak("4194304000", "100") + earlier + rest;
    assert!(partial.starts_with(&start), "{partial}");
    assert_eq!(partial.lines().count(), 4, "{partial}");
    assert!(diff("ps_gb.csv").starts_with(&leak("52009370", "-")));
    let appended = diff("poolmon_appended.txt");
    assert!(
        appended.contains(" Leak          3397386240        81 "),
        "{appended}"
    );
    let first = diff("poolmon_appended.txt#1");
    assert!(
        first.contains(" Leak          4194304000       100 "),
        "{first}"
    );
    assert!(
        first.contains("\nnote: list 1 of the 2 in the file is used\n"),
        "{first}"
    );
    let none = diff("poolmon_appended.txt#3");
    assert!(
        none.ends_with("there is no list 3 in it, but 2\n"),
        "{none}"
    );
}

#[test]
fn every_tag_file_is_read_as_it_was_saved() {
    let Some(folder) = data("cases/tagfiles") else {
        return;
    };
    let (own, storport) = (
        "NotMyFault , Binary: myfault.sys",
        "Cont , Binary: storport.sys",
    );
    let unknown = "UNKNOWN pooltag 'ConT', please update pooltag.txt";
    let mut left = names(&folder);
    for (name, leak, cont) in [
        ("localtag.txt", "Binary: myfault.sys", unknown),
        ("localtag2.txt", "Binary: myfault.sys", unknown),
        ("pooltag.csv", own, unknown),
        (
            "pooltag_cp1252.txt",
            "NotMyFault été , Binary: myfault.sys",
            storport,
        ),
        (
            "pooltag_indent.txt",
            "indented , Binary: myfault.sys",
            unknown,
        ),
        ("pooltag_nospace.txt", own, unknown),
        ("pooltag_tabs.txt", own, unknown),
        ("pooltag_two.txt", "Binary: myfault.sys", unknown),
        ("pooltag_utf16.txt", own, storport),
        ("pooltag_utf16_bom.txt", own, storport),
        ("pooltag_utf8bom.txt", own, unknown),
        (
            "pooltag_wild.txt",
            "wildcard , Binary: myfault.sys",
            "b - c - d , Binary: a",
        ),
    ] {
        assert!(left.remove(name), "{name}");
        let names = TagNames::with_file(&folder.join(name)).unwrap();
        let said = (names.describe(Tag(*b"Leak")), names.describe(Tag(*b"ConT")));
        assert_eq!(said, (leak.to_owned(), cont.to_owned()), "{name}");
    }
    assert_eq!(left, BTreeSet::new(), "files without an answer");
}
