//! An instruction: where it leads, what it writes, and on demand its text.

use super::arm64;
use super::{Disassembly, Machine, Name, Operand, intel};
use iced_x86::{ConditionCode, ConstantOffsets};
use rkd_dump::addr::Virt;

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
    /// Asks the system or the hypervisor (`syscall`, `vmcall`, `svc`) and goes on; what it leaves in registers is as after a call.
    SystemCall,
    /// Back to the caller.
    Return,
    /// Nowhere: a breakpoint, a fast fail, bytes that are no instruction.
    Stop,
}

impl Flow {
    /// Whether the next instruction can follow.
    pub fn goes_on(self) -> bool {
        match self {
            Flow::Next | Flow::Branch(_) => true,
            Flow::Call(_) | Flow::CallIndirect | Flow::SystemCall => true,
            Flow::Jump(_) | Flow::JumpIndirect | Flow::Return | Flow::Stop => false,
        }
    }

    /// Where it jumps to inside its function, as far as that stands in the instruction.
    pub fn jump(self) -> Option<Virt> {
        match self {
            Flow::Jump(to) | Flow::Branch(to) => Some(to),
            _ => None,
        }
    }
}

/// What the processor does, in the form that its decoder gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// An instruction of x86 or x64.
    Intel {
        /// As iced-x86 decodes it.
        instruction: iced_x86::Instruction,
        /// Where in its bytes the immediate and the displacement lie: an image's relocations point there.
        fields: ConstantOffsets,
    },
    /// An instruction of ARM64.
    Arm64(arm64::Operation),
    /// The bytes are no instruction.
    Invalid,
}

/// What an instruction writes besides the flags and the instruction pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// General registers of which any part is written: bit 0 is register 0 (rax, x0). Bit 31 of ARM64 is the stack pointer.
    pub general: u32,
    /// The same for vector registers.
    pub vector: u32,
    /// The places in memory.
    pub memory: Vec<Written>,
}

impl Writes {
    /// The numbers of the registers in one of the sets, ascending.
    pub fn numbers(set: u32) -> impl Iterator<Item = u8> {
        (0..32u8).filter(move |number| set >> number & 1 == 1)
    }
}

/// A place in memory that an instruction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// So many bytes of the operand in memory.
    Operand(u32),
    /// Something, of any size, at an address that is made of these registers.
    Near([Option<u8>; 2]),
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instruction {
    /// Where its first byte lies: in memory, or as an offset in an image, just as it was asked for.
    pub address: Virt,
    /// Where it leads.
    pub flow: Flow,
    /// What it does.
    pub operation: Operation,
    machine: Machine,
    length: u8,
    bytes: [u8; 15],
}

impl Instruction {
    /// The instruction at the start of `bytes`, which lie at `address`. Bytes that are none give [`Operation::Invalid`]; `None` only
    /// when the bytes end before the instruction does.
    pub fn decode(machine: Machine, address: Virt, bytes: &[u8]) -> Option<Instruction> {
        let (operation, flow, length) = match machine {
            Machine::X86 | Machine::X64 => intel::decode(machine, address, bytes)?,
            Machine::Arm64 => {
                let word = bytes.first_chunk().copied().map(u32::from_le_bytes)?;
                match arm64::decode(word, address) {
                    Some((operation, flow)) => (Operation::Arm64(operation), flow, 4),
                    None => (Operation::Invalid, Flow::Stop, 4),
                }
            }
        };
        let mut own = [0; 15];
        own.get_mut(..length)?.copy_from_slice(bytes.get(..length)?);
        Some(Instruction {
            address,
            flow,
            operation,
            machine,
            length: u8::try_from(length).ok()?,
            bytes: own,
        })
    }

    /// The processor.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length.into()).unwrap_or_default()
    }

    /// How many bytes it has; 1 for x86's bytes that are no instruction.
    pub fn length(&self) -> u32 {
        self.length.into()
    }

    /// The first byte behind it.
    pub fn end(&self) -> Virt {
        self.address + u64::from(self.length)
    }

    /// Whether the bytes are no instruction.
    pub fn is_invalid(&self) -> bool {
        self.operation == Operation::Invalid
    }

    /// The 32-bit number that it holds, as an operand of its own.
    pub fn immediate(&self) -> Option<u32> {
        match &self.operation {
            Operation::Intel { instruction, .. } => intel::immediate(instruction),
            Operation::Arm64(arm64::Operation::General {
                result: arm64::Computation::Immediate(number),
                ..
            }) => u32::try_from(*number).ok(),
            Operation::Arm64(_) | Operation::Invalid => None,
        }
    }

    /// The operand in memory, if it has one and reads or writes it (x86 and x64).
    pub fn memory(&self) -> Option<Operand> {
        match &self.operation {
            Operation::Intel { instruction, .. } => intel::memory(self.machine, instruction),
            Operation::Arm64(_) | Operation::Invalid => None,
        }
    }

    /// The condition on which it jumps, moves or sets, as a processor's flags decide it (x86 and x64).
    pub fn condition(&self) -> Option<ConditionCode> {
        match &self.operation {
            Operation::Intel { instruction, .. } => {
                Some(instruction.condition_code()).filter(|code| *code != ConditionCode::None)
            }
            Operation::Arm64(_) | Operation::Invalid => None,
        }
    }

    /// What it writes.
    pub fn writes(&self) -> Writes {
        match &self.operation {
            Operation::Intel { instruction, .. } => intel::writes(instruction),
            Operation::Arm64(operation) => operation.writes(),
            Operation::Invalid => Writes::default(),
        }
    }

    /// Its text as kd prints it, with the names that `name` has for the addresses in it.
    pub fn disassemble(&self, name: &Name) -> Disassembly {
        let (mnemonic, operands) = match &self.operation {
            Operation::Intel { instruction, .. } => {
                intel::text::of(self.machine, instruction, name)
            }
            // What the one decoder does not follow the other may still be able to spell.
            _ if self.machine == Machine::Arm64 => {
                arm64::text::of(self.address, self.bytes(), name)
            }
            Operation::Arm64(_) | Operation::Invalid => ("???".to_owned(), String::new()),
        };
        let comment = match self.machine {
            Machine::X86 | Machine::X64 => self.immediate().and_then(tag),
            // A constant of 32 bits takes two instructions there.
            Machine::Arm64 => None,
        };
        Disassembly {
            instruction: *self,
            mnemonic,
            operands,
            comment: comment.map(|tag| format!("'{tag}'")),
        }
    }
}

/// Four printable characters that a 32-bit number stands for in memory: what a pool tag looks like.
fn tag(immediate: u32) -> Option<String> {
    let bytes = immediate.to_le_bytes();
    let is_text = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    (is_text && bytes.iter().any(u8::is_ascii_alphanumeric))
        .then(|| bytes.iter().copied().map(char::from).collect())
}
