//! The tag reader on images that are broken or lie: it ends, it says what it cannot tell, and it names nobody wrongly.
use crate::support::drivers::drivers;
use crate::support::random::Random;
use rkd_pooltags::{Class, Options, Report, TagImage, Verdict, analyse};
use std::collections::BTreeSet;

fn read(bytes: &[u8]) -> Option<Report> {
    let image = TagImage::from_file_bytes("driver.sys", bytes).ok()?;
    let options = Options::default();
    let report = analyse(&image, &options);
    let limit = options.image_steps + u64::from(options.limits.steps) + 100_000;
    assert!(report.coverage.steps <= limit, "{:?}", report.coverage);
    for site in report.sites.iter().chain(&report.untagged) {
        assert!(image.is_code(site.call_rva), "{site:x?}");
        assert!(
            site.constant_rvas.iter().all(|&rva| image.has(rva)),
            "{site:x?}"
        );
        // what is claimed can be shown
        if site.class.is_some() {
            assert!(!image.proofs(site).is_empty(), "{site:x?}");
        }
    }
    Some(report)
}

/// The tags that are claimed to be allocated.
fn proven(report: &Report) -> BTreeSet<u32> {
    let proven = report
        .sites
        .iter()
        .filter(|s| s.class.is_some_and(|c| c <= Class::E2));
    proven.filter_map(|s| s.tag).collect()
}

/// The tags that the driver may use, however sure that is.
fn said(report: &Report) -> BTreeSet<u32> {
    let said = report.sites.iter().filter(|s| s.class.is_some());
    said.filter_map(|s| s.tag).collect()
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Where the header of a section lies.
fn header(bytes: &[u8], name: &str) -> usize {
    find_header(bytes, name).unwrap()
}

fn find_header(bytes: &[u8], name: &str) -> Option<usize> {
    let pe = u32_at(bytes, 0x3c);
    let optional = usize::from(u16::from_le_bytes([bytes[pe + 20], bytes[pe + 21]]));
    let first = pe + 24 + optional;
    (0..16)
        .map(|i| first + 40 * i)
        .find(|&at| bytes[at..].starts_with(name.as_bytes()))
}

/// Where the bytes of a section lie in the file.
fn section(bytes: &[u8], name: &str) -> std::ops::Range<usize> {
    let at = header(bytes, name);
    let start = u32_at(bytes, at + 20);
    start..start + u32_at(bytes, at + 8).min(u32_at(bytes, at + 16))
}

/// Where the data directories begin.
fn directories(bytes: &[u8]) -> usize {
    let pe = u32_at(bytes, 0x3c);
    let wide = bytes[pe + 24..pe + 26] == [0x0b, 2];
    pe + 24 + if wide { 112 } else { 96 }
}

fn chosen() -> Vec<(String, Vec<u8>)> {
    let wanted = [
        "hard-",
        "wrapped-",
        "framework-guarded-",
        "filter-",
        "named-",
    ];
    let all = drivers().clone().into_iter();
    all.filter(|(name, _)| name.ends_with("-O2.sys") && wanted.iter().any(|w| name.starts_with(w)))
        .collect()
}

#[test]
fn bytes_that_were_changed_anywhere_end_the_reading_in_order() {
    let mut random = Random(0x5eed_1234_5678_9abd);
    for (_, bytes) in chosen() {
        for round in 0..40 {
            let mut mutant = bytes.clone();
            for _ in 0..=random.index(24) {
                let at = random.index(if round % 2 == 0 { mutant.len() } else { 0x400 });
                mutant[at] = [0, 0xff, 0x7f, random.index(256) as u8][random.index(4)];
            }
            if round % 5 == 0 {
                mutant.truncate(random.index(bytes.len()));
            }
            read(&mutant);
        }
    }
}

#[test]
fn tables_that_lie_make_nobody_guilty() {
    let mut random = Random(0xdeed_1234_5678_9abd);
    for (name, bytes) in chosen() {
        let truth = said(&read(&bytes).unwrap());
        for table in [".pdata", ".reloc"] {
            if find_header(&bytes, table).is_none() {
                continue;
            }
            let place = section(&bytes, table);
            for round in 0..30 {
                let mut mutant = bytes.clone();
                for at in place.clone().step_by(4) {
                    match (round, random.index(4)) {
                        // nothing, everything, the same piece again and again, pieces that overlap
                        (0, _) => put(&mut mutant, at, 0),
                        (1, _) => put(
                            &mut mutant,
                            at,
                            if at % 12 == place.start % 12 {
                                0x1000
                            } else {
                                0x2000
                            },
                        ),
                        (_, 0) => put(&mut mutant, at, 0x1000 + random.index(0x1000) as u32),
                        (_, 1) => put(&mut mutant, at, random.number() as u32),
                        _ => {}
                    }
                }
                let claimed = proven(&read(&mutant).unwrap());
                // where a function is said to begin in the middle, what was doubtful before it may seem sure: but a tag that
                // reaches no interface in the source never does
                assert!(
                    claimed.is_subset(&truth),
                    "{name} {table} {round}: {claimed:x?}"
                );
            }
        }
    }
}

#[test]
fn sections_that_overlap_are_cut_and_said() {
    let bytes = &drivers()["hard-x64-O2.sys"];
    let mut mutant = bytes.clone();
    let at = header(bytes, ".text");
    put(&mut mutant, at + 8, 0x0fff_ffff);
    let report = read(&mutant).unwrap();
    assert!(
        report
            .notes
            .iter()
            .any(|n| n.contains(".text runs into the next one")),
        "{:?}",
        report.notes
    );
    let mut mutant = bytes.clone();
    let at = header(bytes, ".rdata");
    put(&mut mutant, at + 12, 0x1000);
    let truth = proven(&read(bytes).unwrap());
    assert!(proven(&read(&mutant).unwrap()).is_subset(&truth));
}

#[test]
fn imports_that_never_end() {
    let bytes = &drivers()["hard-x64-O2.sys"];
    let import = directories(bytes) + 8;
    let mut mutant = bytes.clone();
    put(&mut mutant, import + 4, u32::MAX);
    read(&mutant);
    // the names of each module are the list of modules itself
    let rva = u32_at(bytes, import);
    let head = header(bytes, ".rdata");
    let start = u32_at(bytes, head + 20) + rva - u32_at(bytes, head + 12);
    for slot in [0, 16] {
        let mut mutant = bytes.clone();
        put(&mut mutant, start + slot, rva as u32);
        read(&mutant);
    }
    // every descriptor is the first one
    let first = bytes[start..start + 20].to_vec();
    let mut mutant = bytes.clone();
    let end = section(bytes, ".rdata").end;
    for at in (start..end - 20).step_by(20) {
        mutant[at..at + 20].copy_from_slice(&first);
    }
    read(&mutant);
}

/// Code made of what costs a reader of instructions most.
#[test]
fn code_that_jumps_into_itself() {
    let drivers = drivers();
    let x64: [&[u8]; 6] = [
        &[0xeb, 0xff, 0xc0],                   // jumps to its own second byte
        &[0x70, 0x00],                         // a branch to the next instruction
        &[0x0f, 0x84, 0xf0, 0xff, 0xff, 0xff], // a branch back
        &[0xe8, 0xfb, 0xff, 0xff, 0xff],       // calls itself
        &[0x48, 0x83, 0xc0, 0x01, 0x75, 0xfa], // counts
        &[0x48, 0xff, 0xc4, 0x75, 0xfb],       // the stack pointer counts
    ];
    for pattern in x64 {
        for name in ["hard-x64-O2.sys", "hard-bare-x64-O2.sys", "hard-x86-O2.sys"] {
            let bytes = &drivers[name];
            let mut mutant = bytes.clone();
            // the first function stays, so that there is something to read
            let text = section(bytes, ".text");
            for (i, at) in (text.start + 0x200..text.end).enumerate() {
                mutant[at] = pattern[i % pattern.len()];
            }
            read(&mutant).unwrap();
        }
    }
    for word in [
        0x1400_0000u32,
        0x5400_0000,
        0x1000_0000,
        0x9400_0000,
        0xb5ff_ffe0,
        0x9100_07ff,
    ] {
        let bytes = &drivers["hard-arm64-O2.sys"];
        let mut mutant = bytes.clone();
        let text = section(bytes, ".text");
        for at in (text.start + 0x200..text.end - 4).step_by(4) {
            put(&mut mutant, at, word);
        }
        read(&mutant).unwrap();
    }
}

#[test]
fn packed_code_is_no_reason_to_say_no() {
    let bytes = &drivers()["hard-x64-O2.sys"];
    // a section of noise, as a packer leaves it
    let mut packed = bytes.clone();
    let mut random = Random(0x1111_2222_3333_4445);
    let at = header(bytes, ".text");
    let start = packed.len() as u32;
    packed.extend((0..0x8000).map(|_| random.index(256) as u8));
    put(&mut packed, at + 8, 0x1000);
    put(&mut packed, at + 16, 0x1000);
    put(&mut packed, at + 20, start);
    let report = read(&packed).unwrap();
    match &report.verdict {
        Verdict::CannotTell(why) => assert!(!why.is_empty()),
        // four kilobytes are too little to measure: but nothing is claimed, and nothing is denied
        Verdict::Analysed => assert!(proven(&report).is_empty()),
        Verdict::NoInterface => panic!("denied"),
    }
    // an entry point in the data
    let mut moved = bytes.clone();
    let entry = u32_at(bytes, 0x3c) + 24 + 16;
    put(
        &mut moved,
        entry,
        u32_at(bytes, header(bytes, ".data") + 12) as u32,
    );
    let report = read(&moved).unwrap();
    assert!(
        matches!(&report.verdict, Verdict::CannotTell(why) if why.contains(".data")),
        "{:?}",
        report.verdict
    );
}

#[test]
fn a_file_that_was_cut_short_says_so() {
    let bytes = &drivers()["hard-x64-O2.sys"];
    let text = section(bytes, ".text");
    let truth = proven(&read(bytes).unwrap());
    for end in (text.start..text.end).step_by(0x133) {
        let report = read(&bytes[..end]).unwrap();
        assert!(
            report.notes.iter().any(|n| n.contains("ends")),
            "{:?}",
            report.notes
        );
        assert!(proven(&report).is_subset(&truth));
    }
}
