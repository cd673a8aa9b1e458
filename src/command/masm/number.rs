//! How numbers are written: `fffff807'47f50000` with a back-tick, `0n10`, `0x10`, `0t17`, `0y101`, `10h`, and C++'s ways.

use super::lexer::Settings;

/// A word read as a number, where it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Number(u64),
    /// More than 64 bits.
    Overflow,
    /// A name.
    NotANumber,
}

/// MASM's reading. In radix 16 `add` and `dead` are numbers, which is why kd looks for numbers first and for symbols afterwards.
pub(super) fn masm(word: &str, settings: Settings) -> Reading {
    let ticked = word.contains('`');
    let plain: String = word
        .chars()
        .filter(|&c| c != '`')
        .collect::<String>()
        .to_ascii_lowercase();
    let (digits, radix, prefixed) = match plain.get(..2) {
        Some("0x") => (&plain[2..], 16, true),
        Some("0n") => (&plain[2..], 10, true),
        Some("0t") => (&plain[2..], 8, true),
        Some("0y") => (&plain[2..], 2, true),
        _ => match plain.strip_suffix('h') {
            Some(digits) => (digits, 16, false),
            None => (plain.as_str(), settings.radix, false),
        },
    };
    if digits.is_empty() {
        return if prefixed {
            Reading::Number(0)
        } else {
            Reading::NotANumber
        };
    }
    match read(digits, radix) {
        // A 32-bit target's addresses are kept sign-extended; a back-tick says that the number is meant as it stands.
        Reading::Number(value)
            if settings.sign_extends && !ticked && radix != 10 && value >> 31 == 1 =>
        {
            Reading::Number(value | 0xffff_ffff_0000_0000)
        }
        reading => reading,
    }
}

/// C++'s reading: decimal unless it begins with `0x` or `0`, and a type at the end (`u`, `L`, `i64`) is skipped.
pub(super) fn cpp(word: &str) -> Reading {
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return Reading::NotANumber;
    }
    let plain: String = word
        .chars()
        .filter(|&c| c != '`')
        .collect::<String>()
        .to_ascii_lowercase();
    let plain = plain
        .strip_suffix("i64")
        .unwrap_or(&plain)
        .trim_end_matches(['u', 'l']);
    match plain.strip_prefix("0x") {
        Some(digits) => read(digits, 16),
        None if plain.len() > 1 && plain.starts_with('0') => read(plain, 8),
        None => read(plain, 10),
    }
}

fn read(digits: &str, radix: u32) -> Reading {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Reading::NotANumber;
    }
    u64::from_str_radix(digits, radix).map_or(Reading::Overflow, Reading::Number)
}
