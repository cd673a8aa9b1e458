//! Hits one after the other, as they are asked for: memory is searched when the script wants the next hit and none is
//! left. A script that stops asking stops the search.

use super::patterns::Wanted;
use crate::addr::Virt;
use crate::memory::AddressSpace;
use crate::scan::{Hits, Source, Span};
use std::sync::Arc;

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
    hits: Hits,
}

impl Walk {
    /// Begins a search.
    pub fn new(space: AddressSpace, wanted: &Wanted, areas: &[Area]) -> Walk {
        let spans = areas
            .iter()
            .map(|area| Span::new(area.start, area.length))
            .collect();
        Walk {
            hits: Hits::new(
                Source::Virtual(space),
                spans,
                Arc::clone(&wanted.patterns),
                Arc::default(),
            ),
        }
    }

    /// The next hit that is known already.
    pub fn take(&mut self) -> Option<Place> {
        self.hits.ready().map(|hit| Place {
            at: Virt(hit.address),
            pattern: hit.pattern as usize,
            area: hit.span as usize,
        })
    }

    /// Searches some more; `false` at the end.
    pub fn search(&mut self) -> bool {
        self.hits.search()
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
        let wanted = patterns::read(&Dynamic::from_array(array), false).unwrap();
        let areas: Vec<Area> = areas
            .iter()
            .map(|(start, length)| Area {
                start: Virt(*start),
                length: *length,
            })
            .collect();
        let mut walk = Walk::new(space, &wanted, &areas);
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

    /// Every place around a border inside the search is found once.
    #[test]
    fn finds_once_around_a_border() {
        const WINDOW: usize = 0x1_0000;
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
