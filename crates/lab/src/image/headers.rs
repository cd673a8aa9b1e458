//! The first page of an image: DOS header, PE header, section table.

use super::Image;
use rkd_dump::addr::Rva;

const FILE_ALIGNMENT: u32 = 0x200;
const HEADER_BYTES: u32 = 0x400;
const PE_AT: u32 = 0xf0;

/// Where `rva` lies in the file: sections follow one another, rounded up to 512 bytes.
pub(super) fn file_offset(image: &Image, rva: Rva) -> u32 {
    let mut raw = HEADER_BYTES;
    for section in &image.sections {
        if rva.0 >= section.rva.0 && rva.0 - section.rva.0 < section.size {
            return raw + rva.0 - section.rva.0;
        }
        raw += section.size.next_multiple_of(FILE_ALIGNMENT);
    }
    rva.0
}

/// The headers as bytes.
pub(super) fn build(image: &Image) -> Vec<u8> {
    let mut out = dos_header();
    out.extend_from_slice(b"PE\0\0");
    coff_header(image, &mut out);
    optional_header(image, &mut out);
    let mut raw = HEADER_BYTES;
    for section in &image.sections {
        let mut name = section.name.as_bytes().to_vec();
        name.resize(8, 0);
        out.extend_from_slice(&name);
        let raw_size = section.size.next_multiple_of(FILE_ALIGNMENT);
        for value in [
            section.size,
            section.rva.0,
            raw_size,
            raw,
            0,
            0,
            0,
            section.flags,
        ] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        raw += raw_size;
    }
    out
}

fn dos_header() -> Vec<u8> {
    let mut out = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0\x40\0\0\0".to_vec();
    out.resize(0x3c, 0);
    out.extend_from_slice(&PE_AT.to_le_bytes());
    // push cs; pop ds; mov dx, 0eh; mov ah, 9; int 21h; mov ax, 4c01h; int 21h
    out.extend_from_slice(b"\x0e\x1f\xba\x0e\x00\xb4\x09\xcd\x21\xb8\x01\x4c\xcd\x21");
    out.extend_from_slice(b"This program cannot be run in DOS mode.\r\r\n$");
    out.resize(PE_AT as usize, 0);
    out
}

fn coff_header(image: &Image, out: &mut Vec<u8>) {
    out.extend_from_slice(&0x8664_u16.to_le_bytes());
    out.extend_from_slice(&(image.sections.len() as u16).to_le_bytes());
    out.extend_from_slice(&image.time_stamp.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&240_u16.to_le_bytes());
    // executable, large address aware
    out.extend_from_slice(&0x22_u16.to_le_bytes());
}

fn optional_header(image: &Image, out: &mut Vec<u8>) {
    let sum = |wanted: u32| -> u32 {
        let of_kind = image
            .sections
            .iter()
            .filter(|section| section.flags & wanted != 0);
        of_kind
            .map(|section| section.size.next_multiple_of(FILE_ALIGNMENT))
            .sum()
    };
    let base_of_code = image
        .sections
        .iter()
        .find(|s| s.flags & 0x20 != 0)
        .map_or(0x1000, |s| s.rva.0);
    out.extend_from_slice(&0x20b_u16.to_le_bytes());
    out.extend_from_slice(&[14, 20]);
    for value in [sum(0x20), sum(0x40), 0, image.entry.0, base_of_code] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&image.base.0.to_le_bytes());
    for value in [0x1000, FILE_ALIGNMENT] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    // operating system 10.0, image 10.0, subsystem 10.0
    for value in [10_u16, 0, 10, 0, 10, 0] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    for value in [0, image.size, HEADER_BYTES, image.checksum] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&image.subsystem.to_le_bytes());
    // high entropy, dynamic base, NX compatible, control flow guard
    out.extend_from_slice(&0x4160_u16.to_le_bytes());
    for value in [0x4_0000_u64, 0x1000, 0x10_0000, 0x1000] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.extend_from_slice(&0_u32.to_le_bytes());
    out.extend_from_slice(&16_u32.to_le_bytes());
    for index in 0..16 {
        let found = image
            .directories
            .iter()
            .find(|(which, _, _)| *which == index);
        let (rva, size) = found.map_or((0, 0), |&(_, rva, size)| (rva.0, size));
        out.extend_from_slice(&rva.to_le_bytes());
        out.extend_from_slice(&size.to_le_bytes());
    }
}
