//! Any number of patterns in one pass: a coarse sieve over single bytes, then a bitmap over the hashes, then the truth.
//!
//! A window of four bytes passes the sieve when each of its bytes occurs at that place in some window of one bucket: eight
//! buckets, one bit each, so that a look into a table for each byte decides, for as many places at once as fit into a vector.
//! What passes is hashed into a bitmap, and only what is set there is compared with patterns.

use super::index::{Entry, Holders, Index};
use super::sieve::Sieve;
use super::window::Chooser;
use super::{Ask, Found, simd};
use crate::pattern::Pattern;
use std::collections::BTreeMap;
use std::ops::Range;

/// All patterns of a set by their windows.
pub(super) struct Filter {
    sieve: Sieve,
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

impl Filter {
    /// A filter for patterns that have at least one fixed bit each.
    pub(super) fn new(patterns: &[Pattern], simd: Option<simd::Simd>) -> Filter {
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
                    sure: whole && pattern.may_be_anywhere(),
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
        Filter {
            sieve: Sieve::new(
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
    pub(super) fn find(&self, ask: &Ask<'_>, out: &mut Vec<Found>) {
        let hay = ask.hay;
        let end = (hay.len() + 1).saturating_sub(self.span);
        let places = end.min(ask.starts.start + self.offsets.start)
            ..end.min(ask.starts.end + self.offsets.end - 1);
        match self.shapes.as_slice() {
            // Nearly always; without the inner loop the compiler makes better code.
            [only] if only.mask == u32::MAX => self.sift(
                places,
                One {
                    shape: only,
                    ask,
                    out,
                },
            ),
            shapes => self.sift(places, Many { shapes, ask, out }),
        }
    }

    #[inline(always)]
    fn sift(&self, places: Range<usize>, mut suspects: impl Suspects) {
        let rest = match &self.simd {
            Some(simd) => simd.sift(&self.sieve, places.clone(), &mut suspects),
            None => places.start,
        };
        (rest..places.end).for_each(|at| suspects.examine(at));
    }
}

/// What the vectors ask of the filter.
pub(super) trait Suspects {
    /// The bytes that are searched.
    fn hay(&self) -> &[u8];
    /// Whether four bytes may be a window: no means no.
    fn may_be(&self, four: u32) -> bool;
    /// The memory that a look at these four bytes will need, so that it can be fetched.
    fn needed(&self, four: u32) -> *const u8;
    /// Adds what is found with the window at a place.
    fn look(&mut self, at: usize);

    /// The same for a place about which nothing is known yet.
    #[inline(always)]
    fn examine(&mut self, at: usize) {
        if self.may_be(window(self.hay(), at)) {
            self.look(at);
        }
    }
}

/// All windows use all of their four bytes.
struct One<'a> {
    shape: &'a Shape,
    ask: &'a Ask<'a>,
    out: &'a mut Vec<Found>,
}

impl Suspects for One<'_> {
    #[inline(always)]
    fn hay(&self) -> &[u8] {
        self.ask.hay
    }

    #[inline(always)]
    fn may_be(&self, four: u32) -> bool {
        self.shape.index.may_hold(four)
    }

    #[inline(always)]
    fn needed(&self, four: u32) -> *const u8 {
        self.shape.index.place(four)
    }

    #[inline(always)]
    fn look(&mut self, at: usize) {
        self.shape
            .look(window(self.ask.hay, at), at, self.ask, self.out);
    }
}

/// Windows of several shapes.
struct Many<'a> {
    shapes: &'a [Shape],
    ask: &'a Ask<'a>,
    out: &'a mut Vec<Found>,
}

impl Suspects for Many<'_> {
    #[inline(always)]
    fn hay(&self) -> &[u8] {
        self.ask.hay
    }

    #[inline(always)]
    fn may_be(&self, four: u32) -> bool {
        // Without a branch: what passes the sieve is no more regular than memory is.
        self.shapes
            .iter()
            .fold(false, |any, shape| any | shape.may_hold(four))
    }

    #[inline(always)]
    fn needed(&self, four: u32) -> *const u8 {
        let first = &self.shapes[0];
        first.index.place(four & first.mask)
    }

    #[inline(always)]
    fn look(&mut self, at: usize) {
        let four = window(self.ask.hay, at);
        for shape in self.shapes.iter().filter(|shape| shape.may_hold(four)) {
            shape.look(four, at, self.ask, self.out);
        }
    }
}

impl Shape {
    #[inline(always)]
    fn may_hold(&self, four: u32) -> bool {
        self.index.may_hold(four & self.mask)
    }

    #[inline(always)]
    fn look(&self, four: u32, at: usize, ask: &Ask<'_>, out: &mut Vec<Found>) {
        // Past the end `window` reads zeroes.
        if ask.hay.len() - at < self.span {
            return;
        }
        match self.index.get(four & self.mask) {
            Holders::None => {}
            Holders::Whole(pattern) if ask.starts.contains(&at) => out.push(Found {
                address: ask.address(at),
                pattern,
            }),
            Holders::Whole(_) => {}
            Holders::Windows(windows) => confirm(windows, at, ask, out),
        }
    }
}

#[inline(never)]
fn confirm(windows: &[Entry], at: usize, ask: &Ask<'_>, out: &mut Vec<Found>) {
    for entry in windows {
        if out.len() > ask.enough {
            return;
        }
        let Some(start) = at
            .checked_sub(entry.offset as usize)
            .filter(|start| ask.starts.contains(start))
        else {
            continue;
        };
        if entry.sure {
            out.push(Found {
                address: ask.address(start),
                pattern: entry.pattern,
            });
        } else {
            ask.confirm(start, entry.pattern, out);
        }
    }
}

/// Four bytes, of which those past the end are zero.
#[inline(always)]
fn window(hay: &[u8], at: usize) -> u32 {
    match hay.get(at..at + 4) {
        Some(four) => u32::from_le_bytes([four[0], four[1], four[2], four[3]]),
        None => hay
            .iter()
            .skip(at)
            .take(4)
            .enumerate()
            .fold(0, |all, (i, &b)| all | u32::from(b) << (8 * i)),
    }
}
