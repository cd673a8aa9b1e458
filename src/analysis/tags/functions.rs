//! Where functions begin and end: from the function table, and where there is none, from who calls them.

use super::flow::Function;
use super::image::{Arch, TagImage};
use std::collections::HashMap;

/// A function without an entry in the function table is not believed to be longer (bytes).
const MAX_LEAF: u32 = 0x1_0000;
/// How far back the beginning of an x86 function is looked for (bytes).
const MAX_BACK: u32 = 0x8000;

/// All functions of an image.
pub struct Functions<'a> {
    image: &'a TagImage,
    pieces: HashMap<u32, Vec<(u32, u32)>>,
    /// Beginnings that are known otherwise: entry point, exports, targets of calls; ascending.
    starts: Vec<u32>,
}

impl<'a> Functions<'a> {
    /// Collects them; `called` are the targets of calls and pointers to code.
    pub fn new(image: &'a TagImage, called: impl Iterator<Item = u32>) -> Functions<'a> {
        let mut pieces: HashMap<u32, Vec<(u32, u32)>> = HashMap::new();
        for piece in &image.pieces {
            let known = image
                .piece(piece.owner)
                .is_some_and(|p| p.begin == piece.owner);
            let owner = if known { piece.owner } else { piece.begin };
            pieces
                .entry(owner)
                .or_default()
                .push((piece.begin, piece.end));
        }
        let exported = image.exports.iter().map(|(_, rva)| *rva);
        let mut starts: Vec<u32> = exported.chain([image.entry]).chain(called).collect();
        starts.retain(|&rva| {
            rva != 0 && image.is_code(rva) && image.piece(rva).is_none_or(|p| p.begin == rva)
        });
        starts.sort_unstable();
        starts.dedup();
        if image.arch != Arch::Arm64 {
            starts.retain(|&rva| image.piece(rva).is_some() || begins_plausibly(image, rva));
        }
        Functions {
            image,
            pieces,
            starts,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let others = self
            .starts
            .iter()
            .filter(|&&s| self.image.piece(s).is_none())
            .count();
        self.pieces.len() + others
    }

    /// The function that the offset lies in.
    pub fn containing(&self, rva: u32) -> Option<Function> {
        if let Some(piece) = self.image.piece(rva) {
            let owner = if self.pieces.contains_key(&piece.owner) {
                piece.owner
            } else {
                piece.begin
            };
            return self.pieces.get(&owner).map(|pieces| Function {
                entry: owner,
                pieces: pieces.clone(),
                others: Vec::new(),
            });
        }
        let section = self.image.section(rva).filter(|s| s.is_code())?;
        let after = self.starts.partition_point(|&s| s <= rva);
        let next_start = self.starts.get(after).copied().unwrap_or(u32::MAX);
        let next_piece = self.image.pieces.partition_point(|p| p.begin <= rva);
        let next_piece_begin = self
            .image
            .pieces
            .get(next_piece)
            .map_or(u32::MAX, |p| p.begin);
        let end = next_start.min(next_piece_begin).min(section.end());
        let piece_end = next_piece
            .checked_sub(1)
            .and_then(|i| self.image.pieces.get(i))
            .map_or(0, |p| p.end);
        let floor = piece_end.max(section.rva);
        let known = after
            .checked_sub(1)
            .and_then(|i| self.starts.get(i))
            .copied()
            .filter(|&s| s >= floor);
        let begin = match (known, self.image.arch) {
            (known, Arch::X86) => self.padding_before(
                rva,
                known.unwrap_or(floor).max(rva.saturating_sub(MAX_BACK)),
            ),
            (Some(start), _) if rva - start < MAX_LEAF => start,
            _ => self.padding_before(rva, floor.max(rva.saturating_sub(MAX_LEAF))),
        };
        // an x86 function may go on behind the next beginning, which may be none
        let end = match self.image.arch {
            Arch::X86 => section.end().min(begin.saturating_add(MAX_BACK)),
            _ => end.min(begin.saturating_add(MAX_LEAF)),
        };
        let others = self
            .starts
            .iter()
            .skip(self.starts.partition_point(|&s| s <= begin));
        let others = others.copied().take_while(|&s| s < end).collect();
        Some(Function {
            entry: begin,
            pieces: vec![(begin, end)],
            others,
        })
    }

    /// The place behind the last padding before `rva`: two or more breakpoints or NOPs, or zeroes.
    fn padding_before(&self, rva: u32, floor: u32) -> u32 {
        let bytes = self.image.slice(floor, rva.saturating_sub(floor));
        let quiet = |b: u8| matches!(b, 0xcc | 0x90);
        let found = bytes
            .windows(3)
            .rposition(|w| quiet(w[0]) && quiet(w[1]) && !quiet(w[2]));
        match found {
            Some(at) => floor + at as u32 + 2,
            None => floor,
        }
    }
}

/// Whether a function without an entry in the table can begin here: many a number looks like the target of a call.
fn begins_plausibly(image: &TagImage, rva: u32) -> bool {
    let first = image.slice(rva, 3);
    // mov edi, edi; push ebp - or push ebp; mov ebp, esp in either encoding
    if matches!(
        first,
        [0x8b, 0xff, 0x55] | [0x55, 0x8b, 0xec] | [0x55, 0x89, 0xe5]
    ) || rva == image.entry
    {
        return true;
    }
    let Some(before) = rva.checked_sub(5).map(|at| image.slice(at, 5)) else {
        return false;
    };
    // padding, ret, ret n, jmp
    matches!(
        before,
        [.., 0xcc | 0x90 | 0xc3] | [.., 0xc2, _, 0] | [.., 0xeb, _] | [0xe9, ..]
    )
}
