//! Unwinding without unwind data: the code itself is followed to the function's end, and what it does to the stack on the way is
//! worked out. Every way to a `ret` must take the frame down, so any will do.
//!
//! A triage dump has the code around the crash and hardly ever the function tables, so this is what shows its stack.

use super::{How, Memory, RSP, Registers, leaf, u64_at};
use crate::{Flow, Instruction, Machine, Operation, Writes};
use iced_x86::{Code, Mnemonic, OpKind, Register};
use rkd_dump::addr::Virt;
use std::collections::{BTreeMap, BTreeSet};

/// Instructions that are looked at before giving up.
const MAX_INSTRUCTIONS: usize = 4096;

/// The registers that a call may change: rax, rcx, rdx, r8 to r11.
const VOLATILE: [usize; 7] = [0, 1, 2, 8, 9, 10, 11];

/// The registers as far as they can be known.
#[derive(Clone)]
struct State {
    at: Virt,
    general: [Option<u64>; 16],
    /// What the code on the way stored: newer than memory.
    stored: BTreeMap<Virt, Option<u64>>,
}

/// Finds the caller; `is_return` says whether an address can be one that a call returns to. `None` when no way to the end can be
/// followed: memory that cannot be read ends a way, and another is tried.
pub fn run(
    memory: &dyn Memory,
    is_innermost: bool,
    is_return: &dyn Fn(Virt) -> bool,
    registers: &mut Registers,
) -> Option<How> {
    let mut state = State {
        at: registers.rip,
        general: registers.general.map(Some),
        stored: BTreeMap::new(),
    };
    if !is_innermost {
        state.forget_volatile();
    }
    let mut open = vec![state];
    let mut seen = BTreeSet::new();
    while let Some(mut state) = open.pop() {
        while seen.len() < MAX_INSTRUCTIONS && seen.insert(state.at) {
            let Some(instruction) = decode(memory, state.at) else {
                break;
            };
            state.at = instruction.end();
            match instruction.flow {
                Flow::Next => {
                    if !state.apply(memory, &instruction) {
                        break;
                    }
                }
                Flow::Call(_) | Flow::CallIndirect | Flow::SystemCall => state.forget_volatile(),
                Flow::Jump(to) => state.at = to,
                Flow::Branch(to) => open.push(State {
                    at: to,
                    ..state.clone()
                }),
                Flow::Return if is_near_return(&instruction) => {
                    let Some(mut after) = state.registers(registers) else {
                        break;
                    };
                    if leaf(memory, &mut after).is_ok() && is_return(after.rip) {
                        *registers = after;
                        return Some(How::Code);
                    }
                    break;
                }
                Flow::Return | Flow::JumpIndirect | Flow::Stop => break,
            }
        }
    }
    None
}

/// `ret`, and not `iretq` or `ret n`, which take more from the stack.
fn is_near_return(instruction: &Instruction) -> bool {
    match &instruction.operation {
        Operation::Intel { instruction, .. } => instruction.code() == Code::Retnq,
        _ => false,
    }
}

fn decode(memory: &dyn Memory, at: Virt) -> Option<Instruction> {
    let mut bytes = [0; 15];
    let mut length = bytes.len();
    // Towards the end of what is there, shorter instructions may still be whole.
    while length > 0 && memory.read(at, bytes.get_mut(..length)?).is_err() {
        length -= 1;
    }
    Instruction::decode(Machine::X64, at, bytes.get(..length)?)
        .filter(|instruction| !instruction.is_invalid())
}

impl State {
    fn forget_volatile(&mut self) {
        VOLATILE
            .into_iter()
            .for_each(|number| self.set(number, None));
    }

    fn set(&mut self, number: usize, value: Option<u64>) {
        if let Some(register) = self.general.get_mut(number) {
            *register = value;
        }
    }

    fn store(&mut self, at: Option<Virt>, value: Option<u64>) {
        if let Some(at) = at {
            self.stored.insert(at, value);
        }
    }

    fn get(&self, register: Register) -> Option<u64> {
        let is_whole = register.is_gpr64();
        self.general
            .get(register.number())
            .copied()
            .flatten()
            .filter(|_| is_whole)
    }

    /// The registers behind the function's end: what is not known stays as it was.
    fn registers(&self, before: &Registers) -> Option<Registers> {
        let mut after = before.clone();
        for (to, from) in after.general.iter_mut().zip(self.general) {
            if let Some(value) = from {
                *to = value;
            }
        }
        self.general.get(RSP).copied().flatten().map(|_| after)
    }

    fn address(&self, instruction: &iced_x86::Instruction) -> Option<Virt> {
        let base = instruction.memory_base();
        let plain = instruction.memory_index() == Register::None
            && instruction.segment_prefix() == Register::None
            && base.is_gpr64();
        let base = self.get(base).filter(|_| plain)?;
        Some(Virt(base.wrapping_add(instruction.memory_displacement64())))
    }

    /// Does what the instruction does; false when the stack pointer is lost.
    fn apply(&mut self, memory: &dyn Memory, whole: &Instruction) -> bool {
        let Operation::Intel { instruction, .. } = &whole.operation else {
            return false;
        };
        let to = instruction.op0_register();
        let is_register = instruction.op0_kind() == OpKind::Register && to.is_gpr64();
        let immediate = || instruction.try_immediate(1).ok();
        let rsp = self.get(Register::RSP).map(Virt);
        let read = |state: &State, at: Option<Virt>| {
            let at = at?;
            match state.stored.get(&at) {
                Some(stored) => *stored,
                None => u64_at(memory, at).ok(),
            }
        };
        let source = instruction.op1_register();
        match instruction.mnemonic() {
            Mnemonic::Push | Mnemonic::Pushfq => {
                let value = self.get(to).filter(|_| is_register);
                self.store(rsp.map(|rsp| rsp - 8), value);
                self.set(RSP, rsp.map(|rsp| (rsp - 8).0));
            }
            Mnemonic::Popfq => self.set(RSP, rsp.map(|rsp| (rsp + 8).0)),
            Mnemonic::Pop if is_register => {
                let value = read(self, rsp);
                self.set(RSP, rsp.map(|rsp| (rsp + 8).0));
                self.set(to.number(), value);
            }
            Mnemonic::Add if is_register && immediate().is_some() => {
                let sum = self
                    .get(to)
                    .zip(immediate())
                    .map(|(a, b)| a.wrapping_add(b));
                self.set(to.number(), sum);
            }
            Mnemonic::Sub if is_register && immediate().is_some() => {
                let difference = self
                    .get(to)
                    .zip(immediate())
                    .map(|(a, b)| a.wrapping_sub(b));
                self.set(to.number(), difference);
            }
            Mnemonic::Lea if is_register => {
                let at = self.address(instruction).map(|at| at.0);
                self.set(to.number(), at);
            }
            Mnemonic::Mov if is_register && instruction.op1_kind() == OpKind::Register => {
                let value = self.get(source);
                self.set(to.number(), value);
            }
            Mnemonic::Mov if instruction.op0_kind() == OpKind::Memory && source.is_gpr64() => {
                let value = self.get(source);
                self.store(self.address(instruction), value);
            }
            Mnemonic::Mov if is_register && instruction.op1_kind() == OpKind::Memory => {
                let value = read(self, self.address(instruction));
                self.set(to.number(), value);
            }
            _ => {
                for number in Writes::numbers(whole.writes().general) {
                    self.set(number.into(), None);
                }
            }
        }
        self.get(Register::RSP).is_some()
    }
}
