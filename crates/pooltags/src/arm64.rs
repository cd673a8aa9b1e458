//! 64-bit ARM: what each instruction does to the state. All instructions have four bytes and say in fixed bits what they
//! write, so those that are not followed can still be trusted to change nothing else.

use super::image::TagImage;
use super::machine::{Abi, Flow, Machine};
use super::memory::{Memory, shifted_sum, stack_addresses};
use super::state::State;
use super::value::{Atom, Cause, Fact, How, Value, combine, mask};

mod decode;
mod transfer;

use decode::{Code, Operand};

/// The stack pointer's number here; in instructions 31 means it or the zero register.
const SP: u8 = 31;
/// The zero register's number here.
const ZR: u8 = 32;

static ABI: Abi = Abi {
    pointer: 8,
    registers: 32,
    stack_pointer: SP,
    arguments: &[0, 1, 2, 3, 4, 5, 6, 7],
    first_on_stack: 0,
    pushed: 0,
    result: 0,
    // x18 is the processor's own block in the kernel
    preserved: &[18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29],
    guarded: 15,
};

/// The processor.
pub(crate) struct Arm64Machine;

impl Machine for Arm64Machine {
    type Code = Code;

    fn abi(&self) -> &'static Abi {
        &ABI
    }

    fn decode(&self, image: &TagImage, rva: u32) -> Option<(Code, u32)> {
        if !rva.is_multiple_of(4) {
            return None;
        }
        let code = decode::decode(image.u32(rva)?, rva);
        (!matches!(code, Code::Undefined)).then_some((code, 4))
    }

    fn flow(&self, code: &Code) -> Flow {
        match *code {
            Code::Jump(target) => Flow::Jump(target),
            Code::Branch(target) => Flow::Branch(target),
            Code::JumpRegister(_) => Flow::JumpIndirect,
            Code::Call(target) => Flow::Call(target),
            Code::CallRegister(_) => Flow::CallIndirect,
            Code::Return => Flow::Return,
            Code::Stop => Flow::Stop,
            _ => Flow::Next,
        }
    }

    fn step(&self, code: &Code, rva: u32, state: &mut State, memory: &Memory<'_>) {
        Step { at: rva, memory }.apply(code, state);
        if !matches!(state.register(SP).only(), Some(Atom::Stack(..))) {
            state.new_anchor(SP, rva);
        }
    }

    fn target(&self, code: &Code, rva: u32, state: &State, _: &Memory<'_>) -> Value {
        match *code {
            Code::JumpRegister(register) | Code::CallRegister(register) => state.register(register),
            _ => Value::unknown(Cause::Computed, rva),
        }
    }

    fn names(&self, _: &Code, _: &TagImage) -> Option<u32> {
        None
    }

    fn bound(&self, image: &TagImage, compare: u32, branch: u32) -> Option<u64> {
        let (compare, branch) = (image.u32(compare)?, image.u32(branch)?);
        // cmp or subs register, #immediate
        if compare & 0x7f80_0000 != 0x7100_0000 {
            return None;
        }
        let shift = if compare >> 22 & 1 == 1 { 12 } else { 0 };
        let limit = u64::from(compare >> 10 & 0xfff) << shift;
        match branch & 0xff00_001f {
            // b.hi, b.hs
            0x5400_0008 => Some(limit),
            0x5400_0002 => limit.checked_sub(1),
            _ => None,
        }
    }

    fn popped(&self, code: &Code) -> Option<u32> {
        matches!(code, Code::Return).then_some(0)
    }

    fn follows_stack_probe(&self, code: &Code) -> bool {
        // sub sp, sp, x15, lsl #4
        matches!(
            code,
            Code::Add {
                to: SP,
                from: SP,
                operand: Operand::Register(15, _),
                subtract: true,
                ..
            }
        )
    }
}

/// One instruction on its way through a state.
struct Step<'a, 'm> {
    at: u32,
    memory: &'a Memory<'m>,
}

impl Step<'_, '_> {
    fn read(&self, state: &State, register: u8, width: u32) -> Value {
        match register {
            ZR => Value::immediate(0, self.at),
            _ => state.register(register).truncate(width, 8, self.at),
        }
    }

    fn write(&self, state: &mut State, register: u8, width: u32, value: Value) {
        if register != ZR {
            state.set(register, value.truncate(width, 8, self.at));
        }
    }

    fn forget(&self, state: &mut State, register: u8) {
        self.write(state, register, 8, Value::unknown(Cause::Computed, self.at));
    }

    fn operand(&self, state: &State, operand: Operand, width: u32) -> Value {
        match operand {
            Operand::Immediate(number) => Value::immediate(number & mask(width), self.at),
            Operand::Register(register, shift) => {
                let value = self.read(state, register, width);
                match shift {
                    decode::Shift::Left(0) => value,
                    decode::Shift::Left(n) => self.unary(&value, |x| {
                        x.checked_shl(n.into()).unwrap_or(0) & mask(width)
                    }),
                    decode::Shift::Right(n) => {
                        self.unary(&value, |x| x.checked_shr(n.into()).unwrap_or(0))
                    }
                    decode::Shift::Signed(n) => self.unary(&value, |x| shift_signed(x, width, n)),
                    decode::Shift::Rotate(n) => self.unary(&value, |x| rotate(x, width, n)),
                }
            }
            Operand::Extended(register, from, signed, shift) => {
                let value = self.read(state, register, 8);
                let extended = self.extend(&value, from, signed);
                self.unary_or_keep(&extended, shift, |x| x.wrapping_shl(shift.into()))
            }
        }
    }

    fn unary(&self, value: &Value, operation: impl Fn(u64) -> u64) -> Value {
        combine(value, &Value::immediate(0, self.at), self.at, |x, _| {
            Some(operation(x))
        })
    }

    fn unary_or_keep(&self, value: &Value, shift: u8, operation: impl Fn(u64) -> u64) -> Value {
        if shift == 0 {
            value.clone()
        } else {
            self.unary(value, operation)
        }
    }

    /// The low `from` bytes, extended to 64 bits.
    fn extend(&self, value: &Value, from: u32, signed: bool) -> Value {
        if !signed {
            return value.truncate(from, 8, self.at);
        }
        value.map(self.at, |fact| {
            let atom = match fact.atom {
                Atom::Const(n) => Atom::Const(sign_extend(n, from)),
                Atom::Entries(table, width, _) if u32::from(width) == from => {
                    Atom::Entries(table, width, true)
                }
                _ => return None,
            };
            Some(Fact { atom, ..fact })
        })
    }
}

fn sign_extend(value: u64, width: u32) -> u64 {
    let unused = 64 - 8 * width.clamp(1, 8);
    (((value << unused) as i64) >> unused) as u64
}

fn shift_signed(x: u64, width: u32, n: u8) -> u64 {
    ((sign_extend(x, width) as i64) >> n.min(63)) as u64 & mask(width)
}

fn rotate(x: u64, width: u32, n: u8) -> u64 {
    match width {
        4 => u64::from((x as u32).rotate_right(n.into())),
        _ => x.rotate_right(n.into()),
    }
}
