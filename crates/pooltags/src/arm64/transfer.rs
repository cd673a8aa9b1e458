//! What the instructions do.

use super::decode::{Code, Operation, Place, Transfer};
use super::*;
use crate::memory::Address;
use crate::vectors::{LANE, split, whole};

impl Step<'_, '_> {
    pub(super) fn apply(&self, code: &Code, state: &mut State) {
        match *code {
            Code::Move { to, width, value } => self.write(
                state,
                to,
                width,
                Value::immediate(value & mask(width), self.at),
            ),
            Code::Insert {
                to,
                width,
                value,
                shift,
            } => {
                let old = self.read(state, to, width);
                let keep = !(0xffffu64 << shift);
                let whole = old.map(self.at, |fact| match fact.atom {
                    Atom::Const(n) => Some(Fact {
                        atom: Atom::Const((n & keep | value) & mask(width)),
                        at: self.at,
                        with: Some(fact.at),
                        // a constant in two instructions is still an immediate, unless it was one computed before
                        how: fact.how,
                    }),
                    _ => None,
                });
                self.write(state, to, width, whole);
            }
            Code::Address { to, rva } => {
                let value = match u32::try_from(rva) {
                    Ok(rva) => Value::one(Atom::Image(rva), self.at, How::Other),
                    Err(_) => Value::unknown(Cause::Computed, self.at),
                };
                self.write(state, to, 8, value);
            }
            Code::Add {
                to,
                from,
                width,
                operand,
                subtract,
            } => {
                let value = self.sum(state, (from, to), width, operand, subtract);
                self.write(state, to, width, value);
            }
            Code::Logical {
                to,
                from,
                width,
                operand,
                operation,
            } => {
                let (a, b) = (
                    self.read(state, from, width),
                    self.operand(state, operand, width),
                );
                let value = self.logical(&a, &b, width, operation);
                self.write(state, to, width, value);
            }
            Code::Bitfield {
                to,
                from,
                width,
                signed,
                rotate,
                top,
            } => {
                let value =
                    self.bitfield(&self.read(state, from, width), width, signed, rotate, top);
                self.write(state, to, width, value);
            }
            Code::Select {
                to,
                first,
                second,
                width,
                invert,
                increment,
            } => {
                let mut value = self.read(state, first, width);
                let second = self.read(state, second, width);
                let second = match (invert, increment) {
                    (false, false) => second,
                    (false, true) => self.unary(&second, |x| x.wrapping_add(1)),
                    (true, false) => self.unary(&second, |x| !x & mask(width)),
                    (true, true) => self.unary(&second, |x| x.wrapping_neg() & mask(width)),
                };
                value.join(&second);
                self.write(state, to, width, value);
            }
            Code::Multiply {
                to,
                a,
                b,
                add,
                width,
                subtract,
            } => {
                let product = combine(
                    &self.read(state, a, width),
                    &self.read(state, b, width),
                    self.at,
                    |x, y| Some(x.wrapping_mul(y)),
                );
                let value = combine(&self.read(state, add, width), &product, self.at, |x, y| {
                    Some(
                        if subtract {
                            x.wrapping_sub(y)
                        } else {
                            x.wrapping_add(y)
                        } & mask(width),
                    )
                });
                self.write(state, to, width, value);
            }
            Code::ShiftBy {
                to,
                from,
                by,
                width,
                how,
            } => {
                let value = combine(
                    &self.read(state, from, width),
                    &self.read(state, by, width),
                    self.at,
                    |x, n| {
                        let n = (n % u64::from(8 * width)) as u8;
                        Some(match how {
                            0 => x << n & mask(width),
                            1 => x >> n,
                            2 => shift_signed(x, width, n),
                            _ => rotate(x, width, n),
                        })
                    },
                );
                self.write(state, to, width, value);
            }
            Code::Reverse { to, from, width } => {
                let value = self.unary(&self.read(state, from, width), |x| match width {
                    4 => u64::from((x as u32).swap_bytes()),
                    _ => x.swap_bytes(),
                });
                self.write(state, to, width, value);
            }
            Code::Load(transfer) => self.load(state, transfer),
            Code::Store(transfer) => self.store(state, transfer),
            Code::Splat { to, lanes, value } => {
                state.set_lanes(
                    to,
                    vec![Value::immediate(value.into(), self.at); lanes.into()],
                );
            }
            Code::SplatRegister { to, lanes, from } => {
                let value = self.read(state, from, 4);
                state.set_lanes(to, vec![value; lanes.into()]);
            }
            Code::MoveVector { to, from, lanes } => {
                let values = (0..u32::from(lanes)).map(|i| state.lane(from, i)).collect();
                state.set_lanes(to, values);
            }
            Code::ToVector { to, from, width } => {
                let value = self.read(state, from, width);
                let mut lanes = split(&value, width / LANE, self.at);
                lanes.resize(4, Value::immediate(0, self.at));
                state.set_lanes(to, lanes);
            }
            Code::FromVector { to, from, width } => {
                let lanes: Vec<Value> = (0..width / LANE).map(|i| state.lane(from, i)).collect();
                self.write(state, to, width, whole(&lanes, self.at));
            }
            Code::Other {
                general,
                vector,
                memory,
            } => {
                for register in general {
                    self.forget(state, register);
                }
                if let Some(first) = vector {
                    // a structure load fills up to four
                    for register in 0..4 {
                        state.set_lanes((first + register) % 32, Vec::new());
                    }
                }
                if let Some(register) = memory {
                    state.store_anywhere(self.at);
                    state.escape(&stack_addresses(&self.read(state, register, 8)), self.at);
                }
            }
            Code::Jump(_)
            | Code::Branch(_)
            | Code::JumpRegister(_)
            | Code::Call(_)
            | Code::CallRegister(_) => {}
            Code::Return | Code::Stop | Code::Undefined => {}
        }
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
        if let (Operand::Register(register, decode::Shift::Left(shift)), false) =
            (operand, subtract)
        {
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

    fn logical(&self, a: &Value, b: &Value, width: u32, operation: Operation) -> Value {
        use Operation::{And, AndNot, Or, OrNot, Xor, XorNot};
        // mov is orr with the zero register
        match (operation, a.constant(), b.constant()) {
            (Or | Xor, Some(0), _) => return moved(b),
            (Or | Xor, _, Some(0)) => return moved(a),
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
    fn address(&self, state: &mut State, place: Place) -> Address {
        match place {
            Place::Offset(base, offset) => Address::behind(self.read(state, base, 8), offset),
            Place::Image(rva) => match u32::try_from(rva) {
                Ok(rva) => Address::image(rva, self.at),
                Err(_) => Address::unknown(Cause::Memory, self.at),
            },
            Place::Before(base, offset) | Place::After(base, offset) => {
                let old = self.read(state, base, 8);
                let new = shifted_sum(&old, &Value::immediate(offset as u64, self.at), 0, self.at);
                self.write(state, base, 8, new);
                Address::behind(
                    old,
                    if matches!(place, Place::Before(..)) {
                        offset
                    } else {
                        0
                    },
                )
            }
            Place::Indexed(base, index, bytes, signed, shift) => {
                let base = self.read(state, base, 8);
                let index = self.extend(&self.read(state, index, 8), bytes, signed);
                let sum = shifted_sum(&base, &index, shift, self.at);
                match sum.is_known() {
                    true => Address::behind(sum, 0),
                    false => Address {
                        base,
                        offset: 0,
                        indexed: true,
                    },
                }
            }
        }
    }

    fn load(&self, state: &mut State, transfer: Transfer) {
        let address = self.address(state, transfer.place);
        let registers = [Some(transfer.first), transfer.second];
        let mut loaded = Vec::new();
        for (i, register) in (0i64..).zip(registers.into_iter().flatten()) {
            let address = Address {
                offset: address.offset + i * i64::from(transfer.width),
                ..address.clone()
            };
            loaded.push((register, address));
        }
        let values: Vec<(u8, Vec<Value>)> = loaded
            .into_iter()
            .map(|(register, address)| {
                let values = match (transfer.vector, transfer.width) {
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
                                .load(state, &address, width, transfer.signed > 0, self.at),
                        ]
                    }
                };
                (register, values)
            })
            .collect();
        for (register, mut values) in values {
            if transfer.vector {
                values.resize(4, Value::immediate(0, self.at));
                state.set_lanes(register, values);
            } else if let Some(value) = values.pop() {
                let value = match transfer.signed {
                    0 => value.truncate(transfer.width, 8, self.at),
                    to => self
                        .extend(&value, transfer.width, true)
                        .truncate(to, 8, self.at),
                };
                self.write(state, register, 8, value);
            }
        }
    }

    fn store(&self, state: &mut State, transfer: Transfer) {
        // the registers are read before the address changes one of them
        let registers = [Some(transfer.first), transfer.second];
        let values: Vec<Vec<Value>> = registers
            .into_iter()
            .flatten()
            .map(|register| match (transfer.vector, transfer.width) {
                (true, width) => (0..width.div_ceil(LANE))
                    .map(|lane| state.lane(register, lane))
                    .collect(),
                (false, width) => vec![self.read(state, register, width)],
            })
            .collect();
        let address = self.address(state, transfer.place);
        let step = if transfer.vector {
            transfer.width.min(LANE)
        } else {
            transfer.width
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

/// A copy keeps the instruction that made the value.
fn moved(value: &Value) -> Value {
    value.clone()
}
