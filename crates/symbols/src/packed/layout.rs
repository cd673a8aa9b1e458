//! Where the parts of packed symbols lie: a table of their lengths, and the parts one after the other. Numbers are little-endian
//! and stand at any place.

use rkd_dump::bytes::ReadAt;
use std::ops::Range;

/// The parts, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// Identity, version, machine, base types.
    Head,
    /// The symbols' names in their order, without anything between them.
    Text,
    /// Where each of them starts (`u32`), and where the last one ends.
    Places,
    /// The symbols' addresses (`u32`), by the same index.
    Rvas,
    /// Their indices (`u32`) in ascending order of address; of several names of one address the best comes first.
    ByRva,
    /// What each is (`u8`).
    Flags,
    /// One more than the place of its size and type in the definitions (`u32`), or 0; the part is empty when no symbol has any.
    Details,
    /// All other names, each once.
    Names,
    /// As `Places`.
    NamePlaces,
    /// Structures and unions in the order of their names: the name's number and the definition's place (two `u32`).
    Udts,
    /// Enumerations, likewise.
    Enums,
    /// Names for types, likewise.
    Typedefs,
    /// What types are made of.
    Definitions,
}

pub(super) const SECTIONS: usize = 13;

/// The bytes of an entry of `Udts`, `Enums` and `Typedefs`.
pub(super) const ENTRY: usize = 8;

/// The bits of a flag that say what a symbol stands for.
pub(super) const KIND: u8 = 3;
pub(super) const DATA: u8 = 1;
pub(super) const FUNCTION: u8 = 2;
/// The symbol's record is one that PDBs for the public do not have.
pub(super) const PRIVATE: u8 = 4;

/// Where each part lies in the bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Sections {
    start: usize,
    ranges: [Range<usize>; SECTIONS],
}

impl Sections {
    /// Reads the table at `start`. `None` when the parts do not fill the bytes to the end, or do not fit one another.
    pub(super) fn read(bytes: &[u8], start: usize) -> Option<Sections> {
        let mut at = start.checked_add(8 * SECTIONS)?;
        let mut ranges: [Range<usize>; SECTIONS] = std::array::from_fn(|_| 0..0);
        for (index, range) in ranges.iter_mut().enumerate() {
            let length = bytes.u64_at(start + 8 * index)?;
            let end = at.checked_add(usize::try_from(length).ok()?)?;
            *range = at..end;
            at = end;
        }
        let sections = Sections { start, ranges };
        let length = |section| sections.length(section);
        let symbols = length(Section::Rvas) / 4;
        let fits = at == bytes.len()
            && length(Section::Rvas) == 4 * symbols
            && length(Section::ByRva) == 4 * symbols
            && length(Section::Flags) == symbols
            && length(Section::Places) == 4 * (symbols + 1)
            && [0, 4 * symbols].contains(&length(Section::Details));
        fits.then_some(sections)
    }

    /// The table and the parts as bytes.
    pub(super) fn write(parts: [&[u8]; SECTIONS]) -> Vec<u8> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut bytes = Vec::with_capacity(8 * SECTIONS + length);
        for part in parts {
            bytes.extend((part.len() as u64).to_le_bytes());
        }
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        bytes
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    fn range(&self, section: Section) -> Range<usize> {
        self.ranges.get(section as usize).cloned().unwrap_or(0..0)
    }

    /// In bytes.
    pub(super) fn length(&self, section: Section) -> usize {
        self.range(section).len()
    }

    pub(super) fn get<'b>(&self, bytes: &'b [u8], section: Section) -> Option<&'b [u8]> {
        bytes.get(self.range(section))
    }
}
