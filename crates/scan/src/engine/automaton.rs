//! A few exact patterns through Aho-Corasick, for processors on which it has a vector search and [`super::simd`] has none.

use super::super::pattern::Pattern;
use super::{Ask, Found};
use aho_corasick::{AhoCorasick, Input, MatchKind};

/// Above this many patterns `aho-corasick` has no vector search, and falls behind the scalar filter.
const MOST: usize = 64;

/// An automaton that stops at the first place where any pattern begins.
pub(super) struct Automaton {
    automaton: AhoCorasick,
    longest: usize,
}

impl Automaton {
    /// `None` when the filter serves better: too many patterns, or one with a mask.
    pub(super) fn new(patterns: &[Pattern]) -> Option<Automaton> {
        if patterns.len() > MOST || !patterns.iter().all(Pattern::is_exact) {
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
    pub(super) fn find(&self, ask: &Ask<'_>, out: &mut Vec<Found>) {
        let end = ask.hay.len().min(ask.starts.end + self.longest - 1);
        let mut at = ask.starts.start;
        while at < ask.starts.end.min(end)
            && out.len() <= ask.enough
            && let Some(found) = self.automaton.find(Input::new(ask.hay).range(at..end))
            && found.start() < ask.starts.end
        {
            // One match hides the others at the same place, and those that overlap it: ask all patterns, go on one byte later.
            (0..ask.patterns.len() as u32)
                .for_each(|number| ask.confirm(found.start(), number, out));
            at = found.start() + 1;
        }
    }
}
