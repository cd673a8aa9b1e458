//! Functions that only jump on, and are nobody's caller.

use super::{Callees, Thunk};
use crate::lattice::{Atom, How, Location, Value};
use crate::memory::Memory;
use crate::state::State;
use crate::transfer;
use rkd_code::Flow;
use rkd_dump::addr::Virt;

/// Instructions of a function that does nothing but jump on.
const MAX_THUNK: usize = 5;

impl Callees<'_> {
    /// Whether the function only jumps on, and so is nobody's caller.
    pub(crate) fn is_thunk(&self, rva: u32) -> bool {
        !matches!(self.thunk(rva), Thunk::No)
    }

    pub(super) fn thunk(&self, rva: u32) -> Thunk {
        if let Some(&known) = self.thunks.borrow().get(&rva) {
            return known;
        }
        let found = self.find_thunk(rva).unwrap_or(Thunk::No);
        self.thunks.borrow_mut().insert(rva, found);
        found
    }

    /// Runs the first instructions of a function: it is a thunk if it jumps and has changed no argument.
    pub(super) fn find_thunk(&self, rva: u32) -> Option<Thunk> {
        let memory = Memory::new(self.image);
        let mut state = self.abi().entry();
        let untouched = |state: &State| {
            let same =
                |r: &u8| state.register(*r).only() == Some(Atom::Initial(Location::Register(*r)));
            self.abi().arguments.iter().all(same)
                && state.register(self.abi().stack_pointer).only() == Some(Atom::Stack(0, 0))
                && state.pristine
        };
        let mut at = rva;
        for count in 0..MAX_THUNK {
            let code = transfer::decode(self.image, at)?;
            match code.flow {
                Flow::Next => transfer::apply(&code, &mut state, &memory),
                Flow::Jump(target) if untouched(&state) => {
                    let target = u32::try_from(target.0).ok().filter(|&t| t != rva)?;
                    return Some(Thunk::To(Atom::Image(target)));
                }
                Flow::JumpIndirect if untouched(&state) => {
                    return match transfer::target(&code, &state, &memory).only()? {
                        Atom::Initial(Location::Register(register)) => {
                            Some(Thunk::Register(register))
                        }
                        atom @ (Atom::Slot(_)
                        | Atom::Guard(true)
                        | Atom::Image(_)
                        | Atom::Global(..)) => Some(Thunk::To(atom)),
                        _ => None,
                    };
                }
                Flow::Call(target) if count == 0 => return self.retpoline(at, target, &memory),
                _ => return None,
            }
            at = u32::try_from(code.end().0).ok()?;
        }
        None
    }

    /// `call over; pause; jmp; over: mov [rsp], r11; ret`: jumps to r11 without an indirect jump.
    pub(super) fn retpoline(&self, at: u32, over: Virt, memory: &Memory<'_>) -> Option<Thunk> {
        let over = u32::try_from(over.0)
            .ok()
            .filter(|o| o.wrapping_sub(at) <= 0x20)?;
        let mut state = self.abi().entry();
        let below = -self.abi().pushed;
        state.set(
            self.abi().stack_pointer,
            Value::one(Atom::Stack(0, below), at, How::Other),
        );
        let code = transfer::decode(self.image, over)?;
        transfer::apply(&code, &mut state, memory);
        let next = transfer::decode(self.image, over.checked_add(code.length())?)?;
        if next.flow != Flow::Return {
            return None;
        }
        match state.load(0, below, self.abi().pointer, at).only()? {
            Atom::Initial(Location::Register(register)) => Some(Thunk::Register(register)),
            _ => None,
        }
    }
}
