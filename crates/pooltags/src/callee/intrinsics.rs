//! Functions that fill and copy memory, and those that find others by their names.

use super::Callees;
use crate::api;
use crate::lattice::{Atom, Cause, Value};
use crate::memory::{Address, Memory, copy};
use crate::state::State;

/// Bytes of a fill or copy that are followed.
const MAX_FILL: u64 = 1 << 16;
const MAX_COPY: u64 = 512;

impl Callees<'_> {
    /// A `memset` that was linked in: it multiplies its byte by 0101010101010101h, or spreads it over a vector (ARM64).
    pub(super) fn is_fill(&self, rva: u32) -> bool {
        if let Some(&known) = self.fills.borrow().get(&rva) {
            return known;
        }
        let bytes = self.image.slice(rva, 0x80);
        let has = |needle: &[u8]| memchr::memmem::find(bytes, needle).is_some();
        let found = match self.abi().pushed {
            8 => has(&[1; 8]) && has(&[0x0f, 0xaf]),
            0 => bytes
                .chunks_exact(4)
                .take(4)
                .any(|word| word == 0x4e01_0c20u32.to_le_bytes()),
            _ => false,
        };
        self.fills.borrow_mut().insert(rva, found);
        found
    }

    pub(super) fn fill(
        &self,
        state: &mut State,
        to: u8,
        byte: Option<u8>,
        length: u8,
        at: u32,
    ) -> bool {
        let value = byte.map_or(Value::immediate(0, at), |n| {
            self.argument(state, n).truncate(1, self.abi().pointer, at)
        });
        let length = self
            .argument(state, length)
            .constant()
            .filter(|&n| n <= MAX_FILL);
        match (self.argument(state, to).only(), length) {
            (Some(Atom::Stack(anchor, offset)), Some(length)) => {
                state.fill(anchor, offset, length as u32, value);
                true
            }
            (Some(Atom::Image(_)), _) => true,
            _ => false,
        }
    }

    pub(super) fn copy(&self, state: &mut State, memory: &Memory<'_>, at: u32) -> bool {
        let from = Address::at_offset(self.argument(state, 1), 0);
        let length = self
            .argument(state, 2)
            .constant()
            .filter(|&n| n <= MAX_COPY);
        match (self.argument(state, 0).only(), length) {
            (Some(Atom::Stack(anchor, offset)), Some(length)) => {
                copy(memory, state, (anchor, offset), &from, length as u32, at);
                true
            }
            _ => false,
        }
    }

    /// `RtlInitUnicodeString(&string, text)`: the buffer is the second field.
    pub(super) fn name_a_string(&self, state: &mut State) -> bool {
        let text = self.argument(state, 1);
        match self.argument(state, 0).only() {
            Some(Atom::Stack(anchor, offset)) => {
                let pointer = self.abi().pointer;
                state.store(anchor, offset, pointer, Value::unknown(Cause::Call, 0));
                state.store(anchor, offset.wrapping_add(pointer as i32), pointer, text);
                true
            }
            _ => false,
        }
    }

    /// The interface whose name lies in the UNICODE_STRING that the first argument points to.
    pub(super) fn routine_name(&self, state: &State, memory: &Memory<'_>) -> Option<u16> {
        let pointer = self.abi().pointer;
        let buffer = Address::at_offset(self.argument(state, 0), i64::from(pointer));
        let text = match memory.load(state, &buffer, pointer, false, 0).only()? {
            Atom::Image(text) => text,
            // a UNICODE_STRING in a writable section that the compiler filled in
            Atom::Global(rva, _) => match memory.constant(rva, pointer)?.only()? {
                Atom::Image(text) => text,
                _ => return None,
            },
            _ => return None,
        };
        let units = self.image.slice(text, 128).chunks_exact(2);
        let units = units
            .map(|u| u16::from_le_bytes([u[0], u[1]]))
            .take_while(|&u| u != 0);
        let name: String = char::decode_utf16(units)
            .map(|c| c.unwrap_or('\u{fffd}'))
            .collect();
        api::by_name(&name)
    }
}
