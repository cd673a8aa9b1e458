//! How far a search is, and how it goes on: chunk after chunk through one span.

use super::chunk::Chunk;
use super::coverage::Coverage;
use super::engine::{Found, Patterns};
use super::source::Source;
use super::span::Span;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes of the first chunk: its hits appear at once. Each further chunk has twice as many, up to
/// [`MAX_CHUNK_PER_PROCESSOR`] and [`MAX_CHUNK`]: a slow disk must not hold up Ctrl-C.
const MIN_CHUNK: u64 = 0x2_0000;
const MAX_CHUNK_PER_PROCESSOR: u64 = 4 << 20;
const MAX_CHUNK: u64 = 32 << 20;

/// How far a span is done.
#[derive(Clone, Copy, Default)]
pub(super) struct Position {
    /// The first address that was not searched; `None` when the span is at its end.
    pub next: Option<u64>,
    /// The first address that is not accounted for: it lies before `next` when a hole is still growing.
    counted: Option<u64>,
    /// The last address of the span.
    pub last: u64,
}

/// A search that stands still between two chunks.
pub(super) struct Walk {
    pub source: Source,
    pub patterns: Arc<Patterns>,
    stop: Arc<AtomicBool>,
    pub position: Position,
    /// The account of the span.
    pub coverage: Coverage,
    /// Bytes of the next chunk.
    chunk_len: u64,
    /// Addresses that the next chunk looks over to find its bytes: more when there are holes.
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
            position: Position::default(),
            coverage: Coverage::default(),
            chunk_len: MIN_CHUNK,
            window: MIN_CHUNK,
            ahead: 0,
        }
    }

    /// Goes to the start of a span.
    pub(crate) fn begin(&mut self, span: Span) {
        let last = span.last();
        let start = last.map(|_| span.start);
        self.position = Position {
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

    /// Searches one chunk.
    pub(crate) fn step(&mut self) -> Vec<Found> {
        let (found, broke_off) = self.run();
        let processors = rayon::current_num_threads() as u64;
        self.chunk_len = match broke_off {
            false => (self.chunk_len * 2)
                .min(MAX_CHUNK)
                .min(MAX_CHUNK_PER_PROCESSOR * processors),
            true => (self.chunk_len / 2).max(MIN_CHUNK),
        };
        found
    }

    fn run(&mut self) -> (Vec<Found>, bool) {
        let Position {
            next: Some(start),
            mut counted,
            last,
        } = self.position
        else {
            return (Vec::new(), false);
        };
        let source = self.source.clone();
        let window_last = start.saturating_add(self.window.max(1) - 1).min(last);
        let (mut pieces, mut size) = (Vec::new(), 0);
        for (va, bytes) in source.pieces(start, window_last - start + 1, &self.stop) {
            let room = (self.chunk_len - size) as usize;
            let bytes = bytes.get(..room).unwrap_or(bytes);
            size += bytes.len() as u64;
            pieces.push((va, bytes));
            if size >= self.chunk_len {
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
        let next = if size >= self.chunk_len {
            after(pieces.last())
        } else {
            window_last.checked_add(1)
        };
        // In an empty region the window grows quickly: page tables skip what is not mapped faster than bytes are searched.
        self.window = match size {
            _ if size >= self.chunk_len => self.chunk_len,
            _ if size < self.chunk_len / 2 => self.window.saturating_mul(4),
            _ => self.window.saturating_mul(2),
        };

        let overlap = match after(pieces.last()) {
            Some(end) if end <= last => {
                let reach = self.patterns.longest() - 1;
                following(&source, end, last, reach, &self.stop)
            }
            _ => Vec::new(),
        };
        if let Some(next) = next.filter(|next| *next <= last) {
            // Two chunks in advance; what was asked for once is not asked for again.
            let start = next.max(self.ahead);
            let end = next.saturating_add(self.chunk_len * 2).min(last);
            if start < end {
                source.read_ahead(start, end - start, &self.stop);
                self.ahead = end;
            }
        }
        let chunk = Chunk { pieces, overlap };
        let mut found = Vec::new();
        let resume_at = chunk.search(&self.patterns, &self.stop, &mut found);
        if resume_at.is_none() {
            source.release(&chunk.pieces);
        }
        let next = resume_at.or(next).filter(|next| *next <= last);

        let coverage = &mut self.coverage;
        let searched = |va: u64| next.is_none_or(|next| va < next);
        for &(va, bytes) in chunk.pieces.iter().filter(|(va, _)| searched(*va)) {
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
        self.position = Position {
            next,
            counted,
            last,
        };
        (found, resume_at.is_some())
    }
}

/// At most `reach` bytes that are there from `start` on without a gap.
fn following(source: &Source, start: u64, last: u64, reach: usize, stop: &AtomicBool) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    let reach = (reach as u64).min((last - start).saturating_add(1));
    for (va, piece) in source.pieces(start, reach, stop) {
        if va.wrapping_sub(start) != bytes.len() as u64 {
            break;
        }
        bytes.extend_from_slice(piece);
    }
    bytes
}
