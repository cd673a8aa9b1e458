//! A look at all code without following it: who names which slot, and who calls whom. It finds every reference in its
//! usual form, and by chance some that are none; so it says where to look, and afterwards whether anything was missed.

#![allow(clippy::unusual_byte_groupings)] // The fields of an instruction word are grouped as the manual groups them.

use super::image::TagImage;
use rkd_code::Machine;
use std::collections::{BTreeSet, HashMap};

/// What the code refers to.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Operands that name one of the wanted offsets (a byte inside the instruction), ascending, with that offset.
    pub operands: Vec<(u32, u32)>,
    /// Calls and jumps: target, place; ascending.
    edges: Vec<(u32, u32)>,
}

impl References {
    /// Looks through all code for the wanted offsets, and for calls.
    pub(crate) fn find(image: &TagImage, wanted: &BTreeSet<u32>) -> References {
        Scan::run(image, wanted, true)
    }

    /// Looks once more, for other offsets.
    pub(crate) fn operands_naming(image: &TagImage, wanted: &BTreeSet<u32>) -> Vec<(u32, u32)> {
        Scan::run(image, wanted, false).operands
    }

    /// The places that call or jump to this offset.
    pub(crate) fn callers(&self, target: u32) -> impl Iterator<Item = u32> + '_ {
        let from = self.edges.partition_point(|&(t, _)| t < target);
        self.edges
            .iter()
            .skip(from)
            .take_while(move |&&(t, _)| t == target)
            .map(|&(_, at)| at)
    }

    /// What is called or jumped to, without repetition, and whether it is called.
    pub(crate) fn targets<'s>(
        &'s self,
        image: &'s TagImage,
    ) -> impl Iterator<Item = (u32, bool)> + 's {
        let same = |a: &(u32, u32), b: &(u32, u32)| a.0 == b.0;
        self.edges.chunk_by(same).filter_map(move |edges| {
            let called = edges.iter().any(|&(_, at)| is_call(image, at));
            Some((edges.first()?.0, called))
        })
    }
}

/// Whether the edge that begins here is a call, and no jump.
fn is_call(image: &TagImage, at: u32) -> bool {
    match image.machine {
        Machine::Arm64 => image.u32(at).is_some_and(|word| word >> 26 == 0x25),
        _ => image.array(at) == Some([0xe8]),
    }
}

impl TagImage {
    /// Whether the instruction whose bytes name code here can only be one that takes its address, and no call of it.
    pub(super) fn takes_address(&self, place: u32) -> bool {
        match self.machine {
            // lea register, [rip+displacement]
            Machine::X64 => {
                let before = place.checked_sub(2).and_then(|at| self.array(at));
                matches!(before, Some([0x8d, modrm]) if modrm & 0xc7 == 5)
            }
            // an absolute address; adrp with add
            Machine::X86 | Machine::Arm64 => true,
        }
    }
}

/// A look at all code.
struct Scan<'a> {
    image: &'a TagImage,
    wanted: &'a BTreeSet<u32>,
    /// Whether calls and jumps are looked for, too.
    wants_edges: bool,
    found: References,
}

impl Scan<'_> {
    fn run(image: &TagImage, wanted: &BTreeSet<u32>, wants_edges: bool) -> References {
        let mut scan = Scan {
            image,
            wanted,
            wants_edges,
            found: References::default(),
        };
        for section in image.sections.iter().filter(|s| s.is_code()) {
            let mut at = section.rva;
            while at < section.end() {
                let bytes = image.slice(at, section.end() - at);
                match image.machine {
                    Machine::Arm64 => scan.arm64(at, bytes),
                    Machine::X64 | Machine::X86 => scan.intel(at, bytes),
                }
                // behind a missing page it goes on with the next one
                at = (at.saturating_add(bytes.len() as u32) / 0x1000 + 1).saturating_mul(0x1000);
            }
        }
        scan.found.operands.sort_unstable();
        scan.found.edges.sort_unstable();
        scan.found
    }

    fn operand(&mut self, at: u32, target: u32) {
        if self.wanted.contains(&target) {
            self.found.operands.push((at, target));
        }
    }

    fn edge(&mut self, target: u32, at: u32) {
        if target < self.image.size && self.image.is_code(target) {
            self.found.edges.push((target, at));
        }
    }

    fn intel(&mut self, start: u32, bytes: &[u8]) {
        if let (Some(&low), Some(&high)) = (self.wanted.first(), self.wanted.last()) {
            self.displacements(start, bytes, low, high);
        }
        if self.wants_edges {
            self.calls(start, bytes);
        }
    }

    /// Every four bytes that could be a displacement or an address; `low` and `high` are the ends of what is wanted.
    fn displacements(&mut self, start: u32, bytes: &[u8], low: u32, high: u32) {
        let image = self.image;
        let absolute = image.machine == Machine::X86;
        let base = image.base as u32;
        for (i, four) in bytes.windows(4).enumerate() {
            let value = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            let place = start.wrapping_add(i as u32);
            let behind = place.wrapping_add(4).wrapping_add(value);
            if absolute {
                let target = value.wrapping_sub(base);
                let adjusted = || image.relocations.is_empty() || image.is_relocated(place);
                if target >= low && target <= high && self.wanted.contains(&target) && adjusted() {
                    self.found.operands.push((place, target));
                }
            } else if behind <= high && behind.saturating_add(4) >= low {
                // an instruction with an immediate ends one, two or four bytes later
                for more in [0, 1, 2, 4] {
                    self.operand(place, behind.wrapping_add(more));
                }
            }
        }
    }

    /// `E8` and `E9` with a displacement that leads to code, and jumps on a condition.
    fn calls(&mut self, start: u32, bytes: &[u8]) {
        for (i, five) in bytes.windows(5).enumerate() {
            let far = i > 0 && five[0] & 0xf0 == 0x80 && bytes[i - 1] == 0x0f;
            if !matches!(five[0], 0xe8 | 0xe9) && !far {
                continue;
            }
            let displacement = u32::from_le_bytes([five[1], five[2], five[3], five[4]]);
            let place = start.wrapping_add(i as u32);
            self.edge(place.wrapping_add(5).wrapping_add(displacement), place);
        }
    }

    fn arm64(&mut self, start: u32, bytes: &[u8]) {
        // the page that each register last got
        let mut pages: HashMap<u32, u32> = HashMap::new();
        let skip = (4 - start % 4) % 4;
        let words = bytes
            .get(skip as usize..)
            .unwrap_or_default()
            .chunks_exact(4);
        for (place, word) in (start.saturating_add(skip)..).step_by(4).zip(words) {
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            let (to, from) = (word & 31, (word >> 5) & 31);
            if word >> 26 == 0x25 || word >> 26 == 5 {
                if self.wants_edges {
                    self.edge(place.wrapping_add_signed(((word << 6) as i32) >> 4), place);
                }
            } else if word & 0x9f00_0000 == 0x9000_0000 {
                let pages_away =
                    ((((word >> 5) & 0x7_ffff) << 2 | (word >> 29) & 3) << 11) as i32 >> 11;
                pages.insert(
                    to,
                    (place & !0xfff).wrapping_add_signed(pages_away.wrapping_mul(0x1000)),
                );
            } else {
                // ldr x, [x, #imm]; ldr w; str x; str w; add x, x, #imm
                let offset = match word >> 22 {
                    0b11_111_0_01_01 | 0b11_111_0_01_00 => Some(((word >> 10) & 0xfff) * 8),
                    0b10_111_0_01_01 | 0b10_111_0_01_00 => Some(((word >> 10) & 0xfff) * 4),
                    0b1_0_0_100010_0 => Some((word >> 10) & 0xfff),
                    _ => None,
                };
                if let (Some(offset), Some(page)) = (offset, pages.get(&from)) {
                    self.operand(place, page.wrapping_add(offset));
                }
                // nearly every instruction that is no branch writes the register in its low bits
                let store = word & 0x0a00_0000 == 0x0800_0000 && word & 0x0040_0000 == 0;
                if word >> 26 & 7 != 5 && !store {
                    pages.remove(&to);
                }
            }
        }
    }
}
