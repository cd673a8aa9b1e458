//! A writer of multi-stream files, the container of PDBs, from LLVM's description of it ("The MSF File Format"); and PDBs that
//! no tool at hand makes, put together from the streams of one that clang made.

use super::driver;
use pdb2::{PDB, StreamIndex};
use rkd_dump::addr::Rva;
use rkd_symbols::file;
use std::io::Cursor;
use std::path::Path;

const PAGE: usize = 4096;
const DEBUG: usize = 3;

/// The streams as a file: the header, the two free page maps, the streams, the directory, and where the directory lies.
fn msf(streams: &[Vec<u8>]) -> Vec<u8> {
    let mut pages = vec![vec![0; PAGE]; 3];
    let mut directory = (streams.len() as u32).to_le_bytes().to_vec();
    directory.extend(streams.iter().flat_map(|s| (s.len() as u32).to_le_bytes()));
    for stream in streams {
        for piece in stream.chunks(PAGE) {
            directory.extend((pages.len() as u32).to_le_bytes());
            pages.push(piece.to_vec());
        }
    }
    let mut places = Vec::new();
    for piece in directory.chunks(PAGE) {
        places.extend((pages.len() as u32).to_le_bytes());
        pages.push(piece.to_vec());
    }
    let map = pages.len() as u32;
    pages.push(places);
    let mut header = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0".to_vec();
    for number in [
        PAGE as u32,
        1,
        pages.len() as u32,
        directory.len() as u32,
        0,
        map,
    ] {
        header.extend(number.to_le_bytes());
    }
    pages[0] = header;
    pages.iter_mut().for_each(|page| page.resize(PAGE, 0));
    pages.concat()
}

/// The streams of the driver's PDB.
fn streams() -> Vec<Vec<u8>> {
    let bytes = std::fs::read(driver::file("driver.pdb")).unwrap();
    let mut pdb = PDB::open(Cursor::new(bytes)).unwrap();
    let stream = |index| match pdb.raw_stream(StreamIndex(index)) {
        Ok(stream) => Some(stream.map_or(Vec::new(), |stream| stream.to_vec())),
        Err(_) => None,
    };
    (0..100).map_while(stream).collect()
}

/// Where the list of further streams begins in the debug information: after its header and six parts.
fn further(debug: &[u8]) -> usize {
    let size = |at: usize| u32::from_le_bytes(debug[at..at + 4].try_into().unwrap()) as usize;
    64 + [24, 28, 32, 36, 40, 52].map(size).iter().sum::<usize>()
}

fn open(streams: &[Vec<u8>]) -> rkd_dump::error::Result<rkd_symbols::SymbolTable> {
    file::parse(Path::new("x.pdb"), msf(streams), None)
}

#[test]
fn what_is_put_together_again_is_the_same() {
    let table = open(&streams()).unwrap();
    let names = |table: &rkd_symbols::SymbolTable| {
        let symbols = table.symbols().map(|(name, rva)| format!("{name} {rva}"));
        symbols
            .chain(table.udts().map(|udt| format!("{udt:?}")))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&table), names(&driver::table()));
}

/// Tools that rearrange an image after it was linked, as Windows was once shipped, leave the PDB as it was and add a map.
#[test]
fn addresses_are_those_of_the_rearranged_image() {
    let mut streams = streams();
    let before = driver::table();
    let at = |name| before.rva(name).unwrap().0;
    let (free, entry, allocate) = (at("FreeObject"), at("DriverEntry"), at("AllocateObject"));
    let (second, data) = (at("SecondCounter"), at("g_Shape"));
    assert!(free < entry && entry < allocate && allocate < second && second < data);
    // What begins at the left lies at the right now; at 0 it is no longer there.
    let from = [
        (0, 0),
        (free, 0x9000),
        (entry, 0xa010),
        (allocate, 0),
        (second, 0x1008),
        (data, data),
    ];
    let mut to: Vec<_> = from
        .iter()
        .filter(|(_, to)| *to != 0)
        .map(|&(a, b)| (b, a))
        .collect();
    to.sort();
    let map = |records: &[(u32, u32)]| {
        let numbers = records.iter().flat_map(|&(a, b)| [a, b]);
        numbers.flat_map(u32::to_le_bytes).collect::<Vec<u8>>()
    };
    let list = further(&streams[DEBUG]);
    let sections = u16::from_le_bytes(streams[DEBUG][list + 10..list + 12].try_into().unwrap());
    let original = streams[usize::from(sections)].clone();
    for (place, stream) in [(3, map(&to)), (4, map(&from)), (10, original)] {
        let number = (streams.len() as u16).to_le_bytes();
        streams[DEBUG][list + 2 * place..list + 2 * place + 2].copy_from_slice(&number);
        streams.push(stream);
    }
    let table = open(&streams).unwrap();
    let rva = |name| table.rva(name).map(|rva| rva.0);
    assert_eq!(rva("FreeObject"), Some(0x9000));
    assert_eq!(rva("DriverEntry"), Some(0xa010));
    assert_eq!(rva("AllocateObject"), None, "it was taken out of the image");
    assert_eq!(rva("SecondCounter"), Some(0x1008));
    assert_eq!(rva("g_Table"), Some(at("g_Table")));
    assert_eq!(table.nearest(Rva(0x9005)), Some(("FreeObject", 5)));
}

#[test]
fn the_age_is_that_of_the_debug_information() {
    let mut streams = streams();
    // A tool that writes to the file, as source indexing does, raises this one: it is not the image's.
    streams[1][8..12].copy_from_slice(&9u32.to_le_bytes());
    assert_eq!(open(&streams).unwrap().identity().unwrap().age, 1);
    streams[DEBUG][8..12].copy_from_slice(&4u32.to_le_bytes());
    assert_eq!(open(&streams).unwrap().identity().unwrap().age, 4);
}

#[test]
fn a_stripped_file_is_a_public_one() {
    let mut streams = streams();
    streams[DEBUG][56] |= 2;
    let table = open(&streams).unwrap();
    assert!(!table.is_private() && table.udt("_OBJECT").is_some());
}

#[test]
fn what_is_missing_is_said() {
    let mut without = streams();
    let list = further(&without[DEBUG]);
    without[DEBUG][list + 10..list + 12].copy_from_slice(&[0xff, 0xff]);
    let why = |streams: &[Vec<u8>]| open(streams).unwrap_err().to_string();
    assert_eq!(
        why(&without),
        "x.pdb: the PDB does not say where the sections of its image lie"
    );
    let whole = streams();
    assert!(
        why(&whole[..2]).starts_with("x.pdb: the PDB is damaged: "),
        "{}",
        why(&whole[..2])
    );
    for (bytes, expected) in [
        (
            &b"BSJB\x01\0\x01\0"[..],
            "x.pdb: it is a portable PDB, which describes .NET code only",
        ),
        (
            b"Microsoft C/C++ program database 2.00\r\n\x1aJG\0\0",
            "x.pdb: it is a PDB of the old format 2.00, which is not understood",
        ),
        (
            b"Microsoft MSFZ Container\r\n\x1aALD\0\0",
            "x.pdb: it is a compressed PDB (MSFZ), which is not understood",
        ),
    ] {
        let error = file::parse(Path::new("x.pdb"), bytes.to_vec(), None).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
