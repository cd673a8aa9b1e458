//! One piece after the other, for searches that carry something along: strings, regular expressions.

use super::coverage::Coverage;
use super::source::Source;
use super::span::Span;
use rkd_dump::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that are handed over at once.
const BLOCK: usize = 0x1_0000;

/// What such a search is given, in order.
pub(super) enum Step<'a> {
    /// A part of a piece, at most [`BLOCK`] bytes.
    Block {
        address: u64,
        bytes: &'a [u8],
        /// Whether the block before ends where this one begins.
        follows: bool,
    },
    /// The end of a span, or of the search.
    End,
}

/// Hands over what there is of the spans. The flag ends it, and so does a step that answers [`Error::Stopped`]: what was found
/// until then is worth an account, which says where that was.
pub(super) fn walk(
    source: &Source,
    spans: &[Span],
    stop: &AtomicBool,
    mut take: impl FnMut(Step<'_>) -> Result<()>,
) -> Result<Coverage> {
    let mut all = Coverage::default();
    for span in spans {
        let mut coverage = Coverage::of(*span);
        if all.stopped_at.is_some() {
            // What was not begun was asked for all the same.
            all = all.plus(&coverage);
            continue;
        }
        let ended =
            walk_span(source, *span, stop, &mut coverage, &mut take).and_then(|()| take(Step::End));
        match ended {
            Ok(()) => {}
            Err(Error::Stopped) => {
                let last = span.last().unwrap_or(span.start);
                coverage.stopped_at.get_or_insert(source.name(last));
            }
            Err(error) => return Err(error),
        }
        all = all.plus(&coverage);
    }
    Ok(all)
}

fn walk_span(
    source: &Source,
    span: Span,
    stop: &AtomicBool,
    coverage: &mut Coverage,
    take: &mut impl FnMut(Step<'_>) -> Result<()>,
) -> Result<()> {
    let Some(last) = span.last() else {
        return Ok(());
    };
    let mut next = Some(span.start);
    let mut follows = false;
    for (va, bytes) in source.pieces(span.start, span.len, stop) {
        if let Some(hole) = next.filter(|next| *next < va) {
            coverage.hole(source, hole, va - 1, stop);
            follows = false;
        }
        for (number, bytes) in bytes.chunks(BLOCK).enumerate() {
            let address = va.wrapping_add((number * BLOCK) as u64);
            if stop.load(Ordering::Relaxed) {
                coverage.stopped_at = Some(source.name(address));
                return Ok(());
            }
            let block = Step::Block {
                address,
                bytes,
                follows,
            };
            take(block).inspect_err(|_| coverage.stopped_at = Some(source.name(address)))?;
            coverage.read += bytes.len() as u64;
            follows = true;
        }
        next = va.checked_add(bytes.len() as u64);
        if coverage.read > source.max_span_bytes() {
            coverage.gave_up = true;
            return Ok(());
        }
    }
    if let Some(hole) = next.filter(|next| *next <= last) {
        // The pieces end early then.
        if stop.load(Ordering::Relaxed) {
            coverage.stopped_at = Some(source.name(hole));
        } else {
            coverage.hole(source, hole, last, stop);
        }
    }
    Ok(())
}
