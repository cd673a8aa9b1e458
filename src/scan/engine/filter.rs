//! Any number of patterns in one pass: a coarse sieve over the half-bytes, then a bitmap over the hashes, then the truth.
//!
//! A window of four bytes passes the sieve when each byte's halves occur at that place in some window of one bucket (eight
//! buckets, one bit each: sixteen table look-ups by the processor's byte shuffle decide 32 places at once). What passes is
//! hashed into a bitmap, and only what is set there is compared with patterns.

use super::index::{Entry, Index};
use super::{Ask, Found, simd};
use std::ops::Range;

/// Half-byte tables: bit `b` of `low[i][n]` says that bucket `b` has a window whose byte `i` ends in the digit `n`.
pub(super) struct Sieve {
    pub low: [[u8; 16]; 4],
    pub high: [[u8; 16]; 4],
}

/// The windows of one shape.
pub(super) struct Filter {
    sieve: Sieve,
    index: Index,
    shape: u32,
    /// Bytes from a window's first to its last.
    span: usize,
    /// How far into their patterns the windows begin.
    offsets: Range<usize>,
    simd: Option<simd::Simd>,
}

impl Filter {
    /// A filter of windows that all have the shape.
    pub fn new(shape: u32, entries: Vec<Entry>, simd: Option<simd::Simd>) -> Filter {
        let index = Index::new(&entries);
        let least = entries.iter().map(|e| e.offset).min().unwrap_or(0) as usize;
        let most = entries.iter().map(|e| e.offset).max().unwrap_or(0) as usize;
        Filter {
            sieve: Sieve::new(shape, index.values()),
            index,
            shape,
            span: 4 - shape.leading_zeros() as usize / 8,
            offsets: least..most + 1,
            simd,
        }
    }

    /// Adds every occurrence, in the order of the windows.
    pub fn find(&self, ask: &Ask<'_>, out: &mut Vec<Found>) {
        let hay = ask.hay;
        let end = (hay.len() + 1).saturating_sub(self.span);
        let places = end.min(ask.starts.start + self.offsets.start)
            ..end.min(ask.starts.end + self.offsets.end - 1);
        let mut look = |at: usize| {
            let value = window(hay, at) & self.shape;
            if self.index.may_hold(value) {
                self.confirm(value, at, ask, out);
            }
        };
        let rest = match &self.simd {
            Some(simd) => simd.sift(&self.sieve, hay, places.clone(), &mut look),
            None => places.start,
        };
        (rest..places.end).for_each(look);
    }

    #[cold]
    fn confirm(&self, value: u32, at: usize, ask: &Ask<'_>, out: &mut Vec<Found>) {
        for entry in self.index.get(value) {
            if out.len() > ask.enough {
                return;
            }
            if let Some(start) = at.checked_sub(entry.offset as usize)
                && ask.starts.contains(&start)
            {
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

impl Sieve {
    /// Eight buckets of neighbours: what begins alike shares a bucket, so that a bucket lets few mixtures through.
    fn new(shape: u32, values: &[u32]) -> Sieve {
        let mut sieve = Sieve {
            low: [[0; 16]; 4],
            high: [[0; 16]; 4],
        };
        let mut values = values.to_vec();
        values.sort_unstable_by_key(|v| v.swap_bytes());
        let per_bucket = values.len().div_ceil(8).max(1);
        for (bucket, values) in values.chunks(per_bucket).enumerate() {
            for value in values {
                for (at, byte) in value.to_le_bytes().into_iter().enumerate() {
                    sieve.low[at][usize::from(byte & 15)] |= 1 << bucket;
                    sieve.high[at][usize::from(byte >> 4)] |= 1 << bucket;
                }
            }
        }
        for (at, used) in shape.to_le_bytes().into_iter().enumerate() {
            if used == 0 {
                sieve.low[at] = [0xff; 16];
                sieve.high[at] = [0xff; 16];
            }
        }
        sieve
    }
}
