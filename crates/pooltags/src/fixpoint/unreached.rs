//! Pieces of a function that no known way leads to.

use super::{Fixpoint, GaveUp};
use crate::transfer;
use rkd_code::Flow;
use rkd_dump::addr::Virt;

/// Pieces of a function without a known way to them that are entered anyway.
const MAX_UNREACHED: usize = 512;

impl Fixpoint<'_, '_> {
    /// Enters the pieces that nothing led to, as long as one of `wanted` lies in them: exception handlers, above all.
    pub(crate) fn reach(&mut self, wanted: &[u32]) {
        if wanted
            .iter()
            .any(|&byte| self.instruction_at(byte).is_none())
        {
            self.enter_unreached(Some(wanted));
        }
    }

    /// Enters pieces that no way leads to: where a jump was lost, with what was known there; for exception handlers, with
    /// nothing.
    pub(super) fn enter_unreached(&mut self, wanted: Option<&[u32]>) {
        for _ in 0..MAX_UNREACHED {
            let Some(gap) = self.next_unreached(wanted) else {
                return;
            };
            let state = match &self.lost {
                Some(state) if wanted.is_none() => state.clone(),
                _ => self.abi().anywhere(gap),
            };
            self.propagate(gap, &state);
            self.iterate();
            if self.gave_up == Some(GaveUp::TooLong) {
                return;
            }
        }
    }

    /// The first byte that was not run and begins an instruction that leads on.
    pub(super) fn next_unreached(&self, wanted: Option<&[u32]>) -> Option<u32> {
        let image = self.memory.image;
        let alignment = image.machine.alignment();
        for &(begin, end) in &self.bounds.pieces {
            let other = self.bounds.others.first().copied();
            let end = other.unwrap_or(end).min(end);
            let mut at = begin;
            while at < end {
                let mut known = self.code.instructions.range(Virt(at.into())..);
                let next = match known.next() {
                    Some((start, code)) if start.0 == u64::from(at) => {
                        at = at.saturating_add(code.length().max(1));
                        continue;
                    }
                    Some((start, _)) => u32::try_from(start.0).unwrap_or(end).min(end),
                    None => end,
                };
                if wanted.is_some_and(|wanted| !wanted.iter().any(|&w| w >= at && w < next)) {
                    at = next;
                    continue;
                }
                match transfer::decode(image, at) {
                    Some(code) if code.flow != Flow::Stop => return Some(at),
                    _ => at += alignment,
                }
            }
        }
        None
    }
}
