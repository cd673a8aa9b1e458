//! Images that lie: counts of four billion, trees that loop, strings without end, and every byte turned.

use super::build::{self, BASE};
use crate::support::random::{Random, rounds};
use rkd_dump::error::Error;
use rkd_symbols::pe::Image;

/// Asks everything; what comes of it does not matter here, only that it comes.
pub fn ask_everything(image: &Image) -> usize {
    let version = image.version_resource().value;
    let strings = version.map_or(0, |v| v.strings.iter().map(|t| t.entries.len()).sum());
    image.headers().sections.len()
        + usize::from(image.debug().value.pdb.is_some())
        + image.exports().value.list.len()
        + image.imports().value.len()
        + strings
        + image.export_symbols().len()
}

fn reason(missing: Option<Error>) -> String {
    missing.expect("something is missing").to_string()
}

#[test]
fn counts_of_four_billion_cost_nothing() {
    let mut image = build::mapped();
    build::put32(&mut image, 0x2014, &[u32::MAX, u32::MAX]);
    build::put32(&mut image, 0x108 + 6 * 8 + 4, &[u32::MAX]);
    image[0x4000 + 12..0x4000 + 16].fill(0xff);
    image[0x86] = 0xff;
    image[0x87] = 0xff;
    build::put32(&mut image, 0x104, &[u32::MAX]);
    let space = build::memory(&image, &[]);
    let here = Image::read(&space, BASE).unwrap();
    assert_eq!(
        reason(here.exports().missing),
        "the image is corrupt: it claims 4294967295 exports with 4294967295 names"
    );
    assert!(here.exports().value.list.len() > 4);
    assert!(here.codeview().is_some());
    assert!(
        here.headers()
            .sections_missing
            .as_deref()
            .unwrap()
            .starts_with("502 of 65535 sections: ")
    );
    ask_everything(&here);
}

#[test]
fn strings_and_lists_without_end_end() {
    // 128 MiB of letters behind the headers: every name is one string, and no list has a zero in it.
    let mut image = build::mapped();
    build::put32(&mut image, 0xd0, &[0x800_0000]);
    image.resize(0x800_0000, b'A');
    build::put32(
        &mut image,
        0x200c,
        &[
            0x10_0000, 7, 0x1_0000, 0x1_0000, 0x10_0000, 0x10_0000, 0x10_0000,
        ],
    );
    build::put32(&mut image, 0x2100, &[0x10_0000, 0, 0, 0x10_0000, 0x10_0000]);
    build::put32(&mut image, 0x231c + 20, &[0x10_0000]);
    image[0x10_0000..0x10_0004].copy_from_slice(b"RSDS");
    build::put32(&mut image, 0x231c + 16, &[u32::MAX]);
    build::put32(&mut image, 0x4060, &[0x10_0000, u32::MAX]);
    let space = build::memory(&image, &[]);
    let here = Image::read(&space, BASE).unwrap();
    for missing in [
        here.exports().missing,
        here.imports().missing,
        here.debug().missing,
    ] {
        assert_eq!(
            reason(missing).split(" at ").next(),
            Some("the image is corrupt: the string")
        );
    }
    assert_eq!(
        reason(here.version_resource().missing),
        "the image is corrupt: its version resource is none"
    );
    ask_everything(&here);
}

#[test]
fn directories_that_contain_themselves_end() {
    let mut image = build::mapped();
    // Type, name and language are all the root; an import table that is its own names.
    build::put32(&mut image, 0x4010, &[16, 1 << 31]);
    build::put32(&mut image, 0x2100, &[0x2100, 0, 0, 0x2100, 0x2100]);
    let space = build::memory(&image, &[]);
    ask_everything(&Image::read(&space, BASE).unwrap());
    // And what points outside of the image is not followed, whatever lies there.
    build::put32(&mut image, 0x231c + 20, &[0x5000]);
    let mut blocks = image.clone();
    blocks.extend(&image[0x23a0..0x2400]);
    blocks.resize(0x6000, 0);
    let space = build::memory(&blocks, &[]);
    let here = Image::read(&space, BASE).unwrap();
    assert_eq!(
        reason(here.debug().missing),
        "the image is corrupt: 0x5000 lies outside of it"
    );
}

/// Turns one to four bytes, numbers or pieces.
pub fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.index(4) {
        let at = random.index(bytes.len());
        match random.index(6) {
            0 => bytes[at] = random.index(256) as u8,
            1 => bytes[at] ^= 1 << random.index(8),
            2 => bytes[at..].iter_mut().take(4).for_each(|b| *b = 0xff),
            3 => bytes[at..].iter_mut().take(4).for_each(|b| *b = 0),
            4 => {
                let from = random.index(bytes.len());
                let piece: Vec<u8> = bytes[from..]
                    .iter()
                    .take(1 + random.index(16))
                    .copied()
                    .collect();
                bytes[at..]
                    .iter_mut()
                    .zip(piece)
                    .for_each(|(to, from)| *to = from);
            }
            _ if random.index(8) == 0 => bytes.truncate(at.max(1)),
            _ => {}
        }
    }
}

#[test]
fn turned_bytes_are_no_danger() {
    let mut random = Random(0x5eed_0001);
    let (mapped, file) = (build::mapped(), build::file());
    let mut read = 0;
    for _ in 0..rounds(1500) {
        let mut bytes = mapped.clone();
        mutate(&mut bytes, &mut random);
        let space = build::memory(&bytes, &[0x1000 * random.index(12)]);
        read += Image::read(&space, BASE).map_or(0, |image| ask_everything(&image).min(1));
        let mut bytes = file.clone();
        mutate(&mut bytes, &mut random);
        read += Image::parse_file(&bytes).map_or(0, |image| ask_everything(&image).min(1));
    }
    assert!(read > 1000, "most of them are still images: {read}");
}
