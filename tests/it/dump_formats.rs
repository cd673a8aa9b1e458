//! Every kind of dump, written by hand from the format documentation and read back page by page; and the same files
//! read by kdmp-parser, another reader.

use crate::support::writers::{
    FORMATS, Format, Machine, PAGE, header, put, put32, put64, stamp, triage,
};
use proptest::prelude::*;
use rkd_dump::addr::{Pfn, Virt};
use rkd_dump::error::Error;
use rkd_dump::{Dump, Run};
use std::collections::BTreeMap;
use std::path::Path;

fn open(bytes: Vec<u8>) -> Dump {
    Dump::from_bytes("test.dmp", bytes).unwrap()
}

fn refusal(bytes: Vec<u8>) -> String {
    match Dump::from_bytes("test.dmp", bytes) {
        Err(Error::NotADump { reason, .. }) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

fn name(format: Format) -> &'static str {
    match format {
        Format::Full => "full",
        Format::Bitmap(5) => "bitmap-full",
        Format::Bitmap(_) => "bitmap-kernel",
        Format::Range(8) => "range-kernel",
        Format::Range(9) => "range-active",
        Format::Range(_) => "range-full",
    }
}

/// Everything that the reader must say of a sound file of this machine.
fn check(machine: &Machine, format: Format) {
    let bytes = machine.write(format);
    let dump = open(bytes.clone());
    assert_eq!(dump.format().name, name(format));
    assert_eq!(dump.notes(), [] as [&str; 0], "{format:?}");
    assert!(dump.triage().is_none());
    let memory = dump.physical().unwrap();
    assert_eq!(
        memory.present_pages(),
        machine.pages.len() as u64,
        "{format:?}"
    );
    let last = machine.pages.keys().next_back().copied().unwrap_or(0);
    let mut next = memory.next_present(Pfn(0));
    for frame in (0..last + 70).chain([last + 70_000, 1 << 40, u64::MAX]) {
        let page = machine.pages.get(&frame);
        let found = memory.page(Pfn(frame)).map(|page| page.to_vec());
        assert_eq!(found.as_ref(), page, "frame {frame:x} of {format:?}");
        if page.is_some() {
            assert_eq!(next, Some(Pfn(frame)), "{format:?}");
            next = memory.next_present(Pfn(frame + 1));
        }
    }
    assert_eq!(next, None);
    // In these files neighbours in memory are always neighbours in the file.
    let runs: Vec<_> = memory.runs().map(|run| (run.first.0, run.pages)).collect();
    assert_eq!(runs, machine.runs(), "{format:?}");
    for (first, pages) in runs {
        for (skip, max) in [
            (0, u64::MAX),
            (pages / 2, u64::MAX),
            (pages - 1, 5),
            (0, 1),
            (0, pages),
            (pages / 3, 2),
        ] {
            let expected = (pages - skip).min(max);
            let run = memory.locate(Pfn(first + skip), max).unwrap();
            assert_eq!(
                (run.first.0, run.pages),
                (first + skip, expected),
                "{format:?}"
            );
            let bytes = memory.run_at(Pfn(first + skip), max).unwrap();
            let frames = first + skip..first + skip + expected;
            let expected: Vec<u8> = frames
                .flat_map(|frame| machine.pages[&frame].clone())
                .collect();
            assert!(
                bytes == expected,
                "{skip} pages into the run at {first:x} of {format:?}"
            );
        }
    }
    agree_with_the_other_reader(&dump, &bytes);
}

/// kdmp-parser finds the same pages at the same places.
fn agree_with_the_other_reader(dump: &Dump, bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let theirs = kdmp_parser::parse::KernelDumpParser::new(file.path()).unwrap();
    let theirs: BTreeMap<u64, u64> = theirs
        .physmem()
        .map(|(gpa, offset)| (u64::from(gpa) >> 12, offset))
        .collect();
    let pages = |run: Run| {
        (0..run.pages).map(move |page| (run.first.0 + page, run.offset + page * PAGE as u64))
    };
    let ours: BTreeMap<u64, u64> = dump.physical().unwrap().runs().flat_map(pages).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn every_kind_gives_back_the_pages_it_was_made_of() {
    let machines: &[&[std::ops::Range<u64>]] = &[
        &[1..2, 3..3],
        &[1..33, 33..64],
        &[5..6, 63..66, 127..129],
        &[1..0x9f, 0x100..0x101, 0x103..0x140, 0x3ff..0x402],
        // Past a superblock of the directory, with nothing in between.
        &[2..3, 0x1_0000..0x1_0001, 0x2_ffff..0x3_0001],
    ];
    for frames in machines {
        let machine = Machine::of(frames.iter().flat_map(Clone::clone));
        for format in FORMATS {
            check(&machine, format);
        }
    }
}

#[test]
fn frame_zero_is_a_page_like_any_other_where_the_format_can_say_so() {
    let machine = Machine::of([0, 1, 9]);
    check(&machine, Format::Full);
    check(&machine, Format::Bitmap(5));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_machine_survives_any_format(frames in prop::collection::btree_set(1u64..3000, 1..50), stretch in 1u64..20) {
        // At most 42 runs fit into the header of a full dump.
        let starts = frames.iter().step_by(2);
        let machine = Machine::of(starts.flat_map(|first| *first..*first + stretch));
        for format in FORMATS {
            if machine.runs().len() <= 42 || format != Format::Full {
                check(&machine, format);
            }
        }
    }
}

#[test]
fn a_dump_opens_from_a_file_as_from_memory() {
    let machine = Machine::of(3..9);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), machine.write(Format::Bitmap(6))).unwrap();
    let dump = Dump::open(file.path()).unwrap();
    assert_eq!(dump.path(), file.path());
    assert_eq!(
        dump.physical()
            .unwrap()
            .page(Pfn(8))
            .map(|page| page.to_vec()),
        Some(stamp(8))
    );
    assert_eq!(dump.located().up_time.get(), Some(36_000_000_000));
    assert_eq!(dump.located().debugger_block.get(), None);
}

#[test]
fn what_is_no_file_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    for (path, expected) in [
        (folder.path().to_path_buf(), "it is not a regular file"),
        (
            folder.path().join("nothing.dmp"),
            "No such file or directory",
        ),
    ] {
        let error = Dump::open(&path).unwrap_err().to_string();
        let said = error
            .strip_prefix(&format!("cannot open {}: ", path.display()))
            .unwrap_or(&error);
        assert!(
            cfg!(not(target_os = "linux")) || said.starts_with(expected),
            "{error}"
        );
    }
    let empty = folder.path().join("empty.dmp");
    std::fs::write(&empty, "").unwrap();
    let error = Dump::open(&empty).unwrap_err().to_string();
    assert!(error.ends_with(
        ": the file is empty; the disk may have been full when the dump was copied or written"
    ));
}

#[test]
fn dumps_that_cannot_be_read_are_refused_in_words() {
    let mut wrong_bitmap = Machine::of([1]).write(Format::Bitmap(5));
    put(&mut wrong_bitmap, 0x2000, b"ZZMPDUMP");
    let mut no_bitmap = header(6, 0);
    let mut unfinished = header(6, 0);
    unfinished.extend(b"PAGE".repeat(100));
    no_bitmap.extend(b"SDMPDUMP");
    let mut inside = Machine::of([1]).write(Format::Range(8));
    put64(&mut inside, 0x2018, 0x2030);
    let mut full = header(1, 0);
    full.extend(stamp(1));
    let cases = [
        (
            header(2, 0),
            "a kernel summary dump (type 2), as Windows 7 and older wrote; its layout is not supported. Windows 8 \
             and later write type 5 or 6, and .dump /f of a debugger rewrites an old one",
        ),
        (
            header(3, 0),
            "a dump that holds only its header (type 3): no memory was written",
        ),
        (
            header(0x4547_4150, 0),
            "a kernel dump whose header was never filled in: the writing of the dump did not finish",
        ),
        (
            header(0x7f, 0),
            "a kernel dump of the unknown type 0x7f; known are 1, 4, 5, 6, 8, 9 and a",
        ),
        (
            header(5, 0),
            "the file ends right after its header: no memory was written",
        ),
        (
            header(8, 0),
            "the file ends right after its header: no memory was written",
        ),
        (
            header(4, 0),
            "a triage dump that ends after 8192 bytes, inside its header",
        ),
        (
            no_bitmap,
            "the file ends after 8200 bytes, inside its bitmap header",
        ),
        (
            unfinished,
            "the second header was never filled in: the writing of the dump did not finish",
        ),
        (
            wrong_bitmap,
            "the second header should begin with SDMP or FDMP, and begins with 5a 5a 4d 50 44 55 4d 50 (ZZMPDUMP): \
             a damaged file, or a kind of dump that is not known",
        ),
        (
            inside,
            "the list of memory says that the first page lies at 0x2030, inside the header",
        ),
        (
            full,
            "a full dump whose header does not say which memory it holds",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(refusal(bytes), expected);
    }
}

#[test]
fn an_arm64_dump_opens_and_says_so() {
    let mut bytes = Machine::of([1, 2]).write(Format::Bitmap(6));
    put32(&mut bytes, 0x30, 0xaa64);
    let dump = open(bytes);
    assert_eq!(dump.located().machine.get(), Some(rkd_dump::MACHINE_ARM64));
    assert_eq!(dump.physical().unwrap().present_pages(), 2);
}

/// A file cut anywhere opens or is refused, never gives a wrong page, and counts what is missing.
#[test]
fn a_cut_file_gives_what_it_has_and_says_what_is_missing() {
    let machine = Machine::of((0x10..0x13).chain(0x20..0x22));
    for format in FORMATS {
        let whole = machine.write(format);
        let first_page = whole.len() - 5 * PAGE;
        for len in
            (0..whole.len())
                .step_by(511)
                .chain([first_page - 1, first_page, whole.len() - 1])
        {
            let Ok(dump) = Dump::from_bytes("cut.dmp", whole[..len].to_vec()) else {
                assert!(len < first_page, "{format:?} cut to {len} bytes is refused");
                continue;
            };
            let memory = dump.physical().unwrap();
            let left = len.saturating_sub(first_page) / PAGE;
            assert_eq!(
                memory.present_pages(),
                left as u64,
                "{format:?} cut to {len} bytes"
            );
            assert_eq!(memory.runs().map(|run| run.pages).sum::<u64>(), left as u64);
            for (number, (frame, page)) in machine.pages.iter().enumerate() {
                let found = memory.page(Pfn(*frame)).map(|page| page.to_vec());
                assert_eq!(
                    found.as_ref(),
                    Some(page).filter(|_| number < left),
                    "{format:?} cut to {len} bytes"
                );
                let run = memory.run_at(Pfn(*frame), u64::MAX).map(<[u8]>::len);
                assert_eq!(run.is_some(), number < left);
            }
            assert!(
                !dump.notes().is_empty(),
                "{format:?} cut to {len} bytes says nothing"
            );
        }
        let dump = open(whole[..first_page + 2 * PAGE + 100].to_vec());
        let frames = if matches!(format, Format::Bitmap(_)) {
            "12 to 21"
        } else {
            "12, 20 to 21"
        };
        let expected = format!(
            "the file is cut short by {} bytes: 3 of its 5 pages are missing (page frames {frames})",
            3 * PAGE - 100
        );
        assert_eq!(dump.notes(), [expected], "{format:?}");
    }
}

#[test]
fn a_file_cut_inside_its_lists_says_so() {
    let mut whole = Machine::of(1..4).write(Format::Bitmap(6));
    whole.truncate(0x2038);
    assert_eq!(
        open(whole).notes(),
        ["the file is cut short by 16328 bytes, inside its bitmap: all of its 3 pages are missing"]
    );
    let mut whole = Machine::of((1..40).map(|page| page * 2)).write(Format::Range(8));
    whole.truncate(0x2030 + 16 * 39);
    assert_eq!(
        open(whole).notes(),
        [
            "the file is cut short by 163168 bytes: 39 of its 39 pages are missing (page frames 2, 4, 6, 8, 35 ranges more)",
            "the list of memory has no end: the file ends inside it",
        ]
    );
    let mut fewer = Machine::of(1..4).write(Format::Range(10));
    put64(&mut fewer, 0x2028, 9);
    assert_eq!(
        open(fewer).notes(),
        ["the header counts 1 ranges and 9 pages, the list holds 1 and 3"]
    );
}

/// One page of memory, and numbers that lie about it.
#[test]
fn lying_numbers_cost_nothing_and_are_noted() {
    const BIG: u64 = 1 << 60;
    let huge = [
        BIG,
        u64::MAX,
        u64::MAX - 0x1fff,
        1 << 40,
        1 << 36,
        0x2000,
        0,
    ];
    for value in huge {
        for at in [0x2020, 0x2028, 0x2030] {
            let mut bytes = Machine::of([3]).write(Format::Bitmap(6));
            put64(&mut bytes, at, value);
            let dump = open(bytes);
            assert!(!dump.notes().is_empty(), "{value:x} at {at:x}");
            assert!(dump.physical().unwrap().present_pages() <= 1);
        }
        for at in [0x2010, 0x2018, 0x2020, 0x2028, 0x2030, 0x2038] {
            for kind in [8, 10] {
                let mut bytes = Machine::of([3]).write(Format::Range(kind));
                put64(&mut bytes, at, value);
                let Ok(dump) = Dump::from_bytes("lying.dmp", bytes) else {
                    continue;
                };
                let memory = dump.physical().unwrap();
                let (listed, present) = (
                    memory.runs().map(|run| run.pages).sum::<u64>(),
                    memory.present_pages(),
                );
                assert!(
                    listed == present && present <= 2,
                    "{value:x} at {at:x} of {kind}"
                );
            }
        }
        for at in [0x98, 0xa0] {
            let mut bytes = Machine::of([3]).write(Format::Full);
            put64(&mut bytes, at, value);
            assert!(
                open(bytes).physical().unwrap().present_pages() <= 1,
                "{value:x} at {at:x}"
            );
        }
    }
    let mut bytes = Machine::of([3]).write(Format::Full);
    put32(&mut bytes, 0x88, u32::MAX);
    let dump = open(bytes);
    assert_eq!(
        dump.notes()[0],
        "the header claims 4294967295 runs of memory, but has room for 42 only"
    );
    assert_eq!(
        dump.physical()
            .unwrap()
            .page(Pfn(3))
            .map(|page| page.to_vec()),
        Some(stamp(3))
    );
}

#[test]
fn a_bitmap_that_reaches_into_the_pages_is_cut_there() {
    let mut bytes = Machine::of(1..4).write(Format::Bitmap(5));
    put64(&mut bytes, 0x2030, 1 << 40);
    let dump = open(bytes);
    let room = (0x3000 - 0x2038) * 8;
    assert_eq!(
        dump.notes()[0],
        format!("the bitmap should hold 1099511627776 bits, but there is room for {room} only")
    );
    assert_eq!(
        dump.physical()
            .unwrap()
            .page(Pfn(2))
            .map(|page| page.to_vec()),
        Some(stamp(2))
    );
}

#[test]
fn duplicate_frames_are_noted_and_the_first_copy_is_used() {
    let mut bytes = header(8, 0);
    bytes.resize(0x3000, 0);
    put(&mut bytes, 0x2000, b"\x40\0\0\0RDMPDUMP");
    put64(&mut bytes, 0x2010, 0x3000 - 0x2020);
    put64(&mut bytes, 0x2018, 0x3000);
    for (index, (first, pages)) in [(7u64, 2u64), (8, 2)].into_iter().enumerate() {
        put64(&mut bytes, 0x2030 + 16 * index, first);
        put64(&mut bytes, 0x2038 + 16 * index, pages);
    }
    for page in 100..104 {
        bytes.extend(stamp(page));
    }
    let dump = open(bytes);
    let memory = dump.physical().unwrap();
    let found: Vec<_> = (6..11)
        .map(|frame| memory.page(Pfn(frame)).map(|page| page[2]))
        .collect();
    assert_eq!(found, [None, Some(100), Some(101), Some(103), None]);
    assert_eq!(
        dump.notes(),
        ["1 page is listed more than once: the copy of the earlier run is used"]
    );
}

fn blocks() -> Vec<(u64, Vec<u8>)> {
    vec![
        (0xffff_f807_2264_0000, vec![0x11; 0x200]),
        (0xffff_f807_2264_0100, vec![0x22; 0x20]),
        (0xffff_8504_2989_0f00, vec![0x33; 0x40]),
    ]
}

#[test]
fn a_triage_dump_gives_back_everything_it_was_made_of() {
    let dump = open(triage(&blocks()));
    assert_eq!(
        (dump.format().name, dump.notes()),
        ("triage", &[] as &[String])
    );
    assert!(dump.physical().is_none());
    let triage = dump.triage().unwrap();
    let found: Vec<_> = triage
        .blocks()
        .map(|block| (block.va.0, block.bytes[0], block.bytes.len()))
        .collect();
    let expected = [
        (0xffff_8504_2989_0ee8, 4, 0x100),
        (0xffff_8504_3000_0000, 5, 0x1000),
        (0xffff_f807_2320_0b20, 0, 0x380),
        (0xffff_f807_2264_0000, 0x11, 0x200),
        (0xffff_f807_2264_0100, 0x22, 0x20),
        (0xffff_8504_2989_0f00, 0x33, 0x40),
    ];
    assert_eq!(found, expected);
    assert_eq!(triage.process(), Some(&[1; 0x30][..]));
    assert_eq!(triage.thread(), Some(&[2; 0x20][..]));
    assert_eq!(triage.prcb(), Some(&[3; 0x50][..]));
    let driver = &triage.drivers()[0];
    assert_eq!(
        (driver.name.as_str(), driver.base, driver.size),
        ("nt.exe!", Virt(0xffff_f807_2260_0000), 0x104_6000)
    );
    assert_eq!(
        (driver.checksum, driver.time_stamp),
        (0xa5_938c, 0xd83_33e6)
    );
    let gone = &triage.unloaded()[0];
    assert_eq!(
        (gone.name.as_str(), gone.start),
        ("dam.sys", Virt(0xffff_f807_5000_0000))
    );
}

#[test]
fn a_damaged_triage_dump_opens_and_says_what_is_wrong() {
    let whole = triage(&blocks());
    let mut no_mark = whole.clone();
    let len = no_mark.len();
    put(&mut no_mark, len - 4, b"ZZZZ");
    assert_eq!(
        open(no_mark).notes(),
        [format!(
            "the mark TRGD is not at {:#x}, where a complete triage dump has it",
            len - 4
        )]
    );
    let cut = open(whole[..len - 0x44].to_vec());
    assert_eq!(
        cut.notes(),
        [
            format!("the file is cut short by 68 bytes: it should have {len}"),
            format!(
                "the mark TRGD should be at {:#x}, beyond the end of the file",
                len - 4
            ),
            "1 of 3 blocks of memory lie beyond the end of the file".to_string(),
        ]
    );
    assert_eq!(cut.triage().unwrap().blocks().count(), 5);
    let mut many = whole.clone();
    put32(&mut many, 0x207c, u32::MAX);
    let many = open(many);
    let note = many.notes().last().unwrap();
    assert!(
        note.starts_with(
            "the header counts 4294967295 blocks of memory, the file has room to list "
        ),
        "{note}"
    );
    let mut overflow = whole;
    put32(&mut overflow, 0x2044, 0x100);
    assert_eq!(
        open(overflow).notes(),
        ["the dump was too small for all that Windows wanted to keep (triage overflow)"]
    );
}

#[test]
fn files_that_are_no_dumps_are_named() {
    let refused = |bytes: &[u8]| {
        Dump::from_bytes("x.dmp", bytes.to_vec())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(b"MDMP\x93\xa7\0\0"),
        "x.dmp: not a kernel dump but a user-mode minidump of one process; rkd opens kernel dumps (MEMORY.DMP, \
         Minidump\\*.dmp)"
    );
    assert!(
        refused(b"PAGEDUMP\x0f\0\0\0")
            .starts_with("x.dmp: a 32-bit kernel dump (x86, build 0), which is not supported yet")
    );
    assert!(
        matches!(Dump::open(Path::new("Cargo.toml")), Err(Error::NotADump { reason, .. }) if reason.to_string().contains("text"))
    );
}
