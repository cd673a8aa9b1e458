//! 32 positions at once: the byte shuffle looks up the halves of each byte.

use super::{Prefilter, Verifier, batch};
use std::arch::x86_64::*;
use std::ops::Range;

/// Does the work of [`super::Simd::find_candidates`]; `SEVEN_BIT` when no byte above 0x7f passes the prefilter.
///
/// # Safety
/// There are at least [`STEP`](super::STEP) positions, and [`OVERLAP`](super::OVERLAP) bytes of the haystack after the last.
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub(super) unsafe fn find_candidates<const SEVEN_BIT: bool>(
    prefilter: &Prefilter,
    positions: Range<usize>,
    verifier: &mut impl Verifier,
) {
    let haystack = verifier.haystack().as_ptr();
    let fifteen = _mm256_set1_epi8(15);
    let [low, high] =
        [&prefilter.low, &prefilter.high].map(|half| half.each_ref().map(|digits| table(digits)));
    let misses = |at: usize| {
        let mut buckets = _mm256_set1_epi8(-1);
        for byte in 0..4 {
            // SAFETY: the bytes read end at `at + byte + 32 <= at + 35`. A step's vectors begin at its first position and
            // 32 later, so they end at most at that first position + `STEP` + 3, and a step ends where the positions do at most.
            let bytes = unsafe { _mm256_loadu_si256(haystack.add(at + byte).cast()) };
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
    unsafe { batch::run(positions, passes, verifier) };
}

/// A table of sixteen bytes in both halves of a vector, because the shuffle works on each half alone.
#[target_feature(enable = "avx2")]
fn table(bytes: &[u8; 16]) -> __m256i {
    // SAFETY: sixteen bytes are there to be read.
    unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.as_ptr().cast())) }
}
