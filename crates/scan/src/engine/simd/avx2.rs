//! 32 places at once: the byte shuffle looks up the halves of each byte.

use super::{Sieve, Suspects, rounds};
use std::arch::x86_64::*;
use std::ops::Range;

/// See [`super::Simd::sift`].
///
/// # Safety
/// There are at least [`STEP`](super::STEP) places, and [`BEHIND`](super::BEHIND) bytes of the suspects' `hay` behind the last.
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub(super) unsafe fn sift<const SEVEN_BIT: bool>(
    sieve: &Sieve,
    places: Range<usize>,
    suspects: &mut impl Suspects,
) {
    let hay = suspects.hay().as_ptr();
    let fifteen = _mm256_set1_epi8(15);
    let [low, high] =
        [&sieve.low, &sieve.high].map(|half| half.each_ref().map(|digits| table(digits)));
    let misses = |at: usize| {
        let mut buckets = _mm256_set1_epi8(-1);
        for byte in 0..4 {
            // SAFETY: the bytes read end at `at + byte + 32 <= at + 35`. A step's vectors begin at its first place and 32
            // places later, so they end at most at that first place + `STEP` + 3, and a step ends where the places do at most.
            let bytes = unsafe { _mm256_loadu_si256(hay.add(at + byte).cast()) };
            // The shuffle looks at the lower half of each byte, and answers zero when the highest bit is set.
            let digits = if SEVEN_BIT {
                bytes
            } else {
                _mm256_and_si256(bytes, fifteen)
            };
            let low = _mm256_shuffle_epi8(low[byte], digits);
            let high = _mm256_shuffle_epi8(
                high[byte],
                _mm256_and_si256(_mm256_srli_epi16(bytes, 4), fifteen),
            );
            buckets = _mm256_and_si256(buckets, _mm256_and_si256(low, high));
        }
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(buckets, _mm256_setzero_si256())) as u32
    };
    let passes = |at| !(u64::from(misses(at)) | u64::from(misses(at + 32)) << 32);
    // SAFETY: passed on to the caller.
    unsafe { rounds::run(places, passes, suspects) };
}

/// A table of sixteen bytes in both halves of a vector, because the shuffle works on each half alone.
#[target_feature(enable = "avx2")]
fn table(bytes: &[u8; 16]) -> __m256i {
    // SAFETY: sixteen bytes are there to be read.
    unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.as_ptr().cast())) }
}
