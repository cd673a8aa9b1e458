//! The sieve on 32 places at once. The only `unsafe` code of the search; without AVX2 everything works the same, scalar.
#![allow(unsafe_code)]

use super::sieve::Sieve;
use std::ops::Range;

/// The proof that this processor can do it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simd(());

impl Simd {
    /// `Some` on an x86-64 processor with AVX2 (and the bit counting that has come with it).
    pub fn detect() -> Option<Simd> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("popcnt")
        {
            return Some(Simd(()));
        }
        None
    }

    /// Asks the processor to fetch the start of what is searched next: pages that are neighbours only virtually are not
    /// guessed by its own means.
    #[inline]
    pub fn fetch(self, next: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        for line in next.chunks(64).take(16) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a prefetch reads nothing; every x86-64 processor has it.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = next;
    }

    /// Calls `look` for every place of `places` that passes the sieve and whose four bytes pass `probe`, ascending, and returns
    /// the place where it had to stop, too near to the end for a whole vector: the rest is the caller's.
    #[inline]
    pub fn sift(
        self,
        sieve: &Sieve,
        hay: &[u8],
        places: Range<usize>,
        probe: &impl Fn(u32) -> bool,
        look: &mut impl FnMut(usize),
    ) -> usize {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a `Simd` is only made after these features were detected.
        return unsafe {
            match sieve.is_seven_bit() {
                true => avx2::sift::<true>(sieve, hay, places, probe, look),
                false => avx2::sift::<false>(sieve, hay, places, probe, look),
            }
        };
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = (sieve, hay, probe, look);
            places.start
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::Sieve;
    use std::arch::x86_64::*;
    use std::mem::MaybeUninit;
    use std::ops::Range;

    /// Places per step: two vectors, and one word of bits.
    const STEP: usize = 64;
    /// Places per round: after each, the bits are turned into places and the places are looked at.
    const ROUND: usize = 4096;

    /// How many bytes ahead memory is asked for: the processor's own guesses end at the page.
    const PREFETCH: usize = 2048;

    /// Loops over a round, none of which has a branch that depends on what is found in a single step: a processor that
    /// guesses such branches wrongly at every other step takes four times as long.
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) fn sift<const SEVEN_BIT: bool>(
        sieve: &Sieve,
        hay: &[u8],
        places: Range<usize>,
        probe: &impl Fn(u32) -> bool,
        look: &mut impl FnMut(usize),
    ) -> usize {
        let end = places.end.min(hay.len().saturating_sub(3));
        if places.start + STEP > end {
            // Where two pages meet there are a few places only, and the tables below are not worth it.
            return places.start;
        }
        let fifteen = _mm256_set1_epi8(15);
        let zero = _mm256_setzero_si256();
        let (mut low, mut high) = ([zero; 4], [zero; 4]);
        for byte in 0..4 {
            low[byte] = table(&sieve.low[byte]);
            high[byte] = table(&sieve.high[byte]);
        }
        let misses = |at: usize| {
            let mut buckets = _mm256_set1_epi8(-1);
            for byte in 0..4 {
                // SAFETY: the bytes read end at `at + byte + 32 <= at + 35`. A step's vectors begin at its first place and 32
                // places later, so they end at most at that first place + `STEP` + 3, and a step ends at `end` at most.
                let bytes = unsafe { _mm256_loadu_si256(hay.as_ptr().add(at + byte).cast()) };
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
            _mm256_movemask_epi8(_mm256_cmpeq_epi8(buckets, zero)) as u32
        };

        // A page of memory is one round: to fill these with zeroes first would take as long as a fifth of the round.
        let mut bits = [MaybeUninit::<(u64, u16)>::uninit(); ROUND / STEP];
        let mut passed = [MaybeUninit::<u16>::uninit(); ROUND + 4];
        let mut at = places.start;
        while at + STEP <= end {
            let steps = ((end - at) / STEP).min(ROUND / STEP);
            let mut words = 0;
            for step in 0..steps {
                let here = at + step * STEP;
                _mm_prefetch::<_MM_HINT_T0>(hay.as_ptr().wrapping_add(here + PREFETCH).cast());
                let word = !(u64::from(misses(here)) | u64::from(misses(here + 32)) << 32);
                bits[words].write((word, (step * STEP) as u16));
                words += usize::from(word != 0);
            }
            let mut count = 0;
            for slot in &bits[..words] {
                // SAFETY: the loop above has written the first `words` of them.
                let (mut word, first) = unsafe { slot.assume_init() };
                let ones = word.count_ones() as usize;
                let mut write = count;
                // Four are always written: what there is not is overwritten by the next word.
                while write < count + ones.max(4) {
                    for slot in &mut passed[write..write + 4] {
                        slot.write(first + word.trailing_zeros() as u16);
                        word &= word.wrapping_sub(1);
                    }
                    write += 4;
                }
                count += ones;
            }
            let mut kept = 0;
            for index in 0..count {
                // SAFETY: the loop above has written all up to `count`, and up to three more. A place is below `end`, which
                // leaves three bytes behind it in `hay`.
                let (place, four) = unsafe {
                    let place = passed.get_unchecked(index).assume_init();
                    let four = hay.as_ptr().add(at + usize::from(place)).cast::<u32>();
                    (place, four.read_unaligned())
                };
                passed[kept].write(place);
                kept += usize::from(probe(u32::from_le(four)));
            }
            for place in &passed[..kept] {
                // SAFETY: these were just written.
                look(at + usize::from(unsafe { place.assume_init() }));
            }
            at += steps * STEP;
        }
        if at < end {
            // Less than a step is left: the last whole step again, without the places that were looked at. At the end of a
            // page that is half the work of a scalar loop, and pages are all that memory consists of.
            let here = end - STEP;
            let word = !(u64::from(misses(here)) | u64::from(misses(here + 32)) << 32);
            let mut word = word & u64::MAX << (at - here);
            while word != 0 {
                look(here + word.trailing_zeros() as usize);
                word &= word - 1;
            }
        }
        end
    }

    /// A table of sixteen bytes in both halves of a vector, because the shuffle works on each half alone.
    #[target_feature(enable = "avx2")]
    fn table(bytes: &[u8; 16]) -> __m256i {
        // SAFETY: sixteen bytes are there to be read.
        unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(bytes.as_ptr().cast())) }
    }
}
