//! The sentence about a file that was cut short: how much is gone, and which pages.

use crate::physical::Run;

/// What is lost. `ranges` are the first and last frames of the missing pages, as many as the caller likes to name.
pub(crate) fn note(bytes: u64, missing: u64, total: u64, ranges: &[(u64, u64)]) -> String {
    const NAMED: usize = 4;
    let mut frames: Vec<String> = ranges
        .iter()
        .take(NAMED)
        .map(|(first, last)| {
            if first == last {
                format!("{first:x}")
            } else {
                format!("{first:x} to {last:x}")
            }
        })
        .collect();
    if ranges.len() > NAMED {
        frames.push(format!("{} ranges more", ranges.len() - NAMED));
    }
    format!(
        "the file is cut short by {bytes} bytes: {missing} of its {total} pages are missing (page frames {})",
        frames.join(", ")
    )
}

/// The part of a run that the file holds, and the frames that it lacks.
pub(crate) fn split(run: Run, len: u64) -> (Option<Run>, Option<(u64, u64)>) {
    let present = (len.saturating_sub(run.offset) / crate::addr::PAGE_SIZE).min(run.pages);
    let here = (present > 0).then_some(Run {
        pages: present,
        ..run
    });
    let gone = (present < run.pages).then(|| (run.first.0 + present, run.first.0 + run.pages - 1));
    (here, gone)
}
