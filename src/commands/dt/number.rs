//! How kd writes numbers of every type of the language: `0x1a`, `0n-3`, `0y101 `, `0x41 'A'`.

use super::value::Shown;
use crate::commands::display::printable;
use rkd_dump::addr::Virt;
use rkd_symbols::{Base, BaseKind};

/// Numbers up to nine need no mark; from 2^32 on they are written as addresses are.
pub(super) fn hex(value: u64) -> String {
    match value {
        0..=9 => value.to_string(),
        _ => long_hex(value),
    }
}

/// With the mark, whatever the number.
pub(super) fn long_hex(value: u64) -> String {
    match u32::try_from(value) {
        Ok(value) => format!("{value:#x}"),
        Err(_) => format!("0x{}", Virt(value)),
    }
}

/// The lowest bits as a number with a sign.
pub(super) fn sign(bits: u64, width: u32) -> i64 {
    let unused = 64 - width.clamp(1, 64);
    ((bits << unused) as i64) >> unused
}

/// A value of a type of the language.
pub(super) fn plain(base: &Base, bits: u64) -> Shown {
    let width = 8 * u32::from(base.size);
    let signed = sign(bits, width);
    let character = || match u32::try_from(bits) {
        Ok(code) if code < 0x80 && printable(code as u8) as u32 == code => {
            format!("'{}'", code as u8 as char)
        }
        Ok(code) if width > 8 => char::from_u32(code)
            .filter(|c| c.is_alphanumeric())
            .map_or("''".into(), |c| format!("'{c}'")),
        _ => "''".into(),
    };
    let is_wide = &*base.name == "wchar" || &*base.name == "wchar_t";
    match base.kind {
        BaseKind::Float => {
            let value = match base.size {
                4 => f32::from_bits(bits as u32).into(),
                _ => f64::from_bits(bits),
            };
            Shown::new(crate::commands::formats::general(value), value)
        }
        BaseKind::Bool => Shown::new(u8::from(bits != 0).to_string(), bits != 0),
        BaseKind::Char if base.signed => Shown::new(format!("{signed} {}", character()), signed),
        BaseKind::Char | BaseKind::Int if base.kind == BaseKind::Char || is_wide => {
            let digits = if bits == 0 {
                "0".into()
            } else {
                format!("{bits:#x}")
            };
            Shown::new(format!("{digits} {}", character()), bits)
        }
        _ if base.signed => Shown::new(format!("0n{signed}"), signed),
        _ => Shown::new(hex(bits), bits),
    }
}

/// `0y101`; from five bits on with the number behind it.
pub(super) fn bit_field(bits: u64, position: u8, length: u8) -> Shown {
    let length = u32::from(length).clamp(1, 64);
    let value = bits.checked_shr(u32::from(position)).unwrap_or(0) & (u64::MAX >> (64 - length));
    let mut text = format!("0y{value:0width$b}", width = length as usize);
    if length > 4 {
        match value {
            0 => text.push_str(" (0)"),
            value => text.push_str(&format!(" ({value:#x})")),
        }
    }
    Shown::new(text, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(size: u8, signed: bool, kind: BaseKind) -> Base {
        Base {
            name: "x".into(),
            size,
            signed,
            kind,
        }
    }

    #[test]
    fn numbers_as_in_transcripts() {
        use BaseKind::{Bool, Char, Int};
        for (size, signed, kind, bits, text) in [
            (4, false, Int, 0, "0"),
            (4, false, Int, 9, "9"),
            (4, false, Int, 10, "0xa"),
            (8, false, Int, 0xffff_ffff, "0xffffffff"),
            (8, false, Int, 0x201_09dc_4000, "0x00000201`09dc4000"),
            (4, true, Int, 259, "0n259"),
            (4, true, Int, 0xffff_fffd, "0n-3"),
            (8, true, Int, u64::MAX, "0n-1"),
            (1, false, Char, 0, "0 ''"),
            (1, false, Char, 0x4a, "0x4a 'J'"),
            (1, false, Char, 0xff, "0xff ''"),
            (1, true, Char, 98, "98 'b'"),
            (1, true, Char, 0xff, "-1 ''"),
            (1, false, Bool, 3, "1"),
        ] {
            assert_eq!(plain(&base(size, signed, kind), bits).text, text);
        }
    }

    #[test]
    fn bits_as_in_transcripts() {
        for (bits, position, length, text) in [
            (0b1010, 1, 1, "0y1"),
            (0b1010, 1, 3, "0y101"),
            (0, 0, 8, "0y00000000 (0)"),
            (0x22, 1, 7, "0y0010001 (0x11)"),
            (
                u64::MAX,
                0,
                64,
                &format!("0y{} (0xffffffffffffffff)", "1".repeat(64)),
            ),
            (u64::MAX, 200, 255, &format!("0y{} (0)", "0".repeat(64))),
        ] {
            assert_eq!(bit_field(bits, position, length).text, text);
        }
    }
}
