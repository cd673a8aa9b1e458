//! An instruction as a row.

use crate::command::{KdLine, Row};
use rkd_code::{Flow, Instruction};
use rkd_dump::addr::Virt;
use rkd_kernel::Kernel;

/// An instruction of the target.
#[derive(Row)]
#[row(kind = "instruction")]
pub struct InstructionRow {
    /// Where it is.
    address: Virt,
    /// Its bytes.
    bytes: Vec<u8>,
    /// What it does.
    mnemonic: String,
    /// What it does it with.
    operands: String,
    /// Where it jumps or calls.
    #[row(absent = "it leads to no fixed place")]
    target: Option<Virt>,
    /// What that place is called.
    #[row(absent = "it leads to no place with a name")]
    target_name: Option<String>,
    /// What a number in it means.
    #[row(absent = "there is nothing to say about it")]
    comment: Option<String>,
    #[row(skip)]
    line: String,
}

impl InstructionRow {
    /// The row for an instruction; `suffix` follows it on kd's line.
    pub fn new(kernel: &Kernel, instruction: Instruction, suffix: &'static str) -> InstructionRow {
        let target = match instruction.flow {
            Flow::Jump(to) | Flow::Branch(to) | Flow::Call(to) => Some(to),
            // A call through a slot at a fixed place: where the slot leads now.
            Flow::CallIndirect | Flow::JumpIndirect => instruction
                .memory()
                .filter(|operand| operand.base.is_none() && operand.index.is_none())
                .and_then(|operand| kernel.space().read_virt(Virt(operand.displacement)).ok()),
            Flow::Next | Flow::SystemCall | Flow::Return | Flow::Stop => None,
        };
        let text = instruction.disassemble(&|at| kernel.code_name(at));
        InstructionRow {
            line: format!("{}{suffix}", text.line()),
            address: instruction.address,
            bytes: instruction.bytes().to_vec(),
            mnemonic: text.mnemonic,
            operands: text.operands,
            target,
            target_name: target
                .and_then(|to| kernel.nearest(to))
                .map(|near| near.to_string()),
            comment: text.comment,
        }
    }
}

impl KdLine for InstructionRow {
    fn line(&self) -> String {
        match &self.comment {
            Some(comment) => format!("{}   ; {comment}", self.line),
            None => self.line.clone(),
        }
    }
}
