//! A set of patterns, and the engine that finds all of them in one pass over a slice of bytes.

// Where there are no vectors, what serves them alone is not used.
#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_mut))]

mod automaton;
mod index;
mod multi;
mod prefilter;
mod rarity;
mod simd;
#[cfg(test)]
mod tests;
mod window;

use super::error::PatternError;
use super::pattern::Pattern;
use automaton::Automaton;
use memchr::memmem;
use multi::Multi;
pub(super) use simd::prefetch_start;
use std::ops::Range;

/// The most patterns in a set.
pub const MAX_PATTERNS: usize = 1_000_000;
/// The most bytes of all patterns of a set together.
pub const MAX_BYTES: usize = 0x100_0000;
/// Starts that are searched at once: what is found in them is sorted, and can be thrown away when it is too much.
const BLOCK: usize = 0x1_0000;

/// An occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The address of the first byte.
    pub address: u64,
    /// Which pattern, by its index in the list given to [`Patterns::new`].
    pub pattern: u32,
}

/// Patterns, ready to be searched for. Made once, shared by all threads.
///
/// ```
/// use rkd_scan::{Pattern, Patterns};
/// let tags = Patterns::new(vec![Pattern::text("Leak"), Pattern::text("eak")])?;
/// let found: Vec<_> = tags.find_all(b"..Leak", 0x1000).iter().map(|f| (f.address, f.pattern)).collect();
/// assert_eq!(found, [(0x1002, 0), (0x1003, 1)]);
/// # Ok::<(), rkd_dump::error::Error>(())
/// ```
pub struct Patterns {
    patterns: Vec<Pattern>,
    longest: usize,
    engine: Engine,
}

/// What an engine is given: it finds the occurrences in `haystack`, which lies at `base`, that begin in `starts`.
struct Input<'a> {
    haystack: &'a [u8],
    base: u64,
    starts: Range<usize>,
    patterns: &'a [Pattern],
    /// An engine may stop when `out` has become longer than this.
    limit: usize,
}

impl Input<'_> {
    fn address(&self, start: usize) -> u64 {
        self.base.wrapping_add(start as u64)
    }

    /// Adds the pattern, if it is there.
    fn verify(&self, start: usize, number: u32, out: &mut Vec<Found>) {
        let address = self.address(start);
        if let (Some(pattern), Some(haystack)) = (
            self.patterns.get(number as usize),
            self.haystack.get(start..),
        ) && pattern.may_be_at(address)
            && pattern.matches(haystack)
        {
            out.push(Found {
                address,
                pattern: number,
            });
        }
    }
}

/// One way to search. Which is best depends on the number of patterns, and on the processor.
enum Engine {
    /// A single exact pattern: nothing beats `memmem`.
    Memmem(Box<memmem::Finder<'static>>),
    /// Everything else.
    Multi(Box<Multi>),
    /// A few exact patterns on a processor for which there is no SIMD prefilter here, but one in `aho-corasick`.
    Automaton(Automaton),
}

impl Patterns {
    /// Prepares a set.
    ///
    /// # Errors
    /// An empty set, an empty pattern, a pattern without a fixed bit, and more or longer patterns than [`MAX_PATTERNS`],
    /// [`MAX_BYTES`] and [`super::MAX_LEN`] allow.
    pub fn new(patterns: Vec<Pattern>) -> Result<Patterns, PatternError> {
        Patterns::with_simd(patterns, simd::Simd::detect())
    }

    fn with_simd(
        patterns: Vec<Pattern>,
        simd: Option<simd::Simd>,
    ) -> Result<Patterns, PatternError> {
        if patterns.is_empty() {
            return Err(PatternError::NoPattern);
        }
        for pattern in &patterns {
            pattern.check()?;
        }
        let bytes: usize = patterns.iter().map(Pattern::len).sum();
        if patterns.len() > MAX_PATTERNS || bytes > MAX_BYTES {
            return Err(PatternError::TooMany {
                patterns: patterns.len(),
                bytes,
            });
        }
        let longest = patterns.iter().map(Pattern::len).max().unwrap_or(1);
        let engine = choose_engine(&patterns, simd);
        Ok(Patterns {
            patterns,
            longest,
            engine,
        })
    }

    /// The patterns, in the order in which they were given.
    pub fn list(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The length of the longest pattern, in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Every occurrence in `haystack`, which lies at `base`: overlapping ones too, by address and then by pattern.
    pub fn find_all(&self, haystack: &[u8], base: u64) -> Vec<Found> {
        let mut all = Vec::new();
        self.each(haystack, base, |found| all.push(found));
        all
    }

    /// Hands over every occurrence in `haystack`, in the order of [`Patterns::find_all`], and keeps none.
    pub fn each(&self, haystack: &[u8], base: u64, mut take: impl FnMut(Found)) {
        let mut block = Vec::new();
        let mut at = 0;
        while at < haystack.len() {
            at = self.find(haystack, base, at..haystack.len(), usize::MAX, &mut block);
            block.drain(..).for_each(&mut take);
        }
    }

    /// Adds to `out` the occurrences that begin in the first block of `starts` and lie wholly in `haystack`, and returns where the
    /// next block begins (at most `starts.end`).
    ///
    /// A block that holds more than `limit` occurrences is cut down, so `out` grows by more than `limit` only where a single
    /// address has more.
    pub(super) fn find(
        &self,
        haystack: &[u8],
        base: u64,
        starts: Range<usize>,
        limit: usize,
        out: &mut Vec<Found>,
    ) -> usize {
        let before = out.len();
        let mut block = starts.len().min(BLOCK);
        loop {
            let end = starts.start + block;
            let out_limit = if block > 1 {
                before.saturating_add(limit)
            } else {
                usize::MAX
            };
            let input = Input {
                haystack,
                base,
                starts: starts.start..end,
                patterns: &self.patterns,
                limit: out_limit,
            };
            match &self.engine {
                Engine::Memmem(finder) => find_single(finder, &input, out),
                Engine::Multi(filter) => filter.find(&input, out),
                Engine::Automaton(automaton) => automaton.find(&input, out),
            }
            if out.len() <= out_limit {
                let new = &mut out[before..];
                if !new.is_sorted() {
                    new.sort_unstable();
                }
                return end;
            }
            out.truncate(before);
            block /= 2;
        }
    }
}

fn find_single(finder: &memmem::Finder<'_>, input: &Input<'_>, out: &mut Vec<Found>) {
    let end = input
        .haystack
        .len()
        .min(input.starts.end + finder.needle().len() - 1);
    let mut at = input.starts.start;
    while out.len() <= input.limit
        && let Some(found) = input
            .haystack
            .get(at..end)
            .and_then(|haystack| finder.find(haystack))
    {
        if input.patterns[0].may_be_at(input.address(at + found)) {
            out.push(Found {
                address: input.address(at + found),
                pattern: 0,
            });
        }
        at += found + 1;
    }
}

fn choose_engine(patterns: &[Pattern], simd: Option<simd::Simd>) -> Engine {
    if let [only] = patterns
        && only.is_exact()
    {
        return Engine::Memmem(Box::new(memmem::Finder::new(only.value()).into_owned()));
    }
    if simd.is_none()
        && let Some(automaton) = Automaton::new(patterns)
    {
        return Engine::Automaton(automaton);
    }
    Engine::Multi(Box::new(Multi::new(patterns, simd)))
}
