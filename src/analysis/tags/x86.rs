//! x86-64 and 32-bit x86: what each instruction does to the state. Instructions that are not followed make everything
//! that they write unknown.

use super::image::TagImage;
use super::machine::{Abi, Flow, Machine};
use super::memory::{Address, Memory, shifted_sum, stack_addresses};
use super::state::State;
use super::value::{Atom, Cause, How, Value, mask};
use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic,
    OpAccess, OpKind, Register,
};
use std::cell::RefCell;

mod integer;
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
pub struct X86Machine {
    bits: u32,
    info: RefCell<InstructionInfoFactory>,
}

/// A decoded instruction.
#[derive(Clone)]
pub struct X86Code {
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
    pub fn x64() -> X86Machine {
        X86Machine {
            bits: 64,
            info: RefCell::new(InstructionInfoFactory::new()),
        }
    }

    /// The 32-bit processor.
    pub fn x86() -> X86Machine {
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

    /// Bytes of an operand.
    fn width(&self, operand: u32) -> u32 {
        match self.insn.op_kind(operand) {
            OpKind::Register => self.insn.op_register(operand).size() as u32,
            OpKind::Memory => self.insn.memory_size().size() as u32,
            _ => 0,
        }
    }

    fn read(&self, state: &State, register: Register) -> Value {
        match general(register) {
            Some((number, width)) => {
                state
                    .register(number)
                    .truncate(width, self.pointer(), self.at)
            }
            None => self.unknown(Cause::Computed),
        }
    }

    fn write(&self, state: &mut State, register: Register, value: Value) {
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
        let merged = super::value::combine(&old, &low, self.at, |old, low| {
            Some((old & !mask(width)) | low)
        });
        // movzx follows as a rule: what is above may stay unknown as long as the low part is not asked for alone
        state.set(number, merged);
    }

    /// What an operand holds; immediates are sign-extended to the size of the first operand.
    fn operand(&self, state: &State, operand: u32) -> Value {
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
                let absolute = if self.machine.bits == 32 {
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

    fn push_width(&self) -> u32 {
        if self.insn.mnemonic() == Mnemonic::Push {
            self.pointer()
        } else {
            0
        }
    }

    fn signed(&self) -> bool {
        matches!(self.insn.mnemonic(), Mnemonic::Movsx | Mnemonic::Movsxd)
    }

    /// The address of the memory operand.
    fn address(&self, state: &State) -> Address {
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
        let displacement = match self.machine.bits {
            32 => i64::from(insn.memory_displacement32() as i32),
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
            (Some(base), None) => Address::behind(base, offset),
            (None, None) => Address::behind(self.immediate(0), offset),
            (base, Some((index, shift))) => {
                let base = base.unwrap_or_else(|| self.immediate(0));
                let sum = shifted_sum(&base, &index, shift, self.at);
                if sum.is_known() {
                    return Address::behind(sum, offset);
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

    fn store(&self, state: &mut State, width: u32, value: &Value) {
        let address = self.address(state);
        self.memory.store(state, &address, width, value, self.at);
    }

    /// Writes the first operand.
    fn set_operand(&self, state: &mut State, operand: u32, value: Value) {
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
