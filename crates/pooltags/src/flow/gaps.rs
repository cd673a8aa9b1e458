//! Pieces of a function that no known way leads to.

use super::{GaveUp, Walk};
use crate::machine::{Flow, Machine};

/// Pieces of a function without a known way to them that are entered anyway.
const MAX_GAPS: usize = 512;

impl<M: Machine> Walk<'_, '_, M> {
    /// Enters the pieces that nothing led to, as long as one of `wanted` lies in them: exception handlers, above all.
    pub(crate) fn reach(&mut self, wanted: &[u32]) {
        if wanted
            .iter()
            .any(|&byte| self.instruction_at(byte).is_none())
        {
            self.enter_gaps(Some(wanted));
        }
    }

    /// Enters pieces that no way leads to: where a jump was lost, with what was known there; for exception handlers, with
    /// nothing.
    pub(super) fn enter_gaps(&mut self, wanted: Option<&[u32]>) {
        for _ in 0..MAX_GAPS {
            let Some(gap) = self.next_gap(wanted) else {
                return;
            };
            let state = match &self.lost {
                Some(state) if wanted.is_none() => state.clone(),
                _ => self.machine.abi().anywhere(gap),
            };
            self.arrive(gap, &state);
            self.settle();
            if self.gave_up == Some(GaveUp::TooLong) {
                return;
            }
        }
    }

    /// The first byte that was not run and begins an instruction that leads on.
    pub(super) fn next_gap(&self, wanted: Option<&[u32]>) -> Option<u32> {
        let mut starts: Vec<u32> = self.index.keys().copied().collect();
        starts.sort_unstable();
        for &(begin, end) in &self.function.pieces {
            let end = self
                .function
                .others
                .first()
                .copied()
                .unwrap_or(end)
                .min(end);
            let mut at = begin;
            while at < end {
                if let Some(&i) = self.index.get(&at) {
                    at = at.saturating_add(
                        self.instructions
                            .get(i as usize)
                            .map_or(1, |i| i.length.max(1)),
                    );
                    continue;
                }
                let next = starts
                    .get(starts.partition_point(|&s| s <= at))
                    .copied()
                    .unwrap_or(end)
                    .min(end);
                if wanted.is_some_and(|wanted| !wanted.iter().any(|&w| w >= at && w < next)) {
                    at = next;
                    continue;
                }
                match self.machine.decode(self.memory.image, at) {
                    Some((code, _)) if self.machine.flow(&code) != Flow::Stop => return Some(at),
                    _ => at += if self.machine.abi().pushed == 0 { 4 } else { 1 },
                }
            }
        }
        None
    }
}
