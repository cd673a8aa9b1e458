//! The transfer function: what an instruction does to the abstract state, and what else the analysis asks of one. Decoding and
//! flow are `rkd_code`'s; addresses of instructions are offsets of the image.

use super::abi::Abi;
use super::image::TagImage;
use super::lattice::{Atom, Cause, Value};
use super::memory::{Memory, stack_addresses};
use super::state::State;
use rkd_code::{Instruction, Operation, Writes, Written};
use rkd_dump::addr::Virt;

mod arm64;
mod lanes;
mod x86;

/// The instruction at this offset; `None` if there is none, or its bytes are missing.
pub(crate) fn decode(image: &TagImage, rva: u32) -> Option<Instruction> {
    let machine = image.machine;
    if !rva.is_multiple_of(machine.alignment()) {
        return None;
    }
    let bytes = image.slice(rva, machine.longest() as u32);
    Instruction::decode(machine, Virt(rva.into()), bytes).filter(|code| !code.is_invalid())
}

/// The offset that an instruction was decoded at.
pub(crate) fn rva(code: &Instruction) -> u32 {
    code.address.0 as u32
}

/// Applies everything that the instruction does, except for calling or jumping.
pub(crate) fn apply(code: &Instruction, state: &mut State, memory: &Memory<'_>) {
    match &code.operation {
        Operation::Intel {
            instruction,
            fields,
        } => x86::Step::new(code, instruction, fields, memory).apply(state),
        Operation::Arm64(operation) => arm64::Step::new(code, memory).apply(operation, state),
        Operation::Invalid => {}
    }
    // a stack pointer that is not one known address begins a new piece of stack, of which nothing is known
    let number = Abi::of(code.machine()).stack_pointer;
    if !matches!(state.register(number).only(), Some(Atom::Stack(..))) {
        state.new_anchor(number, rva(code));
    }
}

/// Where an indirect call or jump leads.
pub(crate) fn target(code: &Instruction, state: &State, memory: &Memory<'_>) -> Value {
    match &code.operation {
        Operation::Intel {
            instruction,
            fields,
        } => x86::Step::new(code, instruction, fields, memory).target(state),
        Operation::Arm64(rkd_code::arm64::Operation::BranchRegister(register)) => {
            state.register(*register)
        }
        Operation::Arm64(_) | Operation::Invalid => Value::unknown(Cause::Computed, rva(code)),
    }
}

/// The place in the image that the instruction names as memory, if it is fixed; `None` where several instructions do so.
pub(crate) fn named_address(code: &Instruction, image: &TagImage) -> Option<u32> {
    match &code.operation {
        Operation::Intel {
            instruction,
            fields,
        } => x86::named_address(image, rva(code), instruction, fields),
        Operation::Arm64(_) | Operation::Invalid => None,
    }
}

/// The most that a number can be behind these two instructions, if they compare it and leave when it is larger: how
/// compilers guard a jump through a table.
pub(crate) fn bound(compare: &Instruction, branch: &Instruction) -> Option<u64> {
    match (&compare.operation, &branch.operation) {
        (
            Operation::Intel {
                instruction: compare,
                ..
            },
            Operation::Intel {
                instruction: branch,
                ..
            },
        ) => x86::bound(compare, branch),
        _ => arm64::bound(compare, branch),
    }
}

/// Bytes that a `ret` takes off the stack besides the return address; `None` for other instructions.
pub(crate) fn popped(code: &Instruction) -> Option<u32> {
    match &code.operation {
        Operation::Intel { instruction, .. } => x86::popped(instruction),
        Operation::Arm64(_) | Operation::Invalid => None,
    }
}

/// Whether a call of a function that only makes room on the stack stands before this instruction, so that registers survive
/// the call (`__chkstk`).
pub(crate) fn follows_stack_probe(code: &Instruction) -> bool {
    match &code.operation {
        Operation::Intel { instruction, .. } => x86::makes_room(instruction),
        Operation::Arm64(operation) => arm64::makes_room(operation),
        Operation::Invalid => false,
    }
}

/// Makes everything unknown that an instruction writes; `store` does so for bytes of its operand in memory.
fn forget(writes: &Writes, state: &mut State, at: u32, store: impl Fn(&mut State, u32)) {
    for register in Writes::numbers(writes.general) {
        state.set(register, Value::unknown(Cause::Computed, at));
    }
    for register in Writes::numbers(writes.vector) {
        state.set_lanes(register, Vec::new());
    }
    for written in &writes.memory {
        match written {
            Written::Operand(bytes) => store(state, *bytes),
            Written::Near(registers) => {
                state.store_anywhere(at);
                let registers = registers.iter().flatten();
                let pointers: Vec<_> = registers
                    .flat_map(|&register| stack_addresses(&state.register(register)))
                    .collect();
                state.escape(&pointers, at);
            }
        }
    }
}

/// The low `width` bytes as a signed number of 64 bits.
fn sign_extend(value: u64, width: u32) -> u64 {
    let unused = 64 - 8 * width.clamp(1, 8);
    (((value << unused) as i64) >> unused) as u64
}
