//! Any number of patterns in one pass: a coarse sieve over the half-bytes, then a bitmap over the hashes, then the truth.
//!
//! A window of four bytes passes the sieve when each byte's halves occur at that place in some window of one bucket (eight
//! buckets, one bit each: eight table look-ups by the processor's byte shuffle decide 32 places at once). What passes is
//! hashed into a bitmap, and only what is set there is compared with patterns.

use super::index::{Entry, Index};
use super::sieve::Sieve;
use super::window::Chooser;
use super::{Ask, Found, simd};
use crate::scan::pattern::Pattern;
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
    pub fn new(patterns: &[Pattern], simd: Option<simd::Simd>) -> Filter {
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
    pub fn find(&self, ask: &Ask<'_>, out: &mut Vec<Found>) {
        let hay = ask.hay;
        let end = (hay.len() + 1).saturating_sub(self.span);
        let places = end.min(ask.starts.start + self.offsets.start)
            ..end.min(ask.starts.end + self.offsets.end - 1);
        match self.shapes.as_slice() {
            // Nearly always; without the inner loop the compiler makes better code.
            [only] if only.mask == u32::MAX => self.sift(
                hay,
                places,
                |four| only.index.may_hold(four),
                |at| only.look(window(hay, at), at, ask, out),
            ),
            shapes => self.sift(
                hay,
                places,
                |_| true,
                |at| {
                    let four = window(hay, at);
                    for shape in shapes {
                        shape.look(four & shape.mask, at, ask, out);
                    }
                },
            ),
        }
    }

    #[inline(always)]
    fn sift(
        &self,
        hay: &[u8],
        places: Range<usize>,
        probe: impl Fn(u32) -> bool,
        mut look: impl FnMut(usize),
    ) {
        let rest = match &self.simd {
            Some(simd) => simd.sift(&self.sieve, hay, places.clone(), &probe, &mut look),
            None => places.start,
        };
        (rest..places.end).for_each(look);
    }
}

impl Shape {
    #[inline(always)]
    fn look(&self, value: u32, at: usize, ask: &Ask<'_>, out: &mut Vec<Found>) {
        if self.index.may_hold(value) {
            self.confirm(value, at, ask, out);
        }
    }

    #[inline(never)]
    fn confirm(&self, value: u32, at: usize, ask: &Ask<'_>, out: &mut Vec<Found>) {
        // Past the end `window` reads zeroes.
        if ask.hay.len() - at < self.span {
            return;
        }
        for entry in self.index.get(value) {
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
