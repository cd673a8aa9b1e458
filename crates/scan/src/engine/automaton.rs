//! A few exact patterns through Aho-Corasick, for processors on which it has a vector search and [`super::simd`] has none.

use super::super::pattern::Pattern;
use super::{Found, Input};
use aho_corasick::{AhoCorasick, MatchKind};

/// Above this many patterns `aho-corasick` has no vector search, and falls behind the scalar prefilter.
const MAX_SIMD_PATTERNS: usize = 64;

/// An automaton that stops at the first position where any pattern begins.
pub(super) struct Automaton {
    automaton: AhoCorasick,
    longest: usize,
}

impl Automaton {
    /// `None` when [`super::multi::Multi`] serves better: too many patterns, or one with a mask.
    pub(super) fn new(patterns: &[Pattern]) -> Option<Automaton> {
        if patterns.len() > MAX_SIMD_PATTERNS || !patterns.iter().all(Pattern::is_exact) {
            return None;
        }
        // The default match kind switches the vector search off and runs ten times slower.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(patterns.iter().map(Pattern::value))
            .ok()?;
        Some(Automaton {
            automaton,
            longest: patterns.iter().map(Pattern::len).max()?,
        })
    }

    /// Adds every occurrence, by address and then by pattern.
    pub(super) fn find(&self, input: &Input<'_>, out: &mut Vec<Found>) {
        let end = input
            .haystack
            .len()
            .min(input.starts.end + self.longest - 1);
        let mut at = input.starts.start;
        while at < input.starts.end.min(end)
            && out.len() <= input.limit
            && let Some(found) = self
                .automaton
                .find(aho_corasick::Input::new(input.haystack).range(at..end))
            && found.start() < input.starts.end
        {
            // One match hides the others at the same position, and those that overlap it: verify all patterns, go on one byte later.
            (0..input.patterns.len() as u32)
                .for_each(|number| input.verify(found.start(), number, out));
            at = found.start() + 1;
        }
    }
}
