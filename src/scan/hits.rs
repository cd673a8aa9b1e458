//! The search itself, as an iterator: it does no more work than it is asked for, and begins with little.

use super::coverage::Coverage;
use super::engine::{Found, Patterns};
use super::source::Source;
use super::wave::Wave;
use crate::addr::Virt;
use crate::error::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of the first wave: its hits appear at once. Each further wave has twice as many, up to [`WAVE_EACH`] a processor and
/// [`MOST_WAVE`]: a slow disk must not hold up Ctrl-C.
const FIRST_WAVE: u64 = 0x2_0000;
const WAVE_EACH: u64 = 4 << 20;
const MOST_WAVE: u64 = 32 << 20;

/// A stretch of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first address.
    pub start: u64,
    /// Bytes. What would lie past the end of the address space does not count.
    pub len: u64,
}

impl Span {
    /// A stretch of virtual memory.
    pub fn new(start: Virt, len: u64) -> Span {
        Span {
            start: start.0,
            len,
        }
    }

    /// The whole of an address space: its two halves, because one length cannot say 2^64.
    pub fn everything() -> [Span; 2] {
        [0, 1 << 63].map(|start| Span {
            start,
            len: 1 << 63,
        })
    }

    /// The last address; `None` for an empty span.
    pub(super) fn last(self) -> Option<u64> {
        self.len
            .checked_sub(1)
            .map(|len| self.start.saturating_add(len))
    }
}

/// A place where a pattern was found, whole, within a span.
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
/// use rkd::addr::Virt;
/// use rkd::memory::AddressSpace;
/// use rkd::scan::{Hits, Pattern, Patterns, Source, Span};
/// use std::sync::Arc;
///
/// // Two blocks that are neighbours only by their addresses, then a hole.
/// let space = AddressSpace::of_blocks(vec![(Virt(0x1000), b"..Le".to_vec()), (Virt(0x1004), b"ak..".to_vec())]);
/// let tags = Arc::new(Patterns::new(vec![Pattern::text("Leak")])?);
/// let mut hits = Hits::new(Source::Virtual(space), vec![Span::new(Virt(0x1000), 0x10)], tags, Arc::default());
/// assert_eq!(hits.next().map(|hit| hit.address), Some(0x1002));
/// assert_eq!(hits.next(), None);
/// assert_eq!((hits.coverage().asked, hits.coverage().read), (16, 8));
/// # Ok::<(), rkd::error::Error>(())
/// ```
pub struct Hits {
    source: Source,
    patterns: Arc<Patterns>,
    stop: Arc<AtomicBool>,
    spans: Arc<[Span]>,
    /// The span that is being searched.
    span: usize,
    /// Nothing more is to be searched: all is done, or the search was broken off.
    ended: bool,
    place: Place,
    /// Bytes of the next wave.
    wave: u64,
    /// Addresses that the next wave looks over to find its bytes: more when there are holes.
    window: u64,
    /// The address up to which the system was asked to read ahead.
    ahead: u64,
    found: std::vec::IntoIter<Found>,
    /// The hit that nobody took.
    refused: Option<u64>,
    /// One account a span that was begun.
    coverage: Vec<Coverage>,
}

/// How far a span is done.
#[derive(Clone, Copy, Default)]
struct Place {
    /// The first address that was not searched; `None` when the span is at its end.
    next: Option<u64>,
    /// The first address that is not accounted for: it lies before `next` when a hole is still growing.
    counted: Option<u64>,
    last: u64,
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
            source,
            patterns,
            stop,
            spans: spans.into(),
            span: 0,
            ended: false,
            place: Place::default(),
            wave: FIRST_WAVE,
            window: FIRST_WAVE,
            ahead: 0,
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
        &self.patterns
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
            .place
            .next
            .map_or(0, |next| (self.place.last - next).saturating_add(1));
        (total.saturating_sub(ahead).saturating_sub(here), total)
    }

    /// Hands over all hits, and after each wave the figures of [`Hits::progress`].
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
            let at = next.or(self.place.next).unwrap_or(self.place.last);
            let name = self.source.name(at);
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

    /// Searches one wave more, when nothing is [`ready`](Hits::ready) any longer; `false` at the end.
    pub fn search(&mut self) -> bool {
        if self.found.len() > 0 {
            return true;
        }
        while self.place.next.is_none() && !self.ended {
            self.span += 1;
            self.begin();
        }
        if self.ended {
            return false;
        }
        if self.stop.load(Ordering::Relaxed) {
            self.end_here(|coverage, at| coverage.stopped_at = Some(at));
            return false;
        }
        let (found, broke_off) = self.run_wave();
        self.found = found.into_iter();
        let processors = rayon::current_num_threads() as u64;
        self.wave = match broke_off {
            false => (self.wave * 2).min(MOST_WAVE).min(WAVE_EACH * processors),
            true => (self.wave / 2).max(FIRST_WAVE),
        };
        if self
            .coverage
            .last()
            .is_some_and(|coverage| coverage.read > self.source.most())
        {
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
        let last = span.last();
        let start = last.map(|_| span.start);
        self.place = Place {
            next: start,
            counted: start,
            last: last.unwrap_or_default(),
        };
        self.ahead = 0;
        self.coverage.push(Coverage::of(*span));
    }

    /// Ends the whole search at the present place.
    fn end_here(&mut self, say: impl FnOnce(&mut Coverage, String)) {
        let at = self.source.name(self.place.next.unwrap_or(self.place.last));
        if let Some(coverage) = self.coverage.last_mut() {
            say(coverage, at);
        }
        self.ended = true;
    }

    fn run_wave(&mut self) -> (Vec<Found>, bool) {
        let Place {
            next: Some(start),
            mut counted,
            last,
        } = self.place
        else {
            return (Vec::new(), false);
        };
        let source = self.source.clone();
        let window_last = start.saturating_add(self.window.max(1) - 1).min(last);
        let (mut pieces, mut size) = (Vec::new(), 0);
        for (va, bytes) in source.pieces(start, window_last - start + 1, &self.stop) {
            let room = (self.wave - size) as usize;
            let bytes = bytes.get(..room).unwrap_or(bytes);
            size += bytes.len() as u64;
            pieces.push((va, bytes));
            if size >= self.wave {
                break;
            }
        }
        if self.stop.load(Ordering::Relaxed) {
            // The pieces may have ended early.
            return (Vec::new(), true);
        }
        let after = |piece: Option<&(u64, &[u8])>| {
            piece.and_then(|(va, bytes)| va.checked_add(bytes.len() as u64))
        };
        let next = if size >= self.wave {
            after(pieces.last())
        } else {
            window_last.checked_add(1)
        };
        self.window = match size {
            _ if size >= self.wave => self.wave,
            _ if size < self.wave / 2 => self.window.saturating_mul(4),
            _ => self.window.saturating_mul(2),
        };

        let behind = match after(pieces.last()) {
            Some(end) if end <= last => {
                let reach = self.patterns.longest() - 1;
                behind(&source, end, last, reach, &self.stop)
            }
            _ => Vec::new(),
        };
        if let Some(next) = next.filter(|next| *next <= last) {
            // Two waves in advance; what was asked for once is not asked for again.
            let start = next.max(self.ahead);
            let end = next.saturating_add(self.wave * 2).min(last);
            if start < end {
                source.read_ahead(start, end - start, &self.stop);
                self.ahead = end;
            }
        }
        let wave = Wave { pieces, behind };
        let mut found = Vec::new();
        let broke_off = wave.search(&self.patterns, &self.stop, &mut found);
        if broke_off.is_none() {
            source.release(&wave.pieces);
        }
        let next = broke_off.or(next).filter(|next| *next <= last);

        let Some(coverage) = self.coverage.last_mut() else {
            return (found, false);
        };
        let searched = |va: u64| next.is_none_or(|next| va < next);
        for &(va, bytes) in wave.pieces.iter().filter(|(va, _)| searched(*va)) {
            if let Some(counted) = counted.filter(|counted| *counted < va) {
                coverage.hole(&source, counted, va - 1, &self.stop);
            }
            let bytes = next.map_or(bytes.len() as u64, |next| {
                (next - va).min(bytes.len() as u64)
            });
            coverage.read += bytes;
            counted = va.checked_add(bytes);
        }
        if next.is_none()
            && let Some(counted) = counted.filter(|counted| *counted <= last)
        {
            coverage.hole(&source, counted, last, &self.stop);
        }
        self.place = Place {
            next,
            counted,
            last,
        };
        (found, broke_off.is_some())
    }
}

/// At most `reach` bytes that are there from `start` on without a gap.
fn behind(source: &Source, start: u64, last: u64, reach: usize, stop: &AtomicBool) -> Vec<u8> {
    let mut behind: Vec<u8> = Vec::new();
    let reach = (reach as u64).min((last - start).saturating_add(1));
    for (va, bytes) in source.pieces(start, reach, stop) {
        if va.wrapping_sub(start) != behind.len() as u64 {
            break;
        }
        behind.extend_from_slice(bytes);
    }
    behind
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
