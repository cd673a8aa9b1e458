//! From the value of a window to the patterns that have it: a bitmap that says no quickly, and a hash table.

/// A window of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The window's value under its shape.
    pub value: u32,
    /// The pattern's number in the set.
    pub pattern: u32,
    /// Where in the pattern the window begins.
    pub offset: u32,
}

/// Windows by value.
pub(super) struct Index {
    /// A power of two of words; one bit per hash.
    bitmap: Vec<u64>,
    bitmap_shift: u32,
    /// The distinct values, ascending.
    values: Vec<u32>,
    /// `values[i]` has the entries `firsts[i]..firsts[i + 1]`.
    firsts: Vec<u32>,
    entries: Vec<Entry>,
    /// Open addressing: one more than the place in `values`, 0 for empty. At most half full.
    slots: Vec<u32>,
    slot_shift: u32,
}

impl Index {
    /// An index of the entries, in any order.
    pub fn new(entries: &[Entry]) -> Index {
        let mut entries = entries.to_vec();
        entries.sort_unstable();
        let (mut values, mut firsts) = (Vec::new(), Vec::new());
        for (at, entry) in entries.iter().enumerate() {
            if values.last() != Some(&entry.value) {
                values.push(entry.value);
                firsts.push(at as u32);
            }
        }
        firsts.push(entries.len() as u32);

        // 256 bits a value keep chance hits below one in 256; from 2^15 bits (4 KiB) for a single value to 2^24 (2 MiB).
        let bits = (values.len().max(1) * 256)
            .next_power_of_two()
            .trailing_zeros()
            .clamp(15, 24);
        let slot_bits = (values.len().max(1) * 2)
            .next_power_of_two()
            .trailing_zeros()
            .max(1);
        let mut index = Index {
            bitmap: vec![0; 1 << (bits - 6)],
            bitmap_shift: 32 - bits,
            slots: vec![0; 1 << slot_bits],
            slot_shift: 32 - slot_bits,
            values,
            firsts,
            entries,
        };
        for at in 0..index.values.len() {
            let hash = hash(index.values[at]);
            let bit = (hash >> index.bitmap_shift) as usize;
            index.bitmap[bit / 64] |= 1 << (bit % 64);
            let mut slot = (hash >> index.slot_shift) as usize;
            while index.slots[slot] != 0 {
                slot = (slot + 1) % index.slots.len();
            }
            index.slots[slot] = at as u32 + 1;
        }
        index
    }

    /// The distinct values.
    pub fn values(&self) -> &[u32] {
        &self.values
    }

    /// No means no; yes means perhaps.
    #[inline(always)]
    pub fn may_hold(&self, value: u32) -> bool {
        let bit = (hash(value) >> self.bitmap_shift) as usize;
        // The mask is always true; it lets the compiler drop the bounds check.
        self.bitmap[(bit / 64) & (self.bitmap.len() - 1)] >> (bit % 64) & 1 == 1
    }

    /// All windows with the value.
    pub fn get(&self, value: u32) -> &[Entry] {
        let mut slot = (hash(value) >> self.slot_shift) as usize;
        loop {
            let Some(at) = self.slots[slot].checked_sub(1).map(|at| at as usize) else {
                return &[];
            };
            if self.values[at] == value {
                return &self.entries[self.firsts[at] as usize..self.firsts[at + 1] as usize];
            }
            slot = (slot + 1) % self.slots.len();
        }
    }
}

/// Fibonacci hashing: the golden ratio spreads neighbouring values, the high bits are the good ones.
#[inline(always)]
fn hash(value: u32) -> u32 {
    value.wrapping_mul(0x9e37_79b1)
}
