//! The search itself, as an iterator: it does no more work than it is asked for, and begins with little.

use super::coverage::Coverage;
use super::engine::{Found, Patterns};
use super::source::Source;
use super::span::Span;
use super::walk::Walk;
use rkd_dump::error::Result;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where a pattern was found, whole, within a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The address of the first byte: virtual or physical, as the source's are.
    pub address: u64,
    /// Which pattern of the set.
    pub pattern: u32,
    /// Which of the spans.
    pub span: u32,
}

/// What [`Hits::each`] hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A hit.
    Hit(Hit),
    /// How far the search has come, in bytes, holes included.
    Progress {
        /// Bytes that are behind.
        done: u64,
        /// All bytes.
        total: u64,
    },
}

/// A search that is under way. Hits come span by span, ascending by address and then by pattern.
///
/// Dropping it ends the search. [`Hits::coverage`] says what was searched so far.
///
/// ```
/// use rkd_dump::addr::Virt;
/// use rkd_dump::memory::AddressSpace;
/// use rkd_scan::{Hits, Pattern, Patterns, Source, Span};
/// use std::sync::Arc;
///
/// // Two blocks that are neighbours only by their addresses, then a hole.
/// let space = AddressSpace::of_blocks(vec![(Virt(0x1000), b"..Le".to_vec()), (Virt(0x1004), b"ak..".to_vec())]);
/// let tags = Arc::new(Patterns::new(vec![Pattern::text("Leak")])?);
/// let mut hits = Hits::new(Source::Virtual(space), vec![Span::new(Virt(0x1000), 0x10)], tags, Arc::default());
/// assert_eq!(hits.next().map(|hit| hit.address), Some(0x1002));
/// assert_eq!(hits.next(), None);
/// assert_eq!((hits.coverage().asked, hits.coverage().read), (16, 8));
/// # Ok::<(), rkd_dump::error::Error>(())
/// ```
pub struct Hits {
    spans: Arc<[Span]>,
    /// The span that is being searched.
    span: usize,
    /// Nothing more is to be searched: all is done, or the search was broken off.
    ended: bool,
    /// As far as hits were handed over.
    walk: Walk,
    found: std::vec::IntoIter<Found>,
    /// The hit that nobody took.
    refused: Option<u64>,
    /// One account a span that was begun.
    coverage: Vec<Coverage>,
}

impl Hits {
    /// Begins a search. It ends early when `stop` becomes true, and keeps what it has found until then.
    pub fn new(
        source: Source,
        spans: Vec<Span>,
        patterns: Arc<Patterns>,
        stop: Arc<AtomicBool>,
    ) -> Hits {
        let mut hits = Hits {
            spans: spans.into(),
            span: 0,
            ended: false,
            walk: Walk::new(source, patterns, stop),
            found: Vec::new().into_iter(),
            refused: None,
            coverage: Vec::new(),
        };
        hits.begin();
        hits
    }

    /// The sum of all spans' accounts. Spans that were not begun count as asked, and not as missing.
    pub fn coverage(&self) -> Coverage {
        let rest = self
            .spans
            .iter()
            .skip(self.coverage.len())
            .map(|span| Coverage::of(*span));
        let begun = self
            .coverage
            .iter()
            .fold(Coverage::default(), Coverage::plus);
        rest.fold(begun, |sum, coverage| sum.plus(&coverage))
    }

    /// One account for each span that was begun, in order.
    pub fn coverages(&self) -> &[Coverage] {
        &self.coverage
    }

    /// The patterns that are searched for.
    pub fn patterns(&self) -> &Patterns {
        &self.walk.patterns
    }

    /// How many bytes are behind, and how many there are together, holes included.
    pub fn progress(&self) -> (u64, u64) {
        let len = |span: &Span| {
            span.last()
                .map_or(0, |last| (last - span.start).saturating_add(1))
        };
        let total = self.spans.iter().map(len).fold(0, u64::saturating_add);
        let ahead = self
            .spans
            .iter()
            .skip(self.span + 1)
            .map(len)
            .fold(0, u64::saturating_add);
        let here = self
            .walk
            .position
            .next
            .map_or(0, |next| (self.walk.position.last - next).saturating_add(1));
        (total.saturating_sub(ahead).saturating_sub(here), total)
    }

    /// Hands over all hits, and after each chunk the figures of [`Hits::progress`].
    ///
    /// # Errors
    /// What the function answers; the search then stands where it was.
    pub fn each(&mut self, mut take: impl FnMut(Event) -> Result<()>) -> Result<()> {
        loop {
            while let Some(hit) = self.ready() {
                take(Event::Hit(hit)).inspect_err(|_| self.refused = Some(hit.address))?;
            }
            if !self.search() {
                return Ok(());
            }
            let (done, total) = self.progress();
            take(Event::Progress { done, total })?;
        }
    }

    /// Ends the search because nobody takes its hits any more, and accounts for it: what lies before the first hit that
    /// was not taken was searched.
    pub fn break_off(mut self) -> Coverage {
        let next = self
            .refused
            .or_else(|| self.found.next().map(|found| found.address));
        if !self.ended || next.is_some() {
            let at = next
                .or(self.walk.position.next)
                .unwrap_or(self.walk.position.last);
            let name = self.walk.source.name(at);
            if let Some(coverage) = self.coverage.last_mut() {
                coverage.stopped_at.get_or_insert(name);
            }
        }
        self.coverage()
    }

    /// The next hit that is known already.
    pub fn ready(&mut self) -> Option<Hit> {
        let Found { address, pattern } = self.found.next()?;
        Some(Hit {
            address,
            pattern,
            span: self.span as u32,
        })
    }

    /// Searches one chunk more, when nothing is [`ready`](Hits::ready) any longer; `false` at the end.
    pub fn search(&mut self) -> bool {
        if self.found.len() > 0 {
            return true;
        }
        while self.walk.position.next.is_none() && !self.ended {
            self.span += 1;
            self.begin();
        }
        if self.ended {
            return false;
        }
        if self.walk.is_stopped() {
            self.end_here(|coverage, at| coverage.stopped_at = Some(at));
            return false;
        }
        self.found = self.walk.step().into_iter();
        if let Some(coverage) = self.coverage.last_mut() {
            coverage.clone_from(&self.walk.coverage);
        }
        if self.walk.coverage.read > self.walk.source.max_span_bytes() {
            self.end_here(|coverage, _| coverage.gave_up = true);
        }
        true
    }

    /// Moves to the start of the current span, if there is one.
    fn begin(&mut self) {
        let Some(span) = self.spans.get(self.span) else {
            self.ended = true;
            return;
        };
        self.walk.begin(*span);
        self.coverage.push(self.walk.coverage.clone());
    }

    /// Ends the whole search at the present place.
    fn end_here(&mut self, say: impl FnOnce(&mut Coverage, String)) {
        let at = self
            .walk
            .source
            .name(self.walk.position.next.unwrap_or(self.walk.position.last));
        if let Some(coverage) = self.coverage.last_mut() {
            say(coverage, at);
        }
        self.ended = true;
    }
}

impl Iterator for Hits {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        loop {
            if let Some(hit) = self.ready() {
                return Some(hit);
            }
            if !self.search() {
                return None;
            }
        }
    }
}
