//! One piece after the other, for searches that carry something along: strings, regular expressions.

use super::coverage::Coverage;
use super::hits::Span;
use super::source::Source;
use crate::error::Result;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that are handed over at once.
const BLOCK: usize = 0x1_0000;

/// A part of a piece, at most [`BLOCK`] bytes.
pub(super) struct Block<'a> {
    pub address: u64,
    pub bytes: &'a [u8],
    /// Whether the block before ends where this one begins.
    pub follows: bool,
}

/// Hands over what there is of a span, in order; `false` when the flag stopped it.
pub(super) fn walk(
    source: &Source,
    span: Span,
    stop: &AtomicBool,
    coverage: &mut Coverage,
    mut take: impl FnMut(Block<'_>) -> Result<()>,
) -> Result<bool> {
    let Some(last) = span.last() else {
        return Ok(true);
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
                return Ok(false);
            }
            take(Block {
                address,
                bytes,
                follows,
            })?;
            coverage.read += bytes.len() as u64;
            follows = true;
        }
        next = va.checked_add(bytes.len() as u64);
        if coverage.read > source.most() {
            coverage.gave_up = true;
            return Ok(true);
        }
    }
    if let Some(hole) = next.filter(|next| *next <= last) {
        // The pieces end early then.
        if stop.load(Ordering::Relaxed) {
            coverage.stopped_at = Some(source.name(hole));
            return Ok(false);
        }
        coverage.hole(source, hole, last, stop);
    }
    Ok(true)
}
