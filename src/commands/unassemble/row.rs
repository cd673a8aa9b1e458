//! An instruction as a row.

use crate::command::{Record, Row, Value};
use rkd_code::{Disassembly, Flow, Instruction};
use rkd_dump::addr::Virt;
use rkd_kernel::Kernel;

/// An instruction of the target.
pub struct Line {
    instruction: Disassembly,
    /// Where it jumps or calls, and what that is called.
    target: Option<(Virt, Option<String>)>,
    suffix: &'static str,
}

impl Line {
    /// The row for an instruction; `suffix` follows it on kd's line.
    pub fn new(kernel: &Kernel, instruction: Instruction, suffix: &'static str) -> Line {
        let to = match instruction.flow {
            Flow::Jump(to) | Flow::Branch(to) | Flow::Call(to) => Some(to),
            // A call through a slot at a fixed place: where the slot leads now.
            Flow::CallIndirect | Flow::JumpIndirect => instruction
                .memory()
                .filter(|operand| operand.base.is_none() && operand.index.is_none())
                .and_then(|operand| kernel.space().read_virt(Virt(operand.displacement)).ok()),
            Flow::Next | Flow::SystemCall | Flow::Return | Flow::Stop => None,
        };
        Line {
            target: to.map(|to| (to, kernel.nearest(to).map(|near| near.to_string()))),
            instruction: instruction.disassemble(&|at| kernel.code_name(at)),
            suffix,
        }
    }
}

impl Row for Line {
    fn kind(&self) -> &'static str {
        "instruction"
    }

    fn record(&self) -> Record {
        let instruction = &self.instruction;
        let target = self.target.as_ref();
        vec![
            ("address", instruction.instruction.address.into()),
            (
                "bytes",
                Value::Bytes(instruction.instruction.bytes().to_vec()),
            ),
            ("mnemonic", instruction.mnemonic.as_str().into()),
            ("operands", instruction.operands.as_str().into()),
            (
                "target",
                match target {
                    Some((to, _)) => Value::Addr(*to),
                    None => Value::Absent("it leads to no fixed place".into()),
                },
            ),
            (
                "target_name",
                match target {
                    Some((_, Some(name))) => Value::Str(name.clone()),
                    _ => Value::Absent("it leads to no place with a name".into()),
                },
            ),
            (
                "comment",
                match &instruction.comment {
                    Some(comment) => Value::Str(comment.clone()),
                    None => Value::Absent("there is nothing to say about it".into()),
                },
            ),
        ]
    }

    fn text(&self) -> String {
        let comment = match &self.instruction.comment {
            Some(comment) => format!("   ; {comment}"),
            None => String::new(),
        };
        format!("{}{}{comment}", self.instruction.line(), self.suffix)
    }
}
