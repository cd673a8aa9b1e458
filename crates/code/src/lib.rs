//! CODE: bytes become instructions in kd's look, for x64, x86 and ARM64. Names come through a callback, so that a driver file is
//! disassembled by the same code as the target's memory.
//!
//! ```
//! use rkd_dump::addr::Virt;
//! use rkd_code::{Disassembler, Machine};
//!
//! let code = [0x41, 0xb8, 0x4c, 0x65, 0x61, 0x6b, 0xff, 0x15, 0x0c, 0x10, 0x00, 0x00];
//! let name = |va: Virt| (va == Virt(0x14000_201c)).then(|| "drv!_imp_ExAllocatePoolWithTag".to_string());
//! let lines = Disassembler::new(Machine::X64).lines(Virt(0x14000_1004), &code, &name);
//! assert_eq!(lines[0].to_string(), "00000001`40001004 41b84c65616b    mov     r8d,6B61654Ch   ; 'Leak'");
//! assert_eq!(
//!     lines[1].to_string(),
//!     "00000001`4000100a ff150c100000    call    qword ptr [drv!_imp_ExAllocatePoolWithTag (00000001`4000201c)]"
//! );
//! ```

#![warn(unreachable_pub)]

mod arm64;
mod function;
mod intel;
mod line;
mod operand;
pub mod unwind;

pub use function::Function;
pub use line::{Flow, Instruction};
pub use operand::Operand;

use rkd_dump::addr::Virt;

/// The name of an address with the distance from it (`nt!KiPageFault+0x41e`), if it has one.
pub type Name<'a> = dyn Fn(Virt) -> Option<String> + 'a;

/// The processors whose code can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// 32-bit x86.
    X86,
    /// AMD64.
    X64,
    /// AArch64.
    Arm64,
}

impl Machine {
    /// The processor that a PE header names (`IMAGE_FILE_MACHINE_*`); `None` for the others.
    pub fn of_image(machine: u16) -> Option<Machine> {
        match machine {
            0x014c => Some(Machine::X86),
            0x8664 => Some(Machine::X64),
            0xaa64 => Some(Machine::Arm64),
            _ => None,
        }
    }

    /// Bytes of the longest instruction.
    pub fn longest(self) -> usize {
        match self {
            Machine::X86 | Machine::X64 => 15,
            Machine::Arm64 => 4,
        }
    }

    /// Characters that kd keeps for the mnemonic.
    fn mnemonic_width(self) -> usize {
        match self {
            Machine::X86 | Machine::X64 => 8,
            Machine::Arm64 => 12,
        }
    }
}

/// Reads instructions.
#[derive(Clone, Copy, Debug)]
pub struct Disassembler {
    machine: Machine,
}

impl Disassembler {
    /// For this processor.
    pub fn new(machine: Machine) -> Disassembler {
        Disassembler { machine }
    }

    /// The processor.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The instruction at the start of `bytes`, which lie at `va`. Bytes that are none give one with the text `???`; `None` only when
    /// the bytes end before the instruction does.
    pub fn one(&self, va: Virt, bytes: &[u8], name: &Name) -> Option<Instruction> {
        match self.machine {
            Machine::X86 => intel::instruction(32, va, bytes, name),
            Machine::X64 => intel::instruction(64, va, bytes, name),
            Machine::Arm64 => arm64::instruction(va, bytes, name),
        }
    }

    /// All instructions in `bytes`, which lie at `va`; the last one may be cut off, and is then left out.
    pub fn lines(&self, va: Virt, bytes: &[u8], name: &Name) -> Vec<Instruction> {
        let mut lines = Vec::new();
        let mut tags = arm64::TagWatch::default();
        let mut done = 0;
        while let Some(mut instruction) = self.one(
            va + done as u64,
            bytes.get(done..).unwrap_or_default(),
            name,
        ) {
            if self.machine == Machine::Arm64 {
                tags.watch(&mut instruction);
            }
            done += instruction.bytes.len().max(1);
            lines.push(instruction);
        }
        lines
    }
}

/// Four printable characters that a 32-bit number stands for in memory: what a pool tag looks like.
fn tag(immediate: u32) -> Option<String> {
    let bytes = immediate.to_le_bytes();
    let is_text = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    (is_text && bytes.iter().any(u8::is_ascii_alphanumeric))
        .then(|| bytes.iter().copied().map(char::from).collect())
}

#[cfg(test)]
mod tests;
