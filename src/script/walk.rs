//! Hits one after the other, as they are asked for: a window of memory is searched when the script wants the next hit
//! and none is left. A script that stops asking stops the search.

use super::patterns::Wanted;
use crate::addr::Virt;
use crate::memory::AddressSpace;
use std::collections::VecDeque;
use std::sync::Arc;

/// How much is searched at once: small enough that the first hit comes at once, large enough that starting costs nothing.
const WINDOW: usize = 1 << 20;

/// A stretch of addresses to search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    /// Where it begins.
    pub start: Virt,
    /// In bytes.
    pub length: u64,
}

/// A place where a pattern stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The first byte.
    pub at: Virt,
    /// Which pattern.
    pub pattern: usize,
    /// In which area.
    pub area: usize,
}

/// A search that is under way.
pub(super) struct Walk {
    space: AddressSpace,
    wanted: Arc<Wanted>,
    areas: Arc<[Area]>,
    area: usize,
    /// The next byte to look at, from the area's start.
    done: u64,
    /// The end of what was searched last, where a pattern may begin that goes on behind it.
    tail: Vec<u8>,
    found: VecDeque<Place>,
}

impl Walk {
    /// Begins a search.
    pub fn new(space: AddressSpace, wanted: Arc<Wanted>, areas: Arc<[Area]>) -> Walk {
        Walk {
            space,
            wanted,
            areas,
            area: 0,
            done: 0,
            tail: Vec::new(),
            found: VecDeque::new(),
        }
    }

    /// The next hit that is known already.
    pub fn take(&mut self) -> Option<Place> {
        self.found.pop_front()
    }

    /// Searches one window more; `false` at the end.
    pub fn search(&mut self) -> bool {
        let Some(area) = self.areas.get(self.area).copied() else {
            return false;
        };
        let from = area.start + self.done;
        let (start, bytes) = self.window(from, area.length - self.done);
        if bytes.is_empty() {
            self.area += 1;
            self.done = 0;
            self.tail.clear();
            return true;
        }
        if start != from {
            self.tail.clear();
        }
        let kept = self.tail.len();
        self.tail.extend_from_slice(&bytes);
        let base = start - kept as u64;
        for hit in self.wanted.patterns.find_all(&self.tail, base.0) {
            let pattern = hit.pattern as usize;
            let length = self
                .wanted
                .patterns
                .list()
                .get(pattern)
                .map_or(0, |p| p.len() as u64);
            // What lies wholly in the tail was found in the window before.
            if (Virt(hit.address) - base) + length > kept as u64 {
                self.found.push_back(Place {
                    at: Virt(hit.address),
                    pattern,
                    area: self.area,
                });
            }
        }
        let keep = self
            .wanted
            .patterns
            .longest()
            .saturating_sub(1)
            .min(self.tail.len());
        self.tail.drain(..self.tail.len() - keep);
        self.done = (start - area.start) + bytes.len() as u64;
        true
    }

    /// The first bytes from `from` on that are there, without a hole; at most about a window.
    fn window(&self, from: Virt, length: u64) -> (Virt, Vec<u8>) {
        let mut start = from;
        let mut bytes = Vec::new();
        for piece in self.space.mapped(from, length) {
            if bytes.is_empty() {
                start = piece.va;
            } else if piece.va - start != bytes.len() as u64 {
                break;
            }
            bytes.extend_from_slice(
                piece
                    .bytes
                    .get(..WINDOW - bytes.len())
                    .unwrap_or(piece.bytes),
            );
            if bytes.len() >= WINDOW {
                break;
            }
        }
        (start, bytes)
    }
}

/// How many bytes of an area are in the dump.
pub(super) fn present(space: &AddressSpace, area: Area) -> u64 {
    space
        .mapped(area.start, area.length)
        .map(|piece| piece.bytes.len() as u64)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::patterns;
    use super::*;
    use rhai::Dynamic;

    fn hits(
        blocks: &[(u64, &[u8])],
        areas: &[(u64, u64)],
        wanted: &[&str],
    ) -> Vec<(u64, usize, usize)> {
        let space = AddressSpace::of_blocks(
            blocks
                .iter()
                .map(|(at, b)| (Virt(*at), b.to_vec()))
                .collect(),
        );
        let array: Vec<Dynamic> = wanted
            .iter()
            .map(|w| Dynamic::from(w.to_string()))
            .collect();
        let wanted = Arc::new(patterns::read(&Dynamic::from_array(array), false).unwrap());
        let areas: Arc<[Area]> = areas
            .iter()
            .map(|(start, length)| Area {
                start: Virt(*start),
                length: *length,
            })
            .collect();
        let mut walk = Walk::new(space, wanted, areas);
        let mut found = Vec::new();
        while walk.search() {
            while let Some(place) = walk.take() {
                found.push((place.at.0, place.pattern, place.area));
            }
        }
        found
    }

    #[test]
    fn finds_across_neighbours_and_not_across_holes() {
        let blocks: &[(u64, &[u8])] = &[
            (0x1000, b"..Le"),
            (0x1004, b"ak.Leak"),
            (0x2000, b"Le"),
            (0x3000, b"ak"),
        ];
        assert_eq!(
            hits(blocks, &[(0x1000, 0x3000)], &["Leak"]),
            [(0x1002, 0, 0), (0x1007, 0, 0)]
        );
        assert_eq!(
            hits(blocks, &[(0x1000, 0x1000), (0x1007, 4)], &["Leak", "ak"]),
            [
                (0x1002, 0, 0),
                (0x1004, 1, 0),
                (0x1007, 0, 0),
                (0x1009, 1, 0),
                (0x1007, 0, 1),
                (0x1009, 1, 1)
            ]
        );
    }

    #[test]
    fn a_hit_lies_wholly_in_its_area() {
        let blocks: &[(u64, &[u8])] = &[(0x1000, b"LeakLeak")];
        assert_eq!(hits(blocks, &[(0x1000, 7)], &["Leak"]), [(0x1000, 0, 0)]);
        assert_eq!(hits(blocks, &[(0x1001, 7)], &["Leak"]), [(0x1004, 0, 0)]);
        assert_eq!(hits(blocks, &[(0x1001, 0)], &["Leak"]), []);
        assert_eq!(hits(blocks, &[(0x5000, 0x1000)], &["Leak"]), []);
    }

    /// Windows end anywhere: every place around the border of two is found once.
    #[test]
    fn finds_once_around_the_border_of_windows() {
        let mut memory = vec![b'.'; WINDOW + 16];
        for shift in 0..12 {
            memory.fill(b'.');
            let at = WINDOW - 8 + shift;
            memory[at..at + 4].copy_from_slice(b"QQQQ");
            let found = hits(
                &[(0x10000, &memory)],
                &[(0x10000, memory.len() as u64)],
                &["QQQ"],
            );
            let first = 0x10000 + at as u64;
            assert_eq!(found, [(first, 0, 0), (first + 1, 0, 0)], "{shift}");
        }
    }
}
