//! The vector instructions that compilers build and copy structures with.

use super::Step;
use crate::lattice::Value;
use crate::memory::Address;
use crate::state::State;
use crate::transfer::lanes::{LANE, split, whole};
use iced_x86::{Mnemonic, OpKind, Register};

impl Step<'_, '_> {
    /// Applies the instruction if it is one of those that are followed.
    pub(super) fn vector(&self, state: &mut State) -> bool {
        let insn = self.insn;
        let vectors = (0..insn.op_count()).any(|i| {
            insn.op_kind(i) == OpKind::Register && insn.op_register(i).is_vector_register()
        });
        if !vectors {
            return false;
        }
        use Mnemonic as M;
        match insn.mnemonic() {
            M::Movups
            | M::Movaps
            | M::Movupd
            | M::Movapd
            | M::Movdqu
            | M::Movdqa
            | M::Lddqu
            | M::Movntdq
            | M::Movntps
            | M::Vmovups
            | M::Vmovaps
            | M::Vmovupd
            | M::Vmovapd
            | M::Vmovdqu
            | M::Vmovdqa
            | M::Vmovntdq => {
                let lanes = self.lanes(state, 1, self.width(0).max(self.width(1)));
                self.set_vector(state, 0, lanes, None);
            }
            M::Movd | M::Movq | M::Vmovd | M::Vmovq => {
                let width = if matches!(insn.mnemonic(), M::Movd | M::Vmovd)
                    && self.width(0).min(self.width(1)) < 8
                {
                    4
                } else {
                    8
                };
                self.move_low(state, width);
            }
            M::Movss | M::Vmovss if insn.op_count() == 2 => self.move_low(state, 4),
            M::Movsd | M::Vmovsd if insn.op_count() == 2 => self.move_low(state, 8),
            M::Movlps | M::Movlpd => self.move_half(state, 0),
            M::Movhps | M::Movhpd => self.move_half(state, 2),
            M::Xorps | M::Xorpd | M::Pxor
                if insn.op0_kind() == OpKind::Register
                    && insn.op0_register() == insn.op1_register() =>
            {
                self.zero(state);
            }
            M::Vxorps | M::Vxorpd | M::Vpxor
                if insn.op2_kind() == OpKind::Register
                    && insn.op1_register() == insn.op2_register() =>
            {
                self.zero(state);
            }
            M::Pshufd => self.shuffle(state, |_, from, order| {
                (0..4)
                    .map(|i| from[(order >> (2 * i)) as usize & 3].clone())
                    .collect()
            }),
            M::Shufps => self.shuffle(state, |to, from, order| {
                let pick = |i: u32| (order >> (2 * i)) as usize & 3;
                vec![
                    to[pick(0)].clone(),
                    to[pick(1)].clone(),
                    from[pick(2)].clone(),
                    from[pick(3)].clone(),
                ]
            }),
            M::Punpckldq | M::Unpcklps => self.shuffle(state, |to, from, _| {
                vec![
                    to[0].clone(),
                    from[0].clone(),
                    to[1].clone(),
                    from[1].clone(),
                ]
            }),
            M::Punpcklqdq | M::Unpcklpd | M::Movlhps => {
                self.shuffle(state, |to, from, _| {
                    vec![
                        to[0].clone(),
                        to[1].clone(),
                        from[0].clone(),
                        from[1].clone(),
                    ]
                });
            }
            M::Vbroadcastss | M::Vpbroadcastd => {
                let first = self.lanes(state, 1, LANE).pop();
                let lanes = first.map(|v| vec![v; (self.width(0) / LANE) as usize]);
                self.set_vector(state, 0, lanes.unwrap_or_default(), None);
            }
            _ => return false,
        }
        true
    }

    /// The first `width` bytes of an operand, in lanes.
    fn lanes(&self, state: &State, operand: u32, width: u32) -> Vec<Value> {
        let count = width.div_ceil(LANE);
        match self.insn.op_kind(operand) {
            OpKind::Memory => {
                let address = self.address(state);
                let lane = |i| {
                    let address = Address {
                        offset: address.offset + i64::from(LANE * i),
                        ..address.clone()
                    };
                    self.memory.load(state, &address, LANE, false, self.at)
                };
                (0..count).map(lane).collect()
            }
            OpKind::Register if self.insn.op_register(operand).is_vector_register() => {
                let number = self.insn.op_register(operand).number() as u8;
                (0..count).map(|i| state.lane(number, i)).collect()
            }
            OpKind::Register => split(&self.operand(state, operand), count, self.at),
            _ => Vec::new(),
        }
    }

    /// Writes lanes to an operand; `keep`: the first lane of those that stay as they are in a register.
    fn set_vector(&self, state: &mut State, operand: u32, lanes: Vec<Value>, keep: Option<u32>) {
        match self.insn.op_kind(operand) {
            OpKind::Memory => {
                let address = self.address(state);
                for (i, value) in (0u32..).zip(&lanes) {
                    let address = Address {
                        offset: address.offset + i64::from(LANE * i),
                        ..address.clone()
                    };
                    self.memory.store(state, &address, LANE, value, self.at);
                }
            }
            OpKind::Register => {
                let register = self.insn.op_register(operand);
                let number = register.number() as u8;
                let mut lanes = lanes;
                if let Some(first) = keep {
                    lanes.extend((first..register_lanes(register)).map(|i| state.lane(number, i)));
                }
                state.set_lanes(number, lanes);
            }
            _ => {}
        }
    }

    /// `movd`, `movq`, `movss`, `movsd`: the low bytes; loads clear the rest of the register.
    fn move_low(&self, state: &mut State, width: u32) {
        let lanes = self.lanes(state, 1, width);
        let (to, from) = (self.insn.op0_kind(), self.insn.op1_kind());
        let to_general = to == OpKind::Register && self.insn.op0_register().is_gpr();
        if to_general {
            let value = whole(&lanes, self.at);
            self.set_operand(state, 0, value);
        } else if to == OpKind::Memory {
            self.set_vector(state, 0, lanes, None);
        } else {
            let scalar = matches!(self.insn.mnemonic(), Mnemonic::Movss | Mnemonic::Movsd);
            let between_registers = scalar && from == OpKind::Register;
            let mut lanes = lanes;
            let keep = if between_registers {
                Some(width / LANE)
            } else {
                None
            };
            if keep.is_none() {
                lanes.resize(
                    register_lanes(self.insn.op0_register()) as usize,
                    self.immediate(0),
                );
            }
            self.set_vector(state, 0, lanes, keep);
        }
    }

    /// `movlps`, `movhps`: half a register, beginning with lane `first`.
    fn move_half(&self, state: &mut State, first: u32) {
        if self.insn.op0_kind() == OpKind::Memory {
            let number = self.insn.op1_register().number() as u8;
            let lanes = (first..first + 2).map(|i| state.lane(number, i)).collect();
            self.set_vector(state, 0, lanes, None);
            return;
        }
        let number = self.insn.op0_register().number() as u8;
        let new = self.lanes(state, 1, 8);
        let pick = |i: u32| {
            let from = i.checked_sub(first).and_then(|i| new.get(i as usize));
            from.cloned().unwrap_or_else(|| state.lane(number, i))
        };
        let lanes = (0..4).map(pick).collect();
        state.set_lanes(number, lanes);
    }

    fn zero(&self, state: &mut State) {
        let register = self.insn.op0_register();
        let lanes = vec![self.immediate(0); register_lanes(register) as usize];
        state.set_lanes(register.number() as u8, lanes);
    }

    fn shuffle(&self, state: &mut State, order: impl Fn(&[Value], &[Value], u32) -> Vec<Value>) {
        let (to, from) = (self.lanes(state, 0, 16), self.lanes(state, 1, 16));
        let control = if self.insn.op_count() > 2 {
            u32::from(self.insn.immediate8())
        } else {
            0
        };
        if to.len() == 4 && from.len() == 4 {
            let lanes = order(&to, &from, control);
            self.set_vector(state, 0, lanes, None);
        } else {
            self.forget(state);
        }
    }
}

fn register_lanes(register: Register) -> u32 {
    (register.size() as u32 / LANE).clamp(1, 16)
}
