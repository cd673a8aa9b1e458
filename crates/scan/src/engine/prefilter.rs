//! The tables of the prefilter: which windows share one of the eight buckets, so that as little as possible passes by chance.

use super::rarity::chance;

/// Which buckets have a window with which bytes: bit `b` is bucket `b`. A position passes when some bucket has all four bytes.
pub(super) struct Prefilter {
    /// By the byte's offset in the window, and the byte.
    pub bytes: [[u8; 256]; 4],
    /// The same by the digit in which the byte ends. What passes the bytes passes their halves too.
    pub low: [[u8; 16]; 4],
    /// By the digit with which the byte begins.
    pub high: [[u8; 16]; 4],
    /// No byte above 0x7f passes anywhere.
    pub is_seven_bit: bool,
}

/// Windows that share a bit of the tables.
struct Bucket {
    shape: u32,
    values: Vec<u32>,
    /// How often a position passes by chance, of 1.
    false_positives: f32,
}

impl Prefilter {
    /// A prefilter for windows by shape: at most eight shapes, each with its values.
    ///
    /// Starts with one bucket for each shape, and halves the one that lets most through until there are eight.
    pub(super) fn new<'a>(shapes: impl Iterator<Item = (u32, &'a [u32])>) -> Prefilter {
        let mut buckets: Vec<Bucket> = shapes
            .map(|(shape, values)| Bucket::new(shape, values.to_vec()))
            .collect();
        while buckets.len() < 8
            && let Some(worst) = (0..buckets.len())
                .filter(|&i| buckets[i].values.len() > 1)
                .max_by(|&a, &b| {
                    buckets[a]
                        .false_positives
                        .total_cmp(&buckets[b].false_positives)
                })
        {
            let (one, other) = buckets.swap_remove(worst).halve();
            buckets.extend([one, other]);
        }
        let mut bytes = [[0; 256]; 4];
        for (number, bucket) in buckets.iter().enumerate() {
            bucket.mark(1 << number, &mut bytes);
        }
        let (mut low, mut high) = ([[0; 16]; 4], [[0; 16]; 4]);
        let mut upper = 0;
        for (at, bytes) in bytes.iter().enumerate() {
            for (byte, buckets) in bytes.iter().enumerate() {
                low[at][byte & 15] |= buckets;
                high[at][byte >> 4] |= buckets;
                upper |= if byte < 0x80 { 0 } else { *buckets };
            }
        }
        Prefilter {
            bytes,
            low,
            high,
            is_seven_bit: upper == 0,
        }
    }
}

impl Bucket {
    fn new(shape: u32, values: Vec<u32>) -> Bucket {
        let mut new = Bucket {
            shape,
            values,
            false_positives: 1.0,
        };
        new.false_positives = new
            .digits()
            .iter()
            .map(|&(low, high)| share(low, high))
            .product();
        new
    }

    /// Sets the bucket's bit for all bytes of the windows.
    fn mark(&self, bit: u8, bytes: &mut [[u8; 256]; 4]) {
        for value in &self.values {
            for (bytes, byte) in bytes.iter_mut().zip(value.to_le_bytes()) {
                bytes[usize::from(byte)] |= bit;
            }
        }
        for (bytes, used) in bytes.iter_mut().zip(self.shape.to_le_bytes()) {
            if used == 0 {
                bytes.iter_mut().for_each(|buckets| *buckets |= bit);
            }
        }
    }

    /// For each byte of the window, which digits its halves can have: one bit a digit.
    fn digits(&self) -> [(u16, u16); 4] {
        let mut digits = [(0, 0); 4];
        for value in &self.values {
            for (digits, byte) in digits.iter_mut().zip(value.to_le_bytes()) {
                digits.0 |= 1 << (byte & 15);
                digits.1 |= 1 << (byte >> 4);
            }
        }
        for (digits, used) in digits.iter_mut().zip(self.shape.to_le_bytes()) {
            if used == 0 {
                *digits = (u16::MAX, u16::MAX);
            }
        }
        digits
    }

    /// Two halves, cut where they differ most: by whole bytes or by the upper digits first (capitals, small letters), from
    /// either end.
    fn halve(self) -> (Bucket, Bucket) {
        let orders: [fn(&u32) -> u64; 4] = [
            |v| u64::from(v.swap_bytes()),
            |v| u64::from(*v),
            |v| u64::from((v & 0xf0f0_f0f0).swap_bytes()) << 32 | u64::from(v.swap_bytes()),
            |v| u64::from(v & 0xf0f0_f0f0) << 32 | u64::from(*v),
        ];
        // With very many values every half is full of everything, and the sorting would take longer than the search.
        let orders = if self.values.len() > 20_000 {
            &orders[..1]
        } else {
            &orders[..]
        };
        let halves = orders.iter().map(|order| {
            let mut values = self.values.clone();
            values.sort_unstable_by_key(order);
            let second = values.split_off(values.len() / 2);
            (
                Bucket::new(self.shape, values),
                Bucket::new(self.shape, second),
            )
        });
        let best = halves.min_by(|a, b| {
            (a.0.false_positives + a.1.false_positives)
                .total_cmp(&(b.0.false_positives + b.1.false_positives))
        });
        best.unwrap_or_else(|| {
            (
                Bucket::new(self.shape, self.values.clone()),
                Bucket::new(self.shape, Vec::new()),
            )
        })
    }
}

/// The chance that a byte's halves are both among the digits.
fn share(low: u16, high: u16) -> f32 {
    (0..=u8::MAX)
        .filter(|b| low >> (b & 15) & 1 == 1 && high >> (b >> 4) & 1 == 1)
        .map(|b| chance(b, 0xff))
        .sum()
}
