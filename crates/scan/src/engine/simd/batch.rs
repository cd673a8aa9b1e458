//! What the vectors have in common: from bits that say which positions pass the prefilter to candidates, and their verification.

use super::{STEP, Verifier, prefetch};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Positions per batch, a page of memory: after each, the bits are turned into candidates, and these are verified.
const BATCH: usize = 4096;
/// Cache lines of the next batch that are asked for in advance: the processor's own guesses end at the page, and begin
/// again when a few lines of the next have been read.
const PREFETCH_LINES: usize = 4;
/// How many bytes before they are needed all others are asked for: the verification between two batches breaks the row of
/// addresses from which the processor guesses.
const PREFETCH_DISTANCE: usize = 2048;
/// Pieces of more bytes than this are searched so.
const MIN_PREFETCH_LEN: usize = 4 * BATCH;

/// First the vectors go over a whole batch without a branch, then what passed is verified: a processor that guesses a branch
/// wrongly at every other step takes four times as long.
///
/// `passes(at)` says which of the positions from `at` on pass, in the order of the bits.
///
/// # Safety
/// There are at least [`STEP`] `positions`, and [`OVERLAP`](super::OVERLAP) bytes of the haystack after the last of them.
#[inline(always)]
pub(super) unsafe fn run(
    positions: Range<usize>,
    passes: impl Fn(usize) -> u64,
    verifier: &mut impl Verifier,
) {
    let (start, length) = (verifier.haystack().as_ptr(), verifier.haystack().len());
    // SAFETY: to be called for positions, which have three bytes after them.
    let four = |position: usize| unsafe {
        u32::from_le(start.add(position).cast::<u32>().read_unaligned())
    };

    // In a single page there is too little ahead, and what follows it in the file may be anybody's.
    let prefetch_distance = if length > MIN_PREFETCH_LEN {
        PREFETCH_DISTANCE
    } else {
        0
    };
    let end = positions.end;
    // To fill it with zeroes first would take as long as a fifth of the batch.
    let mut candidates = [MaybeUninit::<u16>::uninit(); BATCH + 1];
    let mut at = positions.start;
    while at + STEP <= end {
        let steps = ((end - at) / STEP).min(BATCH / STEP);
        if at + BATCH < length {
            (0..PREFETCH_LINES)
                .for_each(|line| prefetch(start.wrapping_add(at + BATCH + line * 64)));
        }
        let mut words = [0u64; BATCH / STEP];
        for (step, word) in words[..steps].iter_mut().enumerate() {
            let here = at + step * STEP;
            prefetch(start.wrapping_add(here + prefetch_distance));
            *word = passes(here);
        }

        let some = words.iter().enumerate();
        let mut some = some.fold(0, |some, (step, word)| some | u64::from(*word != 0) << step);
        let mut count = 0;
        while some != 0 {
            let step = some.trailing_zeros() as usize;
            some &= some - 1;
            let mut word = words[step];
            while word != 0 {
                let position = step * STEP + word.trailing_zeros() as usize;
                word &= word - 1;
                candidates[count].write(position as u16);
                let may_match = verifier.may_match(four(at + position));
                count += usize::from(may_match);
            }
        }
        // SAFETY: the loop above has written the first `count`.
        let position = |slot: &MaybeUninit<u16>| at + usize::from(unsafe { slot.assume_init() });
        for slot in &candidates[..count] {
            prefetch(verifier.slot_address(four(position(slot))));
        }
        for slot in &candidates[..count] {
            verifier.verify(position(slot));
        }
        at += steps * STEP;
    }
    if at < end {
        // Less than a step is left: the last whole step again, without the positions that were done. At the end of a page
        // that is half the work of a scalar loop, and pages are all that memory consists of.
        let here = end - STEP;
        let mut word = passes(here) & u64::MAX << (at - here);
        while word != 0 {
            verifier.check(here + word.trailing_zeros() as usize);
            word &= word - 1;
        }
    }
}
