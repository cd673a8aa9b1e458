//! Loads and stores.

use super::*;

pub(super) fn transfer(word: u32, rva: u32) -> Code {
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
