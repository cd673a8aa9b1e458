//! Any number of patterns in one pass, in three steps of which each leaves little to the next and costs more a byte.
//!
//! 1. The *prefilter*: a window of four bytes passes when each of its bytes occurs at that offset in some window of one bucket.
//!    There are eight buckets, one bit each, so that a look into a table for each byte decides, for as many positions at once as
//!    fit into a vector (the idea of Hyperscan's Teddy).
//! 2. What passes is hashed into a bitmap: what is set there is a *candidate*.
//! 3. To *verify* a candidate, its window is looked up in a hash table, and the patterns found there are compared whole.

use super::index::{Entry, Index, Lookup};
use super::prefilter::Prefilter;
use super::window::Chooser;
use super::{Found, Input, simd};
use crate::pattern::Pattern;
use std::collections::BTreeMap;
use std::ops::Range;

/// A searcher for all patterns of a set, by their windows.
pub(super) struct Multi {
    prefilter: Prefilter,
    /// Most sets have a single shape, all four bytes.
    shapes: Vec<Shape>,
    /// Bytes from the first to the last of the shortest window.
    span: usize,
    /// How far into their patterns the windows begin.
    offsets: Range<usize>,
    simd: Option<simd::Simd>,
}

/// The windows that use the same of their four bytes.
struct Shape {
    mask: u32,
    /// Bytes from the first to the last.
    span: usize,
    index: Index,
}

impl Multi {
    /// A searcher for patterns that have at least one fixed bit each.
    pub(super) fn new(patterns: &[Pattern], simd: Option<simd::Simd>) -> Multi {
        let mut chooser = Chooser::new(patterns.len());
        let mut entries: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
        let (mut least, mut most) = (usize::MAX, 0);
        for (number, pattern) in patterns.iter().enumerate() {
            let Some(window) = chooser.choose(pattern) else {
                continue;
            };
            (least, most) = (least.min(window.offset), most.max(window.offset));
            let whole = window.shape.count_ones() as usize == pattern.len() * 8;
            entries
                .entry(window.shape)
                .or_default()
                .extend(window.values.iter().map(|&value| Entry {
                    value,
                    pattern: number as u32,
                    offset: window.offset as u32,
                    is_whole: whole && pattern.may_be_anywhere(),
                }));
        }
        let shapes: Vec<Shape> = entries
            .into_iter()
            .map(|(mask, entries)| Shape {
                mask,
                span: 4 - mask.leading_zeros() as usize / 8,
                index: Index::new(entries),
            })
            .collect();
        Multi {
            prefilter: Prefilter::new(
                shapes
                    .iter()
                    .map(|shape| (shape.mask, shape.index.values())),
            ),
            span: shapes.iter().map(|shape| shape.span).min().unwrap_or(1),
            shapes,
            offsets: least.min(most)..most + 1,
            simd,
        }
    }

    /// Adds every occurrence, in the order of the windows.
    pub(super) fn find(&self, input: &Input<'_>, out: &mut Vec<Found>) {
        let haystack = input.haystack;
        let end = (haystack.len() + 1).saturating_sub(self.span);
        let positions = end.min(input.starts.start + self.offsets.start)
            ..end.min(input.starts.end + self.offsets.end - 1);
        match self.shapes.as_slice() {
            // Nearly always; without the inner loop the compiler makes better code.
            [only] if only.mask == u32::MAX => self.find_candidates(
                positions,
                One {
                    shape: only,
                    input,
                    out,
                },
            ),
            shapes => self.find_candidates(positions, Many { shapes, input, out }),
        }
    }

    #[inline(always)]
    fn find_candidates(&self, positions: Range<usize>, mut verifier: impl Verifier) {
        let rest = match &self.simd {
            Some(simd) => simd.find_candidates(&self.prefilter, positions.clone(), &mut verifier),
            None => positions.start,
        };
        (rest..positions.end).for_each(|at| verifier.check(at));
    }
}

/// What the vectors need to know of the patterns.
pub(super) trait Verifier {
    /// The bytes that are searched.
    fn haystack(&self) -> &[u8];
    /// Whether four bytes may be a window: no means no.
    fn may_match(&self, four: u32) -> bool;
    /// The memory that [`Verifier::verify`] will read first for these four bytes, so that it can be fetched in time.
    fn slot_address(&self, four: u32) -> *const u8;
    /// Adds the patterns whose window is at the position, if they are there.
    fn verify(&mut self, at: usize);

    /// The same for a position that has not even passed the prefilter.
    #[inline(always)]
    fn check(&mut self, at: usize) {
        if self.may_match(window(self.haystack(), at)) {
            self.verify(at);
        }
    }
}

/// All windows use all of their four bytes.
struct One<'a> {
    shape: &'a Shape,
    input: &'a Input<'a>,
    out: &'a mut Vec<Found>,
}

impl Verifier for One<'_> {
    #[inline(always)]
    fn haystack(&self) -> &[u8] {
        self.input.haystack
    }

    #[inline(always)]
    fn may_match(&self, four: u32) -> bool {
        self.shape.index.may_hold(four)
    }

    #[inline(always)]
    fn slot_address(&self, four: u32) -> *const u8 {
        self.shape.index.slot_address(four)
    }

    #[inline(always)]
    fn verify(&mut self, at: usize) {
        self.shape
            .verify(window(self.input.haystack, at), at, self.input, self.out);
    }
}

/// Windows of several shapes.
struct Many<'a> {
    shapes: &'a [Shape],
    input: &'a Input<'a>,
    out: &'a mut Vec<Found>,
}

impl Verifier for Many<'_> {
    #[inline(always)]
    fn haystack(&self) -> &[u8] {
        self.input.haystack
    }

    #[inline(always)]
    fn may_match(&self, four: u32) -> bool {
        // Without a branch: what passes the prefilter is no more regular than memory is.
        self.shapes
            .iter()
            .fold(false, |any, shape| any | shape.may_hold(four))
    }

    #[inline(always)]
    fn slot_address(&self, four: u32) -> *const u8 {
        let first = &self.shapes[0];
        first.index.slot_address(four & first.mask)
    }

    #[inline(always)]
    fn verify(&mut self, at: usize) {
        let four = window(self.input.haystack, at);
        for shape in self.shapes.iter().filter(|shape| shape.may_hold(four)) {
            shape.verify(four, at, self.input, self.out);
        }
    }
}

impl Shape {
    #[inline(always)]
    fn may_hold(&self, four: u32) -> bool {
        self.index.may_hold(four & self.mask)
    }

    #[inline(always)]
    fn verify(&self, four: u32, at: usize, input: &Input<'_>, out: &mut Vec<Found>) {
        // Past the end `window` reads zeroes, which may look like a window.
        if input.haystack.len() - at < self.span {
            return;
        }
        match self.index.get(four & self.mask) {
            Lookup::Absent => {}
            Lookup::Pattern(pattern) if input.starts.contains(&at) => out.push(Found {
                address: input.address(at),
                pattern,
            }),
            Lookup::Pattern(_) => {}
            Lookup::Windows(windows) => verify_windows(windows, at, input, out),
        }
    }
}

// Out of line: nearly every candidate is a pattern by itself, and the loop above stays small.
#[inline(never)]
fn verify_windows(windows: &[Entry], at: usize, input: &Input<'_>, out: &mut Vec<Found>) {
    for entry in windows {
        if out.len() > input.limit {
            return;
        }
        let Some(start) = at
            .checked_sub(entry.offset as usize)
            .filter(|start| input.starts.contains(start))
        else {
            continue;
        };
        if entry.is_whole {
            out.push(Found {
                address: input.address(start),
                pattern: entry.pattern,
            });
        } else {
            input.verify(start, entry.pattern, out);
        }
    }
}

/// Four bytes, of which those past the end are zero.
#[inline(always)]
fn window(haystack: &[u8], at: usize) -> u32 {
    match haystack.get(at..at + 4) {
        Some(four) => u32::from_le_bytes([four[0], four[1], four[2], four[3]]),
        None => haystack
            .iter()
            .skip(at)
            .take(4)
            .enumerate()
            .fold(0, |all, (i, &b)| all | u32::from(b) << (8 * i)),
    }
}
