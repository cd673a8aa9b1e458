//! Addresses in scripts. Rhai's integers are signed, kernel addresses are not: `0xfffff80000000000 > 0x1000` is false
//! there. So an address is a type of its own, `Addr`, which compares and shifts as the processor does.
//!
//! It is [`Virt`] itself, registered with Rhai. Wherever an address is expected an integer will do as well, taken bit
//! for bit, because Rhai reads `0xfffff80747f50000` as a (negative) integer with those bits.

use super::registry::{Registry, fail, type_name};
use rhai::{Array, Dynamic, EvalAltResult, INT};
use rkd_dump::addr::Virt;
use std::cmp::Ordering;

/// What a native function answers to Rhai.
pub(super) type Answer<T> = Result<T, Box<EvalAltResult>>;

/// Registers the type, its operators and its helpers.
pub(super) fn register(r: &mut Registry) {
    r.engine.register_type_with_name::<Virt>("Addr");
    text(r);
    operators(r);
    properties(r);
    constructors(r);
    sorting(r);
}

/// An unsigned number as a script sees it: an integer while it fits, an `Addr` (the only unsigned type) above that.
pub(super) fn number(value: u64) -> Dynamic {
    INT::try_from(value).map_or_else(|_| Dynamic::from(Virt(value)), Dynamic::from)
}

/// An address given as an `Addr`, an integer (bit for bit) or text as kd writes it.
pub(super) fn address(value: &Dynamic) -> Answer<Virt> {
    if let Some(at) = value.clone().try_cast::<Virt>() {
        return Ok(at);
    }
    if let Ok(bits) = value.as_int() {
        return Ok(Virt(bits as u64));
    }
    if let Ok(text) = value.clone().into_immutable_string() {
        return parse(&text).map(Virt).ok_or_else(|| {
            fail(format!(
                "'{text}' is not an address (hexadecimal digits, 0x, 0n or kd's back-tick; for a symbol use sym(\"nt!Name\"))"
            ))
        });
    }
    if value.is_float() {
        return Err(fail(
            "a floating point number cannot be an address: it holds only 53 bits. Write the address in hexadecimal",
        ));
    }
    Err(fail(format!(
        "expected an address, got {}",
        type_name(value)
    )))
}

/// The bits of an operand: an `Addr` or an integer.
fn bits(value: &Dynamic) -> Option<u64> {
    value
        .clone()
        .try_cast::<Virt>()
        .map(|a| a.0)
        .or_else(|| value.as_int().ok().map(|i| i as u64))
}

/// Reads a number as kd writes it: hexadecimal by default, `0x` `0n` `0t` `0y` before it, back-ticks within it, `h` after it.
pub(super) fn parse(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let (radix, digits) = match text.get(..2) {
        Some("0x") => (16, &text[2..]),
        Some("0n") => (10, &text[2..]),
        Some("0t") => (8, &text[2..]),
        Some("0y") => (2, &text[2..]),
        _ => (16, text.strip_suffix('h').unwrap_or(&text)),
    };
    let digits: String = digits.chars().filter(|&c| c != '`').collect();
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(&digits, radix).ok()
}

fn text(r: &mut Registry) {
    r.engine
        .register_fn("to_string", |a: &mut Virt| a.to_string())
        .register_fn("to_debug", |a: &mut Virt| a.to_string())
        // `"x" + addr` and `addr + "x"`: without these a message needs interpolation.
        .register_fn("+", |a: &str, b: Virt| format!("{a}{b}"))
        .register_fn("+", |a: Virt, b: &str| format!("{a}{b}"));
}

fn operators(r: &mut Registry) {
    // One operator for all the mixes of Addr and INT that hold at least one Addr (INT with INT stays Rhai's own).
    macro_rules! mixed {
        ($name:literal, $f:expr) => {
            r.engine.register_fn($name, |a: Virt, b: Virt| $f(a.0, b.0));
            r.engine
                .register_fn($name, |a: Virt, b: INT| $f(a.0, b as u64));
            r.engine
                .register_fn($name, |a: INT, b: Virt| $f(a as u64, b.0));
        };
    }
    mixed!("==", |a: u64, b: u64| a == b);
    mixed!("!=", |a: u64, b: u64| a != b);
    mixed!("<", |a: u64, b: u64| a < b);
    mixed!("<=", |a: u64, b: u64| a <= b);
    mixed!(">", |a: u64, b: u64| a > b);
    mixed!(">=", |a: u64, b: u64| a >= b);
    mixed!("+", |a: u64, b: u64| Virt(a.wrapping_add(b)));
    mixed!("&", |a: u64, b: u64| Virt(a & b));
    mixed!("|", |a: u64, b: u64| Virt(a | b));
    mixed!("^", |a: u64, b: u64| Virt(a ^ b));
    mixed!("*", |a: u64, b: u64| Virt(a.wrapping_mul(b)));
    mixed!("/", |a: u64, b: u64| a
        .checked_div(b)
        .map(Virt)
        .ok_or_else(|| fail("division by zero")));
    mixed!("%", |a: u64, b: u64| a
        .checked_rem(b)
        .map(number)
        .ok_or_else(|| fail("division by zero")));
    r.engine
        .register_fn("-", |a: Virt, b: Virt| a.0.wrapping_sub(b.0) as INT)
        .register_fn("-", |a: INT, b: Virt| (a as u64).wrapping_sub(b.0) as INT)
        .register_fn("-", |a: Virt, b: INT| Virt(a.0.wrapping_sub(b as u64)))
        .register_fn("<<", |a: Virt, b: INT| {
            shift(b).map(|n| Virt(a.0.checked_shl(n).unwrap_or(0)))
        })
        .register_fn(">>", |a: Virt, b: INT| {
            shift(b).map(|n| Virt(a.0.checked_shr(n).unwrap_or(0)))
        });
}

/// A distance to shift by. 64 and more leave nothing, as they should; Rhai's own shifts turn round when it is negative.
fn shift(by: INT) -> Answer<u32> {
    u32::try_from(by).map_err(|_| fail(format!("cannot shift by {by}")))
}

fn properties(r: &mut Registry) {
    r.engine
        .register_get("hex", |a: &mut Virt| format!("{:#x}", a.0))
        .register_get("value", |a: &mut Virt| a.0 as INT)
        .register_get("page", |a: &mut Virt| a.page())
        .register_get("page_offset", |a: &mut Virt| a.page_offset() as INT)
        .register_get("is_kernel", |a: &mut Virt| a.is_kernel())
        .register_get("high", |a: &mut Virt| (a.0 >> 32) as INT)
        .register_get("low", |a: &mut Virt| (a.0 & 0xffff_ffff) as INT)
        .register_fn("to_hex", |a: &mut Virt| format!("{:x}", a.0))
        .register_fn("to_float", |a: &mut Virt| a.0 as f64)
        .register_fn("to_int", |a: &mut Virt| a.0 as INT);
    r.property(
        "Addr",
        "hex",
        "the digits with `0x`: `\"0xfffff80747f50000\"`",
    );
    r.property(
        "Addr",
        "value",
        "the bits as an integer (negative for a kernel address)",
    );
    r.property("Addr", "page", "the address of the page");
    r.property("Addr", "page_offset", "the offset in the page, 0 to 0xfff");
    r.property(
        "Addr",
        "is_kernel",
        "whether it lies in the upper half, which is the kernel's",
    );
    r.property("Addr", "high", "the upper 32 bits");
    r.property("Addr", "low", "the lower 32 bits");
}

fn constructors(r: &mut Registry) {
    r.function(
        "addr(x)",
        "An address: from text as kd writes it (``addr(\"fffff807`47f50000\")``, hexadecimal unless `0n` says otherwise), or from an integer bit for bit.",
    );
    r.engine.register_fn("addr", |x: Dynamic| address(&x));
    r.function("num(text)", "The number that a text holds, as kd reads it: `num(\"1f\")`, `num(\"0n31\")`, ``num(\"1`00000000\")``.");
    r.engine.register_fn("num", |text: &str| {
        parse(text)
            .map(number)
            .ok_or_else(|| fail(format!("'{text}' is not a number")))
    });
    r.function(
        "hex(x[, width])",
        "The number in hexadecimal with `0x`; `width` is the least number of digits, filled up with zeroes.",
    );
    r.engine.register_fn("hex", |x: Dynamic| hex(&x, 0));
    r.engine
        .register_fn("hex", |x: Dynamic, width: INT| hex(&x, width));
}

fn hex(value: &Dynamic, width: INT) -> Answer<String> {
    if let Ok(bytes) = value.clone().into_blob() {
        return Ok(bytes.iter().map(|b| format!("{b:02x}")).collect());
    }
    let width = usize::try_from(width).ok().filter(|w| *w <= 256);
    let width = width.ok_or_else(|| fail("the width must be between 0 and 256"))?;
    let bits = bits(value).ok_or_else(|| {
        fail(format!(
            "hex() takes a number or bytes, not {}",
            type_name(value)
        ))
    })?;
    Ok(format!("0x{bits:0width$x}"))
}

fn sorting(r: &mut Registry) {
    // Rhai's own `sort()` knows its own types only. The two are told apart here, because a registered function
    // takes the place of the built-in one for every array.
    r.engine
        .register_fn("sort", |array: &mut Array| -> Answer<()> {
            let mut wrong = None;
            array.sort_by(|a, b| {
                compare(a, b).unwrap_or_else(|| {
                    wrong.get_or_insert_with(|| {
                        format!(
                            "sort() cannot compare {} with {}: use sort(|a, b| a < b)",
                            type_name(a),
                            type_name(b)
                        )
                    });
                    Ordering::Equal
                })
            });
            wrong.map_or(Ok(()), |why| Err(fail(why)))
        });
}

/// The order of two values that have one: numbers and addresses among themselves, text, characters, truth values.
pub(super) fn compare(a: &Dynamic, b: &Dynamic) -> Option<Ordering> {
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (bits(a), bits(b)) {
        return Some(a.cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (number_as_float(a), number_as_float(b)) {
        return Some(a.total_cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_char(), b.as_char()) {
        return Some(a.cmp(&b));
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return Some(a.cmp(&b));
    }
    match (
        a.clone().into_immutable_string(),
        b.clone().into_immutable_string(),
    ) {
        (Ok(a), Ok(b)) => Some(a.cmp(&b)),
        _ => None,
    }
}

fn number_as_float(value: &Dynamic) -> Result<f64, &'static str> {
    value
        .as_float()
        .or_else(|_| value.as_int().map(|i| i as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(source: &str) -> String {
        let mut r = Registry::new();
        register(&mut r);
        match r.engine.eval::<Dynamic>(source) {
            Ok(value) => super::super::value::display(&value),
            Err(why) => format!("error: {why}"),
        }
    }

    /// Each operator in each mix, against the value that `u64` arithmetic gives (worked out by hand).
    #[test]
    fn operators_in_every_mix() {
        let table = [
            // The very trap: false, false and negative with plain integers.
            ("addr(0xfffff80722600000) > 0x1000", "true"),
            ("0x1000 < addr(0xfffff80722600000)", "true"),
            ("addr(0xfffff80722600000) >> 12", "000fffff`80722600"),
            ("addr(16) == addr(16)", "true"),
            ("addr(16) == 16", "true"),
            ("16 == addr(16)", "true"),
            ("addr(16) != addr(17)", "true"),
            ("addr(16) != 16", "false"),
            ("16 != addr(17)", "true"),
            ("addr(16) < addr(17)", "true"),
            ("addr(17) < 17", "false"),
            ("17 < addr(17)", "false"),
            ("addr(16) <= addr(16)", "true"),
            ("addr(17) <= 16", "false"),
            ("-1 <= addr(16)", "false"),
            ("addr(-1) > addr(16)", "true"),
            ("addr(1) > -1", "false"),
            ("-1 > addr(1)", "true"),
            ("addr(16) >= addr(17)", "false"),
            ("addr(-1) >= 0", "true"),
            ("0 >= addr(1)", "false"),
            ("addr(0x7fffffffffffffff) + 1", "80000000`00000000"),
            ("1 + addr(0xffffffffffffffff)", "00000000`00000000"),
            ("addr(1) + addr(2)", "00000000`00000003"),
            ("addr(0x1000) - 0x1001", "ffffffff`ffffffff"),
            (
                "addr(0xfffff80747f59000) - addr(0xfffff80747f50000)",
                "36864",
            ),
            ("addr(1) - addr(2)", "-1"),
            ("0x10 - addr(1)", "15"),
            ("addr(0xfffff80747f51559) & 0xfff", "00000000`00000559"),
            ("0xff & addr(0x1234)", "00000000`00000034"),
            ("addr(0xf0) | 0xf", "00000000`000000ff"),
            ("addr(0xf0) ^ addr(0xff)", "00000000`0000000f"),
            ("addr(1) << 63", "80000000`00000000"),
            ("addr(1) << 64", "00000000`00000000"),
            ("addr(-1) >> 63", "00000000`00000001"),
            ("addr(-1) >> 200", "00000000`00000000"),
            (
                "addr(1) >> -1",
                "error: Runtime error: cannot shift by -1 (line 1, position 9)",
            ),
            ("addr(0xfffff80747f51559) % 16", "9"),
            (
                "addr(1) % 0",
                "error: Runtime error: division by zero (line 1, position 9)",
            ),
            ("addr(0xfffff80747f50000) / 4096", "000fffff`80747f50"),
            ("let a = addr(0x10); a += 4; a", "00000000`00000014"),
            ("let a = addr(0x10); a -= 0x10; a", "00000000`00000000"),
            ("let a = 0x10; a += addr(4); a", "00000000`00000014"),
        ];
        for (source, expected) in table {
            assert_eq!(eval(source), expected, "{source}");
        }
    }

    #[test]
    fn reads_and_writes_kd_numbers() {
        let table = [
            ("addr(\"fffff807`47f50000\")", "fffff807`47f50000"),
            ("addr(\"0xfffff80747f50000\")", "fffff807`47f50000"),
            ("addr(\" FFFFF80747F50000h \")", "fffff807`47f50000"),
            ("addr(\"0n16\")", "00000000`00000010"),
            ("addr(0xfffff80747f50000)", "fffff807`47f50000"),
            ("`${addr(0xfffff80747f50000)}`", "fffff807`47f50000"),
            ("\"at \" + addr(1)", "at 00000000`00000001"),
            (
                "[addr(1), addr(2)].to_string()",
                "[00000000`00000001, 00000000`00000002]",
            ),
            (
                "let m = #{}; m[`${addr(1)}`] = 2; m.to_string()",
                "#{\"00000000`00000001\": 2}",
            ),
            ("num(\"1f\")", "31"),
            ("num(\"0n31\")", "31"),
            ("num(\"0t17\")", "15"),
            ("num(\"0y101\")", "5"),
            ("num(\"ffffffffffffffff\")", "ffffffff`ffffffff"),
            ("hex(255)", "0xff"),
            ("hex(255, 8)", "0x000000ff"),
            ("hex(addr(0xfffff80747f50000))", "0xfffff80747f50000"),
            ("addr(0xfffff80747f51559).hex", "0xfffff80747f51559"),
            ("addr(0xfffff80747f51559).to_hex()", "fffff80747f51559"),
            ("addr(0xfffff80747f51559).value", "-8764821007015"),
            ("addr(0xfffff80747f51559).page", "fffff807`47f51000"),
            ("addr(0xfffff80747f51559).page_offset", "1369"),
            ("addr(0xfffff80747f51559).high", "4294965255"),
            ("addr(0xfffff80747f51559).low", "1207244121"),
            ("addr(0xfffff80747f51559).is_kernel", "true"),
        ];
        for (source, expected) in table {
            assert_eq!(eval(source), expected, "{source}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        let table = [
            (
                "addr(18446735277616529408)",
                "error: Runtime error: a floating point number cannot be an address: it holds only 53 bits. Write the address in hexadecimal (line 1, position 1)",
            ),
            (
                "addr(\"nt!Foo\")",
                "error: Runtime error: 'nt!Foo' is not an address (hexadecimal digits, 0x, 0n or kd's back-tick; for a symbol use sym(\"nt!Name\")) (line 1, position 1)",
            ),
            (
                "addr([])",
                "error: Runtime error: expected an address, got an array (line 1, position 1)",
            ),
            (
                "addr(\"\").hex",
                "error: Runtime error: '' is not an address (hexadecimal digits, 0x, 0n or kd's back-tick; for a symbol use sym(\"nt!Name\")) (line 1, position 1)",
            ),
            (
                "num(\"0n1f\")",
                "error: Runtime error: '0n1f' is not a number (line 1, position 1)",
            ),
            (
                "num(\"10000000000000000\")",
                "error: Runtime error: '10000000000000000' is not a number (line 1, position 1)",
            ),
        ];
        for (source, expected) in table {
            assert_eq!(eval(source), expected, "{source}");
        }
    }

    #[test]
    fn sorts_addresses_without_sign() {
        let table = [
            (
                "let a = [addr(0xfffff80000000000), addr(0x1000), 5]; a.sort(); a.to_string()",
                "[5, 00000000`00001000, fffff800`00000000]",
            ),
            ("let a = [3, -1, 2]; a.sort(); a.to_string()", "[-1, 2, 3]"),
            (
                "let a = [\"b\", \"a\"]; a.sort(); a.to_string()",
                "[\"a\", \"b\"]",
            ),
            ("let a = [2.5, 1]; a.sort(); a.to_string()", "[1, 2.5]"),
            (
                "let a = [\"b\", 1]; a.sort()",
                "error: Runtime error: sort() cannot compare a number with text: use sort(|a, b| a < b) (line 1, position 21)",
            ),
        ];
        for (source, expected) in table {
            assert_eq!(eval(source), expected, "{source}");
        }
    }
}
