//! 64 positions at once: the byte permutation looks up whole bytes, in tables of 128.

use super::{Prefilter, Verifier, batch};
use std::arch::x86_64::*;
use std::ops::Range;

/// Does the work of [`super::Simd::find_candidates`]; `SEVEN_BIT` when no byte above 0x7f passes the prefilter.
///
/// # Safety
/// There are at least [`STEP`](super::STEP) positions, and [`OVERLAP`](super::OVERLAP) bytes of the haystack after the last.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx2,bmi1,popcnt")]
pub(super) unsafe fn find_candidates<const SEVEN_BIT: bool>(
    prefilter: &Prefilter,
    positions: Range<usize>,
    verifier: &mut impl Verifier,
) {
    let haystack = verifier.haystack().as_ptr();
    let tables = prefilter.bytes.each_ref().map(|buckets| {
        let quarters: [__m512i; 4] = std::array::from_fn(|quarter| {
            // SAFETY: a table has four times 64 bytes.
            unsafe { _mm512_loadu_si512(buckets.as_ptr().add(quarter * 64).cast()) }
        });
        quarters
    });
    let look_up = |[q0, q1, q2, q3]: [__m512i; 4], bytes: __m512i| {
        // The permutation does not look at the highest bit of a byte.
        let lower = _mm512_permutex2var_epi8(q0, bytes, q1);
        if SEVEN_BIT {
            return lower;
        }
        let upper = _mm512_permutex2var_epi8(q2, bytes, q3);
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(bytes), lower, upper)
    };
    let passes = |at: usize| {
        // SAFETY: the bytes read end at `at + byte + 64 <= at + STEP + 3`, and a step ends where the positions do at most.
        let [b0, b1, b2, b3] =
            [0, 1, 2, 3].map(|byte| unsafe { _mm512_loadu_si512(haystack.add(at + byte).cast()) });
        let [t0, t1, t2, t3] = tables;
        let three =
            _mm512_ternarylogic_epi32::<AND>(look_up(t0, b0), look_up(t1, b1), look_up(t2, b2));
        let word = _mm512_test_epi8_mask(three, look_up(t3, b3));
        if !SEVEN_BIT {
            return word;
        }
        let any = _mm512_or_si512(_mm512_ternarylogic_epi32::<OR>(b0, b1, b2), b3);
        word & !_mm512_movepi8_mask(any)
    };
    // SAFETY: passed on to the caller.
    unsafe { batch::run(positions, passes, verifier) };
}

/// Truth tables of three bits: the one row where all are set, and all rows but that where none is.
const AND: i32 = 0x80;
const OR: i32 = 0xfe;
