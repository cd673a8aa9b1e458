//! `.formats`: one number in every way of writing it.

use crate::command::signature::{Item, Kind, given};
use crate::command::{
    Args, Cell, CellKind, Command, Example, Grammar, KdLine, Row, Sink, Topic, Value, clock,
};
use crate::session::Session;
use jiff::tz::TimeZone;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

/// `.formats`: show a number in all formats: hex, text, time, float.
pub static COMMAND: Command = Command {
    name: ".formats",
    aliases: &[],
    rhai: "formats",
    topic: Topic::Expressions,
    summary: "show a number in all formats: hex, text, time, float",
    grammar: Grammar::of(&[Item::required("Expression", Kind::Number, "")]),
    help: "\
Evaluates an expression and shows the value in hexadecimal, decimal, octal and binary, as characters, as a time, and as
floating point numbers.

A value of up to 31 bits is a time in seconds since 1970, a larger one a FILETIME (units of 100 ns since 1601, shown with
milliseconds and the distance to UTC); both in the zone that .tz shows. The characters go from the highest byte to the
lowest, so that a pool tag is read from right to left.",
    examples: &[
        Example {
            line: ".formats 6b61654c",
            shows: "a pool tag: Leak, from right to left",
            output: "\
Evaluate expression:
  Hex:     00000000`6b61654c
  Decimal: 1801545036
  Octal:   0000000000015330262514
  Binary:  00000000 00000000 00000000 00000000 01101011 01100001 01100101 01001100
  Chars:   ....kaeL
  Time:    Tue Feb  2 13:10:36 2027
  Float:   low 2.72487e+026 high 0
  Double:  8.90082e-315",
        },
        Example {
            line: ".formats nt",
            shows: "an address is no time",
            output: "\
Evaluate expression:
  Hex:     fffff807`22600000
  Decimal: -8765451534336
  Octal:   1777777600344230000000
  Binary:  11111111 11111111 11111000 00000111 00100010 01100000 00000000 00000000
  Chars:   ....\"`..
  Time:    ***** Invalid FILETIME
  Float:   low 3.03577e-018 high -1.#QNAN
  Double:  -1.#QNAN",
        },
    ],
    rows: &[Formats::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let value = given(args.number("Expression"))?;
    session.numbers.last_value = value;
    out.row(&Formats::of(value, &session.display.time_zone))
}

/// A number in other forms.
#[derive(Row)]
#[row(kind = "formats")]
struct Formats {
    /// The number.
    value: Virt,
    /// With a sign.
    decimal: i64,
    /// Its 22 octal digits.
    octal: String,
    /// Its 64 binary digits.
    binary: String,
    /// Its bytes as characters, the highest first.
    chars: String,
    /// The time that it stands for, as seconds since 1970 or as a FILETIME.
    time: Result<String, &'static str>,
    /// Its lower half as a floating point number.
    float_low: Finite,
    /// Its upper half as a floating point number.
    float_high: Finite,
    /// All of it as a floating point number.
    double: Finite,
}

/// A floating point number that data have only if it is finite.
struct Finite(f64);

impl Cell for Finite {
    const KIND: CellKind = CellKind::Fraction;
    const IS_OPTIONAL: bool = true;

    fn value(&self) -> Value {
        match self.0.is_finite() {
            true => Value::F64(self.0),
            false => Value::Absent("not a finite number".into()),
        }
    }
}

impl Formats {
    fn of(value: u64, zone: &TimeZone) -> Formats {
        let float = |bits: u64| Finite(f32::from_bits(bits as u32).into());
        Formats {
            value: Virt(value),
            decimal: value as i64,
            octal: format!("{value:022o}"),
            binary: format!("{value:064b}"),
            chars: value
                .to_be_bytes()
                .iter()
                .map(|byte| super::display::printable(*byte))
                .collect(),
            time: time(value, zone),
            float_low: float(value),
            float_high: float(value >> 32),
            double: Finite(f64::from_bits(value)),
        }
    }
}

fn time(value: u64, zone: &TimeZone) -> Result<String, &'static str> {
    if u32::try_from(value).is_ok() {
        clock::seconds(value, zone).ok_or("***** Invalid")
    } else if value >> 63 == 1 {
        Err("***** Invalid FILETIME")
    } else {
        clock::filetime(value, zone).ok_or("***** Invalid FILETIME")
    }
}

impl KdLine for Formats {
    fn line(&self) -> String {
        let binary = self.value.0.to_be_bytes().map(|byte| format!("{byte:08b}"));
        format!(
            "Evaluate expression:\n  Hex:     {}\n  Decimal: {}\n  Octal:   {}\n  Binary:  {}\n  Chars:   {}\n  Time:    {}\n  \
             Float:   low {} high {}\n  Double:  {}",
            self.value,
            self.decimal,
            self.octal,
            binary.join(" "),
            self.chars,
            self.time.clone().unwrap_or_else(str::to_string),
            general(self.float_low.0),
            general(self.float_high.0),
            general(self.double.0),
        )
    }
}

/// C's `%g` as the debugger's old C library writes it: six significant digits, exponents of three digits, its own words for
/// what is no number.
pub fn general(value: f64) -> String {
    if value.to_bits() == 0xfff8_0000_0000_0000 {
        return "-1.#IND".into();
    }
    if value.is_nan() {
        let sign = if value.is_sign_negative() { "-" } else { "" };
        return format!("{sign}1.#QNAN");
    }
    if value.is_infinite() {
        return if value > 0.0 {
            "1.#INF".into()
        } else {
            "-1.#INF".into()
        };
    }
    if value == 0.0 {
        return if value.is_sign_negative() {
            "-0".into()
        } else {
            "0".into()
        };
    }
    let scientific = format!("{value:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |digits: &str| match digits.contains('.') {
        true => digits
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_string(),
        false => digits.to_string(),
    };
    if (-4..6).contains(&exponent) {
        let decimals = usize::try_from(5 - exponent).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:03}", trimmed(digits), exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::offset;

    fn text(value: u64, hours: i8) -> String {
        Formats::of(value, &TimeZone::fixed(offset(hours))).line()
    }

    #[test]
    fn screens_of_kd() {
        assert_eq!(
            text(0xffff_f805_2e3f_f090, 0),
            "Evaluate expression:
  Hex:     fffff805`2e3ff090
  Decimal: -8773842243440
  Octal:   1777777600245617770220
  Binary:  11111111 11111111 11111000 00000101 00101110 00111111 11110000 10010000
  Chars:   .....?..
  Time:    ***** Invalid FILETIME
  Float:   low 4.3642e-011 high -1.#QNAN
  Double:  -1.#QNAN"
        );
        assert_eq!(
            text(0x8005_0031, 0),
            "Evaluate expression:
  Hex:     00000000`80050031
  Decimal: 2147811377
  Octal:   0000000000020001200061
  Binary:  00000000 00000000 00000000 00000000 10000000 00000101 00000000 00110001
  Chars:   .......1
  Time:    ***** Invalid
  Float:   low -4.59246e-040 high 0
  Double:  1.06116e-314"
        );
    }

    #[test]
    fn a_small_number_is_seconds_and_a_large_one_a_filetime() {
        let line = |value, hours| {
            text(value, hours)
                .lines()
                .nth(6)
                .map(str::to_string)
                .unwrap_or_default()
        };
        assert_eq!(line(0x12, 8), "  Time:    Thu Jan  1 08:00:18 1970");
        assert_eq!(
            line(132_092_303_137_210_000, 8),
            "  Time:    Fri Aug  2 22:38:33.721 2019 (UTC + 8:00)"
        );
    }

    #[test]
    fn numbers_like_printf() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+006"),
            (0.0001, "0.0001"),
            (0.00001, "1e-005"),
            (1234.5678, "1234.57"),
            (999_999.5, "1e+006"),
            (-2.5e-10, "-2.5e-010"),
            (f64::INFINITY, "1.#INF"),
            (f64::NEG_INFINITY, "-1.#INF"),
            (f64::MAX, "1.79769e+308"),
        ] {
            assert_eq!(general(value), expected);
        }
    }
}
