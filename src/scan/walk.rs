//! A search through address space: piece by piece as the memory lies in the file, without copying it. Pieces that are
//! neighbours only virtually are joined at their border, a hole is never crossed.

use super::{Found, Patterns};
use crate::addr::Virt;
use crate::error::{Error, Fault, Result};
use crate::memory::{AddressSpace, Piece};
use std::sync::atomic::{AtomicBool, Ordering};

/// Hits are handed on at least after so many.
const BATCH: usize = 4096;

/// A stretch of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its first address.
    pub start: Virt,
    /// Its size in bytes.
    pub length: u64,
}

/// How much of what was to be searched could be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Bytes that were asked for.
    pub asked: u64,
    /// Bytes that were there.
    pub read: u64,
    /// The first byte that was not, and why.
    pub missing: Option<Fault>,
}

/// Finds every occurrence that lies wholly in one of the areas, in the order of the areas and of the addresses in each.
///
/// `hit` takes them one by one; what it answers ends the search. `progress` is told the bytes that were searched so far.
///
/// # Errors
/// [`Error::Stopped`] when the flag was set, else what `hit` or `progress` answered. What was handed over before is right.
pub fn search(
    space: &AddressSpace,
    areas: &[Area],
    patterns: &Patterns,
    stop: &AtomicBool,
    mut hit: impl FnMut(Found) -> Result<()>,
    mut progress: impl FnMut(u64) -> Result<()>,
) -> Result<Coverage> {
    let mut coverage = Coverage::default();
    for area in areas {
        coverage.asked = coverage.asked.saturating_add(area.length);
        let mut run = Run::new(patterns);
        let mut next = area.start;
        for piece in space.mapped(area.start, area.length) {
            if piece.va != next {
                coverage.missing = coverage.missing.or_else(|| missing_at(space, next));
                run.end(&mut hit)?;
            }
            run.piece(&piece, stop, &mut hit, |done| {
                progress(coverage.read + done)
            })?;
            coverage.read += piece.bytes.len() as u64;
            next = piece.va + piece.bytes.len() as u64;
        }
        if next - area.start < area.length {
            coverage.missing = coverage.missing.or_else(|| missing_at(space, next));
        }
        run.end(&mut hit)?;
    }
    Ok(coverage)
}

fn missing_at(space: &AddressSpace, at: Virt) -> Option<Fault> {
    space.read_u8(at).err()
}

/// A run of pieces without a hole between them.
struct Run<'a> {
    patterns: &'a Patterns,
    /// The last bytes of the run, in which an occurrence may begin that goes on in the next piece.
    tail: Vec<u8>,
    /// Where the run has come to.
    at: Virt,
    /// Occurrences that begin in the tail: others that begin before them may still come.
    waiting: Vec<Found>,
    found: Vec<Found>,
}

impl<'a> Run<'a> {
    fn new(patterns: &'a Patterns) -> Run<'a> {
        Run {
            patterns,
            tail: Vec::new(),
            at: Virt(0),
            waiting: Vec::new(),
            found: Vec::new(),
        }
    }

    /// The run is over: nothing more can begin in its tail.
    fn end(&mut self, hit: &mut impl FnMut(Found) -> Result<()>) -> Result<()> {
        self.tail.clear();
        self.waiting.drain(..).try_for_each(hit)
    }

    fn piece(
        &mut self,
        piece: &Piece<'_>,
        stop: &AtomicBool,
        hit: &mut impl FnMut(Found) -> Result<()>,
        mut progress: impl FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        self.border(piece);
        let reach = self.patterns.longest() - 1;
        let end = piece.va + piece.bytes.len() as u64;
        let held_from = end - reach.min(piece.bytes.len()) as u64;
        let mut at = 0;
        while at < piece.bytes.len() {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            at = self.patterns.find(
                piece.bytes,
                piece.va.0,
                at..piece.bytes.len(),
                BATCH,
                &mut self.found,
            );
            // What waits begins before this piece, and so does all that could still come before it.
            self.waiting.sort_unstable();
            self.waiting.drain(..).try_for_each(&mut *hit)?;
            let kept = self.found.partition_point(|found| {
                found.address.wrapping_sub(piece.va.0) < held_from - piece.va
            });
            self.waiting = self.found.split_off(kept);
            self.found.drain(..).try_for_each(&mut *hit)?;
            progress(at as u64)?;
        }
        self.keep(piece, reach);
        self.at = end;
        Ok(())
    }

    /// Occurrences that begin in the tail and end in the new piece.
    fn border(&mut self, piece: &Piece<'_>) {
        if self.tail.is_empty() || piece.va != self.at {
            return;
        }
        let reach = self.patterns.longest() - 1;
        let kept = self.tail.len();
        let mut joined = std::mem::take(&mut self.tail);
        joined.extend_from_slice(piece.bytes.get(..reach).unwrap_or(piece.bytes));
        let base = piece.va - kept as u64;
        let list = self.patterns.list();
        let crossing = self
            .patterns
            .find_all(&joined, base.0)
            .into_iter()
            .filter(|found| {
                let start = found.address.wrapping_sub(base.0) as usize;
                let length = list
                    .get(found.pattern as usize)
                    .map_or(0, |pattern| pattern.len());
                start < kept && start + length > kept
            });
        self.waiting.extend(crossing);
        joined.truncate(kept);
        self.tail = joined;
    }

    fn keep(&mut self, piece: &Piece<'_>, reach: usize) {
        if piece.va != self.at {
            self.tail.clear();
        }
        match piece.bytes.len().checked_sub(reach) {
            Some(from) => {
                self.tail.clear();
                self.tail.extend_from_slice(&piece.bytes[from..]);
            }
            None => {
                self.tail.extend_from_slice(piece.bytes);
                let surplus = self.tail.len().saturating_sub(reach);
                self.tail.drain(..surplus);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Pattern;

    fn hits(
        blocks: &[(u64, &[u8])],
        areas: &[(u64, u64)],
        patterns: &[&str],
    ) -> (Vec<(u64, u32)>, Coverage) {
        let blocks = blocks
            .iter()
            .map(|(at, bytes)| (Virt(*at), bytes.to_vec()))
            .collect();
        let space = AddressSpace::of_blocks(blocks);
        let areas: Vec<Area> = areas
            .iter()
            .map(|(start, length)| Area {
                start: Virt(*start),
                length: *length,
            })
            .collect();
        let patterns =
            Patterns::new(patterns.iter().map(|text| Pattern::text(text)).collect()).unwrap();
        let mut found = Vec::new();
        let stop = AtomicBool::new(false);
        let keep = |hit: Found| {
            found.push((hit.address, hit.pattern));
            Ok(())
        };
        let coverage = search(&space, &areas, &patterns, &stop, keep, |_| Ok(())).unwrap();
        (found, coverage)
    }

    /// One text, cut into pieces of every size that are neighbours only virtually: the same hits as in one piece.
    #[test]
    fn pieces_do_not_matter() {
        let text = b"LeakLeLeakeakQQQQQLeak";
        let patterns = ["Leak", "eak", "QQQ", "LeLeakeakQQ"];
        let (whole, _) = hits(&[(0x1000, text)], &[(0x1000, 22)], &patterns);
        assert_eq!(whole.len(), 11);
        for size in 1..22 {
            let pieces: Vec<(u64, &[u8])> = text
                .chunks(size)
                .enumerate()
                .map(|(i, bytes)| (0x1000 + (i * size) as u64, bytes))
                .collect();
            let (found, coverage) = hits(&pieces, &[(0x1000, 22)], &patterns);
            assert_eq!(found, whole, "pieces of {size}");
            assert_eq!(
                (coverage.asked, coverage.read, coverage.missing),
                (22, 22, None)
            );
        }
    }

    #[test]
    fn holes_are_not_crossed_and_are_told() {
        let (found, coverage) = hits(
            &[(0x1000, b"..Le"), (0x1008, b"akLeak")],
            &[(0x1000, 0x10)],
            &["Leak"],
        );
        assert_eq!(found, [(0x100a, 0)]);
        assert_eq!((coverage.asked, coverage.read), (0x10, 10));
        assert_eq!(coverage.missing.unwrap().at, Virt(0x1004));
    }

    #[test]
    fn a_hit_lies_wholly_in_its_area() {
        let blocks: &[(u64, &[u8])] = &[(0x1000, b"LeakLeak")];
        assert_eq!(hits(blocks, &[(0x1000, 7)], &["Leak"]).0, [(0x1000, 0)]);
        assert_eq!(hits(blocks, &[(0x1001, 7)], &["Leak"]).0, [(0x1004, 0)]);
        assert_eq!(
            hits(blocks, &[(0x1004, 4), (0x1000, 4)], &["Leak"]).0,
            [(0x1004, 0), (0x1000, 0)]
        );
    }

    #[test]
    fn the_flag_stops_it() {
        let space = AddressSpace::of_blocks(vec![(Virt(0x1000), b"Leak".to_vec())]);
        let patterns = Patterns::new(vec![Pattern::text("Leak")]).unwrap();
        let areas = [Area {
            start: Virt(0x1000),
            length: 4,
        }];
        let stopped = search(
            &space,
            &areas,
            &patterns,
            &AtomicBool::new(true),
            |_| Ok(()),
            |_| Ok(()),
        );
        assert!(matches!(stopped, Err(Error::Stopped)));
    }
}
