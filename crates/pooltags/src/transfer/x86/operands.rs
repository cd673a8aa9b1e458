//! What operands hold, and where they lie.

use super::{Step, general, is_immediate};
use crate::lattice::{Atom, Cause, How, Value, combine, mask};
use crate::memory::{Address, shifted_sum};
use crate::state::State;
use iced_x86::{Mnemonic, OpKind, Register};

impl Step<'_, '_> {
    /// Bytes of an operand.
    pub(super) fn width(&self, operand: u32) -> u32 {
        match self.insn.op_kind(operand) {
            OpKind::Register => self.insn.op_register(operand).size() as u32,
            OpKind::Memory => self.insn.memory_size().size() as u32,
            _ => 0,
        }
    }

    pub(super) fn read(&self, state: &State, register: Register) -> Value {
        match general(register) {
            Some((number, width)) => {
                state
                    .register(number)
                    .truncate(width, self.pointer(), self.at)
            }
            None => self.unknown(Cause::Computed),
        }
    }

    pub(super) fn write(&self, state: &mut State, register: Register, value: Value) {
        let Some((number, width)) = general(register) else {
            if register.is_gpr() {
                state.set(
                    register.full_register().number() as u8,
                    self.unknown(Cause::Computed),
                );
            }
            return;
        };
        if width >= 4 {
            state.set(number, value.truncate(width, self.pointer(), self.at));
            return;
        }
        let low = value.truncate(width, self.pointer(), self.at);
        let old = state.register(number);
        let merged = combine(&old, &low, self.at, |old, low| {
            Some((old & !mask(width)) | low)
        });
        // movzx follows as a rule: what is above may stay unknown as long as the low part is not asked for alone
        state.set(number, merged);
    }

    /// What an operand holds; immediates are sign-extended to the size of the first operand.
    pub(super) fn operand(&self, state: &State, operand: u32) -> Value {
        match self.insn.op_kind(operand) {
            OpKind::Register => self.read(state, self.insn.op_register(operand)),
            OpKind::Memory => {
                let address = self.address(state);
                self.memory
                    .load(state, &address, self.width(operand), self.signed(), self.at)
            }
            kind if is_immediate(kind) => {
                let number = self.insn.immediate(operand);
                let image = self.memory.image;
                let absolute = if self.abi.pointer == 4 {
                    number & 0xffff_ffff
                } else {
                    number
                };
                match image.rva_of(absolute).filter(|_| self.relocated.0) {
                    Some(rva) => Value::one(Atom::Image(rva), self.at, How::Other),
                    None => self
                        .immediate(number & mask(self.width(0).clamp(1, 8).max(self.push_width()))),
                }
            }
            _ => self.unknown(Cause::Computed),
        }
    }

    pub(super) fn push_width(&self) -> u32 {
        if self.insn.mnemonic() == Mnemonic::Push {
            self.pointer()
        } else {
            0
        }
    }

    pub(super) fn signed(&self) -> bool {
        matches!(self.insn.mnemonic(), Mnemonic::Movsx | Mnemonic::Movsxd)
    }

    /// The address of the memory operand.
    pub(super) fn address(&self, state: &State) -> Address {
        let insn = self.insn;
        if matches!(insn.segment_prefix(), Register::FS | Register::GS) {
            return Address::unknown(Cause::Memory, self.at);
        }
        if insn.is_ip_rel_memory_operand() {
            return match u32::try_from(insn.memory_displacement64()) {
                Ok(rva) => Address::image(rva, self.at),
                Err(_) => Address::unknown(Cause::Memory, self.at),
            };
        }
        let displacement = match self.abi.pointer {
            4 => i64::from(insn.memory_displacement32() as i32),
            _ => insn.memory_displacement64() as i64,
        };
        let absolute = self
            .memory
            .image
            .rva_of(displacement as u64 & mask(self.pointer()));
        let place = absolute
            .filter(|_| self.relocated.1)
            .map(|rva| Value::one(Atom::Image(rva), self.at, How::Other));
        let index =
            (insn.memory_index() != Register::None).then(|| self.read(state, insn.memory_index()));
        let shift = insn.memory_index_scale().trailing_zeros() as u8;
        let mut base = match insn.memory_base() {
            Register::None => None,
            register => Some(self.read(state, register)),
        };
        let mut index = index.map(|index| (index, shift));
        let offset = if place.is_some() { 0 } else { displacement };
        if let Some(place) = place {
            // [eax+table]: the register is the index
            if let (Some(register), None) = (&base, &index) {
                index = Some((register.clone(), 0));
                base = Some(place);
            } else if base.is_none() {
                base = Some(place);
            } else {
                return Address::unknown(Cause::Memory, self.at);
            }
        }
        match (base, index) {
            (Some(base), None) => Address::at_offset(base, offset),
            (None, None) => Address::at_offset(self.immediate(0), offset),
            (base, Some((index, shift))) => {
                let base = base.unwrap_or_else(|| self.immediate(0));
                let sum = shifted_sum(&base, &index, shift, self.at);
                if sum.is_known() {
                    return Address::at_offset(sum, offset);
                }
                // the pointer may stand in the index register
                let pointer = if shift == 0
                    && index.may_be(|a| matches!(a, Atom::Image(_) | Atom::Stack(..)))
                {
                    index
                } else {
                    base
                };
                Address {
                    base: pointer,
                    offset,
                    indexed: true,
                }
            }
        }
    }

    pub(super) fn store(&self, state: &mut State, width: u32, value: &Value) {
        let address = self.address(state);
        self.memory.store(state, &address, width, value, self.at);
    }

    /// Writes the first operand.
    pub(super) fn set_operand(&self, state: &mut State, operand: u32, value: Value) {
        match self.insn.op_kind(operand) {
            OpKind::Register => self.write(state, self.insn.op_register(operand), value),
            OpKind::Memory => {
                let width = self.width(operand);
                self.store(
                    state,
                    width,
                    &value.truncate(width, self.pointer(), self.at),
                );
            }
            _ => {}
        }
    }
}
