//! Loads and stores.

use super::*;

pub(super) fn access(word: u32, at: Virt) -> Option<Operation> {
    let (rt, rt2, base) = (word & 31, bits(word, 10, 5), sp(bits(word, 5, 5)));
    let vector = bits(word, 26, 1) == 1;
    let register = |n: u32| if vector { (n & 31) as u8 } else { zr(n) };
    let access = |addressing, (width, signed), second| Access {
        addressing,
        width,
        first: register(rt),
        second,
        vector,
        signed,
    };
    let made = |load, access| match load {
        true => Operation::Load(access),
        false => Operation::Store(access),
    };
    Some(match bits(word, 28, 2) {
        0b01 if bits(word, 24, 1) == 0 => {
            let to = at + (signed(bits(word, 5, 19), 19) * 4).cast_unsigned();
            let size = match (vector, bits(word, 30, 2)) {
                (true, n) if n < 3 => (4 << n, 0),
                (false, 0) => (4, 0),
                (false, 1) => (8, 0),
                (false, 2) => (4, 8),
                // prfm
                (false, _) => return Some(Operation::NOTHING),
                _ => return None,
            };
            Operation::Load(access(Addressing::Literal(to), size, None))
        }
        0b10 => {
            let size = match (vector, bits(word, 30, 2)) {
                (true, n) if n < 3 => (4 << n, 0),
                (false, 0) => (4, 0),
                (false, 1) => (4, 8),
                (false, 2) => (8, 0),
                _ => return None,
            };
            let offset = signed(bits(word, 15, 7), 7) * i64::from(size.0);
            let addressing = indexed(bits(word, 23, 2), base, offset);
            let pair = access(addressing, size, Some(register(rt2)));
            made(bits(word, 22, 1) == 1, pair)
        }
        0b11 => {
            let (scale, opc) = (bits(word, 30, 2), bits(word, 22, 2));
            let (size, load) = match (vector, opc) {
                (true, 0 | 1) => ((1 << scale, 0), opc == 1),
                (true, _) => ((16, 0), opc == 3),
                (false, 0) => ((1 << scale, 0), false),
                (false, 1) => ((1 << scale, 0), true),
                // prfm
                (false, 2) if scale == 3 => return Some(Operation::NOTHING),
                (false, 2) => ((1 << scale, 8), true),
                (false, _) => ((1 << scale, 4), true),
            };
            let addressing = if bits(word, 24, 1) == 1 {
                let offset = i64::from(bits(word, 10, 12)) * i64::from(size.0);
                Addressing::Offset(base, offset)
            } else if bits(word, 21, 1) == 0 {
                indexed(bits(word, 10, 2), base, signed(bits(word, 12, 9), 9))
            } else if bits(word, 10, 2) == 2 {
                let option = bits(word, 13, 3);
                let from = if option & 1 == 1 { 8 } else { 4 };
                let shift = bits(word, 12, 1) * u32::ilog2(size.0);
                let index = zr(bits(word, 16, 5));
                Addressing::Indexed(base, index, from, option & 4 != 0, shift as u8)
            } else {
                // atomic operations, and loads with pointer authentication
                return Some(other([zr(rt), base, ZR], None, base));
            };
            made(load, access(addressing, size, None))
        }
        // exclusive and ordered accesses: a load writes the register, a store its status, and `stlr` nothing
        _ if !vector && bits(word, 21, 3) == 0b100 => other([ZR; 3], None, base),
        _ if !vector => other([zr(rt), zr(rt2), zr(bits(word, 16, 5))], None, base),
        _ if bits(word, 28, 4) != 0 && bits(word, 28, 4) != 4 => return None,
        // structures of vectors: up to four registers, which nothing here follows
        _ => other([base, ZR, ZR], Some((rt & 31) as u8), base),
    })
}

fn indexed(form: u32, base: u8, offset: i64) -> Addressing {
    match form {
        1 => Addressing::PostIndexed(base, offset),
        3 => Addressing::PreIndexed(base, offset),
        _ => Addressing::Offset(base, offset),
    }
}

fn other(general: [u8; 3], vector: Option<u8>, base: u8) -> Operation {
    Operation::Other {
        general,
        vector,
        memory: Some(base),
    }
}
