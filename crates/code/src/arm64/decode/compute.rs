//! Instructions that compute: with immediates, with registers, on vectors.

use super::*;

pub(super) fn immediate(word: u32, at: Virt) -> Option<Operation> {
    let (rd, rn) = (word & 31, bits(word, 5, 5));
    let mut width = width(word);
    let flags = bits(word, 29, 1) == 1;
    let (to, result) = match bits(word, 23, 3) {
        0 | 1 => {
            let value = signed((bits(word, 5, 19) << 2) | bits(word, 29, 2), 21);
            let address = match word >> 31 {
                0 => at + value.cast_unsigned(),
                _ => at.page() + (value << 12).cast_unsigned(),
            };
            width = 8;
            (zr(rd), Computation::Address(address))
        }
        2 => {
            let shift = if bits(word, 22, 1) == 1 { 12 } else { 0 };
            let result = Computation::Sum {
                from: sp(rn),
                operand: Operand::Immediate(u64::from(bits(word, 10, 12)) << shift),
                subtract: bits(word, 30, 1) == 1,
            };
            (if flags { zr(rd) } else { sp(rd) }, result)
        }
        4 => {
            let fields = (bits(word, 22, 1), bits(word, 10, 6), bits(word, 16, 6));
            let (logic, to) = match bits(word, 29, 2) {
                0 => (Logic::And, sp(rd)),
                1 => (Logic::Or, sp(rd)),
                2 => (Logic::Xor, sp(rd)),
                _ => (Logic::And, zr(rd)),
            };
            let result = Computation::Logical {
                from: zr(rn),
                operand: Operand::Immediate(bitmask(fields, width)?),
                logic,
            };
            (to, result)
        }
        5 => {
            let shift = (bits(word, 21, 2) * 16) as u8;
            let value = u64::from(bits(word, 5, 16)) << shift;
            let result = match bits(word, 29, 2) {
                0 => Computation::Immediate(!value),
                2 => Computation::Immediate(value),
                3 => Computation::Insert(value, shift),
                _ => return None,
            };
            (zr(rd), result)
        }
        6 if bits(word, 29, 2) != 1 => {
            let result = Computation::Bitfield {
                from: zr(rn),
                signed: bits(word, 29, 2) == 0,
                rotate: bits(word, 16, 6) as u8,
                top: bits(word, 10, 6) as u8,
            };
            (zr(rd), result)
        }
        // bfm keeps a part of what was there; extr takes from two
        _ => return Some(writes(zr(rd))),
    };
    Some(Operation::General { to, width, result })
}

/// Something that is not followed, with one register as its result.
fn writes(register: u8) -> Operation {
    Operation::Other {
        general: [register, ZR, ZR],
        vector: None,
        memory: None,
    }
}

/// The immediate of `and`, `orr`, `eor`: a run of ones, rotated, repeated.
fn bitmask((n, imms, immr): (u32, u32, u32), width: u32) -> Option<u64> {
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

pub(super) fn registers(word: u32) -> Operation {
    let (rd, rn, rm) = (word & 31, bits(word, 5, 5), bits(word, 16, 5));
    let width = width(word);
    let shifts = [Shift::Left, Shift::Right, Shift::Signed, Shift::Rotate];
    let shift = |number: u32| {
        shifts
            .get(number as usize & 3)
            .copied()
            .unwrap_or(Shift::Left)
    };
    let shifted = Operand::Register(zr(rm), shift(bits(word, 22, 2)), bits(word, 10, 6) as u8);
    let (mut to, mut from) = (zr(rd), zr(rn));
    let result = match (bits(word, 28, 1), bits(word, 21, 4)) {
        (0, form) if form & 8 == 0 => {
            let logic = match (bits(word, 29, 2), form & 1) {
                (0 | 3, 0) => Logic::And,
                (0 | 3, _) => Logic::AndNot,
                (1, 0) => Logic::Or,
                (1, _) => Logic::OrNot,
                (_, 0) => Logic::Xor,
                (_, _) => Logic::XorNot,
            };
            Computation::Logical {
                from,
                operand: shifted,
                logic,
            }
        }
        (0, form) => {
            let operand = if form & 1 == 0 {
                shifted
            } else {
                let flags = bits(word, 29, 1) == 1;
                to = if flags { zr(rd) } else { sp(rd) };
                from = sp(rn);
                let option = bits(word, 13, 3);
                let bytes = 1 << (option & 3);
                Operand::Extended(zr(rm), bytes, option & 4 != 0, bits(word, 10, 3) as u8)
            };
            Computation::Sum {
                from,
                operand,
                subtract: bits(word, 30, 1) == 1,
            }
        }
        (_, 0b0100) => Computation::Select {
            first: from,
            second: zr(rm),
            invert: bits(word, 30, 1) == 1,
            increment: bits(word, 10, 1) == 1,
        },
        (_, 0b0110) if bits(word, 30, 1) == 0 => match bits(word, 10, 6) {
            number @ 8..=11 => Computation::ShiftBy {
                from,
                by: zr(rm),
                shift: shift(number),
            },
            _ => return writes(to),
        },
        (_, 0b0110) => match (rm, bits(word, 10, 6), width) {
            (0, 2, 4) | (0, 3, 8) => Computation::Reverse(from),
            _ => return writes(to),
        },
        (_, 0b1000) if bits(word, 29, 2) == 0 => Computation::Multiply {
            a: from,
            b: zr(rm),
            add: zr(bits(word, 10, 5)),
            subtract: bits(word, 15, 1) == 1,
        },
        // ccmp and ccmn write flags only
        (_, 0b0010) => return Operation::NOTHING,
        _ => return writes(to),
    };
    Operation::General { to, width, result }
}

pub(super) fn vector(word: u32) -> Operation {
    let (rd, rn) = ((word & 31) as u8, bits(word, 5, 5));
    let lanes = if bits(word, 30, 1) == 1 { 4 } else { 2 };
    let to_general = |width| Operation::General {
        to: zr(word),
        width,
        result: Computation::Vector(rn as u8),
    };
    let result = match word {
        // movi: zero in any arrangement, or 32-bit elements without a shift
        _ if word & 0x9ff8_0c00 == 0x0f00_0400 => splat(word).map(|n| Lanes::Number(n, lanes)),
        // dup v.4s, w
        _ if word & 0xbfff_fc00 == 0x0e04_0c00 => Some(Lanes::General(zr(rn), lanes)),
        // orr v, v, v with the same register twice is mov
        _ if word & 0xbfe0_fc00 == 0x0ea0_1c00 && rn == bits(word, 16, 5) => {
            Some(Lanes::Vector(rn as u8, lanes))
        }
        // fmov between a general and a vector register: w/s and x/d
        _ if word & 0xffff_fc00 == 0x1e27_0000 => Some(Lanes::Low(zr(rn), 4)),
        _ if word & 0xffff_fc00 == 0x9e67_0000 => Some(Lanes::Low(zr(rn), 8)),
        _ if word & 0xffff_fc00 == 0x1e26_0000 => return to_general(4),
        _ if word & 0xffff_fc00 == 0x9e66_0000 => return to_general(8),
        _ => None,
    };
    match result {
        Some(result) => Operation::Vector { to: rd, result },
        // umov, smov and conversions write a general register with this number; forgetting it is always right
        None => Operation::Other {
            general: [zr(word), ZR, ZR],
            vector: Some(rd),
            memory: None,
        },
    }
}

/// What `movi` puts into every four bytes.
fn splat(word: u32) -> Option<u32> {
    let byte = (bits(word, 16, 3) << 5) | bits(word, 5, 5);
    match (bits(word, 29, 1), bits(word, 12, 4)) {
        (0, 0 | 2 | 4 | 6 | 8 | 10 | 14) | (1, 14) if byte == 0 => Some(0),
        (0, n @ (0 | 2 | 4 | 6)) => Some(byte << (4 * n)),
        (0, 14) => Some(byte * 0x0101_0101),
        _ => None,
    }
}
