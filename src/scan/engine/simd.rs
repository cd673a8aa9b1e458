//! The sieve on 32 places at once. The only `unsafe` code of the search; without AVX2 everything works the same, scalar.
#![allow(unsafe_code)]

use super::filter::Sieve;
use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// The proof that this processor can do it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simd(());

impl Simd {
    /// `Some` on an x86-64 processor with AVX2.
    pub fn detect() -> Option<Simd> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Some(Simd(()));
        }
        None
    }

    /// Calls `look` for every place of `places` that passes the sieve, ascending, and returns the place where it had to stop,
    /// too near to the end for a whole vector: the rest is the caller's.
    #[inline]
    pub fn sift(
        self,
        sieve: &Sieve,
        hay: &[u8],
        places: Range<usize>,
        look: &mut impl FnMut(usize),
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Simd` is only made after AVX2 was detected.
        return unsafe { sift_avx2(sieve, hay, places, look) };
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = (sieve, hay, look);
            places.start
        }
    }
}

/// Places per step: two vectors.
#[cfg(target_arch = "x86_64")]
const STEP: usize = 64;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn sift_avx2(
    sieve: &Sieve,
    hay: &[u8],
    places: Range<usize>,
    look: &mut impl FnMut(usize),
) -> usize {
    let fifteen = _mm256_set1_epi8(15);
    let (mut low, mut high) = ([fifteen; 4], [fifteen; 4]);
    for byte in 0..4 {
        low[byte] = table(&sieve.low[byte]);
        high[byte] = table(&sieve.high[byte]);
    }
    // The last vector of a step is read from `at + STEP - 32 + 3`.
    let end = places.end.min(hay.len().saturating_sub(3));
    let mut at = places.start;
    while at + STEP <= end {
        let sift = |at: usize| {
            let mut all = _mm256_set1_epi8(-1);
            for byte in 0..4 {
                // SAFETY: `at + 32 + 3 <= hay.len()`, because `at + STEP <= hay.len() - 3` for the step's first place and the
                // step's second vector begins at `STEP - 32`.
                let bytes = unsafe { _mm256_loadu_si256(hay.as_ptr().add(at + byte).cast()) };
                let low = _mm256_shuffle_epi8(low[byte], _mm256_and_si256(bytes, fifteen));
                let high = _mm256_shuffle_epi8(
                    high[byte],
                    _mm256_and_si256(_mm256_srli_epi16(bytes, 4), fifteen),
                );
                all = _mm256_and_si256(all, _mm256_and_si256(low, high));
            }
            all
        };
        let (first, second) = (sift(at), sift(at + 32));
        let both = _mm256_or_si256(first, second);
        if _mm256_testz_si256(both, both) == 0 {
            let zero = _mm256_setzero_si256();
            let miss = |v| _mm256_movemask_epi8(_mm256_cmpeq_epi8(v, zero)) as u32;
            let mut hits = !(u64::from(miss(first)) | u64::from(miss(second)) << 32);
            while hits != 0 {
                look(at + hits.trailing_zeros() as usize);
                hits &= hits - 1;
            }
        }
        at += STEP;
    }
    at
}

/// A table of sixteen bytes in both halves of a vector, because the shuffle works on each half alone.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn table(bytes: &[u8; 16]) -> __m256i {
    // SAFETY: sixteen bytes are there to be read.
    unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.as_ptr().cast())) }
}
