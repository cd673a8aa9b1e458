//! Instruction words become the few forms that are told apart. Encodings are those of the Arm Architecture Reference Manual,
//! chapter C4; whatever is not listed is kept as "writes these registers".

use super::{Access, Addressing, Computation, Lanes, Logic, Operand, Operation, SP, Shift, ZR};
use crate::Flow;
use access::access;
use compute::{immediate, registers, vector};
use rkd_dump::addr::Virt;

mod access;
mod compute;

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

/// What the word at this address does, and where it leads; `None` where it is no instruction.
pub(crate) fn decode(word: u32, at: Virt) -> Option<(Operation, Flow)> {
    let operation = match bits(word, 25, 4) {
        0b1000 | 0b1001 => immediate(word, at),
        0b1010 | 0b1011 => return branch(word, at),
        0b0101 | 0b1101 => Some(registers(word)),
        0b0100 | 0b0110 | 0b1100 | 0b1110 => access(word, at),
        // of the others nothing is allocated, and padding (cccccccc) and text must not pass for code
        0b0111 | 0b1111 => match word >> 28 {
            0 | 1 | 2 | 4..=7 | 9 | 12 => Some(vector(word)),
            _ => None,
        },
        // SVE is not used in kernels; 0 is undefined on purpose
        0b0010 => Some(Operation::Other {
            general: [zr(word), ZR, ZR],
            vector: Some((word & 31) as u8),
            memory: None,
        }),
        _ => None,
    };
    Some((operation?, Flow::Next))
}

fn width(word: u32) -> u32 {
    if word >> 31 == 1 { 8 } else { 4 }
}

fn branch(word: u32, at: Virt) -> Option<(Operation, Flow)> {
    let to = |low: u32, count: u32| {
        let words = signed(bits(word, low, count), count);
        at + (words * 4).cast_unsigned()
    };
    let flow = match word >> 29 {
        0 => Flow::Jump(to(0, 26)),
        4 => Flow::Call(to(0, 26)),
        // cbz, cbnz; tbz, tbnz
        1 | 5 if bits(word, 25, 1) == 0 => Flow::Branch(to(5, 19)),
        1 | 5 => Flow::Branch(to(5, 14)),
        2 if bits(word, 24, 5) == 0b10100 => match word & 15 {
            14 | 15 => Flow::Jump(to(5, 19)),
            _ => Flow::Branch(to(5, 19)),
        },
        6 => return system(word),
        _ => return None,
    };
    Some((Operation::NOTHING, flow))
}

fn system(word: u32) -> Option<(Operation, Flow)> {
    let register = Operation::BranchRegister(zr(bits(word, 5, 5)));
    Some(match bits(word, 24, 5) {
        // svc, hvc, smc come back; brk, hlt and dcps do not
        0b10100 => match (bits(word, 21, 3), word & 3) {
            (0, 1..=3) => (Operation::NOTHING, Flow::SystemCall),
            _ => (Operation::NOTHING, Flow::Stop),
        },
        // mrs and sysl write a register
        0b10101 if bits(word, 21, 1) == 1 => {
            let general = [zr(word), ZR, ZR];
            let operation = Operation::Other {
                general,
                vector: None,
                memory: None,
            };
            (operation, Flow::Next)
        }
        0b10101 => (Operation::NOTHING, Flow::Next),
        // br, blr, ret, eret and those with pointer authentication
        0b10110 | 0b10111 => match bits(word, 21, 4) {
            0b0000 | 0b1000 => (register, Flow::JumpIndirect),
            0b0001 | 0b1001 => (register, Flow::CallIndirect),
            0b0010 | 0b0100 => (Operation::NOTHING, Flow::Return),
            _ => (Operation::NOTHING, Flow::Stop),
        },
        _ => return None,
    })
}
