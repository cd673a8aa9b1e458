//! Numbers that look random and are the same in each run.

/// Marsaglia's xorshift; the seed must not be 0.
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Less than `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.number() >> 11) % limit.max(1)
    }

    /// An index of something of this length.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }
}

/// How many rounds a test of damage makes: `RKD_MUTATIONS` says how many times as many.
pub fn rounds(usual: u64) -> u64 {
    let times = std::env::var("RKD_MUTATIONS").map_or(1, |times| times.parse().unwrap());
    usual * times
}
