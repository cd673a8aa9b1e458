//! `rep stos` and `rep movs`: how compilers fill and copy structures on the stack.

use super::Step;
use crate::lattice::{Atom, Cause};
use crate::memory::{Address, add, copy, stack_addresses};
use crate::state::State;
use iced_x86::Mnemonic;

const ACCUMULATOR: u8 = 0;
const COUNT: u8 = 1;
const SOURCE: u8 = 6;
const DESTINATION: u8 = 7;

/// Bytes of a copy that are followed one by one.
const MAX_COPY: u64 = 512;

impl Step<'_, '_> {
    /// Applies the instruction if it fills or copies.
    pub(super) fn string(&self, state: &mut State) -> bool {
        let (unit, copies) = match self.insn.mnemonic() {
            Mnemonic::Stosb => (1, false),
            Mnemonic::Stosw => (2, false),
            Mnemonic::Stosd => (4, false),
            Mnemonic::Stosq => (8, false),
            Mnemonic::Movsb => (1, true),
            Mnemonic::Movsw => (2, true),
            // the vector instruction of the same name was met before
            Mnemonic::Movsd => (4, true),
            Mnemonic::Movsq => (8, true),
            _ => return false,
        };
        let repeated = self.insn.has_rep_prefix() || self.insn.has_repne_prefix();
        let count = if repeated {
            state.register(COUNT).constant()
        } else {
            Some(1)
        };
        let bytes = count.and_then(|n| n.checked_mul(unit));
        let to = state.register(DESTINATION);
        let from = state.register(SOURCE);
        match (to.only(), bytes) {
            (Some(Atom::Stack(anchor, offset)), Some(bytes)) if copies && bytes <= MAX_COPY => {
                copy(
                    self.memory,
                    state,
                    (anchor, offset),
                    &Address::at_offset(from.clone(), 0),
                    bytes as u32,
                    self.at,
                );
            }
            (Some(Atom::Stack(anchor, offset)), Some(bytes))
                if !copies && bytes <= i32::MAX as u64 =>
            {
                let value =
                    state
                        .register(ACCUMULATOR)
                        .truncate(unit as u32, self.pointer(), self.at);
                match value.constant() {
                    Some(0) => state.fill(anchor, offset, bytes as u32, value),
                    Some(_) if unit == 1 => state.fill(anchor, offset, bytes as u32, value),
                    _ if count == Some(1) => state.store(anchor, offset, unit as u32, value),
                    _ => state.fill(anchor, offset, bytes as u32, self.unknown(Cause::Computed)),
                }
            }
            _ => {
                state.store_anywhere(self.at);
                state.escape(&stack_addresses(&to), self.at);
            }
        }
        let advance = bytes.map(|b| self.immediate(b));
        let unknown = self.unknown(Cause::Computed);
        let moved = |value| {
            advance
                .as_ref()
                .map_or(unknown.clone(), |by| add(&value, by, self.at))
        };
        state.set(DESTINATION, moved(to));
        if copies {
            state.set(SOURCE, moved(from));
        }
        if repeated {
            state.set(COUNT, self.immediate(0));
        }
        true
    }
}
