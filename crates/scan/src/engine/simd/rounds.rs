//! What the vectors have in common: from bits that say which places pass the sieve to the places themselves.

use super::{STEP, Suspects, prefetch};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Places per round, a page of memory: after each, the bits are turned into places and the places are looked at.
const ROUND: usize = 4096;
/// Cache lines of the next round that are asked for in advance: the processor's own guesses end at the page, and begin
/// again when a few lines of the next have been read.
const AHEAD: usize = 4;
/// How many bytes before they are needed all others are asked for: what is looked at between two rounds breaks the row of
/// addresses from which the processor guesses.
const EARLY: usize = 2048;
/// Pieces of more bytes than this are searched so.
const LONG: usize = 4 * ROUND;

/// First the vectors go over a whole round without a branch, then what passed is looked at: a processor that guesses a branch
/// wrongly at every other step takes four times as long.
///
/// `passes(at)` says which of the places from `at` on pass, in the order of the bits.
///
/// # Safety
/// There are at least [`STEP`] `places`, and [`BEHIND`](super::BEHIND) bytes of the suspects' `hay` behind the last of them.
#[inline(always)]
pub(super) unsafe fn run(
    places: Range<usize>,
    passes: impl Fn(usize) -> u64,
    suspects: &mut impl Suspects,
) {
    let (start, length) = (suspects.hay().as_ptr(), suspects.hay().len());
    // SAFETY: to be called for places, which have three bytes behind them.
    let four =
        |place: usize| unsafe { u32::from_le(start.add(place).cast::<u32>().read_unaligned()) };

    // In a single page there is too little ahead, and what lies behind it in the file may be anybody's.
    let early = if length > LONG { EARLY } else { 0 };
    let end = places.end;
    // To fill it with zeroes first would take as long as a fifth of the round.
    let mut kept = [MaybeUninit::<u16>::uninit(); ROUND + 1];
    let mut at = places.start;
    while at + STEP <= end {
        let steps = ((end - at) / STEP).min(ROUND / STEP);
        if at + ROUND < length {
            (0..AHEAD).for_each(|line| prefetch(start.wrapping_add(at + ROUND + line * 64)));
        }
        let mut words = [0u64; ROUND / STEP];
        for (step, word) in words[..steps].iter_mut().enumerate() {
            let here = at + step * STEP;
            prefetch(start.wrapping_add(here + early));
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
                let place = step * STEP + word.trailing_zeros() as usize;
                word &= word - 1;
                kept[count].write(place as u16);
                let may_be = suspects.may_be(four(at + place));
                count += usize::from(may_be);
            }
        }
        // SAFETY: the loop above has written the first `count`.
        let place = |slot: &MaybeUninit<u16>| at + usize::from(unsafe { slot.assume_init() });
        for slot in &kept[..count] {
            prefetch(suspects.needed(four(place(slot))));
        }
        for slot in &kept[..count] {
            suspects.look(place(slot));
        }
        at += steps * STEP;
    }
    if at < end {
        // Less than a step is left: the last whole step again, without the places that were looked at. At the end of a page
        // that is half the work of a scalar loop, and pages are all that memory consists of.
        let here = end - STEP;
        let mut word = passes(here) & u64::MAX << (at - here);
        while word != 0 {
            suspects.examine(here + word.trailing_zeros() as usize);
            word &= word - 1;
        }
    }
}
