//! x86-64 and 32-bit x86.

use super::forget;
use crate::abi::Abi;
use crate::image::TagImage;
use crate::lattice::{Cause, Value};
use crate::memory::{Memory, stack_addresses};
use crate::state::State;
use iced_x86::{Code, ConstantOffsets, Mnemonic, OpKind, Register};
use rkd_code::Instruction;

mod integer;
mod operands;
mod strings;
mod vector;

/// One instruction on its way through a state.
pub(super) struct Step<'a, 'm> {
    abi: &'static Abi,
    whole: &'a Instruction,
    insn: &'a iced_x86::Instruction,
    /// Whether the immediate is an address that the loader adjusts, and whether the displacement is.
    relocated: (bool, bool),
    at: u32,
    memory: &'a Memory<'m>,
}

impl<'a, 'm> Step<'a, 'm> {
    pub(super) fn new(
        whole: &'a Instruction,
        insn: &'a iced_x86::Instruction,
        fields: &ConstantOffsets,
        memory: &'a Memory<'m>,
    ) -> Step<'a, 'm> {
        let at = super::rva(whole);
        Step {
            abi: Abi::of(whole.machine()),
            whole,
            insn,
            relocated: relocated(memory.image, at, insn, fields),
            at,
            memory,
        }
    }

    /// The transfer function. Instructions that are not followed make everything that they write unknown.
    pub(super) fn apply(&self, state: &mut State) {
        let followed = self.integer(state) || self.vector(state) || self.string(state);
        if !followed {
            self.forget(state);
        }
    }

    /// Where an indirect call or jump leads.
    pub(super) fn target(&self, state: &State) -> Value {
        match self.insn.op0_kind() {
            OpKind::Register | OpKind::Memory => self.operand(state, 0),
            _ => self.unknown(Cause::Computed),
        }
    }

    fn pointer(&self) -> u32 {
        self.abi.pointer
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

    fn forget(&self, state: &mut State) {
        let unknown = self.unknown(Cause::Computed);
        forget(&self.whole.writes(), state, self.at, |state, width| {
            self.store(state, width, &unknown);
        });
    }
}

/// Whether immediate and displacement are addresses that the loader adjusts: on x64 that is an exception.
fn relocated(
    image: &TagImage,
    at: u32,
    insn: &iced_x86::Instruction,
    fields: &ConstantOffsets,
) -> (bool, bool) {
    if image.machine.pointer() == 8 && insn.code() != Code::Mov_r64_imm64 {
        return (false, false);
    }
    let adjusted = |offset: usize, present: bool| {
        present
            && (image.relocations.is_empty() || image.is_relocated(at.wrapping_add(offset as u32)))
    };
    (
        adjusted(fields.immediate_offset(), fields.has_immediate()),
        adjusted(fields.displacement_offset(), fields.has_displacement()),
    )
}

/// The place in the image that the instruction names as memory, if it is fixed.
pub(super) fn named_address(
    image: &TagImage,
    at: u32,
    insn: &iced_x86::Instruction,
    fields: &ConstantOffsets,
) -> Option<u32> {
    if insn.is_ip_rel_memory_operand() {
        return u32::try_from(insn.memory_displacement64()).ok();
    }
    let address = match relocated(image, at, insn, fields) {
        (_, true) => insn.memory_displacement32(),
        (true, false) => insn.immediate32(),
        (false, false) => return None,
    };
    image.rva_of(u64::from(address))
}

/// The most that a number can be behind these two instructions, if they compare it and leave when it is larger.
pub(super) fn bound(
    compare: &iced_x86::Instruction,
    branch: &iced_x86::Instruction,
) -> Option<u64> {
    let compares = matches!(compare.mnemonic(), Mnemonic::Cmp | Mnemonic::Sub);
    if !compares || !is_immediate(compare.op1_kind()) {
        return None;
    }
    let limit = compare.immediate(1);
    match branch.mnemonic() {
        Mnemonic::Ja => Some(limit),
        Mnemonic::Jae => limit.checked_sub(1),
        _ => None,
    }
}

/// Bytes that a `ret` takes off the stack besides the return address.
pub(super) fn popped(insn: &iced_x86::Instruction) -> Option<u32> {
    match insn.mnemonic() {
        Mnemonic::Ret if insn.op_count() == 0 => Some(0),
        Mnemonic::Ret => Some(u32::from(insn.immediate16())),
        _ => None,
    }
}

/// `sub rsp, rax`.
pub(super) fn makes_room(insn: &iced_x86::Instruction) -> bool {
    insn.mnemonic() == Mnemonic::Sub
        && matches!(insn.op0_register(), Register::RSP | Register::ESP)
        && matches!(insn.op1_register(), Register::RAX | Register::EAX)
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
