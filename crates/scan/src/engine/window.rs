//! Which four bytes of a pattern to watch for: the rarest, so that the prefilter stays silent over code, text and zeroes.

use super::super::pattern::Pattern;
use super::rarity::chance;
use std::collections::HashMap;

/// How far into a pattern a window may begin. More choice than this buys nothing and would widen every block.
const MAX_OFFSET: usize = 64;

/// Up to four bytes of a pattern, and every value they can have.
#[derive(Debug)]
pub(super) struct Window {
    /// Where in the pattern the window begins.
    pub offset: usize,
    /// Which of the four bytes belong to it, `0xff` each, little-endian; the first always does.
    pub shape: u32,
    /// The values under the shape.
    pub values: Vec<u32>,
}

/// Chooses windows for one pattern after the other, and avoids windows that many patterns share already.
pub(super) struct Chooser {
    used: HashMap<u32, u32>,
    /// Bytes of which some bits are free are replaced by all their values: at most this many free bits in a window.
    free_bits: u32,
}

impl Chooser {
    /// A chooser for a set of so many patterns. Large sets get fewer values each (four bits: a tag in either case).
    pub(super) fn new(patterns: usize) -> Chooser {
        Chooser {
            used: HashMap::new(),
            free_bits: if patterns > 4096 { 4 } else { 8 },
        }
    }

    /// The window for a pattern, `None` when the pattern has no fixed bit.
    pub(super) fn choose(&mut self, pattern: &Pattern) -> Option<Window> {
        let first = pattern.mask().iter().position(|&m| m != 0)?;
        let (mut best, mut best_score) = (None, f32::INFINITY);
        for offset in (first..pattern.len()).take(MAX_OFFSET) {
            if let Some((score, shape, value)) = self.score(pattern, offset)
                && score < best_score
            {
                (best, best_score) = (Some((offset, shape, value)), score);
            }
        }
        let (offset, shape, value) = best?;
        *self.used.entry(value).or_default() += 1;
        Some(Window {
            offset,
            shape,
            values: expand(pattern, offset, shape, value),
        })
    }

    /// How often the window at the offset would be met by chance, its shape, and one of its values.
    fn score(&self, pattern: &Pattern, offset: usize) -> Option<(f32, u32, u32)> {
        let (mut score, mut shape, mut value, mut free) = (1.0, 0, 0, 0);
        let bytes = pattern.value()[offset..]
            .iter()
            .zip(&pattern.mask()[offset..]);
        for (at, (&byte, &mask)) in bytes.take(4).enumerate() {
            // The first byte always belongs to the window, whatever it costs (at most 128 values); others only if they are cheap.
            if mask == 0 || at > 0 && free + mask.count_zeros() > self.free_bits {
                if at == 0 {
                    return None;
                }
                continue;
            }
            free += mask.count_zeros();
            shape |= 0xff << (8 * at);
            value |= u32::from(byte) << (8 * at);
            score *= chance(byte, mask);
        }
        let sharing = self.used.get(&value).copied().unwrap_or(0);
        Some((score * (1 + sharing) as f32, shape, value))
    }
}

/// All values of a window, whose free bits are zero in `value`.
fn expand(pattern: &Pattern, offset: usize, shape: u32, value: u32) -> Vec<u32> {
    let fixed = pattern.mask()[offset..]
        .iter()
        .take(4)
        .enumerate()
        .fold(0, |all, (at, &mask)| all | u32::from(mask) << (8 * at));
    let free = shape & !fixed;
    let mut values = Vec::new();
    let mut bits = 0u32;
    loop {
        values.push(value | bits);
        // Counts through the subsets of the free bits.
        bits = bits.wrapping_sub(free) & free;
        if bits == 0 {
            return values;
        }
    }
}
