//! The text of an instruction, and the line that kd prints for it.

use super::machine::padded;
use super::{Instruction, Machine};
use rkd_dump::addr::Virt;
use std::fmt;

/// An instruction in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Disassembly {
    /// The instruction.
    pub instruction: Instruction,
    /// The mnemonic with its prefixes: `lock cmpxchg`; `???` for bytes that are no instruction.
    pub mnemonic: String,
    /// The operands in kd's look: `rcx,qword ptr gs:[20h]`.
    pub operands: String,
    /// What a person would like to know about it and kd does not say: `'Leak'`.
    pub comment: Option<String>,
}

impl Disassembly {
    /// Mnemonic and operands, without the padding between them that depends on the length of the bytes.
    pub fn text(&self) -> String {
        let machine = self.instruction.machine();
        machine.aligned(&self.mnemonic, &self.operands)
    }

    /// kd's line without the comment.
    ///
    /// Bytes have a column of 16. Longer ones push the mnemonic to the right, and it gives up as much of its own padding as that
    /// takes: the operands stay where they are as long as there is a blank to give.
    pub fn line(&self) -> String {
        let machine = self.instruction.machine();
        let bytes = self.instruction.bytes().iter();
        let hex = |byte: &u8| format!("{byte:02x}");
        let (code, column): (String, usize) = match machine {
            Machine::X86 | Machine::X64 => (bytes.map(hex).collect(), 15),
            // One word, not bytes in the order of memory.
            Machine::Arm64 => (bytes.rev().map(hex).collect(), 8),
        };
        let width = match machine {
            Machine::Arm64 => machine.mnemonic_width(),
            _ => machine
                .mnemonic_width()
                .saturating_sub(code.len().saturating_sub(16)),
        };
        let text = padded(&self.mnemonic, &self.operands, width);
        let at = address(machine, self.instruction.address);
        format!("{at} {code:<column$} {text}")
    }
}

/// An address in kd's form: sixteen digits with a back-tick, or eight digits on x86.
pub(super) fn address(machine: Machine, va: Virt) -> String {
    match machine {
        Machine::X86 => format!("{:08x}", va.0 as u32),
        Machine::X64 | Machine::Arm64 => va.to_string(),
    }
}

/// kd's line, and the comment behind it.
impl fmt::Display for Disassembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())?;
        match &self.comment {
            Some(comment) => write!(f, "   ; {comment}"),
            None => Ok(()),
        }
    }
}
