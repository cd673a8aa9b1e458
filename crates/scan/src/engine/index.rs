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
    /// Whether the window is the whole pattern: its value is proof enough.
    pub is_whole: bool,
}

/// Windows by value.
pub(super) struct Index {
    /// A power of two of words; one bit per hash.
    bitmap: Vec<u64>,
    bitmap_shift: u32,
    /// Ascending by value.
    entries: Vec<Entry>,
    /// Open addressing, at most half full; a power of two.
    slots: Vec<Slot>,
    slot_shift: u32,
    /// The distinct values, ascending.
    values: Vec<u32>,
}

/// A value, and the patterns that have it.
#[derive(Clone, Copy)]
struct Slot {
    value: u32,
    /// [`EMPTY`], a pattern under [`SINGLE`], or where the value begins in the entries.
    target: u32,
}

const EMPTY: u32 = u32::MAX;
/// The value is the whole of one pattern and no other has it: nearly all tags. What is found is told without a second look
/// into memory, which for a hundred thousand tags is in no near cache.
const SINGLE: u32 = 1 << 31;

/// The patterns that have a value.
pub(super) enum Lookup<'a> {
    /// None.
    Absent,
    /// This one alone, and the value is the whole of it.
    Pattern(u32),
    /// Those of these windows.
    Windows(&'a [Entry]),
}

impl Index {
    /// An index of the entries, in any order.
    pub(super) fn new(mut entries: Vec<Entry>) -> Index {
        entries.sort_unstable();
        let mut values: Vec<u32> = entries.iter().map(|e| e.value).collect();
        values.dedup();
        // 16 bits a value let one position in 16 of those that pass the prefilter through; from 2^15 bits (4 KiB) to 2^24 (2 MiB).
        // A larger bitmap lets less through and fits less well into the nearer caches: it takes as long.
        let bits = (values.len().max(1) * 16)
            .next_power_of_two()
            .trailing_zeros()
            .clamp(15, 24);
        let slot_bits = (values.len().max(1) * 2)
            .next_power_of_two()
            .trailing_zeros();
        let empty = Slot {
            value: 0,
            target: EMPTY,
        };
        let mut index = Index {
            bitmap: vec![0; 1 << (bits - 6)],
            bitmap_shift: 32 - bits,
            entries,
            slots: vec![empty; 1 << slot_bits],
            slot_shift: 32 - slot_bits,
            values,
        };
        let mut first = 0;
        for run in index.entries.chunk_by(|a, b| a.value == b.value) {
            let hash = hash(run[0].value);
            let bit = (hash >> index.bitmap_shift) as usize;
            index.bitmap[bit / 64] |= 1 << (bit % 64);
            let mut slot = (hash >> index.slot_shift) as usize;
            while index.slots[slot].target != EMPTY {
                slot = (slot + 1) % index.slots.len();
            }
            index.slots[slot] = Slot {
                value: run[0].value,
                target: match run {
                    [only] if only.is_whole => only.pattern | SINGLE,
                    _ => first,
                },
            };
            first += run.len() as u32;
        }
        index
    }

    /// The distinct values.
    pub(super) fn values(&self) -> &[u32] {
        &self.values
    }

    /// No means no; yes means perhaps.
    #[inline(always)]
    pub(super) fn may_hold(&self, value: u32) -> bool {
        let bit = (hash(value) >> self.bitmap_shift) as usize;
        // The mask changes nothing; it lets the compiler drop the bounds check.
        self.bitmap[(bit / 64) & (self.bitmap.len() - 1)] >> (bit % 64) & 1 == 1
    }

    /// The memory that [`Index::get`] looks at first.
    #[inline(always)]
    pub(super) fn slot_address(&self, value: u32) -> *const u8 {
        let slot = (hash(value) >> self.slot_shift) as usize;
        (&raw const self.slots[slot & (self.slots.len() - 1)]).cast()
    }

    /// The patterns that have the value.
    #[inline(always)]
    pub(super) fn get(&self, value: u32) -> Lookup<'_> {
        let last = self.slots.len() - 1;
        let mut slot = (hash(value) >> self.slot_shift) as usize;
        loop {
            let Slot {
                value: here,
                target,
            } = self.slots[slot & last];
            if target == EMPTY {
                return Lookup::Absent;
            }
            if here == value {
                return match target & SINGLE {
                    0 => Lookup::Windows(self.run(target as usize)),
                    _ => Lookup::Pattern(target & !SINGLE),
                };
            }
            slot += 1;
        }
    }

    /// The entries with the same value as the first of them.
    fn run(&self, first: usize) -> &[Entry] {
        let entries = &self.entries[first..];
        let end = entries
            .iter()
            .position(|entry| entry.value != entries[0].value);
        &entries[..end.unwrap_or(entries.len())]
    }
}

/// Fibonacci hashing: the golden ratio spreads neighbouring values, the high bits are the good ones.
#[inline(always)]
fn hash(value: u32) -> u32 {
    value.wrapping_mul(0x9e37_79b1)
}
