//! Instructions that compute: with immediates, with registers, on vectors.

use super::*;

pub(super) fn immediate(word: u32, rva: u32) -> Code {
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

pub(super) fn registers(word: u32) -> Code {
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

pub(super) fn vector(word: u32) -> Code {
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
