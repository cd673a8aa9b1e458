//! The text of x64 and x86 in kd's look: Microsoft's assembler, with the small ways in which kd differs from it.

use super::branch;
use crate::disassembly::address;
use crate::{Machine, Name};
use iced_x86::{
    Formatter, MasmFormatter, MemorySize, MemorySizeOptions, Mnemonic, OpKind, Register,
    SymbolResolver, SymbolResult,
};
use rkd_dump::addr::Virt;

/// Mnemonic and operands.
pub(crate) fn of(
    machine: Machine,
    decoded: &iced_x86::Instruction,
    name: &Name,
) -> (String, String) {
    // The formatter keeps its resolver, and the resolver borrows the callback: resolve first.
    let resolver = Resolver {
        branch: branch(decoded).map(|target| place(machine, target, name)),
        memory: fixed_address(decoded).map(|at| place(machine, at, name)),
        immediate: address_immediate(machine, decoded).and_then(|at| {
            name(at).map(|name| format!("offset {name} ({})", address(machine, at)))
        }),
    };
    let mut formatter = MasmFormatter::with_options(Some(Box::new(resolver)), None);
    let has_registers =
        decoded.memory_base() != Register::None || decoded.memory_index() != Register::None;
    let options = formatter.options_mut();
    options.set_uppercase_hex(true);
    options.set_show_branch_size(false);
    options.set_memory_size_options(MemorySizeOptions::Always);
    options.set_rip_relative_addresses(false);
    options.set_masm_add_ds_prefix32(false);
    // x86 with an index: `nt!KiServiceTable (80501234)[eax*4]`.
    options.set_masm_symbol_displ_in_brackets(!has_registers || decoded.is_ip_rel_memory_operand());
    let mut mnemonic = String::new();
    formatter.format_mnemonic(decoded, &mut mnemonic);
    let mut operands = String::new();
    if let Some(spelt) = string_operands(machine, decoded) {
        mnemonic.truncate(mnemonic.len().saturating_sub(1));
        return (mnemonic, spelt);
    }
    formatter.format_all_operands(decoded, &mut operands);
    (mnemonic, respelt(decoded, operands))
}

/// What kd spells differently from the formatter.
fn respelt(decoded: &iced_x86::Instruction, operands: String) -> String {
    match decoded.mnemonic() {
        // The register comes first, whatever the encoding says.
        Mnemonic::Xchg if !operands.ends_with(']') && operands.contains(']') => {
            match operands.rsplit_once(',') {
                Some((memory, register)) => format!("{register},{memory}"),
                None => operands,
            }
        }
        // Half of an SSE register is an "mmword" to kd.
        _ if is_half_of_xmm(decoded) => operands.replacen("qword ptr", "mmword ptr", 1),
        Mnemonic::Prefetchw
        | Mnemonic::Prefetch
        | Mnemonic::Prefetcht0
        | Mnemonic::Prefetcht1
        | Mnemonic::Prefetcht2
        | Mnemonic::Prefetchnta
        | Mnemonic::Clflush
        | Mnemonic::Invlpg => match operands.split_once(" ptr ") {
            Some((_, rest)) => rest.to_string(),
            None => operands,
        },
        _ => operands,
    }
}

fn is_half_of_xmm(decoded: &iced_x86::Instruction) -> bool {
    let has_xmm = (0..decoded.op_count()).any(|n| {
        decoded.op_kind(n) == OpKind::Register
            && (decoded.op_register(n).is_xmm() || decoded.op_register(n).is_mm())
    });
    let size = decoded.memory_size();
    has_xmm
        && size.size() == 8
        && (size.is_packed()
            || size == MemorySize::Float64
            || matches!(
                decoded.mnemonic(),
                Mnemonic::Movq | Mnemonic::Movlpd | Mnemonic::Movhpd
            ))
}

/// kd writes out what string instructions work on: `rep stos qword ptr [rdi]`, on x86 with the segment of the destination.
fn string_operands(machine: Machine, decoded: &iced_x86::Instruction) -> Option<String> {
    let name = format!("{:?}", decoded.mnemonic()).to_lowercase();
    let is_string = decoded.is_string_instruction();
    let stem = name
        .get(..name.len().checked_sub(1)?)
        .filter(|_| is_string)?;
    let size = match name.chars().last()? {
        'b' => "byte ptr ",
        'w' => "word ptr ",
        'd' => "dword ptr ",
        'q' => "qword ptr ",
        _ => return None,
    };
    let (source, destination) = match machine {
        Machine::X86 => (format!("{size}[esi]"), format!("{size}es:[edi]")),
        _ => (format!("{size}[rsi]"), format!("{size}[rdi]")),
    };
    Some(match stem {
        "stos" | "scas" => destination,
        "lods" => source,
        "movs" => format!("{destination},{source}"),
        "cmps" => format!("{source},{destination}"),
        "ins" => format!("{destination},dx"),
        "outs" => format!("dx,{source}"),
        _ => return None,
    })
}

/// `nt!Foo+0x12 (fffff807'2260101f)`, or the address alone.
fn place(machine: Machine, at: Virt, name: &Name) -> String {
    match name(at) {
        Some(name) => format!("{name} ({})", address(machine, at)),
        None => address(machine, at),
    }
}

/// The address of an operand that lies at a fixed place: relative to the instruction, or absolute on x86 (there with or without
/// an index). What fs and gs lead to is no place.
fn fixed_address(decoded: &iced_x86::Instruction) -> Option<Virt> {
    if decoded.is_ip_rel_memory_operand() {
        return Some(Virt(decoded.ip_rel_memory_address()));
    }
    let has_memory = (0..decoded.op_count()).any(|n| decoded.op_kind(n) == OpKind::Memory);
    let is_flat = !matches!(decoded.segment_prefix(), Register::FS | Register::GS);
    let is_wide = decoded.memory_displ_size() >= 4;
    let has_base = decoded.memory_base() != Register::None;
    (has_memory && is_flat && is_wide && !has_base && decoded.memory_displacement64() > 0xffff)
        .then(|| Virt(decoded.memory_displacement64()))
}

/// A number that is as wide as an address and may be one.
fn address_immediate(machine: Machine, decoded: &iced_x86::Instruction) -> Option<Virt> {
    (0..decoded.op_count()).find_map(|n| match (machine, decoded.op_kind(n)) {
        (Machine::X64, OpKind::Immediate64) => Some(Virt(decoded.immediate64())),
        (Machine::X86, OpKind::Immediate32) => Some(Virt(u64::from(decoded.immediate32()))),
        _ => None,
    })
}

/// The texts of an instruction's addresses, worked out beforehand.
struct Resolver {
    branch: Option<String>,
    memory: Option<String>,
    immediate: Option<String>,
}

impl SymbolResolver for Resolver {
    fn symbol(
        &mut self,
        instruction: &iced_x86::Instruction,
        _operand: u32,
        instruction_operand: Option<u32>,
        at: u64,
        _size: u32,
    ) -> Option<SymbolResult<'_>> {
        let text = match instruction.op_kind(instruction_operand?) {
            OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => &self.branch,
            OpKind::Memory => &self.memory,
            OpKind::Immediate32 | OpKind::Immediate64 => &self.immediate,
            _ => return None,
        };
        Some(SymbolResult::with_str(at, text.as_deref()?))
    }
}
