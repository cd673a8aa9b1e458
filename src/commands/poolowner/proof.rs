//! Instructions that prove something, in kd's look.

use crate::addr::Virt;
use crate::analysis::owners::{Claim, Instruction, Suspect};
use crate::analysis::tags::Arch;
use crate::kernel::Kernel;
use iced_x86::{Decoder, DecoderOptions, Formatter as _, MasmFormatter, MemorySize};

/// The lines of a claim: the instructions that hold the tag, and the call with the interface that it reaches.
pub fn lines(kernel: &Kernel, suspect: &Suspect, claim: &Claim) -> Vec<String> {
    let line = |instruction: &Instruction| {
        let comment = comment(claim, instruction);
        let text = text(kernel, suspect.arch, instruction);
        match comment.is_empty() {
            true => text,
            false => format!("{text:<67} ; {comment}"),
        }
    };
    claim.proof.iter().map(line).collect()
}

fn comment(claim: &Claim, instruction: &Instruction) -> String {
    let tag = claim.site.tag.map(crate::analysis::tags::tag_text);
    match (instruction.is_call, claim.site.wrapper) {
        (true, Some(_)) => format!("leads to {}", claim.site.api),
        (true, None) => claim.site.api.to_owned(),
        (false, _) => tag.map_or(String::new(), |tag| format!("'{tag}'")),
    }
}

fn text(kernel: &Kernel, arch: Arch, instruction: &Instruction) -> String {
    let va = instruction.va;
    let bits = match arch {
        Arch::X64 => 64,
        Arch::X86 => 32,
        Arch::Arm64 => 0,
    };
    if instruction.bytes.is_empty() {
        return format!("{va} ???");
    }
    if instruction.is_data || bits == 0 {
        let bytes = instruction.bytes.iter().take(4);
        let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
        return format!("{va} {hex}");
    }
    let mut decoder = Decoder::with_ip(bits, &instruction.bytes, va.0, DecoderOptions::NONE);
    let decoded = decoder.decode();
    let hex: String = instruction
        .bytes
        .iter()
        .take(decoded.len())
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut formatter = MasmFormatter::new();
    formatter.options_mut().set_first_operand_char_index(8);
    let mut text = String::new();
    formatter.format(&decoded, &mut text);
    if decoded.is_ip_rel_memory_operand() && decoded.memory_size() == MemorySize::QwordOffset {
        let at = Virt(decoded.ip_rel_memory_address());
        let name = kernel.nearest(at).map_or_else(|| at.to_string(), |near| format!("{near} ({at})"));
        let mnemonic = text.split(' ').next().unwrap_or_default().to_owned();
        text = format!("{mnemonic:<8}qword ptr [{name}]");
    }
    format!("{va} {hex:<15} {text}")
}
