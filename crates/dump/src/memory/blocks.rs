//! An address space that is a handful of blocks: what a triage dump has, and what tests make.

use crate::addr::Virt;
use crate::bytes::ReadAt;
use crate::{Dump, VirtualBlock};
use std::sync::Arc;

/// Blocks that may overlap, cut into segments that do not.
#[derive(Clone)]
pub(crate) struct Blocks {
    bytes: Store,
    segments: Arc<[Segment]>,
}

#[derive(Clone)]
enum Store {
    Dump(Arc<Dump>),
    Owned(Arc<[u8]>),
}

/// Contiguous both in virtual memory and in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The first address.
    pub(crate) start: u64,
    /// The last address, inclusive: a segment may touch the end of the address space.
    pub(crate) last: u64,
    /// Where its bytes begin in the store.
    pub(crate) offset: u64,
}

impl Segment {
    /// A block that begins at `start`; what would lie past the end of the address space is cut off.
    fn new(start: u64, offset: u64, len: u64) -> Option<Segment> {
        let last = start.saturating_add(len.checked_sub(1)?);
        Some(Segment {
            start,
            last,
            offset,
        })
    }

    fn from(self, start: u64) -> Segment {
        Segment {
            start,
            offset: self.offset + (start - self.start),
            ..self
        }
    }
}

impl Blocks {
    /// The blocks of a triage dump, and its copies of structures whose address is known.
    pub(crate) fn of_dump(dump: Arc<Dump>) -> Blocks {
        let base = dump.bytes().as_ptr().addr();
        let place = |block: VirtualBlock<'_>| {
            let offset = block.bytes.as_ptr().addr().checked_sub(base)?;
            Segment::new(block.va.0, offset as u64, block.bytes.len() as u64)
        };
        let blocks = dump
            .triage()
            .map(|triage| triage.blocks().filter_map(place).collect())
            .unwrap_or_default();
        Blocks {
            segments: cut(blocks),
            bytes: Store::Dump(dump),
        }
    }

    /// Blocks in memory.
    pub(crate) fn owned(blocks: Vec<(Virt, Vec<u8>)>) -> Blocks {
        let mut bytes = Vec::new();
        let mut list = Vec::new();
        for (va, block) in blocks {
            list.extend(Segment::new(va.0, bytes.len() as u64, block.len() as u64));
            bytes.extend(block);
        }
        Blocks {
            bytes: Store::Owned(bytes.into()),
            segments: cut(list),
        }
    }

    /// The bytes that all segments are parts of.
    pub(crate) fn store(&self) -> &[u8] {
        match &self.bytes {
            Store::Dump(dump) => dump.bytes(),
            Store::Owned(bytes) => bytes,
        }
    }

    /// What there is from `va` to `last`, first piece first; it may begin later.
    pub(crate) fn first_in(&self, va: u64, last: u64) -> Option<(Virt, &[u8])> {
        let index = self.segments.partition_point(|segment| segment.last < va);
        let segment = *self.segments.get(index)?;
        let start = segment.start.max(va);
        if start > last {
            return None;
        }
        let segment = segment.from(start);
        // A segment is never longer than the store, so the length cannot wrap.
        let bytes = self
            .store()
            .slice_at(segment.offset, segment.last.min(last) - start + 1)?;
        Some((Virt(start), bytes))
    }
}

/// Cuts overlapping blocks into segments. Where several cover an address, the one that starts last wins: Windows adds
/// a small block for what a small structure needed after the large one around it. Of two that start together the
/// larger wins, and of two equal ones the later in the file.
fn cut(mut blocks: Vec<Segment>) -> Arc<[Segment]> {
    blocks.sort_by_key(|block| (block.start, block.last));
    let mut segments = Vec::new();
    let mut open: Vec<Segment> = Vec::new();
    let mut cursor = 0;
    for block in blocks {
        close(&mut open, &mut cursor, Some(block.start), &mut segments);
        cursor = block.start;
        open.push(block);
    }
    close(&mut open, &mut cursor, None, &mut segments);
    segments.into()
}

/// Emits what the open blocks, the innermost first, cover from the cursor up to `end` (or all of it).
fn close(open: &mut Vec<Segment>, cursor: &mut u64, end: Option<u64>, segments: &mut Vec<Segment>) {
    while let Some(&inner) = open.last() {
        let stops = end.is_some_and(|end| inner.last >= end);
        let last = if stops {
            end.and_then(|end| end.checked_sub(1))
        } else {
            Some(inner.last)
        };
        if let Some(last) = last.filter(|last| *last >= *cursor) {
            push(
                segments,
                Segment {
                    last,
                    ..inner.from(*cursor)
                },
            );
        }
        if stops {
            return;
        }
        open.pop();
        match inner.last.checked_add(1) {
            Some(next) => *cursor = next.max(*cursor),
            // The address space ends here: whatever is still open is covered.
            None => return open.clear(),
        }
    }
}

/// Adds a segment, as part of the one before if they are neighbours in both worlds.
fn push(segments: &mut Vec<Segment>, segment: Segment) {
    if let Some(before) = segments.last_mut()
        && before.last.checked_add(1) == Some(segment.start)
        && before.offset + (segment.start - before.start) == segment.offset
    {
        before.last = segment.last;
        return;
    }
    segments.push(segment);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which block covers each address of 0..`end`, by the rule in words, without any cutting.
    fn slow(blocks: &[(u64, u64)], end: u64) -> Vec<Option<usize>> {
        (0..end)
            .map(|va| {
                let covers =
                    |(_, (start, len)): &(usize, &(u64, u64))| *start <= va && va - start < *len;
                blocks
                    .iter()
                    .enumerate()
                    .filter(covers)
                    .max_by_key(|(number, (start, len))| (*start, *len, *number))
                    .map(|(number, _)| number)
            })
            .collect()
    }

    fn fast(blocks: &[(u64, u64)], end: u64) -> Vec<Option<usize>> {
        let made = blocks
            .iter()
            .enumerate()
            .map(|(number, (start, len))| (Virt(*start), vec![number as u8; *len as usize]));
        let space = Blocks::owned(made.collect());
        (0..end)
            .map(|va| {
                space
                    .first_in(va, va)
                    .map(|(_, bytes)| usize::from(bytes[0]))
            })
            .collect()
    }

    #[test]
    fn overlapping_blocks_are_cut_by_the_rule() {
        let cases: &[&[(u64, u64)]] = &[
            &[],
            &[(3, 4)],
            &[(3, 4), (7, 2)],
            &[(3, 4), (5, 4)],
            &[(3, 9), (5, 2)],
            &[(5, 2), (3, 9)],
            &[(3, 9), (5, 2), (6, 3), (8, 9)],
            &[(3, 2), (3, 5), (3, 1)],
            &[(3, 5), (3, 5)],
            &[(0, 20), (1, 1), (3, 10), (4, 2), (6, 1), (12, 0)],
        ];
        for blocks in cases {
            assert_eq!(fast(blocks, 24), slow(blocks, 24), "{blocks:?}");
        }
        let mut state = 12345u64;
        for round in 0..500 {
            let mut random = |below: u64| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 33) % below
            };
            let count = random(9);
            let blocks: Vec<_> = (0..count).map(|_| (random(30), random(12))).collect();
            assert_eq!(
                fast(&blocks, 44),
                slow(&blocks, 44),
                "round {round}: {blocks:?}"
            );
        }
    }

    #[test]
    fn a_block_that_wraps_ends_with_the_address_space() {
        let top = u64::MAX - 3;
        let space = Blocks::owned(vec![
            (Virt(top), (0..10).collect()),
            (Virt(top + 2), vec![9]),
        ]);
        assert_eq!(space.first_in(0, u64::MAX), Some((Virt(top), &[0, 1][..])));
        assert_eq!(
            space.first_in(top + 2, u64::MAX),
            Some((Virt(top + 2), &[9][..]))
        );
        assert_eq!(
            space.first_in(u64::MAX, u64::MAX),
            Some((Virt(u64::MAX), &[3][..]))
        );
    }

    #[test]
    fn neighbours_are_one_piece_when_their_bytes_are() {
        let space = Blocks::owned(vec![
            (Virt(0x10), vec![1, 2]),
            (Virt(0x12), vec![3]),
            (Virt(0x20), vec![4]),
        ]);
        assert_eq!(space.first_in(0, 0x1f), Some((Virt(0x10), &[1, 2, 3][..])));
        assert_eq!(space.first_in(0x11, 0x11), Some((Virt(0x11), &[2][..])));
        assert_eq!(space.first_in(0x13, 0x1f), None);
    }
}
