//! Jumps to where a register or memory says: tables of switches, and calls in place of a return.

use super::{Call, Fixpoint, GaveUp};

use crate::lattice::{Atom, Value};
use crate::state::State;
use crate::transfer;
use rkd_dump::addr::Virt;

/// Entries of a jump table that are followed.
const MAX_ENTRIES: u32 = 1024;
/// Instructions between a jump through a table and the comparison that guards it.
const MAX_TO_BOUND: usize = 24;

impl Fixpoint<'_, '_> {
    pub(super) fn jump_indirect(
        &mut self,
        at: u32,
        target: &Value,
        state: &State,
        visitor: &mut Option<&mut dyn FnMut(&Call<'_>)>,
    ) {
        let mut outside = false;
        let mut unknown = !target.is_known();
        let entries = self.bound_before(at);
        for fact in target.facts() {
            let places = match fact.atom {
                Atom::TableTarget(table, width, signed, shift, base) => {
                    self.table((table, entries), width, signed, shift, Some(base))
                }
                Atom::TableEntry(table, width, signed) => {
                    self.table((table, entries), width, signed, 0, None)
                }
                Atom::Image(rva) if self.bounds.keeps(Virt(rva.into())).is_some() => vec![rva],
                Atom::Image(_)
                | Atom::Slot(_)
                | Atom::Guard(_)
                | Atom::WdfFunction(_)
                | Atom::Named(_)
                | Atom::Global(..) => {
                    outside = true;
                    continue;
                }
                _ => Vec::new(),
            };
            unknown |= places.is_empty();
            if visitor.is_none() {
                for place in places {
                    self.propagate(place, state);
                }
            }
        }
        if let (true, Some(visit)) = (outside, visitor.as_mut()) {
            let callees = self.callees.all(target, state);
            let loads: Vec<u32> = target.facts().iter().map(|f| f.at).collect();
            visit(&Call {
                at,
                callees: &callees,
                tail: true,
                state,
                loads: &loads,
            });
        }
        if unknown && visitor.is_none() {
            // the stack is as at a return: a jump to another function, which a register or object names
            let stack = state.register(self.abi().stack_pointer).only();
            let tail = stack == Some(Atom::Stack(0, 0)) && self.bounds.pieces.len() == 1;
            if !tail {
                self.give_up(GaveUp::Jump(at));
                match &mut self.lost {
                    Some(lost) => {
                        lost.join(state);
                    }
                    None => self.lost = Some(state.clone()),
                }
            }
        }
    }

    /// Entries of the table that the jump here goes through, as far as a comparison shortly before it tells.
    pub(super) fn bound_before(&self, jump: u32) -> u32 {
        let previous = |at: u32| self.instruction_at(at.checked_sub(1)?);
        let mut branch = previous(jump);
        for _ in 0..MAX_TO_BOUND {
            let Some(code) = branch else { break };
            let compare = previous(transfer::rva(code));
            let bound = compare.and_then(|compare| transfer::bound(compare, code));
            if let Some(largest) = bound {
                return u32::try_from(largest)
                    .map_or(MAX_ENTRIES, |n| n.saturating_add(1).min(MAX_ENTRIES));
            }
            branch = compare;
        }
        MAX_ENTRIES
    }

    /// The places in this function that a jump table names: where it begins, and how many entries it can have.
    pub(super) fn table(
        &self,
        (table, entries): (u32, u32),
        width: u8,
        signed: bool,
        shift: u8,
        base: Option<u32>,
    ) -> Vec<u32> {
        let image = self.memory.image;
        let mut places = Vec::new();
        let width = u32::from(width);
        for i in 0..entries {
            let Some(at) = table.checked_add(i * width) else {
                break;
            };
            let mut bytes = [0u8; 8];
            let there = image.slice(at, width);
            match bytes.get_mut(..there.len()) {
                Some(part) if there.len() == width as usize && width > 0 => {
                    part.copy_from_slice(there)
                }
                _ => break,
            }
            let raw = u64::from_le_bytes(bytes);
            let entry = if signed && width < 8 {
                let unused = 64 - 8 * width;
                ((raw << unused) as i64) >> unused
            } else {
                raw as i64
            };
            let target = match base {
                Some(base) => {
                    let sum = i64::from(base).wrapping_add(entry.wrapping_shl(u32::from(shift)));
                    // entries of four bytes wrap in a 32-bit register
                    if width == 4 && !signed {
                        Some(sum as u32)
                    } else {
                        u32::try_from(sum).ok()
                    }
                }
                None => image.rva_of(raw),
            };
            match target.filter(|&t| self.bounds.contains(t) && image.has(t)) {
                Some(target) => places.push(target),
                None => break,
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }
}
