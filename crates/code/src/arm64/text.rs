//! ARM64 in the look of Microsoft's tools: `fp` and `lr` by their names, no blanks between operands, `#0x10` and `#8`.

use crate::disassembly::address;
use crate::{Machine, Name};
use rkd_dump::addr::Virt;
use rkd_dump::bytes::ReadAt;
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{InstDecoder, Opcode, Operand as ArmOperand};

/// Mnemonic and operands of the instruction in `bytes`.
///
/// The printer decodes the word once more: what it keeps of an instruction is made for spelling it, and would not say what is
/// written. Nothing but spelling is taken from it.
pub(crate) fn of(at: Virt, bytes: &[u8], name: &Name) -> (String, String) {
    let word = bytes.u32_at(0).unwrap_or_default();
    if let Some(hint) = hint(word) {
        return (hint.to_owned(), String::new());
    }
    match InstDecoder::default().decode(&mut U8Reader::new(bytes)) {
        Ok(decoded) => {
            let (mnemonic, operands) = text(at, &decoded, name);
            (mnemonic, corrected(word, operands))
        }
        Err(_) => ("???".to_owned(), String::new()),
    }
}

/// Pointer authentication, which every function of Windows for ARM64 begins and ends with since Windows 11, and which the
/// decoder shows as numbered hints.
fn hint(word: u32) -> Option<&'static str> {
    Some(match word {
        0xd503_201f => "nop",
        0xd503_203f => "yield",
        0xd503_205f => "wfe",
        0xd503_207f => "wfi",
        0xd503_209f => "sev",
        0xd503_233f => "paciasp",
        0xd503_237f => "pacibsp",
        0xd503_23bf => "autiasp",
        0xd503_23ff => "autibsp",
        0xd503_20ff => "xpaclri",
        0xd503_245f => "bti         c",
        0xd503_249f => "bti         j",
        0xd503_24df => "bti         jc",
        0xd65f_0bff => "retaa",
        0xd65f_0fff => "retab",
        _ => return None,
    })
}

fn offset(decoded: &yaxpeax_arm::armv8::a64::Instruction) -> Option<i64> {
    decoded.operands.iter().find_map(|operand| match operand {
        ArmOperand::PCOffset(offset) => Some(*offset),
        _ => None,
    })
}

fn target(va: Virt, decoded: &yaxpeax_arm::armv8::a64::Instruction) -> Option<Virt> {
    let offset = offset(decoded)?;
    let base = match decoded.opcode {
        Opcode::ADRP => va.page(),
        _ => va,
    };
    Some(base + offset.cast_unsigned())
}

/// Mnemonic and operands.
fn text(va: Virt, decoded: &yaxpeax_arm::armv8::a64::Instruction, name: &Name) -> (String, String) {
    let whole = decoded.to_string();
    let (mnemonic, rest) = whole.split_once(' ').unwrap_or((&whole, ""));
    let place = target(va, decoded).map(|at| match name(at) {
        Some(name) => format!("{name} ({})", address(Machine::Arm64, at)),
        None => address(Machine::Arm64, at),
    });
    let operands = rest
        .split(", ")
        .map(|operand| match &place {
            Some(place) if operand.starts_with('$') => place.clone(),
            _ => operand_text(operand),
        })
        .collect::<Vec<_>>()
        .join(",");
    (mnemonic.to_string(), operands)
}

/// What the decoder shows otherwise than the architecture's manual and Microsoft's tools: registers that are extended (`uxtw`),
/// and negative numbers.
fn corrected(word: u32, operands: String) -> String {
    // add and sub of an extended register, with the option uxtw
    if word & 0x1fe0_e000 == 0x0b20_4000 {
        if let Some((before, amount)) = operands.rsplit_once(",lsl ") {
            return format!("{before},uxtw {amount}");
        }
        let is_bare = operands
            .rsplit(',')
            .next()
            .is_some_and(|last| last.starts_with('w'));
        if is_bare && word >> 31 == 1 {
            return format!("{operands},uxtw");
        }
    }
    // movn
    if word & 0x7f80_0000 == 0x1280_0000
        && let Some((register, number)) = operands.split_once(",#0x")
        && let Ok(number) = u64::from_str_radix(number, 16)
    {
        let value = match word >> 31 {
            0 => i64::from((number as u32).cast_signed()),
            _ => number.cast_signed(),
        };
        let sign = if value < 0 { "-" } else { "" };
        let digits = number_text(&value.unsigned_abs().to_string());
        return format!("{register},#{sign}{digits}");
    }
    operands.replace(",sxtw #0]", ",sxtw]")
}

/// One operand, or a part of one between brackets.
fn operand_text(operand: &str) -> String {
    let inner = operand.trim_matches(['[', ']', '!']);
    let respelt = match inner {
        "x29" => "fp".to_string(),
        "x30" => "lr".to_string(),
        "x16" => "xip0".to_string(),
        "x17" => "xip1".to_string(),
        "x18" => "xpr".to_string(),
        _ => match inner.strip_prefix("lsl #").or(inner.strip_prefix('#')) {
            Some(number) => {
                let before = &inner[..inner.len() - number.len()];
                format!("{before}{}", number_text(number))
            }
            None => inner.to_string(),
        },
    };
    operand.replacen(inner, &respelt, 1)
}

/// `0x10` in capitals, and numbers below ten without a prefix.
fn number_text(number: &str) -> String {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    let value = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    match value {
        Some(value) if value < 10 => format!("{sign}{value}"),
        Some(value) => format!("{sign}0x{value:X}"),
        None => number.to_string(),
    }
}
