//! Images as the loader leaves them in memory: PE headers, sections, export and import tables that are bound, a debug
//! record, unwind tables, and sections that were discarded after start or paged out.

use super::code::{Function, unwind_record};
use super::memory::Memory;
use super::paging::Access;
use rkd_dump::addr::{PAGE_SIZE, Rva, Virt};
use rkd_dump::error::Result;

mod headers;

/// What became of a section after the image was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Every page of it is in memory.
    Resident,
    /// Only the pages that have contents are in memory; the others were never in the dump.
    Sparse,
    /// Windows wrote it to the page file.
    PagedOut,
    /// Freed after the driver's start.
    Discarded,
}

/// A section of an image.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    /// Up to eight characters.
    pub name: &'static str,
    /// Where it begins, on a page boundary.
    pub rva: Rva,
    /// Its size in bytes.
    pub size: u32,
    /// `IMAGE_SCN_*`.
    pub flags: u32,
    /// What became of it.
    pub fate: Fate,
}

/// `.text`: code, executable, readable, never paged.
pub(crate) const TEXT: u32 = 0x6800_0020;
/// Pageable code.
pub(crate) const PAGE: u32 = 0x6000_0020;
/// Code that is discarded after start.
pub(crate) const INIT: u32 = 0x6200_0020;
/// Constants.
pub(crate) const RDATA: u32 = 0x4800_0040;
/// Variables.
pub(crate) const DATA: u32 = 0xc800_0040;
/// Resources: constants that are discarded or paged.
pub(crate) const RSRC: u32 = 0x4200_0040;

impl Section {
    fn access(&self) -> Access {
        if self.flags & 0x2000_0000 != 0 {
            Access::Code
        } else if self.flags & 0x8000_0000 != 0 {
            Access::Data
        } else {
            Access::Constant
        }
    }
}

/// An import: the function's name, and its address after binding.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// The exported name.
    pub name: String,
    /// Where the loader found it.
    pub target: Virt,
}

/// The directories of the optional header that this builder fills: index, place and size.
type Directory = (usize, Rva, u32);

/// An image that is being made.
pub(crate) struct Image {
    /// Where it is loaded.
    pub base: Virt,
    /// Bytes of address space, a multiple of the page size.
    pub size: u32,
    /// `TimeDateStamp`.
    pub time_stamp: u32,
    /// `CheckSum`.
    pub checksum: u32,
    /// The entry point.
    pub entry: Rva,
    /// A driver has 1 (native); win32k too.
    pub subsystem: u16,
    sections: Vec<Section>,
    pieces: Vec<(Rva, Vec<u8>)>,
    directories: Vec<Directory>,
}

impl Image {
    /// An image without sections.
    pub(crate) fn new(base: Virt, size: u32) -> Image {
        Image {
            base,
            size,
            time_stamp: 0,
            checksum: 0,
            entry: Rva(0),
            subsystem: 1,
            sections: Vec::new(),
            pieces: Vec::new(),
            directories: Vec::new(),
        }
    }

    /// Adds a section; sections come in ascending order.
    pub(crate) fn section(
        &mut self,
        name: &'static str,
        rva: u32,
        size: u32,
        flags: u32,
        fate: Fate,
    ) {
        self.sections.push(Section {
            name,
            rva: Rva(rva),
            size,
            flags,
            fate,
        });
    }

    /// The sections.
    pub(crate) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Puts bytes at a place of the image.
    pub(crate) fn put(&mut self, at: Rva, bytes: Vec<u8>) {
        self.pieces.push((at, bytes));
    }

    /// The `CodeView` record that names the PDB, and the debug directory before it. Returns the bytes used.
    pub(crate) fn debug_record(&mut self, at: Rva, guid: [u8; 16], age: u32, pdb: &str) -> u32 {
        let mut record = b"RSDS".to_vec();
        record.extend_from_slice(&guid);
        record.extend_from_slice(&age.to_le_bytes());
        record.extend_from_slice(pdb.as_bytes());
        record.push(0);
        let record_at = Rva(at.0 + 28);
        let mut directory = vec![0; 4];
        directory.extend_from_slice(&self.time_stamp.to_le_bytes());
        directory.extend_from_slice(&[0; 4]);
        directory.extend_from_slice(&2_u32.to_le_bytes());
        directory.extend_from_slice(&(record.len() as u32).to_le_bytes());
        directory.extend_from_slice(&record_at.0.to_le_bytes());
        directory.extend_from_slice(&self.file_offset(record_at).to_le_bytes());
        directory.extend_from_slice(&record);
        let used = directory.len() as u32;
        self.directories.push((6, at, 28));
        self.put(at, directory);
        used
    }

    /// The export table. Returns the bytes used.
    pub(crate) fn exports(&mut self, at: Rva, dll: &str, names: &[(&str, Rva)]) -> u32 {
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        let count = sorted.len() as u32;
        let functions = at.0 + 40;
        let name_pointers = functions + 4 * count;
        let ordinals = name_pointers + 4 * count;
        let mut text_at = ordinals + 2 * count;
        let mut text = Vec::new();
        let mut table = vec![0; 4];
        table.extend_from_slice(&self.time_stamp.to_le_bytes());
        table.extend_from_slice(&[0; 4]);
        table.extend_from_slice(&text_at.to_le_bytes());
        text_at += add_text(&mut text, dll);
        for value in [1, count, count, functions, name_pointers, ordinals] {
            table.extend_from_slice(&value.to_le_bytes());
        }
        for (_, rva) in &sorted {
            table.extend_from_slice(&rva.0.to_le_bytes());
        }
        for (name, _) in &sorted {
            table.extend_from_slice(&text_at.to_le_bytes());
            text_at += add_text(&mut text, name);
        }
        for ordinal in 0..count {
            table.extend_from_slice(&(ordinal as u16).to_le_bytes());
        }
        table.extend_from_slice(&text);
        let used = table.len() as u32;
        self.directories.push((0, at, used));
        self.put(at, table);
        used
    }

    /// The import table of one library: descriptors, names and lookup table at `at`, bound addresses at `slots`.
    /// Returns the bytes used at `at`.
    pub(crate) fn imports(&mut self, at: Rva, slots: Rva, dlls: &[(&str, Vec<Import>)]) -> u32 {
        let descriptors = 20 * (dlls.len() as u32 + 1);
        let lookups: u32 = dlls
            .iter()
            .map(|(_, list)| 8 * (list.len() as u32 + 1))
            .sum();
        let (mut lookup_at, mut slot_at) = (at.0 + descriptors.next_multiple_of(8), slots.0);
        let mut text_at = lookup_at + lookups;
        let (mut table, mut lookup, mut text, mut bound) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (dll, list) in dlls {
            let (first_lookup, first_slot) = (lookup_at, slot_at);
            for import in list {
                lookup.extend_from_slice(&u64::from(text_at).to_le_bytes());
                text.extend_from_slice(&[0, 0]);
                text_at += 2 + add_text(&mut text, &import.name);
                if !text_at.is_multiple_of(2) {
                    text.push(0);
                    text_at += 1;
                }
                bound.extend_from_slice(&import.target.0.to_le_bytes());
            }
            lookup.extend_from_slice(&[0; 8]);
            bound.extend_from_slice(&[0; 8]);
            lookup_at += 8 * (list.len() as u32 + 1);
            slot_at += 8 * (list.len() as u32 + 1);
            for value in [first_lookup, 0, 0, text_at, first_slot] {
                table.extend_from_slice(&value.to_le_bytes());
            }
            text_at += add_text(&mut text, dll);
            if !text_at.is_multiple_of(2) {
                text.push(0);
                text_at += 1;
            }
        }
        table.resize(descriptors.next_multiple_of(8) as usize, 0);
        table.extend_from_slice(&lookup);
        table.extend_from_slice(&text);
        let used = table.len() as u32;
        self.directories.push((1, at, descriptors));
        self.directories.push((12, slots, bound.len() as u32));
        self.put(at, table);
        self.put(slots, bound);
        used
    }

    /// The function table at `at` and the unwind records at `records`. Returns the bytes used at `records`.
    pub(crate) fn unwind(&mut self, at: Rva, records: Rva, functions: &[Function]) -> u32 {
        let mut frames: Vec<u8> = functions.iter().map(|function| function.frame).collect();
        frames.sort_unstable();
        frames.dedup();
        let mut table = Vec::new();
        for function in functions {
            let which = frames
                .iter()
                .position(|&frame| frame == function.frame)
                .unwrap_or(0) as u32;
            for value in [function.begin.0, function.end.0, records.0 + 8 * which] {
                table.extend_from_slice(&value.to_le_bytes());
            }
        }
        self.directories.push((3, at, table.len() as u32));
        self.put(at, table);
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|&frame| unwind_record(frame))
            .collect();
        let used = bytes.len() as u32;
        self.put(records, bytes);
        used
    }

    /// The resource section, already laid out for this place.
    pub(crate) fn resources(&mut self, at: Rva, bytes: Vec<u8>) {
        self.directories.push((2, at, bytes.len() as u32));
        self.put(at, bytes);
    }

    /// The load configuration.
    pub(crate) fn load_config(&mut self, at: Rva, bytes: Vec<u8>) {
        self.directories.push((10, at, bytes.len() as u32));
        self.put(at, bytes);
    }

    /// The function table's place, for the loader's list.
    pub(crate) fn exception_table(&self) -> Option<(Virt, u32)> {
        let found = self.directories.iter().find(|(index, _, _)| *index == 3);
        found.map(|&(_, rva, size)| (self.base + rva, size))
    }

    /// Where a byte of the image lies in the file, by the section table. The headers lie at the start.
    pub(crate) fn file_offset(&self, rva: Rva) -> u32 {
        headers::file_offset(self, rva)
    }

    /// Loads the image: maps its pages, writes what it has, and lets happen what happened to each section.
    pub(crate) fn load(&self, memory: &mut Memory) -> Result<()> {
        memory.back(self.base, PAGE_SIZE, Access::Constant)?;
        for section in &self.sections {
            let (at, size) = (self.base + section.rva, u64::from(section.size));
            match section.fate {
                Fate::Resident => memory.back(at, size, section.access())?,
                Fate::PagedOut => self.page_out(memory, section)?,
                Fate::Sparse | Fate::Discarded => {}
            }
        }
        memory.write(self.base, &headers::build(self))?;
        for (rva, bytes) in &self.pieces {
            if self.is_loaded(*rva) {
                memory.write(self.base + *rva, bytes)?;
            }
        }
        Ok(())
    }

    /// The image as its file: sections one after the other, whatever became of them in memory.
    pub(crate) fn file(&self) -> Vec<u8> {
        let mut out = headers::build(self);
        let end = self
            .sections
            .last()
            .map_or(0, |s| self.file_offset(s.rva) + s.size);
        out.resize((end as usize).next_multiple_of(0x200).max(out.len()), 0);
        for (rva, bytes) in &self.pieces {
            let at = self.file_offset(*rva) as usize;
            if let Some(place) = out.get_mut(at..at + bytes.len()) {
                place.copy_from_slice(bytes);
            }
        }
        out
    }

    fn page_out(&self, memory: &mut Memory, section: &Section) -> Result<()> {
        let pages = u64::from(section.size).div_ceil(PAGE_SIZE);
        for page in 0..pages {
            memory.page_out(self.base + section.rva + page * PAGE_SIZE)?;
        }
        Ok(())
    }

    fn is_loaded(&self, rva: Rva) -> bool {
        let inside = self
            .sections
            .iter()
            .find(|s| rva.0 >= s.rva.0 && rva.0 - s.rva.0 < s.size);
        inside.is_none_or(|section| matches!(section.fate, Fate::Resident | Fate::Sparse))
    }
}

fn add_text(text: &mut Vec<u8>, name: &str) -> u32 {
    text.extend_from_slice(name.as_bytes());
    text.push(0);
    name.len() as u32 + 1
}
