//! x64 and x86, as iced-x86 decodes them.

use super::{Flow, Machine, Operand, Operation, Writes, Written};
use iced_x86::{
    Decoder, DecoderError, DecoderOptions, FlowControl, InstructionInfoFactory, Mnemonic, OpAccess,
    OpKind, Register,
};
use rkd_dump::addr::Virt;

pub(crate) mod text;

/// The instruction at the start of `bytes`, where it leads, and its length; `None` when they end before it does.
pub(crate) fn decode(
    machine: Machine,
    address: Virt,
    bytes: &[u8],
) -> Option<(Operation, Flow, usize)> {
    let bits = 8 * machine.pointer();
    let mut decoder = Decoder::with_ip(bits, bytes, address.0, DecoderOptions::NONE);
    let instruction = decoder.decode();
    match decoder.last_error() {
        DecoderError::None => {
            let fields = decoder.get_constant_offsets(&instruction);
            let operation = Operation::Intel {
                instruction,
                fields,
            };
            Some((operation, flow(&instruction), instruction.len()))
        }
        DecoderError::NoMoreBytes if bytes.len() < machine.longest() => None,
        _ => Some((Operation::Invalid, Flow::Stop, 1)),
    }
}

fn branch(decoded: &iced_x86::Instruction) -> Option<Virt> {
    let is_near = matches!(
        decoded.op0_kind(),
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
    );
    (decoded.op_count() > 0 && is_near).then(|| Virt(decoded.near_branch_target()))
}

fn flow(decoded: &iced_x86::Instruction) -> Flow {
    let target = branch(decoded);
    match (decoded.flow_control(), target) {
        (FlowControl::Next, _) => Flow::Next,
        (FlowControl::UnconditionalBranch, Some(target)) => Flow::Jump(target),
        (FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend, Some(target)) => {
            Flow::Branch(target)
        }
        (FlowControl::UnconditionalBranch | FlowControl::IndirectBranch, _) => Flow::JumpIndirect,
        (FlowControl::Call, Some(target)) => Flow::Call(target),
        (FlowControl::IndirectCall | FlowControl::Call, _) => match decoded.mnemonic() {
            Mnemonic::Call => Flow::CallIndirect,
            _ => Flow::SystemCall,
        },
        (FlowControl::Return, _) => Flow::Return,
        // `int 29h` is a fast fail; the other interrupts come back.
        (FlowControl::Interrupt, _) => match decoded.mnemonic() {
            Mnemonic::Int if decoded.immediate8() != 0x29 => Flow::Next,
            _ => Flow::Stop,
        },
        (FlowControl::Exception, _) => Flow::Stop,
        (FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend, None) => Flow::Next,
    }
}

/// The 32-bit number that an instruction holds.
pub(crate) fn immediate(decoded: &iced_x86::Instruction) -> Option<u32> {
    (0..decoded.op_count()).find_map(|n| match decoded.op_kind(n) {
        OpKind::Immediate32 => Some(decoded.immediate32()),
        OpKind::Immediate32to64 => u32::try_from(decoded.immediate32to64()).ok(),
        _ => None,
    })
}

/// The operand in memory; `None` for addresses that are only computed.
pub(crate) fn memory(machine: Machine, decoded: &iced_x86::Instruction) -> Option<Operand> {
    let has_memory = (0..decoded.op_count()).any(|n| decoded.op_kind(n) == OpKind::Memory);
    if !has_memory || matches!(decoded.mnemonic(), Mnemonic::Lea | Mnemonic::Nop) {
        return None;
    }
    let register = |register: Register| {
        let is_one = register != Register::None && !decoded.is_ip_rel_memory_operand();
        is_one.then(|| format!("{register:?}").to_lowercase())
    };
    Some(Operand {
        segment: match decoded.memory_segment() {
            Register::SS => "ss",
            Register::ES => "es",
            Register::CS => "cs",
            Register::FS => "fs",
            Register::GS => "gs",
            _ => "ds",
        },
        base: register(decoded.memory_base()),
        index: register(decoded.memory_index())
            .map(|index| (index, u64::from(decoded.memory_index_scale()))),
        displacement: decoded.memory_displacement64(),
        size: decoded.memory_size().size(),
        bits: 8 * machine.pointer(),
    })
}

/// What an instruction writes: the only place that asks iced-x86 for it.
pub(crate) fn writes(decoded: &iced_x86::Instruction) -> Writes {
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(decoded);
    let is_write = |access| {
        matches!(
            access,
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    };
    let number = |register: Register| {
        let whole = register.full_register();
        register.is_gpr().then_some(whole.number() as u8)
    };
    let mut writes = Writes::default();
    for used in info
        .used_registers()
        .iter()
        .filter(|used| is_write(used.access()))
    {
        let register = used.register();
        if let Some(number) = number(register) {
            writes.general |= 1 << number;
        } else if register.is_vector_register() {
            writes.vector |= 1 << (register.number() & 31);
        }
    }
    let has_operand = (0..decoded.op_count()).any(|n| decoded.op_kind(n) == OpKind::Memory);
    let memory = info
        .used_memory()
        .iter()
        .filter(|used| is_write(used.access()));
    writes.memory = memory
        .map(|used| match used.memory_size().size() as u32 {
            bytes @ 1.. if has_operand => Written::Operand(bytes),
            // A push, a string instruction, or something as long as a register says.
            _ => Written::Near([number(used.base()), number(used.index())]),
        })
        .collect();
    writes
}
