//! What the tag analyser needs of a driver's image: its bytes by offset, which of them are there, and the tables that
//! give the code's numbers their meaning (imports, exports, relocations, functions, guard slots, the WDF binding).
//!
//! An image comes from a file or from the memory of a dump; after that nobody asks which. Nothing in it is trusted:
//! every table is cut to what the image can hold, and what contradicts itself is left out and said in [`TagImage::notes`].

use rkd_code::Machine;
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::error::{Error, Result};
use rkd_dump::memory::AddressSpace;
use rkd_symbols::pe;
use std::collections::BTreeSet;
use std::path::Path;

mod directories;
mod sections;
mod signs;
mod wdf;

pub use wdf::Wdf;

/// The largest `SizeOfImage` that is believed: several times the largest Windows kernel.
const MAX_IMAGE: u32 = 0x1000_0000;

/// A section of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Up to eight characters, as the header has them.
    pub name: String,
    /// Offset of its first byte in the loaded image.
    pub rva: u32,
    /// Bytes in the loaded image.
    pub size: u32,
    /// `IMAGE_SCN_*`.
    pub flags: u32,
}

impl Section {
    /// Whether its bytes can be run.
    pub fn is_code(&self) -> bool {
        self.flags & 0x2000_0020 != 0
    }

    /// Whether the driver can write to it, so that its contents at build time prove nothing.
    pub fn is_writable(&self) -> bool {
        self.flags & 0x8000_0000 != 0
    }

    /// Whether Windows frees it after the driver's start (`INIT`).
    pub fn is_discardable(&self) -> bool {
        self.flags & 0x0200_0000 != 0
    }

    /// One past its last byte.
    pub fn end(&self) -> u32 {
        self.rva.saturating_add(self.size)
    }
}

/// A slot of the import address table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    /// Offset of the slot.
    pub slot: u32,
    /// The module it is imported from, in lower case (`ntoskrnl.exe`); empty if only the pointer is known.
    pub module: String,
    /// The function, without decoration.
    pub name: String,
}

/// A piece of code with an entry in the function table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First byte.
    pub begin: u32,
    /// One past the last byte.
    pub end: u32,
    /// Beginning of the function that it belongs to: itself, unless a compiler put cold code elsewhere and chained it.
    pub owner: u32,
}

/// The slots through which code built with control flow guard calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guard {
    /// Slots that only check a target; the call follows.
    pub check: Vec<u32>,
    /// Slots that check and jump: the target is in RAX.
    pub dispatch: Vec<u32>,
}

/// A driver, ready to be analysed.
#[derive(Clone, Debug)]
pub struct TagImage {
    /// What it is called in reports.
    pub name: String,
    /// The processor.
    pub machine: Machine,
    /// What absolute addresses in its bytes are relative to.
    pub base: u64,
    /// `SizeOfImage`, bytes.
    pub size: u32,
    /// `TimeDateStamp`: with the size, what Windows and its symbol servers identify an image by.
    pub time_stamp: u32,
    /// Offset of the entry point; 0 if there is none.
    pub(crate) entry: u32,
    /// In ascending order, not overlapping.
    pub sections: Vec<Section>,
    /// In ascending order of the slots.
    pub(crate) imports: Vec<Import>,
    /// Names and offsets.
    pub(crate) exports: Vec<(String, u32)>,
    /// Offsets of absolute addresses in the image, ascending; empty if the table is missing.
    pub(crate) relocations: Vec<u32>,
    /// The function table, ascending, not overlapping; empty on x86.
    pub(crate) pieces: Vec<Piece>,
    /// Control flow guard.
    pub(crate) guard: Guard,
    /// How the driver is bound to the driver framework, if it is.
    pub wdf: Option<Wdf>,
    /// What is odd or missing, in words.
    pub notes: Vec<String>,
    /// Addresses that the loader put into slots, ascending, and the slots; empty for a file.
    bound: Vec<(u64, u32)>,
    bytes: Vec<u8>,
    present: Vec<bool>,
}

/// Finds the name of an exported function from its address, for slots whose names are gone.
pub type NameOf<'a> = &'a dyn Fn(Virt) -> Option<String>;

impl TagImage {
    /// Reads an image file.
    ///
    /// # Errors
    /// [`Error::Open`] if it cannot be read, and those of [`TagImage::from_file_bytes`].
    pub fn open(path: &Path) -> Result<TagImage> {
        let bytes = std::fs::read(path).map_err(|source| Error::open(path, source))?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        TagImage::from_file_bytes(&name.unwrap_or_default(), &bytes)
    }

    /// Lays out an image file as the loader would.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it is no image, [`Error::NotSupported`] if it is one of a processor that is not known.
    pub fn from_file_bytes(name: &str, file: &[u8]) -> Result<TagImage> {
        let pe = pe::Image::parse_file(file)?;
        let header = pe.headers();
        let mut bytes = vec![0u8; header.size_of_image.min(MAX_IMAGE) as usize];
        let pages = bytes.len().div_ceil(PAGE_SIZE as usize);
        let front = (header.size_of_headers as usize)
            .min(file.len())
            .min(bytes.len());
        bytes[..front].copy_from_slice(&file[..front]);
        let mut notes = Vec::new();
        for section in &header.sections {
            let length = match section.virtual_size {
                0 => section.raw_size,
                size => section.raw_size.min(size),
            } as usize;
            let there = file.get(section.raw_offset as usize..).unwrap_or_default();
            if there.len() < length {
                notes.push(format!(
                    "{}: the file ends {} bytes early",
                    section.name,
                    length - there.len()
                ));
            }
            if let Some(place) = bytes.get_mut(section.rva.0 as usize..) {
                let copied = length.min(there.len()).min(place.len());
                place[..copied].copy_from_slice(&there[..copied]);
            }
        }
        let mut image = TagImage::of_headers(name, &pe, bytes, vec![true; pages])?;
        image.notes.extend(notes);
        image.read_tables(&pe, &|_| None);
        Ok(image)
    }

    /// Takes an image out of the memory of a dump; pages that are not there stay unknown.
    ///
    /// `name_of` names imported functions whose names went away with a discarded section: it gets the pointer from the slot.
    ///
    /// # Errors
    /// [`Error::Fault`] if the headers are missing, [`Error::Corrupt`] if they are none, [`Error::NotSupported`] if they are those of an
    /// image of a processor that is not known.
    pub fn from_memory(
        name: &str,
        space: &AddressSpace,
        base: Virt,
        name_of: NameOf<'_>,
    ) -> Result<TagImage> {
        let pe = pe::Image::read(space, base)?;
        let mut bytes = vec![0u8; pe.headers().size_of_image.min(MAX_IMAGE) as usize];
        let mut present = Vec::new();
        for (number, page) in bytes.chunks_mut(PAGE_SIZE as usize).enumerate() {
            present.push(space.read(base + number as u64 * PAGE_SIZE, page).is_ok());
        }
        let mut image = TagImage::of_headers(name, &pe, bytes, present)?;
        image.base = base.0;
        image.read_tables(&pe, name_of);
        let bound = image
            .imports
            .iter()
            .filter_map(|i| Some((image.pointer(i.slot)?, i.slot)));
        image.bound = bound.collect();
        image.bound.sort_unstable();
        Ok(image)
    }

    fn of_headers(
        name: &str,
        pe: &pe::Image<'_>,
        bytes: Vec<u8>,
        present: Vec<bool>,
    ) -> Result<TagImage> {
        let header = pe.headers();
        let machine = match (header.machine, header.is_64) {
            (0x8664, true) => Machine::X64,
            (0x014c, false) => Machine::X86,
            (0xaa64, true) => Machine::Arm64,
            (machine, _) => {
                let known = match machine {
                    0x01c0 | 0x01c2 | 0x01c4 => "32-bit ARM, ",
                    0x0200 => "Itanium, ",
                    _ => "",
                };
                return Err(Error::NotSupported(format!(
                    "{name} is for a processor whose code is not understood ({known}{machine:#06x}); x64, x86 and ARM64 are"
                )));
            }
        };
        let mut notes = Vec::new();
        notes.extend(header.sections_missing.clone());
        let sections = sections::in_order(header, bytes.len() as u32, &mut notes);
        Ok(TagImage {
            name: name.to_owned(),
            machine,
            base: header.image_base,
            size: bytes.len() as u32,
            time_stamp: header.time_stamp,
            entry: header.entry_point.0,
            sections,
            imports: Vec::new(),
            exports: Vec::new(),
            relocations: Vec::new(),
            pieces: Vec::new(),
            guard: Guard::default(),
            wdf: None,
            notes,
            bound: Vec::new(),
            bytes,
            present,
        })
    }

    fn read_tables(&mut self, pe: &pe::Image<'_>, name_of: NameOf<'_>) {
        self.imports = directories::imports(self, pe, name_of);
        self.exports = directories::exports(pe);
        self.relocations = directories::relocations(self, pe);
        let (pieces, complaint) = directories::pieces(self, pe);
        self.pieces = pieces;
        self.notes.extend(complaint);
        self.guard = directories::guard(self, pe);
        self.wdf = wdf::find(self);
    }

    /// The slot whose function the loader found at this address. Windows replaces calls through slots by direct ones.
    pub(crate) fn slot_bound_to(&self, address: u64) -> Option<u32> {
        let at = self
            .bound
            .binary_search_by_key(&address, |&(bound, _)| bound)
            .ok()?;
        self.bound.get(at).map(|&(_, slot)| slot)
    }

    /// The bytes from `rva` on, at most `max`, up to the first page that is missing or the end of the image.
    pub fn slice(&self, rva: u32, max: u32) -> &[u8] {
        let end = u64::from(rva)
            .saturating_add(u64::from(max))
            .min(u64::from(self.size));
        let mut stop = u64::from(rva);
        while stop < end && self.has_page(stop) {
            stop = (stop / PAGE_SIZE + 1) * PAGE_SIZE;
        }
        self.bytes
            .get(rva as usize..stop.min(end) as usize)
            .unwrap_or_default()
    }

    /// Whether the byte's page is in the file or in the dump.
    pub fn has(&self, rva: u32) -> bool {
        rva < self.size && self.has_page(u64::from(rva))
    }

    fn has_page(&self, rva: u64) -> bool {
        self.present
            .get((rva / PAGE_SIZE) as usize)
            .copied()
            .unwrap_or(false)
    }

    /// Exactly `N` bytes, or nothing if one of them is missing.
    pub(crate) fn array<const N: usize>(&self, rva: u32) -> Option<[u8; N]> {
        self.slice(rva, N as u32).try_into().ok()
    }

    /// Two bytes.
    pub(crate) fn u16(&self, rva: u32) -> Option<u16> {
        self.array(rva).map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub(crate) fn u32(&self, rva: u32) -> Option<u32> {
        self.array(rva).map(u32::from_le_bytes)
    }

    /// As many bytes as a pointer has.
    pub(crate) fn pointer(&self, rva: u32) -> Option<u64> {
        match self.machine.pointer() {
            4 => self.u32(rva).map(u64::from),
            _ => self.array(rva).map(u64::from_le_bytes),
        }
    }

    /// The offset that an absolute address points to, if it lies in the image.
    pub(crate) fn rva_of(&self, address: u64) -> Option<u32> {
        let offset = address.checked_sub(self.base)?;
        (offset < u64::from(self.size)).then_some(offset as u32)
    }

    /// The section that holds the offset.
    pub fn section(&self, rva: u32) -> Option<&Section> {
        let at = self
            .sections
            .partition_point(|s| s.rva <= rva)
            .checked_sub(1)?;
        self.sections.get(at).filter(|s| rva < s.end())
    }

    /// Whether the offset lies in a section with code.
    pub fn is_code(&self, rva: u32) -> bool {
        self.section(rva).is_some_and(Section::is_code)
    }

    /// The import whose slot begins here.
    pub(crate) fn import(&self, slot: u32) -> Option<&Import> {
        let at = self.imports.binary_search_by_key(&slot, |i| i.slot).ok()?;
        self.imports.get(at)
    }

    /// Whether the four or eight bytes here are an address that the loader adjusts.
    pub(crate) fn is_relocated(&self, rva: u32) -> bool {
        self.relocations.binary_search(&rva).is_ok()
    }

    /// The piece of the function table that holds the offset.
    pub fn piece(&self, rva: u32) -> Option<&Piece> {
        let at = self
            .pieces
            .partition_point(|p| p.begin <= rva)
            .checked_sub(1)?;
        self.pieces.get(at).filter(|p| rva < p.end)
    }

    /// Whether the text lies in the image as UTF-16.
    pub(crate) fn holds_wide_text(&self, text: &str) -> bool {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        memchr::memmem::find(&self.bytes, &bytes).is_some()
    }

    /// Those of `targets` that a pointer outside the code points to.
    pub(crate) fn pointers_to(&self, targets: &BTreeSet<u32>) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let width = self.machine.pointer() as usize;
        for section in self.sections.iter().filter(|s| !s.is_code()) {
            let bytes = self
                .bytes
                .get(section.rva as usize..section.end() as usize)
                .unwrap_or_default();
            for pointer in bytes.chunks_exact(width) {
                let mut wide = [0u8; 8];
                wide[..width].copy_from_slice(pointer);
                found.extend(
                    self.rva_of(u64::from_le_bytes(wide))
                        .filter(|rva| targets.contains(rva)),
                );
            }
        }
        found
    }
}
