//! The instruction that a processor stands before, with what its operands lead to: the lines with which kd greets whoever opens
//! a dump.

use iced_x86::ConditionCode;
use rkd_code::{Flow, Instruction, Operand};
use rkd_dump::addr::Virt;
use rkd_kernel::Kernel;
use rkd_kernel::context::Context;

/// Where a processor stands: kd's label, and the instruction's line.
pub struct CurrentInstruction {
    /// `nt!KeBugCheckEx`; `None` outside all modules.
    pub label: Option<String>,
    /// The instruction's line.
    pub line: String,
    /// Why the instruction cannot be shown.
    pub missing: Option<String>,
}

impl CurrentInstruction {
    /// Where these registers of a processor stand.
    pub fn of(kernel: &Kernel, processor: u32, context: &Context) -> CurrentInstruction {
        let at = context.instruction();
        let label = kernel.nearest(at).map(|near| near.to_string());
        let (line, missing) = match kernel.instruction_at(at) {
            Ok(instruction) => (line(kernel, processor, context, &instruction), None),
            Err(why) => (unreadable(at), Some(why.to_string())),
        };
        CurrentInstruction {
            label,
            line,
            missing,
        }
    }

    /// The label and the line below each other.
    pub fn text(&self) -> String {
        match &self.label {
            Some(label) => format!("{label}:\n{}", self.line),
            None => self.line.clone(),
        }
    }
}

/// kd's line for code that cannot be read.
pub fn unreadable(at: Virt) -> String {
    format!("{at} ??              ???")
}

fn line(kernel: &Kernel, processor: u32, context: &Context, instruction: &Instruction) -> String {
    let text = instruction.disassemble(&|at| kernel.code_name(at));
    let mut line = text.line();
    if let Some(operand) = &instruction.memory()
        && let Some(text) = operand_text(kernel, processor, context, instruction, operand)
    {
        line.push(' ');
        line.push_str(&text);
    }
    if let (Flow::Branch(_), Some(condition)) = (instruction.flow, instruction.condition()) {
        line.push_str(&format!(" [br={}]", u8::from(holds(condition, context))));
    }
    if let Some(comment) = &text.comment {
        line.push_str(&format!("   ; {comment}"));
    }
    line
}

/// `ss:0018:ffffb905'7d8473a0=0000000000000124`: segment, selector, address, and what lies there.
fn operand_text(
    kernel: &Kernel,
    processor: u32,
    context: &Context,
    instruction: &Instruction,
    operand: &Operand,
) -> Option<String> {
    let offset = operand.offset(&|name| context.get(name))?;
    let selector = context.get(operand.segment)?;
    // What gs leads to is the processor's control region; all other segments begin at 0.
    let at = match operand.segment {
        "gs" => control_region(kernel, processor).map(|base| base + offset.0),
        _ => Some(offset),
    };
    let mut bytes = [0; 64];
    let wanted = bytes.get_mut(..operand.size)?;
    let value = at.and_then(|at| kernel.space().read(at, wanted).ok());
    let value = match value {
        None => "?".repeat(operand.size * 2),
        Some(()) => wanted
            .iter()
            .rev()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    };
    let is_target = matches!(instruction.flow, Flow::CallIndirect | Flow::JumpIndirect);
    let target = u64::from_str_radix(&value, 16).ok().map(Virt);
    let named = target
        .filter(|_| is_target)
        .and_then(|at| Some((at, kernel.nearest(at)?)));
    let value = match named {
        Some((at, near)) => format!("{{{near} ({at})}}"),
        None => value,
    };
    Some(format!(
        "{}:{selector:04x}:{offset}={value}",
        operand.segment
    ))
}

fn control_region(kernel: &Kernel, processor: u32) -> Option<Virt> {
    let block = kernel.processor_block(processor).ok()?;
    let prcb = kernel.field_address(Virt(0), "_KPCR", "Prcb").ok()?;
    Some(block - prcb.0)
}

/// Whether a condition holds with these flags.
fn holds(condition: ConditionCode, context: &Context) -> bool {
    let flag = |name| context.get(name) == Some(1);
    let (carry, zero, sign) = (flag("cf"), flag("zf"), flag("sf"));
    let (overflow, parity) = (flag("of"), flag("pf"));
    match condition {
        ConditionCode::o => overflow,
        ConditionCode::no => !overflow,
        ConditionCode::b => carry,
        ConditionCode::ae => !carry,
        ConditionCode::e => zero,
        ConditionCode::ne => !zero,
        ConditionCode::be => carry || zero,
        ConditionCode::a => !carry && !zero,
        ConditionCode::s => sign,
        ConditionCode::ns => !sign,
        ConditionCode::p => parity,
        ConditionCode::np => !parity,
        ConditionCode::l => sign != overflow,
        ConditionCode::ge => sign == overflow,
        ConditionCode::le => zero || sign != overflow,
        ConditionCode::g => !zero && sign == overflow,
        ConditionCode::None => false,
    }
}
