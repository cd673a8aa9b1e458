//! 64-bit ARM.

use super::lanes::{LANE, split, whole};
use super::{forget, rva, sign_extend};
use crate::lattice::{Atom, Cause, Fact, How, Value, combine, mask};
use crate::memory::{Address, Memory, shifted_sum, stack_addresses};
use crate::state::State;
use rkd_code::Instruction;
use rkd_code::arm64::{
    Access, Addressing, Computation, Lanes, Logic, Operand, Operation, SP, Shift, ZR,
};
use rkd_dump::bytes::ReadAt;

/// The most that a number can be behind these two instructions.
pub(super) fn bound(compare: &Instruction, branch: &Instruction) -> Option<u64> {
    let (compare, branch) = (compare.bytes().u32_at(0)?, branch.bytes().u32_at(0)?);
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

/// `sub sp, sp, x15, lsl #4`.
pub(super) fn makes_room(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::General {
            to: SP,
            result: Computation::Sum {
                from: SP,
                operand: Operand::Register(15, ..) | Operand::Extended(15, ..),
                subtract: true,
            },
            ..
        }
    )
}

/// One instruction on its way through a state.
pub(super) struct Step<'a, 'm> {
    code: &'a Instruction,
    at: u32,
    memory: &'a Memory<'m>,
}

impl<'a, 'm> Step<'a, 'm> {
    pub(super) fn new(code: &'a Instruction, memory: &'a Memory<'m>) -> Step<'a, 'm> {
        Step {
            code,
            at: rva(code),
            memory,
        }
    }

    /// The transfer function.
    pub(super) fn apply(&self, operation: &Operation, state: &mut State) {
        match *operation {
            Operation::General { to, width, result } => {
                let value = self.compute(state, to, width, result);
                self.write(state, to, width, value);
            }
            Operation::Vector { to, result } => {
                let lanes = self.lanes(state, result);
                state.set_lanes(to, lanes);
            }
            Operation::Load(access) => self.load(state, access),
            Operation::Store(access) => self.store(state, access),
            Operation::BranchRegister(_) => {}
            Operation::Other { .. } => forget(&self.code.writes(), state, self.at, |_, _| {}),
        }
    }

    /// What a general register gets.
    fn compute(&self, state: &mut State, to: u8, width: u32, result: Computation) -> Value {
        let read = |register: u8| self.read(state, register, width);
        match result {
            Computation::Immediate(number) => Value::immediate(number & mask(width), self.at),
            Computation::Insert(number, shift) => {
                let keep = !(0xffffu64 << shift);
                read(to).map(self.at, |fact| match fact.atom {
                    Atom::Const(n) => Some(Fact {
                        atom: Atom::Const((n & keep | number) & mask(width)),
                        at: self.at,
                        with: Some(fact.at),
                        // a constant in two instructions is still an immediate, unless it was one computed before
                        how: fact.how,
                    }),
                    _ => None,
                })
            }
            Computation::Address(address) => match u32::try_from(address.0) {
                Ok(rva) => Value::one(Atom::Image(rva), self.at, How::Other),
                Err(_) => Value::unknown(Cause::Computed, self.at),
            },
            Computation::Sum {
                from,
                operand,
                subtract,
            } => self.sum(state, (from, to), width, operand, subtract),
            Computation::Logical {
                from,
                operand,
                logic,
            } => {
                let second = self.operand(state, operand, width);
                self.logical(&read(from), &second, width, logic)
            }
            Computation::Bitfield {
                from,
                signed,
                rotate,
                top,
            } => self.bitfield(&read(from), width, signed, rotate, top),
            Computation::Select {
                first,
                second,
                invert,
                increment,
            } => {
                let (mut value, second) = (read(first), read(second));
                let second = match (invert, increment) {
                    (false, false) => second,
                    (false, true) => self.unary(&second, |x| x.wrapping_add(1)),
                    (true, false) => self.unary(&second, |x| !x & mask(width)),
                    (true, true) => self.unary(&second, |x| x.wrapping_neg() & mask(width)),
                };
                value.join(&second);
                value
            }
            Computation::Multiply {
                a,
                b,
                add,
                subtract,
            } => {
                let product = combine(&read(a), &read(b), self.at, |x, y| Some(x.wrapping_mul(y)));
                combine(&read(add), &product, self.at, |x, y| {
                    let sum = match subtract {
                        true => x.wrapping_sub(y),
                        false => x.wrapping_add(y),
                    };
                    Some(sum & mask(width))
                })
            }
            Computation::ShiftBy { from, by, shift } => {
                combine(&read(from), &read(by), self.at, |x, n| {
                    let bits = (n % u64::from(8 * width)) as u8;
                    Some(shifted(shift, x, width, bits))
                })
            }
            Computation::Reverse(from) => self.unary(&read(from), |x| match width {
                4 => u64::from((x as u32).swap_bytes()),
                _ => x.swap_bytes(),
            }),
            Computation::Vector(from) => {
                let lanes: Vec<Value> = (0..width / LANE).map(|i| state.lane(from, i)).collect();
                whole(&lanes, self.at)
            }
        }
    }

    /// What a vector register gets.
    fn lanes(&self, state: &State, result: Lanes) -> Vec<Value> {
        match result {
            Lanes::Number(number, count) => {
                vec![Value::immediate(number.into(), self.at); count.into()]
            }
            Lanes::General(from, count) => vec![self.read(state, from, 4); count.into()],
            Lanes::Vector(from, count) => {
                (0..u32::from(count)).map(|i| state.lane(from, i)).collect()
            }
            Lanes::Low(from, width) => {
                let mut lanes = split(&self.read(state, from, width), width / LANE, self.at);
                lanes.resize(4, Value::immediate(0, self.at));
                lanes
            }
        }
    }

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

    fn operand(&self, state: &State, operand: Operand, width: u32) -> Value {
        match operand {
            Operand::Immediate(number) => Value::immediate(number & mask(width), self.at),
            Operand::Register(register, shift, bits) => {
                let value = self.read(state, register, width);
                match bits {
                    0 => value,
                    _ => self.unary(&value, |x| shifted(shift, x, width, bits)),
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
                Atom::TableEntry(table, width, _) if u32::from(width) == from => {
                    Atom::TableEntry(table, width, true)
                }
                _ => return None,
            };
            Some(Fact { atom, ..fact })
        })
    }

    fn watch(&self, state: &mut State, from: &[&Value], result: &Value) {
        if !result.is_known() {
            from.iter()
                .for_each(|v| state.lose_track(&stack_addresses(v)));
        }
    }

    fn sum(
        &self,
        state: &mut State,
        (from, to): (u8, u8),
        width: u32,
        operand: Operand,
        subtract: bool,
    ) -> Value {
        let a = self.read(state, from, width);
        // the base of a jump table and its entry, shifted
        if let (Operand::Extended(register, bytes, signed, shift), false) = (operand, subtract) {
            let entry = self.extend(&self.read(state, register, 8), bytes, signed);
            return shifted_sum(&a, &entry, shift, self.at);
        }
        if let (Operand::Register(register, Shift::Left, shift), false) = (operand, subtract) {
            return self.checked_sum(state, &a, &self.read(state, register, width), shift);
        }
        let b = self.operand(state, operand, width);
        let value = match (subtract, a.only(), b.only()) {
            (false, ..) => shifted_sum(&a, &b, 0, self.at),
            (true, Some(Atom::Stack(x, from)), Some(Atom::Stack(y, to))) if x == y => Value::one(
                Atom::Const(from.wrapping_sub(to) as i64 as u64),
                self.at,
                How::Folded,
            ),
            (true, ..) => match b.constant() {
                Some(n) => {
                    shifted_sum(&a, &Value::immediate(n.wrapping_neg(), self.at), 0, self.at)
                }
                // room below the stack pointer, of a size that is not known: nothing that is known lies there
                None if a.only().is_some() && a.only() == state.register(SP).only() => {
                    state.new_anchor(to, self.at);
                    state.register(to)
                }
                None => combine(&a, &b, self.at, |x, y| Some(x.wrapping_sub(y))),
            },
        };
        // room on the stack for something of unknown size is a new piece of stack
        if to != SP {
            self.watch(state, &[&a, &b], &value);
        }
        value
    }

    fn checked_sum(&self, state: &mut State, a: &Value, b: &Value, shift: u8) -> Value {
        let value = shifted_sum(a, b, shift, self.at);
        self.watch(state, &[a, b], &value);
        value
    }

    fn logical(&self, a: &Value, b: &Value, width: u32, operation: Logic) -> Value {
        use Logic::{And, AndNot, Or, OrNot, Xor, XorNot};
        // mov is orr with the zero register: a copy keeps the instruction that made the value
        match (operation, a.constant(), b.constant()) {
            (Or | Xor, Some(0), _) => return b.clone(),
            (Or | Xor, _, Some(0)) => return a.clone(),
            (And, Some(0), _) | (And, _, Some(0)) => return Value::immediate(0, self.at),
            _ => {}
        }
        combine(a, b, self.at, |x, y| {
            let value = match operation {
                And => x & y,
                Or => x | y,
                Xor => x ^ y,
                AndNot => x & !y,
                OrNot => x | !y,
                XorNot => x ^ !y,
            };
            Some(value & mask(width))
        })
    }

    /// Shifts, extractions and extensions are all one instruction.
    fn bitfield(&self, value: &Value, width: u32, signed: bool, turn: u8, top: u8) -> Value {
        let bits = 8 * width as u8;
        if turn == 0 && matches!(top, 7 | 15 | 31) {
            let extended = self.extend(value, u32::from(top + 1) / 8, signed);
            return extended.truncate(width, 8, self.at);
        }
        self.unary(value, |x| {
            let (turn, top) = (turn % bits, top % bits);
            let (field, size, left) = if top >= turn {
                (x >> turn, top - turn + 1, 0)
            } else {
                (x, top + 1, bits - turn)
            };
            let unused = 64 - u32::from(size);
            let field = match signed {
                true => (((field << unused) as i64) >> unused) as u64,
                false => (field << unused) >> unused,
            };
            (field << left) & mask(width)
        })
    }

    /// The address; registers that the addressing changes are changed here.
    fn address(&self, state: &mut State, addressing: Addressing) -> Address {
        match addressing {
            Addressing::Offset(base, offset) => {
                Address::at_offset(self.read(state, base, 8), offset)
            }
            Addressing::Literal(to) => match u32::try_from(to.0) {
                Ok(rva) => Address::image(rva, self.at),
                Err(_) => Address::unknown(Cause::Memory, self.at),
            },
            Addressing::PreIndexed(base, offset) | Addressing::PostIndexed(base, offset) => {
                let old = self.read(state, base, 8);
                let new = shifted_sum(&old, &Value::immediate(offset as u64, self.at), 0, self.at);
                self.write(state, base, 8, new);
                Address::at_offset(
                    old,
                    if matches!(addressing, Addressing::PreIndexed(..)) {
                        offset
                    } else {
                        0
                    },
                )
            }
            Addressing::Indexed(base, index, bytes, signed, shift) => {
                let base = self.read(state, base, 8);
                let index = self.extend(&self.read(state, index, 8), bytes, signed);
                let sum = shifted_sum(&base, &index, shift, self.at);
                match sum.is_known() {
                    true => Address::at_offset(sum, 0),
                    false => Address {
                        base,
                        offset: 0,
                        indexed: true,
                    },
                }
            }
        }
    }

    fn load(&self, state: &mut State, access: Access) {
        let address = self.address(state, access.addressing);
        let registers = [Some(access.first), access.second];
        let mut loaded = Vec::new();
        for (i, register) in (0i64..).zip(registers.into_iter().flatten()) {
            let address = Address {
                offset: address.offset + i * i64::from(access.width),
                ..address.clone()
            };
            loaded.push((register, address));
        }
        let values: Vec<(u8, Vec<Value>)> = loaded
            .into_iter()
            .map(|(register, address)| {
                let values = match (access.vector, access.width) {
                    (true, width @ (4 | 8 | 16)) => (0..width / LANE)
                        .map(|lane| {
                            let address = Address {
                                offset: address.offset + i64::from(LANE * lane),
                                ..address.clone()
                            };
                            self.memory.load(state, &address, LANE, false, self.at)
                        })
                        .collect(),
                    (true, _) => Vec::new(),
                    (false, width) => {
                        vec![
                            self.memory
                                .load(state, &address, width, access.signed > 0, self.at),
                        ]
                    }
                };
                (register, values)
            })
            .collect();
        for (register, mut values) in values {
            if access.vector {
                values.resize(4, Value::immediate(0, self.at));
                state.set_lanes(register, values);
            } else if let Some(value) = values.pop() {
                let value = match access.signed {
                    0 => value.truncate(access.width, 8, self.at),
                    to => self
                        .extend(&value, access.width, true)
                        .truncate(to, 8, self.at),
                };
                self.write(state, register, 8, value);
            }
        }
    }

    fn store(&self, state: &mut State, access: Access) {
        // the registers are read before the address changes one of them
        let registers = [Some(access.first), access.second];
        let values: Vec<Vec<Value>> = registers
            .into_iter()
            .flatten()
            .map(|register| match (access.vector, access.width) {
                (true, width) => (0..width.div_ceil(LANE))
                    .map(|lane| state.lane(register, lane))
                    .collect(),
                (false, width) => vec![self.read(state, register, width)],
            })
            .collect();
        let address = self.address(state, access.addressing);
        let step = if access.vector {
            access.width.min(LANE)
        } else {
            access.width
        };
        for (i, value) in (0i64..).zip(values.iter().flatten()) {
            let address = Address {
                offset: address.offset + i * i64::from(step),
                ..address.clone()
            };
            self.memory.store(state, &address, step, value, self.at);
        }
    }
}

fn shifted(shift: Shift, x: u64, width: u32, bits: u8) -> u64 {
    match shift {
        Shift::Left => x.checked_shl(bits.into()).unwrap_or(0) & mask(width),
        Shift::Right => x.checked_shr(bits.into()).unwrap_or(0),
        Shift::Signed => ((sign_extend(x, width) as i64) >> bits.min(63)) as u64 & mask(width),
        Shift::Rotate if width == 4 => u64::from((x as u32).rotate_right(bits.into())),
        Shift::Rotate => x.rotate_right(bits.into()),
    }
}
