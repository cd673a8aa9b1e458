//! Symbol files that are cut short, damaged, turned or made to fill the memory.

use super::id;
use crate::support::data::data;
use crate::support::random::{Random, rounds};
use rkd_symbols::{SymbolTable, builtin_facts, facts, isf};
use std::io::Write;
use std::path::Path;

/// An ISF file with one of everything.
const SMALL: &str = r#"{
  "metadata": {"format": "6.1.0", "windows": {"pdb": {"GUID": "606FF669409B00F7FC8C61A9C1670129",
    "age": 1, "database": "ntkrnlmp.pdb", "machine_type": 34404}}},
  "symbols": {"A": {"address": 4096}, "?B@@3HA": {"address": 8192}, "C": {"address": 1, "linkage_name": "_C"}},
  "user_types": {
    "_T": {"kind": "struct", "size": 32, "fields": {
      "Vs": {"offset": 16, "type": {"kind": "struct", "name": "_U"}},
      "Kind": {"offset": 8, "type": {"kind": "enum", "name": "_K"}},
      "Bits": {"offset": 0, "type": {"kind": "bitfield", "bit_position": 3, "bit_length": 12,
        "type": {"kind": "base", "name": "unsigned long"}}}}},
    "_U": {"kind": "union", "size": 16, "fields": {
      "All": {"offset": 0, "type": {"kind": "array", "count": 2,
        "subtype": {"kind": "pointer", "subtype": {"kind": "base", "name": "void"}}}},
      "u": {"offset": 0, "anonymous": true, "type": {"kind": "union", "name": "_T"}}}}},
  "enums": {"_K": {"base": "int", "size": 4, "constants": {"B": 1, "A": -1}}},
  "base_types": {"void": {"kind": "void", "size": 0, "signed": false, "endian": "little"},
    "unsigned long": {"kind": "int", "size": 4, "signed": false, "endian": "little"}}
}"#;

/// The bytes with one to four of them turned, or cut off.
fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.index(4) {
        let at = random.index(bytes.len());
        match random.index(5) {
            0 => bytes[at] = random.index(256) as u8,
            1 => bytes[at] ^= 1 << random.index(8),
            2 => bytes[at] = b"0987654321{}[]\",:"[random.index(17)],
            3 => {
                let from = random.index(bytes.len());
                let piece = bytes[from..]
                    .iter()
                    .take(1 + random.index(40))
                    .copied()
                    .collect::<Vec<_>>();
                bytes.splice(at..at, piece);
            }
            _ if random.index(8) == 0 => bytes.truncate(at.max(1)),
            _ => {}
        }
    }
    bytes
}

fn pack(text: &[u8], preset: u32) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), preset);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Asks a table things that follow what it says of itself.
fn ask_everything(table: &SymbolTable) {
    for (name, rva) in table.symbols() {
        assert_eq!(table.rva(name), Some(rva));
        assert!(
            table
                .nearest(rva)
                .is_some_and(|(_, distance)| distance == 0)
        );
    }
    for udt in table.udts() {
        for field in &udt.fields {
            let _ = (table.size_of(&field.ty), field.ty.to_string());
            let _ = table
                .field(&udt.name, &field.name)
                .map(|field| field.offset);
        }
        let _ = table.field(&udt.name, "u.u.u.Vs.u.Nothing");
    }
    let _ = facts::encode(&[facts::select(table)]);
}

#[test]
fn turned_isf_files_are_no_danger() {
    let mut random = Random(0x5eed_0003);
    let mut read = 0;
    let packed = pack(SMALL.as_bytes(), 6);
    for _ in 0..rounds(4000) {
        let text = mutate(SMALL.as_bytes(), &mut random);
        if let Ok(table) = isf::parse(Path::new("t"), &text) {
            read += 1;
            ask_everything(&table);
        }
        let _ = isf::parse(Path::new("t"), &mutate(&packed, &mut random));
    }
    assert!(read > 100, "some of them are still ISF files: {read}");
}

#[test]
fn turned_facts_are_no_danger() {
    let some =
        ["14393.4583", "14393.4651", "19041.3570"].map(|v| builtin_facts().by_version(v).unwrap());
    let text = isf::unpack(&facts::encode(&some).unwrap())
        .unwrap()
        .into_owned();
    assert_eq!(facts::Facts::parse(&text).unwrap().tables().count(), 3);
    let mut random = Random(0x5eed_0004);
    let mut read = 0;
    for _ in 0..rounds(60) {
        if let Ok(facts) = facts::Facts::parse(&mutate(&text, &mut random)) {
            read += 1;
            let tables = facts.tables();
            tables.for_each(|table| read += table.udts().count().min(1));
        }
    }
    assert!(read > 2, "some of them are still facts: {read}");
}

#[test]
fn a_file_that_is_cut_short_is_said_to_be_so() {
    let packed = pack(SMALL.as_bytes(), 6);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("cut.json.xz");
    for length in [0, 5, 6, 40, packed.len() / 2, packed.len() - 1] {
        std::fs::write(&file, &packed[..length]).unwrap();
        let message = isf::open(&file).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("{}: ", file.display())),
            "{message}"
        );
    }
    let Some(whole) = data("isf/606FF669409B00F7FC8C61A9C1670129-1.json.xz") else {
        return;
    };
    let whole = std::fs::read(whole).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let message = isf::open(&file).unwrap_err().to_string();
    assert_eq!(
        message,
        format!("{}: cannot unpack: premature eof", file.display())
    );
}

#[test]
fn a_file_that_unpacks_to_more_than_can_be_is_refused() {
    let zeroes = vec![0; 1 << 20];
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    for _ in 0..(isf::LIMIT >> 20) + 1 {
        encoder.write_all(&zeroes).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    let message = isf::parse(Path::new("bomb"), &bomb)
        .unwrap_err()
        .to_string();
    assert_eq!(message, "bomb: larger than 64 MiB when unpacked");
}

#[test]
fn nothing_is_known_of_an_unknown_build() {
    assert!(
        builtin_facts()
            .find(&id("00000000000000000000000000000000"))
            .is_none()
    );
}
