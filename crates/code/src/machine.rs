//! The processors whose code can be read.

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Machine {
    /// AMD64.
    X64,
    /// 32-bit x86.
    X86,
    /// AArch64.
    Arm64,
}

impl Machine {
    /// All of them.
    pub const ALL: [Machine; 3] = [Machine::X64, Machine::X86, Machine::Arm64];

    /// The processor that a PE header names (`IMAGE_FILE_MACHINE_*`); `None` for the others.
    pub fn of_image(machine: u16) -> Option<Machine> {
        match machine {
            0x014c => Some(Machine::X86),
            0x8664 => Some(Machine::X64),
            0xaa64 => Some(Machine::Arm64),
            _ => None,
        }
    }

    /// `x64`, `x86` or `arm64`.
    pub fn name(self) -> &'static str {
        match self {
            Machine::X64 => "x64",
            Machine::X86 => "x86",
            Machine::Arm64 => "arm64",
        }
    }

    /// Bytes in a pointer.
    pub fn pointer(self) -> u32 {
        match self {
            Machine::X86 => 4,
            Machine::X64 | Machine::Arm64 => 8,
        }
    }

    /// Bytes of the longest instruction.
    pub fn longest(self) -> usize {
        match self {
            Machine::X86 | Machine::X64 => 15,
            Machine::Arm64 => 4,
        }
    }

    /// Bytes of the shortest instruction, which all instructions begin at multiples of.
    pub fn alignment(self) -> u32 {
        match self {
            Machine::X86 | Machine::X64 => 1,
            Machine::Arm64 => 4,
        }
    }

    /// Mnemonic and operands as kd sets them apart: `mov     eax,1`.
    pub fn aligned(self, mnemonic: &str, operands: &str) -> String {
        padded(mnemonic, operands, self.mnemonic_width())
    }

    /// Characters that kd keeps for the mnemonic.
    pub(crate) fn mnemonic_width(self) -> usize {
        match self {
            Machine::X86 | Machine::X64 => 8,
            Machine::Arm64 => 12,
        }
    }
}

/// A mnemonic in a column of `width` characters, and its operands.
pub(crate) fn padded(mnemonic: &str, operands: &str, width: usize) -> String {
    if operands.is_empty() {
        return mnemonic.to_owned();
    }
    // A long mnemonic (`lock cmpxchg`) still stands apart from its operands.
    let width = width.max(mnemonic.len() + 1);
    format!("{mnemonic:<width$}{operands}")
}
