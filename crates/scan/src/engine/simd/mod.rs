//! The prefilter on many positions at once. The only `unsafe` code of the search; without it everything works the same, scalar.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod batch;

use super::multi::Verifier;
use super::prefilter::Prefilter;
use std::ops::Range;

/// Positions per step: one word of bits.
const STEP: usize = 64;
/// Bytes after a position that belong to its window.
const OVERLAP: usize = 3;

/// The proof that this processor can do it, and the way that it does it best.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simd(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// 32 positions at once, half-bytes looked up by the byte shuffle.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 64 positions at once, whole bytes looked up by the byte permutation: Intel since Ice Lake, AMD since Zen 4.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Simd {
    /// The best that this processor has.
    pub(super) fn detect() -> Option<Simd> {
        Simd::all().last().copied()
    }

    /// All that this processor has, the best last.
    pub(super) fn all() -> Vec<Simd> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("popcnt")
        {
            all.push(Simd(Kind::Avx2));
            if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vbmi") {
                all.push(Simd(Kind::Avx512));
            }
        }
        all
    }

    /// Hands every candidate among the `positions` to the verifier, ascending, and returns the position where it had to stop,
    /// too near to the end for a whole vector: the rest is the caller's.
    #[inline]
    pub(super) fn find_candidates(
        self,
        prefilter: &Prefilter,
        positions: Range<usize>,
        verifier: &mut impl Verifier,
    ) -> usize {
        let end = verifier
            .haystack()
            .len()
            .saturating_sub(OVERLAP)
            .min(positions.end);
        if positions.start + STEP > end {
            // The overlap of two pages has a few positions only, and loading the tables into vectors is not worth it.
            return positions.start;
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Simd` is only made after the features were detected that its kind stands for. There is a step at least,
        // and `end` leaves the overlap after it.
        return unsafe {
            let positions = positions.start..end;
            match (self.0, prefilter.is_seven_bit) {
                (Kind::Avx2, true) => avx2::find_candidates::<true>(prefilter, positions, verifier),
                (Kind::Avx2, false) => {
                    avx2::find_candidates::<false>(prefilter, positions, verifier)
                }
                (Kind::Avx512, true) => {
                    avx512::find_candidates::<true>(prefilter, positions, verifier)
                }
                (Kind::Avx512, false) => {
                    avx512::find_candidates::<false>(prefilter, positions, verifier)
                }
            }
            end
        };
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = prefilter;
            positions.start
        }
    }
}

/// Asks the processor to fetch the start of what is searched next: pages that are neighbours only virtually are not guessed by
/// its own means.
#[inline]
pub(crate) fn prefetch_start(next: &[u8]) {
    next.chunks(64)
        .take(16)
        .for_each(|line| prefetch(line.as_ptr()));
}

/// Asks the processor to fetch a line of memory, of any address.
#[inline(always)]
fn prefetch(from: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing; every x86-64 processor has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(from.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}
