//! Instruction words become the few forms that the analysis tells apart. Encodings are those of the Arm Architecture
//! Reference Manual, chapter C4; whatever is not listed is kept as "writes these registers".

use super::{SP, ZR};
use data::{immediate, registers, vector};
use transfers::transfer;

mod data;
mod transfers;

/// A shift of a register operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shift {
    Left(u8),
    Right(u8),
    Signed(u8),
    Rotate(u8),
}

/// The second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Immediate(u64),
    Register(u8, Shift),
    /// Register, bytes that count, whether signed, shift to the left.
    Extended(u8, u32, bool, u8),
}

/// What is done with numbers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    And,
    Or,
    Xor,
    /// The second operand is inverted first.
    AndNot,
    OrNot,
    XorNot,
}

/// The address of a load or store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Register and offset.
    Offset(u8, i64),
    /// The register is changed first, then used.
    Before(u8, i64),
    /// The register is used, then changed.
    After(u8, i64),
    /// Register, index register, bytes of it that count, whether signed, shift.
    Indexed(u8, u8, u32, bool, u8),
    /// A place in the image.
    Image(i64),
}

/// What is loaded or stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub place: Place,
    /// Bytes of one register.
    pub width: u32,
    /// First and second register; vector registers if `vector`.
    pub first: u8,
    pub second: Option<u8>,
    pub vector: bool,
    /// A load is sign-extended to so many bytes; 0: zero-extended.
    pub signed: u32,
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// `movz`, `movn`, or an address: register, bytes, number.
    Move {
        to: u8,
        width: u32,
        value: u64,
    },
    /// `movk`: sixteen bits at this shift.
    Insert {
        to: u8,
        width: u32,
        value: u64,
        shift: u8,
    },
    /// `adr`, `adrp`.
    Address {
        to: u8,
        rva: i64,
    },
    Add {
        to: u8,
        from: u8,
        width: u32,
        operand: Operand,
        subtract: bool,
    },
    Logical {
        to: u8,
        from: u8,
        width: u32,
        operand: Operand,
        operation: Operation,
    },
    /// `ubfm`, `sbfm`: rotate, and the highest bit that counts.
    Bitfield {
        to: u8,
        from: u8,
        width: u32,
        signed: bool,
        rotate: u8,
        top: u8,
    },
    /// One of two registers; the second first changed by inversion, increment.
    Select {
        to: u8,
        first: u8,
        second: u8,
        width: u32,
        invert: bool,
        increment: bool,
    },
    Multiply {
        to: u8,
        a: u8,
        b: u8,
        add: u8,
        width: u32,
        subtract: bool,
    },
    /// Shift by a register: 0 left, 1 right, 2 signed, 3 rotate.
    ShiftBy {
        to: u8,
        from: u8,
        by: u8,
        width: u32,
        how: u8,
    },
    /// Bytes in the other order.
    Reverse {
        to: u8,
        from: u8,
        width: u32,
    },
    Load(Transfer),
    Store(Transfer),
    /// A vector register of zeroes or of one number in all lanes of four bytes.
    Splat {
        to: u8,
        lanes: u8,
        value: u32,
    },
    /// A general register in all lanes.
    SplatRegister {
        to: u8,
        lanes: u8,
        from: u8,
    },
    /// A vector register copied.
    MoveVector {
        to: u8,
        from: u8,
        lanes: u8,
    },
    /// A general register into a vector register, or back.
    ToVector {
        to: u8,
        from: u8,
        width: u32,
    },
    FromVector {
        to: u8,
        from: u8,
        width: u32,
    },
    Jump(i64),
    Branch(i64),
    JumpRegister(u8),
    Call(i64),
    CallRegister(u8),
    Return,
    Stop,
    /// Something that writes these registers (no register: `ZR`), a vector register, and perhaps memory behind a register.
    Other {
        general: [u8; 3],
        vector: Option<u8>,
        memory: Option<u8>,
    },
    Undefined,
}

pub(super) const NOTHING: Code = Code::Other {
    general: [ZR; 3],
    vector: None,
    memory: None,
};

fn bits(word: u32, low: u32, count: u32) -> u32 {
    (word >> low) & ((1 << count) - 1)
}

fn signed(value: u32, count: u32) -> i64 {
    let unused = 64 - count;
    (i64::from(value) << unused) >> unused
}

/// A register where 31 is the zero register.
fn zr(number: u32) -> u8 {
    if number & 31 == 31 {
        ZR
    } else {
        (number & 31) as u8
    }
}

/// A register where 31 is the stack pointer.
fn sp(number: u32) -> u8 {
    if number & 31 == 31 {
        SP
    } else {
        (number & 31) as u8
    }
}

/// Decodes the word at this place of the image.
pub(super) fn decode(word: u32, rva: u32) -> Code {
    match bits(word, 25, 4) {
        0b1000 | 0b1001 => immediate(word, rva),
        0b1010 | 0b1011 => branch(word, rva),
        0b0101 | 0b1101 => registers(word),
        0b0100 | 0b0110 | 0b1100 | 0b1110 => transfer(word, rva),
        0b0111 | 0b1111 => vector(word),
        // SVE is not used in kernels; 0 is undefined on purpose
        0b0010 => Code::Other {
            general: [zr(word), ZR, ZR],
            vector: Some((word & 31) as u8),
            memory: None,
        },
        _ => Code::Undefined,
    }
}

fn width(word: u32) -> u32 {
    if word >> 31 == 1 { 8 } else { 4 }
}

fn branch(word: u32, rva: u32) -> Code {
    let to = |offset: i64| i64::from(rva) + offset * 4;
    match word >> 29 {
        0 | 4 => {
            let target = to(signed(bits(word, 0, 26), 26));
            if word >> 31 == 1 {
                Code::Call(target)
            } else {
                Code::Jump(target)
            }
        }
        // cbz, cbnz; tbz, tbnz
        1 | 5 => match bits(word, 25, 1) {
            0 => Code::Branch(to(signed(bits(word, 5, 19), 19))),
            _ => Code::Branch(to(signed(bits(word, 5, 14), 14))),
        },
        2 if bits(word, 24, 5) == 0b10100 => match word & 15 {
            14 | 15 => Code::Jump(to(signed(bits(word, 5, 19), 19))),
            _ => Code::Branch(to(signed(bits(word, 5, 19), 19))),
        },
        6 => system(word),
        _ => Code::Undefined,
    }
}

fn system(word: u32) -> Code {
    let rn = zr(bits(word, 5, 5));
    match bits(word, 24, 5) {
        // svc, hvc, smc leave what a call leaves; brk, hlt and dcps do not come back
        0b10100 => match (bits(word, 21, 3), word & 3) {
            (0, 1..=3) => Code::CallRegister(ZR),
            _ => Code::Stop,
        },
        // mrs and sysl write a register
        0b10101 if bits(word, 21, 1) == 1 => Code::Other {
            general: [zr(word), ZR, ZR],
            vector: None,
            memory: None,
        },
        0b10101 => NOTHING,
        // br, blr, ret, eret and those with pointer authentication
        0b10110 | 0b10111 => match bits(word, 21, 4) {
            0b0000 | 0b1000 => Code::JumpRegister(rn),
            0b0001 | 0b1001 => Code::CallRegister(rn),
            0b0010 => Code::Return,
            _ => Code::Stop,
        },
        _ => Code::Undefined,
    }
}
