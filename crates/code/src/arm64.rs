//! 64-bit ARM: what each instruction does with which registers. All instructions have four bytes and say in fixed bits what they
//! write, so those that are not followed can still be trusted to change nothing else.
//!
//! Registers are numbers: 0 to 30, [`SP`] and [`ZR`] for the two things that 31 means in an instruction.

mod decode;
pub(crate) mod text;

pub(crate) use decode::decode;

use super::{Writes, Written};
use rkd_dump::addr::Virt;

/// The stack pointer's number.
pub const SP: u8 = 31;
/// The number of the register that always holds 0, and that takes what nobody wants.
pub const ZR: u8 = 32;

/// How bits are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// To the left, zeroes follow.
    Left,
    /// To the right, zeroes follow.
    Right,
    /// To the right, the sign follows.
    Signed,
    /// To the right, and in again on the left.
    Rotate,
}

/// The second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A number.
    Immediate(u64),
    /// A register, shifted by so many bits.
    Register(u8, Shift, u8),
    /// A part of a register: register, bytes that count, whether they are signed, bits that it is shifted to the left by.
    Extended(u8, u32, bool, u8),
}

/// What is done bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    /// `and`.
    And,
    /// `orr`.
    Or,
    /// `eor`.
    Xor,
    /// `bic`: the second operand is inverted first.
    AndNot,
    /// `orn`.
    OrNot,
    /// `eon`.
    XorNot,
}

/// What a general register gets. Operands and result have the same width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Computation {
    /// `movz`, `movn`: a number.
    Immediate(u64),
    /// `movk`: sixteen bits, already shifted, and by how much; the others stay.
    Insert(u64, u8),
    /// `adr`, `adrp`: a place near the instruction.
    Address(Virt),
    /// A sum or difference.
    Sum {
        /// The first operand.
        from: u8,
        /// The second.
        operand: Operand,
        /// Whether the second is taken away.
        subtract: bool,
    },
    /// Bit by bit.
    Logical {
        /// The first operand.
        from: u8,
        /// The second.
        operand: Operand,
        /// What is done with them.
        logic: Logic,
    },
    /// `ubfm`, `sbfm`: shifts by a number, extractions and extensions.
    Bitfield {
        /// The register.
        from: u8,
        /// Whether the sign of the field fills the bits above it.
        signed: bool,
        /// Bits that it is turned to the right by.
        rotate: u8,
        /// The highest bit that counts.
        top: u8,
    },
    /// `csel` and its like: one of two registers.
    Select {
        /// The one.
        first: u8,
        /// The other, which may be changed.
        second: u8,
        /// Whether it is inverted.
        invert: bool,
        /// Whether one is added after that.
        increment: bool,
    },
    /// `madd`, `msub`: a product added to a register.
    Multiply {
        /// One factor.
        a: u8,
        /// The other.
        b: u8,
        /// What the product is added to.
        add: u8,
        /// Or taken away from.
        subtract: bool,
    },
    /// A shift by a register.
    ShiftBy {
        /// What is shifted.
        from: u8,
        /// By how many bits.
        by: u8,
        /// How.
        shift: Shift,
    },
    /// `rev`: the bytes in the other order.
    Reverse(u8),
    /// `fmov`: the low bytes of a vector register.
    Vector(u8),
}

/// What a vector register gets; lanes have four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// A number in so many lanes.
    Number(u32, u8),
    /// A general register in so many lanes.
    General(u8, u8),
    /// So many lanes of another vector register.
    Vector(u8, u8),
    /// `fmov`: so many bytes of a general register, then zeroes.
    Low(u8, u32),
}

/// The address of a load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// Register and offset.
    Offset(u8, i64),
    /// The register is changed first, then used.
    PreIndexed(u8, i64),
    /// The register is used, then changed.
    PostIndexed(u8, i64),
    /// Register, index register, bytes of it that count, whether they are signed, bits that it is shifted to the left by.
    Indexed(u8, u8, u32, bool, u8),
    /// A place near the instruction.
    Literal(Virt),
}

/// A load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where in memory.
    pub addressing: Addressing,
    /// Bytes of one register.
    pub width: u32,
    /// The register.
    pub first: u8,
    /// The second one of a pair, which lies behind the first.
    pub second: Option<u8>,
    /// Whether they are vector registers.
    pub vector: bool,
    /// A load is sign-extended to so many bytes; 0: zero-extended.
    pub signed: u32,
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A general register gets a result of so many bytes, zero-extended.
    General {
        /// The register.
        to: u8,
        /// Bytes: 4 or 8.
        width: u32,
        /// The result.
        result: Computation,
    },
    /// A vector register gets these lanes.
    Vector {
        /// The register.
        to: u8,
        /// The lanes.
        result: Lanes,
    },
    /// Reads memory.
    Load(Access),
    /// Writes memory.
    Store(Access),
    /// Goes to the address in this register.
    BranchRegister(u8),
    /// Something else, of which is known only what it may write.
    Other {
        /// General registers; [`ZR`] where there are fewer.
        general: [u8; 3],
        /// The first of up to four vector registers.
        vector: Option<u8>,
        /// The register with an address in memory.
        memory: Option<u8>,
    },
}

impl Operation {
    /// Something that writes no register and no memory.
    const NOTHING: Operation = Operation::Other {
        general: [ZR; 3],
        vector: None,
        memory: None,
    };

    /// What it writes.
    pub(crate) fn writes(&self) -> Writes {
        let mut writes = Writes::default();
        let mut general =
            |register: u8| writes.general |= 1u32.checked_shl(register.into()).unwrap_or(0);
        match *self {
            Operation::General { to, .. } => general(to),
            Operation::Vector { to, .. } => writes.vector = 1 << to,
            Operation::Load(access) | Operation::Store(access) => {
                if let Addressing::PreIndexed(base, _) | Addressing::PostIndexed(base, _) =
                    access.addressing
                {
                    general(base);
                }
                let registers = [Some(access.first), access.second].into_iter().flatten();
                match (self, access.vector) {
                    (Operation::Load(_), true) => registers.for_each(|n| writes.vector |= 1 << n),
                    (Operation::Load(_), false) => registers.for_each(general),
                    _ => {
                        let bytes = access.width * registers.count() as u32;
                        writes.memory.push(Written::Operand(bytes));
                    }
                }
            }
            Operation::BranchRegister(_) => {}
            Operation::Other {
                general: registers,
                vector,
                memory,
            } => {
                registers.into_iter().for_each(general);
                if let Some(first) = vector {
                    writes.vector = 0b1111u32.rotate_left(first.into());
                }
                let near = memory.map(|base| Written::Near([Some(base), None]));
                writes.memory.extend(near);
            }
        }
        writes
    }
}
