//! A chunk of the search: some megabytes of pieces, cut into tasks, searched by all processors, delivered in order.

use super::engine::{Found, Patterns, prefetch_start};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that a task searches: enough to hide what it costs to hand it to another processor.
const TASK_BYTES: usize = 1 << 20;
/// Hits of one task; a task that finds more breaks off, and the search goes on from there.
const MAX_TASK_HITS: usize = 1 << 14;

/// Pieces to be searched, and what follows the last.
pub(super) struct Chunk<'a> {
    /// Ascending addresses and their bytes.
    pub pieces: Vec<(u64, &'a [u8])>,
    /// What follows the last piece without a gap, one byte less than the longest pattern: hits end there, none begins.
    pub overlap: Vec<u8>,
}

/// A part of a piece.
struct Part {
    piece: usize,
    starts: Range<usize>,
}

/// What a task found.
struct Outcome {
    hits: Vec<Found>,
    /// The address of the first byte that was not searched, when the task broke off.
    resume_at: Option<u64>,
}

impl Chunk<'_> {
    /// Adds the hits in order. `Some` when the search broke off, because of the flag or of too many hits: the address from
    /// which nothing was delivered.
    pub(crate) fn search(
        &self,
        patterns: &Patterns,
        stop: &AtomicBool,
        out: &mut Vec<Found>,
    ) -> Option<u64> {
        let tasks = self.tasks();
        let run = |task: &Vec<Part>| self.run(task, patterns, stop);
        let outcomes: Vec<Outcome> = if tasks.len() > 1 && rayon::current_num_threads() > 1 {
            tasks.par_iter().map(run).collect()
        } else {
            tasks.iter().map(run).collect()
        };
        for outcome in outcomes {
            out.extend(outcome.hits);
            if outcome.resume_at.is_some() {
                return outcome.resume_at;
            }
        }
        None
    }

    /// Large pieces are divided, small ones put together: in virtual memory most pieces are single pages, and a task for each
    /// would cost more than it searches.
    fn tasks(&self) -> Vec<Vec<Part>> {
        let (mut tasks, mut task, mut size) = (Vec::new(), Vec::new(), 0);
        for (piece, (_, bytes)) in self.pieces.iter().enumerate() {
            for start in (0..bytes.len()).step_by(TASK_BYTES) {
                let starts = start..bytes.len().min(start + TASK_BYTES);
                if size + starts.len() > TASK_BYTES && !task.is_empty() {
                    tasks.push(std::mem::take(&mut task));
                    size = 0;
                }
                size += starts.len();
                task.push(Part { piece, starts });
            }
        }
        tasks.push(task);
        tasks
    }

    fn run(&self, task: &[Part], patterns: &Patterns, stop: &AtomicBool) -> Outcome {
        let mut hits = Vec::new();
        let mut overlap = Overlap::default();
        for (number, part) in task.iter().enumerate() {
            let (base, bytes) = self.pieces[part.piece];
            if let Some(next) = task.get(number + 1) {
                prefetch_start(self.pieces[next.piece].1);
            }
            let mut at = part.starts.start;
            while at < part.starts.end {
                if hits.len() >= MAX_TASK_HITS || stop.load(Ordering::Relaxed) {
                    return Outcome {
                        hits,
                        resume_at: Some(base.wrapping_add(at as u64)),
                    };
                }
                let before = hits.len();
                let next =
                    patterns.find(bytes, base, at..part.starts.end, MAX_TASK_HITS, &mut hits);
                // Hits that begin here may end in the next piece.
                if next + patterns.longest() > bytes.len() + 1 {
                    self.find_in_overlap(part.piece, at..next, patterns, &mut overlap, &mut hits);
                    hits[before..].sort_unstable();
                }
                at = next;
            }
        }
        Outcome {
            hits,
            resume_at: None,
        }
    }

    /// Finds what begins in `starts` and ends in a later piece: copies both sides of the border together, because an engine
    /// wants its bytes in one slice, and pieces are neighbours only by their addresses.
    fn find_in_overlap(
        &self,
        piece: usize,
        starts: Range<usize>,
        patterns: &Patterns,
        overlap: &mut Overlap,
        hits: &mut Vec<Found>,
    ) {
        let (base, bytes) = self.pieces[piece];
        let reach = patterns.longest() - 1;
        let from = starts.start.max(bytes.len().saturating_sub(reach));
        let inside = bytes.len() - from;
        overlap.bytes.clear();
        overlap.bytes.extend_from_slice(&bytes[from..]);
        self.following(piece, reach, &mut overlap.bytes);
        if overlap.bytes.len() == inside {
            return;
        }
        let overlap_base = base.wrapping_add(from as u64);
        let mut at = 0;
        while at < starts.end - from {
            // No limit: an overlap is at most twice as long as a pattern.
            overlap.hits.clear();
            at = patterns.find(
                &overlap.bytes,
                overlap_base,
                at..starts.end - from,
                usize::MAX,
                &mut overlap.hits,
            );
            // What ends inside the piece was found there.
            hits.extend(overlap.hits.iter().filter(|hit| {
                let length = patterns
                    .list()
                    .get(hit.pattern as usize)
                    .map_or(0, |pattern| pattern.len());
                hit.address.wrapping_sub(overlap_base) as usize + length > inside
            }));
        }
    }

    /// Adds at most `reach` bytes that follow a piece without a gap.
    fn following(&self, piece: usize, reach: usize, out: &mut Vec<u8>) {
        let full = out.len() + reach;
        let pairs = self.pieces[piece..].windows(2);
        for pair in pairs {
            let ((base, bytes), (next, more)) = (pair[0], pair[1]);
            if base.checked_add(bytes.len() as u64) != Some(next) || out.len() >= full {
                return;
            }
            out.extend_from_slice(&more[..more.len().min(full - out.len())]);
        }
        let more = self.overlap.len().min(full - out.len());
        out.extend_from_slice(&self.overlap[..more]);
    }
}

/// Buffers for both sides of a border between pieces, used again for all borders of a task.
#[derive(Default)]
struct Overlap {
    bytes: Vec<u8>,
    hits: Vec<Found>,
}
