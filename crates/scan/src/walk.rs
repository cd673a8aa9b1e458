//! How far a search is, and how it goes on: wave after wave through one span.

use super::coverage::Coverage;
use super::engine::{Found, Patterns};
use super::source::Source;
use super::span::Span;
use super::wave::Wave;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of the first wave: its hits appear at once. Each further wave has twice as many, up to [`WAVE_EACH`] a processor and
/// [`MOST_WAVE`]: a slow disk must not hold up Ctrl-C.
const FIRST_WAVE: u64 = 0x2_0000;
const WAVE_EACH: u64 = 4 << 20;
const MOST_WAVE: u64 = 32 << 20;

/// How far a span is done.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// The first address that was not searched; `None` when the span is at its end.
    pub next: Option<u64>,
    /// The first address that is not accounted for: it lies before `next` when a hole is still growing.
    counted: Option<u64>,
    pub last: u64,
}

/// A search that stands still between two waves.
pub(super) struct Walk {
    pub source: Source,
    pub patterns: Arc<Patterns>,
    stop: Arc<AtomicBool>,
    pub place: Place,
    /// The account of the span.
    pub coverage: Coverage,
    /// Bytes of the next wave.
    wave: u64,
    /// Addresses that the next wave looks over to find its bytes: more when there are holes.
    window: u64,
    /// The address up to which the system was asked to read ahead.
    ahead: u64,
}

impl Walk {
    /// A walk through nothing yet.
    pub(crate) fn new(source: Source, patterns: Arc<Patterns>, stop: Arc<AtomicBool>) -> Walk {
        Walk {
            source,
            patterns,
            stop,
            place: Place::default(),
            coverage: Coverage::default(),
            wave: FIRST_WAVE,
            window: FIRST_WAVE,
            ahead: 0,
        }
    }

    /// Goes to the start of a span.
    pub(crate) fn begin(&mut self, span: Span) {
        let last = span.last();
        let start = last.map(|_| span.start);
        self.place = Place {
            next: start,
            counted: start,
            last: last.unwrap_or_default(),
        };
        self.ahead = 0;
        self.coverage = Coverage::of(span);
    }

    /// Whether somebody has set the flag.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Searches one wave.
    pub(crate) fn step(&mut self) -> Vec<Found> {
        let (found, broke_off) = self.run();
        let processors = rayon::current_num_threads() as u64;
        self.wave = match broke_off {
            false => (self.wave * 2).min(MOST_WAVE).min(WAVE_EACH * processors),
            true => (self.wave / 2).max(FIRST_WAVE),
        };
        found
    }

    fn run(&mut self) -> (Vec<Found>, bool) {
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

        let coverage = &mut self.coverage;
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
