//! An instruction, and the line that kd prints for it.

use super::{Machine, Operand};
use rkd_dump::addr::Virt;
use std::fmt;

/// Where an instruction leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// To the next one.
    Next,
    /// There.
    Jump(Virt),
    /// There, or to the next one.
    Branch(Virt),
    /// To where a register or memory says.
    JumpIndirect,
    /// Calls a function and goes on.
    Call(Virt),
    /// Calls what a register or memory says and goes on.
    CallIndirect,
    /// Back to the caller.
    Return,
    /// Nowhere: a breakpoint, a fast fail, bytes that are no instruction.
    Stop,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction {
    /// Its first byte.
    pub va: Virt,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The mnemonic with its prefixes: `lock cmpxchg`.
    pub mnemonic: String,
    /// The operands in kd's look: `rcx,qword ptr gs:[20h]`.
    pub operands: String,
    /// What a person would like to know about it and kd does not say: `'Leak'`.
    pub comment: Option<String>,
    /// Where it leads.
    pub flow: Flow,
    /// The operand in memory, if it has one and reads or writes it.
    pub memory: Option<Operand>,
    /// The condition on which it jumps, as a processor's flags decide it.
    pub condition: Option<iced_x86::ConditionCode>,
    /// The processor.
    pub machine: Machine,
}

impl Instruction {
    /// Mnemonic and operands, without the padding between them that depends on the length of the bytes.
    pub fn text(&self) -> String {
        let width = self.machine.mnemonic_width();
        self.padded(width)
    }

    /// Whether the bytes are no instruction.
    pub fn is_invalid(&self) -> bool {
        self.mnemonic == "???"
    }

    /// The first byte behind it.
    pub fn end(&self) -> Virt {
        self.va + self.bytes.len() as u64
    }

    fn padded(&self, width: usize) -> String {
        if self.operands.is_empty() {
            return self.mnemonic.clone();
        }
        // A long mnemonic (`lock cmpxchg`) still stands apart from its operands.
        let width = width.max(self.mnemonic.len() + 1);
        format!("{:<width$}{}", self.mnemonic, self.operands)
    }

    /// The address as kd prints it for the processor.
    pub fn address(&self) -> String {
        address(self.machine, self.va)
    }

    /// The bytes as kd prints them: in the order of memory, or as one word where instructions are words.
    pub fn code(&self) -> String {
        let hex = |byte: &u8| format!("{byte:02x}");
        match self.machine {
            Machine::X86 | Machine::X64 => self.bytes.iter().map(hex).collect(),
            Machine::Arm64 => self.bytes.iter().rev().map(hex).collect(),
        }
    }

    /// kd's line without the comment.
    ///
    /// Bytes have a column of 16. Longer ones push the mnemonic to the right, and it gives up as much of its own padding as that
    /// takes: the operands stay where they are as long as there is a blank to give.
    pub fn line(&self) -> String {
        let code = self.code();
        let column = match self.machine {
            Machine::X86 | Machine::X64 => 15,
            Machine::Arm64 => 8,
        };
        let pushed = match self.machine {
            Machine::Arm64 => 0,
            _ => code.len().saturating_sub(16),
        };
        let text = self.padded(self.machine.mnemonic_width().saturating_sub(pushed));
        format!("{} {code:<column$} {text}", self.address())
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
impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line())?;
        match &self.comment {
            Some(comment) => write!(f, "   ; {comment}"),
            None => Ok(()),
        }
    }
}
