//! The sieve on many places at once. The only `unsafe` code of the search; without it everything works the same, scalar.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod rounds;

use super::filter::Suspects;
use super::sieve::Sieve;
use std::ops::Range;

/// Places per step: one word of bits.
const STEP: usize = 64;
/// Bytes behind a place that belong to its window.
const BEHIND: usize = 3;

/// The proof that this processor can do it, and the way that it does it best.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simd(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// 32 places at once, half-bytes looked up by the byte shuffle.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 64 places at once, whole bytes looked up by the byte permutation: Intel since Ice Lake, AMD since Zen 4.
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

    /// Has the suspects look at every one of the `places` that passes the sieve and may be a window, ascending, and returns the
    /// place where it had to stop, too near to the end for a whole vector: the rest is the caller's.
    #[inline]
    pub(super) fn sift(
        self,
        sieve: &Sieve,
        places: Range<usize>,
        suspects: &mut impl Suspects,
    ) -> usize {
        let end = suspects.hay().len().saturating_sub(BEHIND).min(places.end);
        if places.start + STEP > end {
            // Where two pages meet there are a few places only, and the tables of the vectors are not worth it.
            return places.start;
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Simd` is only made after the features were detected that its kind stands for. There is a step at least,
        // and `end` leaves three bytes behind it.
        return unsafe {
            let places = places.start..end;
            match (self.0, sieve.is_seven_bit) {
                (Kind::Avx2, true) => avx2::sift::<true>(sieve, places, suspects),
                (Kind::Avx2, false) => avx2::sift::<false>(sieve, places, suspects),
                (Kind::Avx512, true) => avx512::sift::<true>(sieve, places, suspects),
                (Kind::Avx512, false) => avx512::sift::<false>(sieve, places, suspects),
            }
            end
        };
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = sieve;
            places.start
        }
    }
}

/// Asks the processor to fetch the start of what is searched next: pages that are neighbours only virtually are not guessed by
/// its own means.
#[inline]
pub(crate) fn fetch(next: &[u8]) {
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
