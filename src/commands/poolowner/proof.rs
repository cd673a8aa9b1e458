//! Instructions that prove something, in kd's look.

use rkd_code::Machine;
use rkd_dump::addr::Virt;
use rkd_kernel::Kernel;
use rkd_kernel::owners::{Claim, Instruction, Suspect};
use rkd_pooltags::tag_text;

/// Columns that a line has before its remark.
const REMARK: usize = 67;

/// The lines of a claim: the instructions that hold the tag, and the call with the interface that it reaches.
pub fn lines(kernel: &Kernel, suspect: &Suspect, claim: &Claim) -> Vec<String> {
    let line = |instruction: &Instruction| {
        let text = text(kernel, suspect.arch, instruction);
        match remark(claim, instruction) {
            remark if remark.is_empty() || text.contains(&remark) => text,
            remark => format!("{text:<REMARK$} ; {remark}"),
        }
    };
    claim.proof.iter().map(line).collect()
}

/// The tag behind what holds it (only behind the last of two instructions, which completes it), the interface behind the call.
fn remark(claim: &Claim, instruction: &Instruction) -> String {
    let last = claim.proof.iter().rfind(|other| !other.is_call);
    match (instruction.is_call, claim.site.wrapper) {
        (true, Some(_)) => format!("leads to {}", claim.site.api),
        (true, None) => claim.site.api.to_owned(),
        (false, _) if last != Some(instruction) => String::new(),
        (false, _) => claim
            .site
            .tag
            .map_or(String::new(), |tag| format!("'{}'", tag_text(tag))),
    }
}

fn text(kernel: &Kernel, machine: Machine, instruction: &Instruction) -> String {
    let va = instruction.va;
    if instruction.bytes.is_empty() {
        return format!("{va} ??");
    }
    if instruction.is_data {
        // kd's line of memory, cut to the number that matters
        let bytes = instruction.bytes.iter().take(4);
        let hex: Vec<String> = bytes.map(|byte| format!("{byte:02x}")).collect();
        return format!("{va}  {}", hex.join(" "));
    }
    let name = |va: Virt| kernel.nearest(va).map(|near| near.to_string());
    let read = rkd_code::Instruction::decode(machine, va, &instruction.bytes);
    read.map_or_else(
        || format!("{va} ???"),
        |read| read.disassemble(&name).line(),
    )
}
