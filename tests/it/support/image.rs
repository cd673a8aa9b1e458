//! Image files, laid out as the loader lays them out.

use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::memory::AddressSpace;
use rkd_symbols::pe::Image;

/// The bytes of the image in memory, `SizeOfImage` of them. Nothing is relocated, no import bound.
pub fn mapped(file: &[u8]) -> Vec<u8> {
    let image = Image::parse_file(file).unwrap();
    let headers = image.headers();
    let mut bytes = vec![0; headers.size_of_image as usize];
    let front = headers.size_of_headers as usize;
    bytes[..front].copy_from_slice(&file[..front]);
    for section in &headers.sections {
        let length = section.raw_size.min(section.virtual_size) as usize;
        let (to, from) = (section.rva.0 as usize, section.raw_offset as usize);
        bytes[to..to + length].copy_from_slice(&file[from..from + length]);
    }
    bytes
}

/// A memory that holds the pages of a mapped image, except those that `missing` names by their number.
pub fn memory(mapped: &[u8], base: Virt, missing: impl Fn(u64) -> bool) -> AddressSpace {
    let pages = (0..).zip(mapped.chunks(PAGE_SIZE as usize));
    let there = pages.filter(|(number, _)| !missing(*number));
    AddressSpace::of_blocks(
        there
            .map(|(number, page)| (base + number * PAGE_SIZE, page.to_vec()))
            .collect(),
    )
}
