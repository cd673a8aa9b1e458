//! The integer instructions.

use super::Step;
use crate::lattice::{Atom, Cause, Fact, How, Value, Why, combine, mask};
use crate::memory::{add, stack_addresses};
use crate::state::State;
use iced_x86::{ConditionCode, Mnemonic, OpKind, Register};

fn sign_extend(value: u64, width: u32) -> u64 {
    match width {
        1 => value as i8 as u64,
        2 => value as i16 as u64,
        4 => value as i32 as u64,
        _ => value,
    }
}

impl Step<'_, '_> {
    /// Applies the instruction if it is one of those that are followed.
    pub(super) fn integer(&self, state: &mut State) -> bool {
        let insn = self.insn;
        let same = insn.op_count() == 2
            && insn.op0_kind() == OpKind::Register
            && insn.op1_kind() == OpKind::Register
            && insn.op0_register() == insn.op1_register();
        let width = self.width(0);
        match insn.mnemonic() {
            Mnemonic::Cmp
            | Mnemonic::Test
            | Mnemonic::Nop
            | Mnemonic::Bt
            | Mnemonic::Endbr64
            | Mnemonic::Endbr32 => {}
            Mnemonic::Mov => {
                // moves to segment and control registers have no general operand
                let value = self.operand(state, 1);
                self.set_operand(state, 0, value);
            }
            Mnemonic::Movzx => {
                let value = self.zero_extended(state);
                self.set_operand(state, 0, value);
            }
            Mnemonic::Movsx | Mnemonic::Movsxd => {
                let from = self.width(1);
                let value = self.operand(state, 1).map(self.at, |fact| match fact.atom {
                    Atom::Const(n) => Some(Fact {
                        atom: Atom::Const(sign_extend(n, from)),
                        ..fact
                    }),
                    Atom::TableEntry(table, width, _) => Some(Fact {
                        atom: Atom::TableEntry(table, width, true),
                        ..fact
                    }),
                    _ => None,
                });
                self.set_operand(state, 0, value);
            }
            Mnemonic::Lea => self.lea(state),
            Mnemonic::Xor | Mnemonic::Sub if same => self.set_operand(state, 0, self.immediate(0)),
            // 0 or -1, by the carry
            Mnemonic::Sbb if same => {
                let both = [0, mask(width)].map(|n| Fact {
                    atom: Atom::Const(n),
                    at: self.at,
                    with: None,
                    how: How::Immediate,
                });
                self.set_operand(state, 0, Value::of(both, None));
            }
            Mnemonic::Add => self.address_arithmetic(state, add),
            Mnemonic::Sub => self.address_arithmetic(state, subtract),
            Mnemonic::And => self.binary(state, |width, a, b, at| {
                if a.constant() == Some(0) || b.constant() == Some(0) {
                    return Value::immediate(0, at);
                }
                // masking all bits of a value changes nothing
                if b.constant() == Some(mask(width)) {
                    return a.clone();
                }
                combine(a, b, at, |x, y| Some(x & y))
            }),
            Mnemonic::Or => self.binary(state, |width, a, b, at| match b.constant() {
                Some(n) if n == mask(width) => Value::immediate(n, at),
                Some(0) => a.clone(),
                _ => combine(a, b, at, |x, y| Some(x | y)),
            }),
            Mnemonic::Xor => {
                self.binary(state, |_, a, b, at| combine(a, b, at, |x, y| Some(x ^ y)))
            }
            Mnemonic::Shl => {
                self.shift(state, |width, x, n| if n < 8 * width { x << n } else { 0 })
            }
            Mnemonic::Shr => {
                self.shift(state, |width, x, n| if n < 8 * width { x >> n } else { 0 })
            }
            Mnemonic::Sar => self.shift(state, |width, x, n| {
                (sign_extend(x, width) as i64 >> n.min(63)) as u64
            }),
            Mnemonic::Rol => self.shift(state, rotate),
            Mnemonic::Ror => self.shift(state, |width, x, n| {
                rotate(width, x, (8 * width).wrapping_sub(n % (8 * width)))
            }),
            Mnemonic::Bts => self.bit(state, |x, bit| x | bit),
            Mnemonic::Btr => self.bit(state, |x, bit| x & !bit),
            Mnemonic::Btc => self.bit(state, |x, bit| x ^ bit),
            Mnemonic::Imul if insn.op_count() > 1 => {
                let (a, b) = (insn.op_count() - 2, insn.op_count() - 1);
                let (a, b) = (self.operand(state, a), self.operand(state, b));
                let product = combine(&a, &b, self.at, |x, y| Some(x.wrapping_mul(y)));
                self.set_operand(state, 0, product);
            }
            Mnemonic::Inc => self.unary(state, |x| x.wrapping_add(1)),
            Mnemonic::Dec => self.unary(state, |x| x.wrapping_sub(1)),
            Mnemonic::Neg => self.unary(state, u64::wrapping_neg),
            Mnemonic::Not => self.unary(state, |x| !x),
            Mnemonic::Bswap => self.unary(state, |x| match width {
                8 => x.swap_bytes(),
                _ => u64::from((x as u32).swap_bytes()),
            }),
            Mnemonic::Cdqe | Mnemonic::Cwde => {
                let (from, to, width) = match insn.mnemonic() {
                    Mnemonic::Cdqe => (Register::EAX, Register::RAX, 4),
                    _ => (Register::AX, Register::EAX, 2),
                };
                let value = combine(
                    &self.read(state, from),
                    &self.immediate(0),
                    self.at,
                    |x, _| Some(sign_extend(x, width)),
                );
                self.write(state, to, value);
            }
            Mnemonic::Xchg => {
                let (a, b) = (self.operand(state, 0), self.operand(state, 1));
                self.set_operand(state, 0, b);
                self.set_operand(state, 1, a);
            }
            Mnemonic::Push => {
                let value = self.operand(state, 0);
                self.push(state, value);
            }
            Mnemonic::Pop => {
                let value = self.pop(state);
                self.set_operand(state, 0, value);
            }
            Mnemonic::Leave => {
                let frame = state.register(5);
                state.set(self.abi.stack_pointer, frame);
                let value = self.pop(state);
                state.set(5, value);
            }
            _ if insn.condition_code() != ConditionCode::None => return self.conditional(state),
            _ => return false,
        }
        true
    }

    fn conditional(&self, state: &mut State) -> bool {
        let name = self.insn.mnemonic();
        if (Mnemonic::Cmova..=Mnemonic::Cmovs).contains(&name) {
            let mut value = self.operand(state, 0);
            value.join(&self.operand(state, 1));
            self.set_operand(state, 0, value);
            return true;
        }
        if (Mnemonic::Seta..=Mnemonic::Sets).contains(&name) {
            let both = [0, 1].map(|n| Fact {
                atom: Atom::Const(n),
                at: self.at,
                with: None,
                how: How::Immediate,
            });
            self.set_operand(state, 0, Value::of(both, None));
            return true;
        }
        // jcc and loop write nothing that matters but RCX
        false
    }

    fn zero_extended(&self, state: &State) -> Value {
        let from = self.width(1);
        let register = self.insn.op1_register();
        // the low byte of a register may be known although the rest is not
        if self.insn.op1_kind() == OpKind::Register && super::general(register).is_none() {
            return self.unknown(Cause::Computed);
        }
        self.operand(state, 1)
            .truncate(from, self.pointer(), self.at)
    }

    fn lea(&self, state: &mut State) {
        let address = self.address(state);
        let value = address.value(self.at);
        self.watch(state, &[&address.base], &value);
        // a pointer in half a register is no pointer
        self.set_operand(state, 0, value);
    }

    fn binary(&self, state: &mut State, operation: impl Fn(u32, &Value, &Value, u32) -> Value) {
        let (a, b) = (self.operand(state, 0), self.operand(state, 1));
        let result = operation(self.width(0), &a, &b, self.at);
        self.set_operand(state, 0, result);
    }

    /// Sums and differences, whose result may be a pointer. (A stack pointer in an exclusive or is a security cookie.)
    fn address_arithmetic(
        &self,
        state: &mut State,
        operation: impl Fn(&Value, &Value, u32) -> Value,
    ) {
        let (a, b) = (self.operand(state, 0), self.operand(state, 1));
        let result = operation(&a, &b, self.at);
        let makes_room = matches!(self.insn.op0_register(), Register::RSP | Register::ESP);
        if !makes_room {
            self.watch(state, &[&a, &b], &result);
        }
        self.set_operand(state, 0, result);
    }

    fn unary(&self, state: &mut State, operation: impl Fn(u64) -> u64) {
        let a = self.operand(state, 0);
        let result = combine(&a, &self.immediate(0), self.at, |x, _| Some(operation(x)));
        self.set_operand(state, 0, result);
    }

    fn shift(&self, state: &mut State, operation: impl Fn(u32, u64, u32) -> u64) {
        let width = self.width(0).max(1);
        let (a, count) = (self.operand(state, 0), self.operand(state, 1));
        let limit = if width == 8 { 0x3f } else { 0x1f };
        let result = combine(&a, &count, self.at, |x, n| {
            Some(operation(width, x, (n & limit) as u32))
        });
        self.set_operand(state, 0, result);
    }

    fn bit(&self, state: &mut State, operation: impl Fn(u64, u64) -> u64) {
        let bits = u64::from(8 * self.width(0).max(1));
        let (a, number) = (self.operand(state, 0), self.operand(state, 1));
        let result = combine(&a, &number, self.at, |x, n| {
            Some(operation(x, 1 << (n % bits).min(63)))
        });
        self.set_operand(state, 0, result);
    }

    pub(super) fn push(&self, state: &mut State, value: Value) {
        let number = self.abi.stack_pointer;
        let pointer = self.pointer();
        let top = add(
            &state.register(number),
            &self.immediate((-i64::from(pointer)) as u64),
            self.at,
        );
        if let Some(Atom::Stack(anchor, offset)) = top.only() {
            state.store(anchor, offset, pointer, value);
        }
        state.set(number, top);
    }

    pub(super) fn pop(&self, state: &mut State) -> Value {
        let number = self.abi.stack_pointer;
        let pointer = self.pointer();
        let top = state.register(number);
        let value = match top.only() {
            Some(Atom::Stack(anchor, offset)) => state.load(anchor, offset, pointer, self.at),
            _ => self.unknown(Cause::Unset),
        };
        state.set(
            number,
            add(&top, &self.immediate(u64::from(pointer)), self.at),
        );
        value
    }
}

fn rotate(width: u32, x: u64, n: u32) -> u64 {
    let bits = 8 * width;
    let n = n % bits;
    if n == 0 {
        x
    } else {
        ((x << n) | (x >> (bits - n))) & mask(width)
    }
}

/// A difference; two addresses in the same piece of stack have one, too.
fn subtract(a: &Value, b: &Value, at: u32) -> Value {
    if let Some(number) = b.constant() {
        return add(a, &Value::immediate(number.wrapping_neg(), at), at);
    }
    if let (Some(Atom::Stack(x, from)), Some(Atom::Stack(y, to))) = (a.only(), b.only())
        && x == y
    {
        return Value::one(
            Atom::Const(from.wrapping_sub(to) as i64 as u64),
            at,
            How::Folded,
        );
    }
    if stack_addresses(a).is_empty() {
        return combine(a, b, at, |x, y| Some(x.wrapping_sub(y)));
    }
    Value::Unknown(Why {
        cause: Cause::Computed,
        at,
    })
}
