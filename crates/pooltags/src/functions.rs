//! Where functions begin and end: from the function table, and where there is none, from who calls them.

use super::image::TagImage;
use rkd_code::Machine;
use rkd_dump::addr::Virt;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A function without an entry in the function table is not believed to be longer (bytes).
const MAX_LEAF: u32 = 0x1_0000;
/// How far back the beginning of an x86 function is looked for (bytes).
const MAX_BACK: u32 = 0x8000;
/// Entries of a jump table.
const MAX_CASES: u32 = 1024;

/// The bounds of a function: where it begins, and its pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Its first instruction.
    pub entry: u32,
    /// Begin and end of each piece, ascending.
    pub pieces: Vec<(u32, u32)>,
    /// Beginnings of other functions in these pieces: a jump there leaves the function. Without a function table the end of
    /// a function is not known, only that others begin.
    pub others: Vec<u32>,
}

impl Bounds {
    /// Whether the offset lies in one of its pieces.
    pub(crate) fn contains(&self, rva: u32) -> bool {
        let after = self.pieces.partition_point(|&(begin, _)| begin <= rva);
        after
            .checked_sub(1)
            .and_then(|i| self.pieces.get(i))
            .is_some_and(|&(_, end)| rva < end)
    }

    /// The offset of a jump's target, if a jump there does not leave the function.
    pub(crate) fn keeps(&self, target: Virt) -> Option<u32> {
        let target = u32::try_from(target.0).ok()?;
        let is_other = self.others.binary_search(&target).is_ok();
        (self.contains(target) && !is_other).then_some(target)
    }
}

/// All functions of an image.
pub(crate) struct Functions<'a> {
    image: &'a TagImage,
    pieces: HashMap<u32, Vec<(u32, u32)>>,
    /// Beginnings that are known otherwise: entry point, exports, targets of calls; ascending.
    starts: Vec<u32>,
}

impl<'a> Functions<'a> {
    /// Collects them; `targets` are those of calls and pointers (`true`) and of jumps.
    pub(crate) fn new(
        image: &'a TagImage,
        targets: impl Iterator<Item = (u32, bool)>,
    ) -> Functions<'a> {
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
        let known = exported.chain([image.entry]).map(|rva| (rva, true));
        let cases = case_labels(image);
        let targets = targets.filter(|(rva, _)| !cases.contains(rva));
        let mut starts: Vec<(u32, bool)> = known.chain(targets).collect();
        starts.sort_unstable_by_key(|&(rva, called)| (rva, !called));
        starts.dedup_by_key(|(rva, _)| *rva);
        starts.retain(|&(rva, called)| match image.piece(rva) {
            _ if rva == 0 || !image.is_code(rva) => false,
            Some(piece) => piece.begin == rva,
            None => begins_plausibly(image, rva, called),
        });
        let starts = starts.into_iter().map(|(rva, _)| rva).collect();
        Functions {
            image,
            pieces,
            starts,
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        let others = self
            .starts
            .iter()
            .filter(|&&s| self.image.piece(s).is_none())
            .count();
        self.pieces.len() + others
    }

    /// The function that the offset lies in.
    pub(crate) fn containing(&self, rva: u32) -> Option<Bounds> {
        if let Some(piece) = self.image.piece(rva) {
            let owner = if self.pieces.contains_key(&piece.owner) {
                piece.owner
            } else {
                piece.begin
            };
            return self.pieces.get(&owner).map(|pieces| Bounds {
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
        let begin = match (known, self.image.machine) {
            (known, Machine::X86) => self.padding_before(
                rva,
                known.unwrap_or(floor).max(rva.saturating_sub(MAX_BACK)),
            ),
            (Some(start), _) if rva - start < MAX_LEAF => start,
            _ => self.padding_before(rva, floor.max(rva.saturating_sub(MAX_LEAF))),
        };
        // an x86 function may go on behind the next beginning, which may be none
        let end = match self.image.machine {
            Machine::X86 => section.end().min(begin.saturating_add(MAX_BACK)),
            _ => end.min(begin.saturating_add(MAX_LEAF)),
        };
        let others = self
            .starts
            .iter()
            .skip(self.starts.partition_point(|&s| s <= begin));
        let others = others.copied().take_while(|&s| s < end).collect();
        Some(Bounds {
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

/// What the jump tables of x86 code point to: `jmp [register*4+table]`, or the same through a register. It lies in the middle
/// of functions.
fn case_labels(image: &TagImage) -> HashSet<u32> {
    let mut labels = HashSet::new();
    if image.machine != Machine::X86 {
        return labels;
    }
    let target = |at: u32| image.rva_of(u64::from(image.u32(at)?));
    let tables: BTreeMap<u32, u32> = image
        .relocations
        .iter()
        .filter(|&&at| match before(image, at) {
            Some([0xff, 0x24, sib]) => sib & 0xc7 == 0x85,
            Some([0x8b, modrm, sib]) if modrm & 0xc7 == 4 && sib & 0xc7 == 0x85 => {
                let next = at.checked_add(4).and_then(|next| image.array(next));
                next == Some([0xff, 0xe0 | (modrm >> 3) & 7])
            }
            _ => false,
        })
        .filter_map(|&at| Some((target(at)?, at)))
        .collect();
    for (&table, &jump) in &tables {
        let entries = (0..MAX_CASES).map(|i| table.saturating_add(4 * i));
        let entries = entries
            .take_while(|&at| (at == table || !tables.contains_key(&at)) && image.is_relocated(at));
        let near = |label: &u32| label.abs_diff(jump) < MAX_BACK;
        labels.extend(entries.map_while(target).take_while(near));
    }
    labels
}

/// Whether a function without an entry in the table can begin here: many a number looks like the target of a call, and
/// most jumps stay in their function.
fn begins_plausibly(image: &TagImage, rva: u32, called: bool) -> bool {
    if rva == image.entry {
        return true;
    }
    if image.machine == Machine::Arm64 {
        return called;
    }
    let first = image.slice(rva, 3);
    // mov edi, edi; push ebp - or push ebp; mov ebp, esp in either encoding
    if matches!(
        first,
        [0x8b, 0xff, 0x55] | [0x55, 0x8b, 0xec] | [0x55, 0x89, 0xe5]
    ) {
        return true;
    }
    let Some(before) = before::<16>(image, rva) else {
        return false;
    };
    match before {
        // int 3 lies between functions only
        [.., 0xcc] => true,
        // compilers fill up to the beginning of a loop with nop, too
        _ if !called => false,
        // nop, ret, ret n, jmp, ud2, int 29h (__fastfail)
        [.., 0x90 | 0xc3] | [.., 0xc2, _, 0] | [.., 0xeb, _] | [.., 0xe9, _, _, _, _] => true,
        [.., 0x0f, 0x0b] | [.., 0xcd, 0x29] => true,
        _ => ends_in_long_nop(&before),
    }
}

/// The bytes in front of a place.
fn before<const N: usize>(image: &TagImage, rva: u32) -> Option<[u8; N]> {
    image.array(rva.checked_sub(N as u32)?)
}

/// `nop dword ptr [rax+rax+0]` and its like; on x86 also `lea esi, [esi+0]`.
fn ends_in_long_nop(before: &[u8; 16]) -> bool {
    let tail = |length: usize| before.get(before.len() - length..).unwrap_or_default();
    (3..=8).any(|length| match tail(length) {
        [0x0f, 0x1f, 0x00 | 0x40 | 0x44 | 0x80 | 0x84, rest @ ..]
        | [0x8d, 0x76 | 0x74 | 0xb6 | 0xb4, 0x26, rest @ ..]
        | [0x8d, 0x76 | 0xb6, rest @ ..] => rest.iter().all(|&b| b == 0),
        _ => false,
    })
}
