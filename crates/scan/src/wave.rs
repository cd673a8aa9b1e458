//! One round of the search: some megabytes of pieces, cut into tasks, searched by all processors, delivered in order.

use super::engine::{Found, Patterns, fetch};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that a task searches.
const TASK: usize = 1 << 20;
/// Hits of one task; a task that finds more breaks off, and the search goes on from there.
const MOST_HITS: usize = 1 << 14;

/// Pieces to be searched, and what lies behind the last.
pub(super) struct Wave<'a> {
    /// Ascending addresses and their bytes.
    pub pieces: Vec<(u64, &'a [u8])>,
    /// What follows the last piece without a gap, one byte less than the longest pattern: hits end there, none begins.
    pub behind: Vec<u8>,
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
    broke_off: Option<u64>,
}

impl Wave<'_> {
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
            if outcome.broke_off.is_some() {
                return outcome.broke_off;
            }
        }
        None
    }

    /// Large pieces are divided, small ones put together.
    fn tasks(&self) -> Vec<Vec<Part>> {
        let (mut tasks, mut task, mut size) = (Vec::new(), Vec::new(), 0);
        for (piece, (_, bytes)) in self.pieces.iter().enumerate() {
            for start in (0..bytes.len()).step_by(TASK) {
                let starts = start..bytes.len().min(start + TASK);
                if size + starts.len() > TASK && !task.is_empty() {
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
        let mut seam = Seam::default();
        for (number, part) in task.iter().enumerate() {
            let (base, bytes) = self.pieces[part.piece];
            if let Some(next) = task.get(number + 1) {
                fetch(self.pieces[next.piece].1);
            }
            let mut at = part.starts.start;
            while at < part.starts.end {
                if hits.len() >= MOST_HITS || stop.load(Ordering::Relaxed) {
                    return Outcome {
                        hits,
                        broke_off: Some(base.wrapping_add(at as u64)),
                    };
                }
                let before = hits.len();
                let next = patterns.find(bytes, base, at..part.starts.end, MOST_HITS, &mut hits);
                if next + patterns.longest() > bytes.len() + 1 {
                    self.across(part.piece, at..next, patterns, &mut seam, &mut hits);
                    hits[before..].sort_unstable();
                }
                at = next;
            }
        }
        Outcome {
            hits,
            broke_off: None,
        }
    }

    /// Finds what begins in `starts` and ends in the pieces behind: copies both sides of the seam together.
    fn across(
        &self,
        piece: usize,
        starts: Range<usize>,
        patterns: &Patterns,
        seam: &mut Seam,
        hits: &mut Vec<Found>,
    ) {
        let (base, bytes) = self.pieces[piece];
        let reach = patterns.longest() - 1;
        let from = starts.start.max(bytes.len().saturating_sub(reach));
        let inside = bytes.len() - from;
        seam.bytes.clear();
        seam.bytes.extend_from_slice(&bytes[from..]);
        self.behind(piece, reach, &mut seam.bytes);
        if seam.bytes.len() == inside {
            return;
        }
        let seam_base = base.wrapping_add(from as u64);
        let mut at = 0;
        while at < starts.end - from {
            // No limit: a seam is at most as long as a pattern.
            seam.hits.clear();
            at = patterns.find(
                &seam.bytes,
                seam_base,
                at..starts.end - from,
                usize::MAX,
                &mut seam.hits,
            );
            hits.extend(seam.hits.iter().filter(|hit| {
                let length = patterns
                    .list()
                    .get(hit.pattern as usize)
                    .map_or(0, |pattern| pattern.len());
                hit.address.wrapping_sub(seam_base) as usize + length > inside
            }));
        }
    }

    /// Adds at most `reach` bytes that follow a piece without a gap.
    fn behind(&self, piece: usize, reach: usize, out: &mut Vec<u8>) {
        let full = out.len() + reach;
        let pairs = self.pieces[piece..].windows(2);
        for pair in pairs {
            let ((base, bytes), (next, more)) = (pair[0], pair[1]);
            if base.checked_add(bytes.len() as u64) != Some(next) || out.len() >= full {
                return;
            }
            out.extend_from_slice(&more[..more.len().min(full - out.len())]);
        }
        let more = self.behind.len().min(full - out.len());
        out.extend_from_slice(&self.behind[..more]);
    }
}

/// Room that is used again for every seam of a task.
#[derive(Default)]
struct Seam {
    bytes: Vec<u8>,
    hits: Vec<Found>,
}
