//! Instruction words become the few forms that the analysis tells apart. Encodings are those of the Arm Architecture
//! Reference Manual, chapter C4; whatever is not listed is kept as "writes these registers".

use super::{SP, ZR};

/// A shift of a register operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    Left(u8),
    Right(u8),
    Signed(u8),
    Rotate(u8),
}

/// The second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    Immediate(u64),
    Register(u8, Shift),
    /// Register, bytes that count, whether signed, shift to the left.
    Extended(u8, u32, bool, u8),
}

/// What is done with numbers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
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
pub enum Place {
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
pub struct Transfer {
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
pub enum Code {
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

fn immediate(word: u32, rva: u32) -> Code {
    let (rd, rn) = (word & 31, bits(word, 5, 5));
    let width = width(word);
    match bits(word, 23, 3) {
        0 | 1 => {
            let value = signed((bits(word, 5, 19) << 2) | bits(word, 29, 2), 21);
            let rva = match word >> 31 {
                0 => i64::from(rva) + value,
                _ => i64::from(rva & !0xfff) + (value << 12),
            };
            Code::Address { to: zr(rd), rva }
        }
        2 => {
            let value =
                u64::from(bits(word, 10, 12)) << if bits(word, 22, 1) == 1 { 12 } else { 0 };
            let flags = bits(word, 29, 1) == 1;
            Code::Add {
                to: if flags { zr(rd) } else { sp(rd) },
                from: sp(rn),
                width,
                operand: Operand::Immediate(value),
                subtract: bits(word, 30, 1) == 1,
            }
        }
        4 => match bitmask(
            bits(word, 22, 1),
            bits(word, 10, 6),
            bits(word, 16, 6),
            width,
        ) {
            Some(value) => {
                let (operation, flags) = match bits(word, 29, 2) {
                    0 => (Operation::And, false),
                    1 => (Operation::Or, false),
                    2 => (Operation::Xor, false),
                    _ => (Operation::And, true),
                };
                let to = if flags { zr(rd) } else { sp(rd) };
                Code::Logical {
                    to,
                    from: zr(rn),
                    width,
                    operand: Operand::Immediate(value),
                    operation,
                }
            }
            None => Code::Undefined,
        },
        5 => {
            let shift = (bits(word, 21, 2) * 16) as u8;
            let value = u64::from(bits(word, 5, 16)) << shift;
            let to = zr(rd);
            match bits(word, 29, 2) {
                0 => Code::Move {
                    to,
                    width,
                    value: !value,
                },
                2 => Code::Move { to, width, value },
                3 => Code::Insert {
                    to,
                    width,
                    value,
                    shift,
                },
                _ => Code::Undefined,
            }
        }
        6 if bits(word, 29, 2) != 1 => Code::Bitfield {
            to: zr(rd),
            from: zr(rn),
            width,
            signed: bits(word, 29, 2) == 0,
            rotate: bits(word, 16, 6) as u8,
            top: bits(word, 10, 6) as u8,
        },
        // bfm keeps a part of what was there; extr takes from two
        _ => Code::Other {
            general: [zr(rd), ZR, ZR],
            vector: None,
            memory: None,
        },
    }
}

/// The immediate of `and`, `orr`, `eor`: a run of ones, rotated, repeated.
fn bitmask(n: u32, imms: u32, immr: u32, width: u32) -> Option<u64> {
    let combined = (n << 6) | (!imms & 0x3f);
    let length = 31u32.checked_sub(combined.leading_zeros())?;
    if length == 0 || (width == 4 && n == 1) {
        return None;
    }
    let size = 1u32 << length;
    let (ones, turn) = (imms & (size - 1), immr & (size - 1));
    if ones == size - 1 {
        return None;
    }
    let all = if size == 64 {
        u64::MAX
    } else {
        (1 << size) - 1
    };
    let run = (1u64 << (ones + 1)) - 1;
    let element = match turn {
        0 => run,
        _ => ((run >> turn) | (run << (size - turn))) & all,
    };
    let value = (0..64 / size).fold(0, |value, i| value | element << (i * size));
    Some(if width == 4 {
        value & 0xffff_ffff
    } else {
        value
    })
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

fn registers(word: u32) -> Code {
    let (rd, rn, rm) = (word & 31, bits(word, 5, 5), bits(word, 16, 5));
    let width = width(word);
    let shift = || {
        let n = bits(word, 10, 6) as u8;
        match bits(word, 22, 2) {
            0 => Shift::Left(n),
            1 => Shift::Right(n),
            2 => Shift::Signed(n),
            _ => Shift::Rotate(n),
        }
    };
    let other = Code::Other {
        general: [zr(rd), ZR, ZR],
        vector: None,
        memory: None,
    };
    if bits(word, 28, 1) == 0 {
        if bits(word, 24, 1) == 0 {
            let not = bits(word, 21, 1) == 1;
            let operation = match (bits(word, 29, 2), not) {
                (0 | 3, false) => Operation::And,
                (0 | 3, true) => Operation::AndNot,
                (1, false) => Operation::Or,
                (1, true) => Operation::OrNot,
                (_, false) => Operation::Xor,
                (_, true) => Operation::XorNot,
            };
            return Code::Logical {
                to: zr(rd),
                from: zr(rn),
                width,
                operand: Operand::Register(zr(rm), shift()),
                operation,
            };
        }
        let subtract = bits(word, 30, 1) == 1;
        let flags = bits(word, 29, 1) == 1;
        if bits(word, 21, 1) == 0 {
            let operand = Operand::Register(zr(rm), shift());
            return Code::Add {
                to: zr(rd),
                from: zr(rn),
                width,
                operand,
                subtract,
            };
        }
        let option = bits(word, 13, 3);
        let operand = Operand::Extended(
            zr(rm),
            1 << (option & 3),
            option & 4 != 0,
            bits(word, 10, 3) as u8,
        );
        return Code::Add {
            to: if flags { zr(rd) } else { sp(rd) },
            from: sp(rn),
            width,
            operand,
            subtract,
        };
    }
    match bits(word, 21, 4) {
        0b0100 => Code::Select {
            to: zr(rd),
            first: zr(rn),
            second: zr(rm),
            width,
            invert: bits(word, 30, 1) == 1,
            increment: bits(word, 10, 1) == 1,
        },
        0b0110 if bits(word, 30, 1) == 0 => match bits(word, 10, 6) {
            how @ 8..=11 => Code::ShiftBy {
                to: zr(rd),
                from: zr(rn),
                by: zr(rm),
                width,
                how: (how - 8) as u8,
            },
            _ => other,
        },
        0b0110 => match (rm, bits(word, 10, 6)) {
            (0, 2) if width == 4 => Code::Reverse {
                to: zr(rd),
                from: zr(rn),
                width,
            },
            (0, 3) if width == 8 => Code::Reverse {
                to: zr(rd),
                from: zr(rn),
                width,
            },
            _ => other,
        },
        0b1000 if bits(word, 29, 2) == 0 => Code::Multiply {
            to: zr(rd),
            a: zr(rn),
            b: zr(rm),
            add: zr(bits(word, 10, 5)),
            width,
            subtract: bits(word, 15, 1) == 1,
        },
        // ccmp and ccmn write flags only
        0b0010 => NOTHING,
        _ => other,
    }
}

fn transfer(word: u32, rva: u32) -> Code {
    let (rt, rn, rt2) = (word & 31, bits(word, 5, 5), bits(word, 10, 5));
    let vector = bits(word, 26, 1) == 1;
    let size = bits(word, 30, 2);
    let opc = bits(word, 22, 2);
    let register = |n: u32| if vector { (n & 31) as u8 } else { zr(n) };
    let base = sp(rn);
    match bits(word, 28, 2) {
        0b01 if bits(word, 24, 1) == 0 => literal(word, rva, vector),
        0b10 => {
            let (width, signed_to) = match (vector, size) {
                (true, n) if n < 3 => (4 << n, 0),
                (false, 0) => (4, 0),
                (false, 1) => (4, 8),
                (false, 2) => (8, 0),
                _ => return Code::Undefined,
            };
            let offset = signed(bits(word, 15, 7), 7) * i64::from(width);
            let place = match bits(word, 23, 2) {
                1 => Place::After(base, offset),
                3 => Place::Before(base, offset),
                _ => Place::Offset(base, offset),
            };
            let transfer = Transfer {
                place,
                width,
                first: register(rt),
                second: Some(register(rt2)),
                vector,
                signed: signed_to,
            };
            if bits(word, 22, 1) == 1 {
                Code::Load(transfer)
            } else {
                Code::Store(transfer)
            }
        }
        0b11 => {
            let (width, load, signed_to) = match (vector, opc) {
                (true, _) => (if opc & 2 != 0 { 16 } else { 1 << size }, opc & 1 == 1, 0),
                (false, 0) => (1 << size, false, 0),
                (false, 1) => (1 << size, true, 0),
                // prfm
                (false, 2) if size == 3 => return NOTHING,
                (false, 2) => (1 << size, true, 8),
                (false, _) => (1 << size, true, 4),
            };
            let scale = 31 - u32::leading_zeros(width);
            let unscaled = signed(bits(word, 12, 9), 9);
            let place = if bits(word, 24, 1) == 1 {
                Place::Offset(base, i64::from(bits(word, 10, 12)) * i64::from(width))
            } else if bits(word, 21, 1) == 0 {
                match bits(word, 10, 2) {
                    1 => Place::After(base, unscaled),
                    3 => Place::Before(base, unscaled),
                    _ => Place::Offset(base, unscaled),
                }
            } else if bits(word, 10, 2) == 2 {
                let option = bits(word, 13, 3);
                let from = if option & 1 == 1 { 8 } else { 4 };
                let shift = if bits(word, 12, 1) == 1 {
                    scale as u8
                } else {
                    0
                };
                Place::Indexed(base, zr(bits(word, 16, 5)), from, option & 4 != 0, shift)
            } else {
                // atomic operations, and loads with pointer authentication
                return Code::Other {
                    general: [zr(rt), base, ZR],
                    vector: None,
                    memory: Some(base),
                };
            };
            let transfer = Transfer {
                place,
                width,
                first: register(rt),
                second: None,
                vector,
                signed: signed_to,
            };
            if load {
                Code::Load(transfer)
            } else {
                Code::Store(transfer)
            }
        }
        // exclusive and ordered accesses: a load writes the register, a store its status
        _ if !vector => {
            let plain_store =
                bits(word, 22, 1) == 0 && bits(word, 23, 1) == 1 && bits(word, 21, 1) == 0;
            let general = if plain_store {
                [ZR; 3]
            } else {
                [zr(rt), zr(rt2), zr(bits(word, 16, 5))]
            };
            Code::Other {
                general,
                vector: None,
                memory: Some(base),
            }
        }
        // structures of vectors: up to four registers, which nothing here follows
        _ => Code::Other {
            general: [base, ZR, ZR],
            vector: Some((rt & 31) as u8),
            memory: Some(base),
        },
    }
}

fn literal(word: u32, rva: u32, vector: bool) -> Code {
    let place = Place::Image(i64::from(rva) + signed(bits(word, 5, 19), 19) * 4);
    let rt = word & 31;
    let (width, signed) = match (vector, bits(word, 30, 2)) {
        (true, n) if n < 3 => (4 << n, 0),
        (false, 0) => (4, 0),
        (false, 1) => (8, 0),
        (false, 2) => (4, 8),
        (false, _) => return NOTHING,
        _ => return Code::Undefined,
    };
    let first = if vector { rt as u8 } else { zr(rt) };
    Code::Load(Transfer {
        place,
        width,
        first,
        second: None,
        vector,
        signed,
    })
}

fn vector(word: u32) -> Code {
    let (rd, rn) = ((word & 31) as u8, bits(word, 5, 5));
    let lanes = if bits(word, 30, 1) == 1 { 4 } else { 2 };
    // movi: zero in any arrangement, or 32-bit elements without a shift
    if word & 0x9ff8_0c00 == 0x0f00_0400 {
        let byte = (bits(word, 16, 3) << 5) | bits(word, 5, 5);
        let mode = (bits(word, 29, 1), bits(word, 12, 4));
        match mode {
            _ if byte == 0 && matches!(mode, (0, 0 | 2 | 4 | 6 | 8 | 10 | 14) | (1, 14)) => {
                return Code::Splat {
                    to: rd,
                    lanes,
                    value: 0,
                };
            }
            (0, n @ (0 | 2 | 4 | 6)) => {
                return Code::Splat {
                    to: rd,
                    lanes,
                    value: byte << (4 * n),
                };
            }
            (0, 14) => {
                return Code::Splat {
                    to: rd,
                    lanes,
                    value: byte * 0x0101_0101,
                };
            }
            _ => {}
        }
    }
    match word {
        // dup v.4s, w
        _ if word & 0xbfff_fc00 == 0x0e04_0c00 => Code::SplatRegister {
            to: rd,
            lanes,
            from: zr(rn),
        },
        // orr v, v, v with the same register twice is mov
        _ if word & 0xbfe0_fc00 == 0x0ea0_1c00 && rn == bits(word, 16, 5) => Code::MoveVector {
            to: rd,
            from: rn as u8,
            lanes,
        },
        // fmov between a general and a vector register: w/s and x/d
        _ if word & 0xffff_fc00 == 0x1e27_0000 => Code::ToVector {
            to: rd,
            from: zr(rn),
            width: 4,
        },
        _ if word & 0xffff_fc00 == 0x9e67_0000 => Code::ToVector {
            to: rd,
            from: zr(rn),
            width: 8,
        },
        _ if word & 0xffff_fc00 == 0x1e26_0000 => Code::FromVector {
            to: zr(word),
            from: rn as u8,
            width: 4,
        },
        _ if word & 0xffff_fc00 == 0x9e66_0000 => Code::FromVector {
            to: zr(word),
            from: rn as u8,
            width: 8,
        },
        // umov, smov and conversions write a general register with this number; forgetting it is always right
        _ => Code::Other {
            general: [zr(word), ZR, ZR],
            vector: Some(rd),
            memory: None,
        },
    }
}
