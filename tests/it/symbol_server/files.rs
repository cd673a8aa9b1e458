//! Symbol files as small as they can be, written from the format's description.

use std::io::Write;

pub const GUID: &str = "606FF669409B00F7FC8C61A9C1670129";
pub const AGE: u32 = 1;
pub const STORE: &str = "606FF669409B00F7FC8C61A9C16701291";

const BLOCK: usize = 4096;

/// The GUID's bytes as they stand in memory: three numbers turned around, and eight bytes.
fn guid(text: &str) -> Vec<u8> {
    let bytes: Vec<u8> = (0..16)
        .map(|i| u8::from_str_radix(&text[i * 2..i * 2 + 2], 16).unwrap())
        .collect();
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    order.iter().map(|&i: &usize| bytes[i]).collect()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A PDB without types and symbols: its identity, an empty type stream, and a header of debug information for x64.
pub fn pdb(id: &str, age: u32) -> Vec<u8> {
    let mut info = words(&[20_000_404, 0x5EED, age]);
    info.extend(guid(id));
    // No named streams: an empty table of names, and the features.
    info.extend(words(&[0, 0, 0, 0, 0, 0]));
    let types = {
        let mut stream = words(&[20_040_203, 56, 0x1000, 0x1000, 0]);
        stream.extend([0xff; 4]);
        stream.extend(words(&[4, 0x3ffff, 0, 0, 0, 0, 0, 0]));
        stream
    };
    let debug = {
        let mut stream = words(&[u32::MAX, 19_990_903, age]);
        // Globals, version, publics, version, symbol records, version: none of the streams exist.
        for half in [0xffff, 0x8E00, 0xffff, 0, 0xffff, 0] {
            stream.extend(u16::to_le_bytes(half));
        }
        // Sizes of the parts that would follow, all empty.
        stream.extend(words(&[0; 8]));
        stream.extend(words(&[0]));
        stream.truncate(56);
        // Flags, the machine (x64), and padding.
        stream.extend([0, 0, 0x64, 0x86, 0, 0, 0, 0]);
        stream
    };
    let streams = [Vec::new(), info, types, debug, Vec::new()];
    let mut blocks: Vec<Vec<u8>> = vec![Vec::new(); 3];
    let mut directory = vec![streams.len() as u32];
    directory.extend(streams.iter().map(|stream| stream.len() as u32));
    for stream in &streams {
        for piece in stream.chunks(BLOCK) {
            directory.push(blocks.len() as u32);
            blocks.push(piece.to_vec());
        }
    }
    let directory = words(&directory);
    blocks.push(directory.clone());
    let directory_block = blocks.len() as u32 - 1;
    blocks.push(words(&[directory_block]));
    let map = blocks.len() as u32 - 1;
    let mut head = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0".to_vec();
    head.extend(words(&[
        BLOCK as u32,
        1,
        blocks.len() as u32,
        directory.len() as u32,
        0,
        map,
    ]));
    blocks[0] = head;
    let mut file = Vec::new();
    // What a tool leaves between the streams: it keeps the file from being packed to nothing.
    let mut noise = 1u32;
    let mut rest = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    };
    for mut block in blocks {
        block.resize_with(BLOCK, &mut rest);
        file.extend(block);
    }
    file
}

/// A cabinet with one file, as `compress` and `makecab` make `.pd_`.
pub fn cabinet(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    builder
        .add_folder(cab::CompressionType::MsZip)
        .add_file(name);
    let mut writer = builder.build(std::io::Cursor::new(Vec::new())).unwrap();
    let mut file = writer.next_file().unwrap().unwrap();
    file.write_all(bytes).unwrap();
    writer.finish().unwrap().into_inner()
}

/// A symbol table without types and symbols.
pub fn table(id: &str, age: u32) -> String {
    let pdb = format!(r#"{{"GUID": "{id}", "age": {age}, "database": "nt.pdb"}}"#);
    format!(r#"{{"metadata": {{"format": "6.2.0", "windows": {{"pdb": {pdb}}}}}}}"#)
}
