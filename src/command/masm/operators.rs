//! The operators of both dialects: how they are spelt, how tightly they bind, and what they do.

use super::Complaint;
use super::lexer::{Dialect, Kind};
use super::scope::Width;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Plus,
    Minus,
    Not,
    Complement,
    Hi,
    Low,
    Read { width: Width, physical: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Multiply,
    Divide,
    Remainder,
    Add,
    Subtract,
    ShiftLeft,
    ShiftRight,
    ShiftRightSigned,
    Equal,
    NotEqual,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    And,
    Xor,
    Or,
    LogicalAnd,
    LogicalOr,
}

/// The unary operator that a token is at the start of an operand.
pub(super) fn unary(kind: &Kind, dialect: Dialect) -> Option<Unary> {
    let read = |width, physical| Some(Unary::Read { width, physical });
    match (kind, dialect) {
        (Kind::Sign("+"), _) => Some(Unary::Plus),
        (Kind::Sign("-"), _) => Some(Unary::Minus),
        (Kind::Sign("!"), Dialect::Cpp) => Some(Unary::Not),
        (Kind::Sign("~"), _) => Some(Unary::Complement),
        (Kind::Word(word), Dialect::Masm) => match word.to_ascii_lowercase().as_str() {
            "not" => Some(Unary::Not),
            "hi" => Some(Unary::Hi),
            "low" => Some(Unary::Low),
            "by" => read(Width::Byte, false),
            "wo" => read(Width::Word, false),
            "dwo" => read(Width::Dword, false),
            "qwo" => read(Width::Qword, false),
            "poi" => read(Width::Pointer, false),
            "$pby" => read(Width::Byte, true),
            "$pwo" => read(Width::Word, true),
            "$pdwo" => read(Width::Dword, true),
            "$pqwo" => read(Width::Qword, true),
            "$ppoi" => read(Width::Pointer, true),
            _ => None,
        },
        _ => None,
    }
}

/// The binary operator that a token is between two operands, and how tightly it binds (more is tighter).
pub(super) fn binary(kind: &Kind, dialect: Dialect) -> Option<(Binary, u8)> {
    match dialect {
        Dialect::Masm => masm_binary(kind),
        Dialect::Cpp => cpp_binary(kind),
    }
}

fn masm_binary(kind: &Kind) -> Option<(Binary, u8)> {
    let word = match kind {
        Kind::Word(word) => word.to_ascii_lowercase(),
        Kind::Sign(sign) => (*sign).to_string(),
        _ => return None,
    };
    Some(match word.as_str() {
        "*" => (Binary::Multiply, 7),
        "/" => (Binary::Divide, 7),
        "mod" | "%" => (Binary::Remainder, 7),
        "+" => (Binary::Add, 6),
        "-" => (Binary::Subtract, 6),
        "<<" => (Binary::ShiftLeft, 5),
        ">>" => (Binary::ShiftRight, 5),
        ">>>" => (Binary::ShiftRightSigned, 5),
        "=" | "==" => (Binary::Equal, 4),
        "!=" => (Binary::NotEqual, 4),
        "<" => (Binary::Less, 4),
        ">" => (Binary::Greater, 4),
        "<=" => (Binary::LessOrEqual, 4),
        ">=" => (Binary::GreaterOrEqual, 4),
        "and" | "&" => (Binary::And, 3),
        "xor" | "^" => (Binary::Xor, 2),
        "or" | "|" => (Binary::Or, 1),
        _ => return None,
    })
}

fn cpp_binary(kind: &Kind) -> Option<(Binary, u8)> {
    let Kind::Sign(sign) = kind else { return None };
    Some(match *sign {
        "*" => (Binary::Multiply, 10),
        "/" => (Binary::Divide, 10),
        "%" => (Binary::Remainder, 10),
        "+" => (Binary::Add, 9),
        "-" => (Binary::Subtract, 9),
        "<<" => (Binary::ShiftLeft, 8),
        ">>" => (Binary::ShiftRightSigned, 8),
        "<" => (Binary::Less, 7),
        ">" => (Binary::Greater, 7),
        "<=" => (Binary::LessOrEqual, 7),
        ">=" => (Binary::GreaterOrEqual, 7),
        "==" => (Binary::Equal, 6),
        "!=" => (Binary::NotEqual, 6),
        "&" => (Binary::And, 5),
        "^" => (Binary::Xor, 4),
        "|" => (Binary::Or, 3),
        "&&" => (Binary::LogicalAnd, 2),
        "||" => (Binary::LogicalOr, 1),
        _ => return None,
    })
}

/// What an operator makes of its operands. C++ numbers are signed, MASM's are not.
pub(super) fn apply(operator: Binary, dialect: Dialect, a: u64, b: u64) -> Result<u64, Complaint> {
    let signed = dialect == Dialect::Cpp;
    let (ia, ib) = (a as i64, b as i64);
    let less = if signed { ia < ib } else { a < b };
    Ok(match operator {
        Binary::Multiply => a.wrapping_mul(b),
        Binary::Divide | Binary::Remainder if b == 0 => return Err(Complaint::Operand),
        Binary::Divide if signed => ia.wrapping_div(ib) as u64,
        Binary::Divide => a / b,
        Binary::Remainder if signed => ia.wrapping_rem(ib) as u64,
        Binary::Remainder => a % b,
        Binary::Add => a.wrapping_add(b),
        Binary::Subtract => a.wrapping_sub(b),
        // Shifts by the width of the number or more leave nothing of it, where a processor would start again from 0.
        Binary::ShiftLeft => u32::try_from(b)
            .ok()
            .and_then(|n| a.checked_shl(n))
            .unwrap_or(0),
        Binary::ShiftRight => u32::try_from(b)
            .ok()
            .and_then(|n| a.checked_shr(n))
            .unwrap_or(0),
        Binary::ShiftRightSigned => (ia >> b.min(63)) as u64,
        Binary::Equal => u64::from(a == b),
        Binary::NotEqual => u64::from(a != b),
        Binary::Less => u64::from(less),
        Binary::GreaterOrEqual => u64::from(!less),
        Binary::Greater => u64::from(!less && a != b),
        Binary::LessOrEqual => u64::from(less || a == b),
        Binary::And => a & b,
        Binary::Xor => a ^ b,
        Binary::Or => a | b,
        Binary::LogicalAnd => u64::from(a != 0 && b != 0),
        Binary::LogicalOr => u64::from(a != 0 || b != 0),
    })
}
