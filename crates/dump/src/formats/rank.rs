//! Counting the bits before a bit. The n-th set bit of a dump's bitmap is the n-th page of the file, so opening a dump
//! means being able to count fast, and nothing else: no table with an entry per page.
//!
//! The bitmap stays where it is, in the mapped file. Beside it lies a directory of two levels: the bits before each
//! superblock of 2^16, and, relative to that, before each block of 2^10. That is 2 bytes per 1024 pages: 32 KiB for a
//! machine of 64 GiB.

const SUPER: u32 = 16;
const BLOCK: u32 = 10;
const WORDS_PER_BLOCK: u64 = 1 << (BLOCK - 6);

/// The directory of one bitmap. Every call is given the bitmap again, always the same one.
pub(crate) struct Rank {
    bits: u64,
    ones: u64,
    supers: Vec<u64>,
    blocks: Vec<u16>,
}

/// The 64 bits of word `index`; what lies beyond the end is zero.
fn word(bitmap: &[u8], index: u64) -> u64 {
    let Some(start) = usize::try_from(index)
        .ok()
        .and_then(|index| index.checked_mul(8))
    else {
        return 0;
    };
    match bitmap.get(start..).and_then(<[u8]>::first_chunk::<8>) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            for (to, from) in bytes
                .iter_mut()
                .zip(bitmap.get(start..).unwrap_or_default())
            {
                *to = *from;
            }
            u64::from_le_bytes(bytes)
        }
    }
}

/// The lowest `count` bits set, for `count` below 64.
fn low_mask(count: u64) -> u64 {
    (1 << (count & 63)) - 1
}

impl Rank {
    /// Counts the first `bits` bits once. The bitmap may be shorter; what is missing counts as zero.
    pub(crate) fn build(bitmap: &[u8], bits: u64) -> Rank {
        let bits = bits.min((bitmap.len() as u64).saturating_mul(8));
        let words = bits.div_ceil(64);
        let mut rank = Rank {
            bits,
            ones: 0,
            supers: Vec::new(),
            blocks: Vec::new(),
        };
        let mut start = 0;
        while start < words {
            if start.is_multiple_of(1 << (SUPER - 6)) {
                rank.supers.push(rank.ones);
            }
            let before = rank.ones - rank.supers.last().copied().unwrap_or_default();
            // Within a superblock at most 2^16 - 2^10 bits come before its last block: it always fits.
            rank.blocks.push(u16::try_from(before).unwrap_or(u16::MAX));
            for index in start..(start + WORDS_PER_BLOCK).min(words) {
                rank.ones += u64::from(rank.masked(bitmap, index).count_ones());
            }
            start += WORDS_PER_BLOCK;
        }
        rank
    }

    /// A word of the bitmap without the bits that lie past the last page: the writers leave them as they were.
    fn masked(&self, bitmap: &[u8], index: u64) -> u64 {
        let word = word(bitmap, index);
        let first = index.saturating_mul(64);
        match self.bits.saturating_sub(first) {
            0 => 0,
            left @ 1..64 => word & low_mask(left),
            _ => word,
        }
    }

    /// How many bits are set.
    pub(crate) fn ones(&self) -> u64 {
        self.ones
    }

    /// How many bits are set before `bit`, if `bit` itself is set.
    pub(crate) fn rank_of_set(&self, bitmap: &[u8], bit: u64) -> Option<u64> {
        if bit >= self.bits {
            return None;
        }
        let last = self.masked(bitmap, bit / 64);
        if (last >> (bit % 64)) & 1 == 0 {
            return None;
        }
        let mut count = *self.supers.get(usize::try_from(bit >> SUPER).ok()?)?
            + u64::from(*self.blocks.get(usize::try_from(bit >> BLOCK).ok()?)?);
        for index in (bit >> BLOCK) * WORDS_PER_BLOCK..bit / 64 {
            count += u64::from(word(bitmap, index).count_ones());
        }
        Some(count + u64::from((last & low_mask(bit % 64)).count_ones()))
    }

    /// How many bits from `bit` on are set without a gap, at most `max`.
    pub(crate) fn ones_from(&self, bitmap: &[u8], bit: u64, max: u64) -> u64 {
        let mut count = 0;
        while count < max {
            let Some(at) = bit.checked_add(count).filter(|at| *at < self.bits) else {
                break;
            };
            let set = u64::from((self.masked(bitmap, at / 64) >> (at % 64)).trailing_ones());
            count += set;
            if set < 64 - at % 64 {
                break;
            }
        }
        count.min(max)
    }

    /// The first set bit at or after `bit`. Empty superblocks are passed over by the directory.
    pub(crate) fn next_one(&self, bitmap: &[u8], bit: u64) -> Option<u64> {
        let mut at = bit;
        while at < self.bits {
            let block = usize::try_from(at >> SUPER).ok()?;
            let before = *self.supers.get(block)?;
            let after = self.supers.get(block + 1).copied().unwrap_or(self.ones);
            if before == after {
                at = ((at >> SUPER) + 1) << SUPER;
                continue;
            }
            let rest = self.masked(bitmap, at / 64) >> (at % 64);
            if rest != 0 {
                return Some(at + u64::from(rest.trailing_zeros()));
            }
            at = (at / 64 + 1) * 64;
        }
        None
    }

    /// The bit of which `rank` set bits come before; the other way round than [`Rank::rank_of_set`].
    pub(crate) fn select(&self, bitmap: &[u8], rank: u64) -> Option<u64> {
        if rank >= self.ones {
            return None;
        }
        let block = self
            .supers
            .partition_point(|before| *before <= rank)
            .checked_sub(1)?;
        let mut left = rank - *self.supers.get(block)?;
        let mut index = (block as u64) << (SUPER - 6);
        loop {
            let mut word = self.masked(bitmap, index);
            let ones = u64::from(word.count_ones());
            if left < ones {
                for _ in 0..left {
                    word &= word - 1;
                }
                return Some(index * 64 + u64::from(word.trailing_zeros()));
            }
            left -= ones;
            index += 1;
            if index * 64 >= self.bits {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slow and plain way, which nobody can get wrong.
    fn slow(bitmap: &[u8], bits: u64) -> Vec<u64> {
        (0..bits)
            .filter(|bit| bitmap[(bit / 8) as usize] >> (bit % 8) & 1 == 1)
            .collect()
    }

    fn noise(len: usize, seed: u64, density: u64) -> Vec<u8> {
        let mut state = seed;
        (0..len)
            .map(|at| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                // Whole stretches of nothing and of everything, as a machine's memory has them.
                match (at / 9000) as u64 % 4 {
                    0 => 0,
                    1 => 0xff,
                    _ if state % 16 < density => (state >> 20) as u8,
                    _ => 0,
                }
            })
            .collect()
    }

    #[test]
    fn agrees_with_counting_by_hand() {
        for (len, bits, density) in [
            (0, 0, 1),
            (1, 1, 16),
            (1, 3, 16),
            (8, 64, 16),
            (9, 65, 16),
            (128, 1024, 16),
            (129, 1027, 16),
            (8192, 65536, 12),
            (8193, 65537, 12),
            (12_000, 95_995, 3),
            (29_000, 232_000, 16),
        ] {
            let bitmap = noise(len, 0x9e37_79b9_7f4a_7c15, density);
            let set = slow(&bitmap, bits);
            let rank = Rank::build(&bitmap, bits);
            assert_eq!(rank.ones(), set.len() as u64, "{bits} bits");
            let mut next = rank.next_one(&bitmap, 0);
            for (number, bit) in set.iter().enumerate() {
                assert_eq!(next, Some(*bit), "{bits} bits, number {number}");
                assert_eq!(
                    rank.rank_of_set(&bitmap, *bit),
                    Some(number as u64),
                    "bit {bit} of {bits}"
                );
                assert_eq!(
                    rank.select(&bitmap, number as u64),
                    Some(*bit),
                    "number {number} of {bits} bits"
                );
                next = rank.next_one(&bitmap, bit + 1);
            }
            assert_eq!(next, None);
            assert_eq!(rank.select(&bitmap, set.len() as u64), None);
            for bit in (0..bits)
                .filter(|bit| set.binary_search(bit).is_err())
                .chain([bits, bits + 1, u64::MAX])
            {
                assert_eq!(rank.rank_of_set(&bitmap, bit), None, "bit {bit} of {bits}");
                assert_eq!(rank.ones_from(&bitmap, bit, 5), 0);
            }
        }
    }

    #[test]
    fn a_stretch_of_ones_ends_at_its_gap_the_limit_or_the_last_bit() {
        let mut bitmap = vec![0xff; 40];
        bitmap[20] = 0xfb; // bit 162 is clear
        let rank = Rank::build(&bitmap, 317);
        let cases = [
            (0, u64::MAX, 162),
            (0, 10, 10),
            (60, 100, 100),
            (161, 9, 1),
            (162, 9, 0),
            (163, u64::MAX, 154),
        ];
        for (bit, max, expected) in cases {
            assert_eq!(
                rank.ones_from(&bitmap, bit, max),
                expected,
                "from {bit}, at most {max}"
            );
        }
    }

    #[test]
    fn a_bitmap_that_claims_more_bits_than_it_has_is_cut() {
        let rank = Rank::build(&[0xff; 3], 1 << 60);
        assert_eq!((rank.ones(), rank.select(&[0xff; 3], 23)), (24, Some(23)));
    }
}
