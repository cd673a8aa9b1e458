//! x86-64 and 32-bit x86: what each instruction does to the state. Instructions that are not followed make everything
//! that they write unknown.

use super::image::TagImage;
use super::machine::{Abi, Flow, Machine};
use super::memory::{Memory, stack_addresses};
use super::state::State;
use super::value::{Atom, Cause, Value};
use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic,
    OpAccess, OpKind, Register,
};
use std::cell::RefCell;

mod integer;
mod operands;
mod strings;
mod vector;

static X64: Abi = Abi {
    pointer: 8,
    registers: 16,
    stack_pointer: 4,
    arguments: &[1, 2, 8, 9],
    first_on_stack: 0x28,
    pushed: 8,
    result: 0,
    preserved: &[3, 5, 6, 7, 12, 13, 14, 15],
    guarded: 0,
};

static X86: Abi = Abi {
    pointer: 4,
    registers: 8,
    stack_pointer: 4,
    arguments: &[],
    first_on_stack: 4,
    pushed: 4,
    result: 0,
    preserved: &[3, 5, 6, 7],
    guarded: 1,
};

/// The x86 processors.
pub(crate) struct X86Machine {
    bits: u32,
    info: RefCell<InstructionInfoFactory>,
}

/// A decoded instruction.
#[derive(Clone)]
pub(crate) struct X86Code {
    insn: Instruction,
    /// Whether the immediate is an address that the loader adjusts, and whether the displacement is.
    relocated: (bool, bool),
}

/// One instruction on its way through a state.
struct Step<'a, 'm> {
    machine: &'a X86Machine,
    insn: &'a Instruction,
    relocated: (bool, bool),
    at: u32,
    memory: &'a Memory<'m>,
}

impl X86Machine {
    /// The 64-bit processor.
    pub(crate) fn x64() -> X86Machine {
        X86Machine {
            bits: 64,
            info: RefCell::new(InstructionInfoFactory::new()),
        }
    }

    /// The 32-bit processor.
    pub(crate) fn x86() -> X86Machine {
        X86Machine {
            bits: 32,
            info: RefCell::new(InstructionInfoFactory::new()),
        }
    }

    fn branch(&self, insn: &Instruction) -> i64 {
        match self.bits {
            32 => i64::from(insn.near_branch_target() as u32),
            _ => insn.near_branch_target() as i64,
        }
    }
}

impl Machine for X86Machine {
    type Code = X86Code;

    fn abi(&self) -> &'static Abi {
        if self.bits == 32 { &X86 } else { &X64 }
    }

    fn decode(&self, image: &TagImage, rva: u32) -> Option<(X86Code, u32)> {
        let mut decoder = Decoder::with_ip(
            self.bits,
            image.slice(rva, 15),
            u64::from(rva),
            DecoderOptions::NONE,
        );
        if !decoder.can_decode() {
            return None;
        }
        let insn = decoder.decode();
        if insn.is_invalid() {
            return None;
        }
        let adjusted = |offset: usize, present: bool| {
            present
                && (image.relocations.is_empty()
                    || image.is_relocated(rva.wrapping_add(offset as u32)))
        };
        let relocated = if self.bits == 32 || insn.code() == Code::Mov_r64_imm64 {
            let offsets = decoder.get_constant_offsets(&insn);
            (
                adjusted(offsets.immediate_offset(), offsets.has_immediate()),
                adjusted(offsets.displacement_offset(), offsets.has_displacement()),
            )
        } else {
            (false, false)
        };
        Some((X86Code { insn, relocated }, insn.len() as u32))
    }

    fn flow(&self, code: &X86Code) -> Flow {
        let insn = &code.insn;
        let near = matches!(
            insn.op0_kind(),
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
        );
        match insn.flow_control() {
            FlowControl::Next => Flow::Next,
            FlowControl::UnconditionalBranch if near => Flow::Jump(self.branch(insn)),
            FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend if near => {
                Flow::Branch(self.branch(insn))
            }
            FlowControl::XbeginXabortXend => Flow::Next,
            FlowControl::IndirectBranch => Flow::JumpIndirect,
            FlowControl::Call if near => Flow::Call(self.branch(insn)),
            FlowControl::IndirectCall => Flow::CallIndirect,
            FlowControl::Return => Flow::Return,
            // int 2Dh talks to a debugger and goes on; int 3 and int 29h (__fastfail) do not come back
            FlowControl::Interrupt
                if insn.code() == Code::Int_imm8 && insn.immediate8() == 0x2d =>
            {
                Flow::Next
            }
            // a system call inside the kernel
            FlowControl::Call => Flow::CallIndirect,
            _ => Flow::Stop,
        }
    }

    fn step(&self, code: &X86Code, rva: u32, state: &mut State, memory: &Memory<'_>) {
        let step = Step {
            machine: self,
            insn: &code.insn,
            relocated: code.relocated,
            at: rva,
            memory,
        };
        let followed = step.integer(state) || step.vector(state) || step.string(state);
        if !followed {
            step.forget(state);
        }
        step.check_stack_pointer(state);
    }

    fn target(&self, code: &X86Code, rva: u32, state: &State, memory: &Memory<'_>) -> Value {
        let step = Step {
            machine: self,
            insn: &code.insn,
            relocated: code.relocated,
            at: rva,
            memory,
        };
        match code.insn.op0_kind() {
            OpKind::Register | OpKind::Memory => step.operand(state, 0),
            _ => Value::unknown(Cause::Computed, rva),
        }
    }

    fn names(&self, code: &X86Code, image: &TagImage) -> Option<u32> {
        let insn = &code.insn;
        if insn.is_ip_rel_memory_operand() {
            return u32::try_from(insn.memory_displacement64()).ok();
        }
        if !code.relocated.1 && !code.relocated.0 {
            return None;
        }
        let address = if code.relocated.1 {
            insn.memory_displacement32()
        } else {
            insn.immediate32()
        };
        image.rva_of(u64::from(address))
    }

    fn bound(&self, image: &TagImage, compare: u32, branch: u32) -> Option<u64> {
        let (compare, _) = self.decode(image, compare)?;
        let (branch, _) = self.decode(image, branch)?;
        let compares = matches!(compare.insn.mnemonic(), Mnemonic::Cmp | Mnemonic::Sub);
        if !compares || !is_immediate(compare.insn.op1_kind()) {
            return None;
        }
        let limit = compare.insn.immediate(1);
        match branch.insn.mnemonic() {
            Mnemonic::Ja => Some(limit),
            Mnemonic::Jae => limit.checked_sub(1),
            _ => None,
        }
    }

    fn popped(&self, code: &X86Code) -> Option<u32> {
        match code.insn.mnemonic() {
            Mnemonic::Ret if code.insn.op_count() == 0 => Some(0),
            Mnemonic::Ret => Some(u32::from(code.insn.immediate16())),
            _ => None,
        }
    }

    fn follows_stack_probe(&self, code: &X86Code) -> bool {
        let insn = &code.insn;
        insn.mnemonic() == Mnemonic::Sub
            && matches!(insn.op0_register(), Register::RSP | Register::ESP)
            && matches!(insn.op1_register(), Register::RAX | Register::EAX)
    }
}

/// The number of a general register that the analysis follows; the high bytes (AH) are not.
fn general(register: Register) -> Option<(u8, u32)> {
    if !register.is_gpr()
        || matches!(
            register,
            Register::AH | Register::BH | Register::CH | Register::DH
        )
    {
        return None;
    }
    Some((
        register.full_register().number() as u8,
        register.size() as u32,
    ))
}

impl Step<'_, '_> {
    fn abi(&self) -> &'static Abi {
        self.machine.abi()
    }

    fn pointer(&self) -> u32 {
        self.abi().pointer
    }

    fn unknown(&self, cause: Cause) -> Value {
        Value::unknown(cause, self.at)
    }

    fn immediate(&self, value: u64) -> Value {
        Value::immediate(value, self.at)
    }

    /// An unknown result of something that may be an address on the stack: from here on any store may hit it.
    fn watch(&self, state: &mut State, from: &[&Value], result: &Value) {
        if !result.is_known() {
            from.iter()
                .for_each(|v| state.lose_track(&stack_addresses(v)));
        }
    }

    /// Makes everything unknown that the instruction writes.
    fn forget(&self, state: &mut State) {
        let mut factory = self.machine.info.borrow_mut();
        let info = factory.info(self.insn);
        let writes = |access| {
            matches!(
                access,
                OpAccess::Write
                    | OpAccess::CondWrite
                    | OpAccess::ReadWrite
                    | OpAccess::ReadCondWrite
            )
        };
        for used in info.used_registers().iter().filter(|u| writes(u.access())) {
            let register = used.register();
            if register.is_gpr() {
                state.set(
                    register.full_register().number() as u8,
                    self.unknown(Cause::Computed),
                );
            } else if register.is_vector_register() {
                state.set_lanes(register.number() as u8, Vec::new());
            }
        }
        for used in info.used_memory().iter().filter(|u| writes(u.access())) {
            let width = used.memory_size().size() as u32;
            let explicit =
                (0..self.insn.op_count()).any(|i| self.insn.op_kind(i) == OpKind::Memory);
            if explicit && width > 0 {
                let value = self.unknown(Cause::Computed);
                self.store(state, width, &value);
            } else {
                state.store_anywhere(self.at);
                let pointers: Vec<_> = [used.base(), used.index()]
                    .iter()
                    .flat_map(|&r| stack_addresses(&self.read(state, r)))
                    .collect();
                state.escape(&pointers, self.at);
            }
        }
    }

    /// A stack pointer that is not one known address begins a new piece of stack, of which nothing is known.
    fn check_stack_pointer(&self, state: &mut State) {
        let number = self.abi().stack_pointer;
        if !matches!(state.register(number).only(), Some(Atom::Stack(..))) {
            state.new_anchor(number, self.at);
        }
    }
}

fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate8_2nd
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}
