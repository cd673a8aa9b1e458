//! Epilogues: the few instructions at a function's end that take its frame down. The unwind data of version 1 says nothing
//! about them, so Windows recognizes them by their instructions, and so does this.

use super::{Memory, Registers, UnwindInfo, u64_at};
use crate::{Machine, Operation};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

/// Bytes of the longest epilogue: an addition, sixteen pops with prefixes, a jump.
const LONGEST: usize = 7 + 32 + 7;

/// If the registers stand in an epilogue, runs the rest of it. `leaves` says whether a jump leads out of the function. Code that cannot be read is taken for none.
pub(super) fn run(
    memory: &dyn Memory,
    leaves: &dyn Fn(Virt) -> bool,
    info: &UnwindInfo,
    registers: &mut Registers,
) -> Result<bool> {
    let mut bytes = [0; LONGEST];
    let mut length = LONGEST;
    while length > 0 && memory.read(registers.rip, &mut bytes[..length]).is_err() {
        // The end of a page, and the next one is not there.
        let to_page_end = (0x1000 - registers.rip.page_offset()) as usize;
        length = if length > to_page_end { to_page_end } else { 0 };
    }
    let code = bytes.get(..length).unwrap_or_default();
    let mut rest = code;
    let mut after = registers.clone();
    let mut is_first = true;
    while let Some(whole) = crate::Instruction::decode(Machine::X64, after.rip, rest)
        && let Operation::Intel { instruction, .. } = whole.operation
    {
        match instruction.mnemonic() {
            Mnemonic::Add | Mnemonic::Lea if is_first => {
                let Some(rsp) = freed(&instruction, info, &after) else {
                    return Ok(false);
                };
                after.set_rsp(rsp);
            }
            Mnemonic::Pop if instruction.op0_kind() == OpKind::Register => {
                let register = instruction.op0_register();
                if !register.is_gpr64() {
                    return Ok(false);
                }
                let rsp = after.rsp();
                after.set(register.number() as u8, u64_at(memory, rsp)?);
                after.set_rsp(rsp + 8);
            }
            Mnemonic::Ret => {
                super::leaf(memory, &mut after)?;
                *registers = after;
                return Ok(true);
            }
            Mnemonic::Jmp if is_tail_call(&instruction, rest, leaves) => {
                super::leaf(memory, &mut after)?;
                *registers = after;
                return Ok(true);
            }
            _ => return Ok(false),
        }
        is_first = false;
        after.rip = whole.end();
        rest = rest.get(whole.bytes().len()..).unwrap_or_default();
    }
    Ok(false)
}

/// rsp after the instruction that frees the frame: `add rsp,n`, or `lea rsp,[frame register+n]`.
fn freed(instruction: &Instruction, info: &UnwindInfo, registers: &Registers) -> Option<Virt> {
    if instruction.op0_kind() != OpKind::Register || instruction.op0_register() != Register::RSP {
        return None;
    }
    match instruction.mnemonic() {
        Mnemonic::Add if instruction.op1_kind() != OpKind::Register => {
            let bytes = instruction.try_immediate(1).ok()?;
            Some(registers.rsp() + bytes)
        }
        Mnemonic::Lea if instruction.memory_index() == Register::None => {
            let (frame, _) = info.frame?;
            let base = instruction.memory_base();
            (base.is_gpr64() && base.number() == usize::from(frame))
                .then(|| registers.get(frame) + instruction.memory_displacement64())
        }
        _ => None,
    }
}

/// Whether a jump is a call in tail position: it leads out of the function, or through memory, or is marked by a REX.W prefix.
fn is_tail_call(instruction: &Instruction, bytes: &[u8], leaves: &dyn Fn(Virt) -> bool) -> bool {
    match instruction.op0_kind() {
        OpKind::NearBranch64 => leaves(Virt(instruction.near_branch_target())),
        OpKind::Memory => instruction.is_ip_rel_memory_operand(),
        OpKind::Register => bytes.first().is_some_and(|prefix| prefix & 0xf8 == 0x48),
        _ => false,
    }
}
