//! `.printf`: text with values in it.

use crate::command::{Args, Command, Completes, Example, Grammar, Row, Sink, Topic, masm};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::modules::unicode_string;

/// `.printf`: print text with values in it, like C's printf.
pub static COMMAND: Command = Command {
    name: ".printf",
    aliases: &[],
    rhai: "",
    topic: Topic::Session,
    summary: "print text with values in it, like C's printf",
    grammar: Grammar::own(".printf \"Format\"[, Expression]...", Completes::Symbols),
    help: "\
Prints a text in which each conversion is replaced by the value of the next expression.

  %d %i %u %x %X %o %c   numbers of 32 bits; %I64x, %lld and so on take all 64; - 0 # + blank, a width and a precision as in C
  %p       an address
  %y       the symbol at an address
  %ma %mu  the text (bytes, 16-bit characters) at an address, up to a zero
  %msu     the UNICODE_STRING at an address
  %%       a percent sign;  \\n  a new line,  \\t  a tab,  \\\"  a quote",
    examples: &[Example {
        line: ".printf \"nt is at %p, its first word is %04x\\n\", nt, wo(nt)",
        shows: "an address and a number",
        output: "nt is at fffff80722600000, its first word is 5a4d",
    }],
    rows: &[Printed::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let mut text = args.text.trim_start();
    while let Some(option) = text.strip_prefix('/') {
        // /D (links) and /o.. (colours) mean nothing here.
        text = option
            .split_once(char::is_whitespace)
            .map_or("", |(_, rest)| rest)
            .trim_start();
    }
    let (format, mut rest) =
        quoted(text).ok_or_else(|| Error::Syntax(format!("Syntax error at '{text}'")))?;
    let mut values = Vec::new();
    while let Some(after) = rest.trim_start().strip_prefix(',') {
        let (value, after) = masm::evaluate_prefix(session, after)?;
        values.push(value);
        rest = after;
    }
    if !rest.trim().is_empty() {
        return Err(Error::Syntax(format!(
            "Syntax error at '{}'",
            rest.trim_start()
        )));
    }
    let printed = print(session, &format, &values)?;
    out.row(&Printed {
        text: printed.strip_suffix('\n').unwrap_or(&printed),
    })
}

/// The string in quotes at the start of `text`, its escapes resolved, and the text after it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('"')?;
    let mut string = String::new();
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((string, &inside[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => string.push('\n'),
                't' => string.push('\t'),
                'r' => {}
                c => string.push(c),
            },
            c => string.push(c),
        }
    }
    None
}

/// One conversion: `%-08I64x` is flags `-0`, width 8, 64 bits, letter `x`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Conversion {
    left: bool,
    zero: bool,
    plus: bool,
    blank: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
    is_64: bool,
    letter: String,
}

/// The longest field that is printed: a width is a wish, not a reason to fill the memory.
const WIDEST: usize = 1024;

impl Conversion {
    /// Reads what follows a percent sign; the text after it is given back.
    fn read(text: &str) -> Option<(Conversion, &str)> {
        let mut conversion = Conversion::default();
        let mut rest = text;
        loop {
            let flag = match rest.chars().next()? {
                '-' => &mut conversion.left,
                '0' => &mut conversion.zero,
                '+' => &mut conversion.plus,
                ' ' => &mut conversion.blank,
                '#' => &mut conversion.alternate,
                _ => break,
            };
            *flag = true;
            rest = &rest[1..];
        }
        let number = |rest: &mut &str| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let number = rest[..end]
                .parse::<usize>()
                .unwrap_or(if end == 0 { 0 } else { WIDEST });
            *rest = &rest[end..];
            number.min(WIDEST)
        };
        conversion.width = number(&mut rest);
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            conversion.precision = Some(number(&mut rest));
        }
        for (size, is_64) in [("I64", true), ("ll", true), ("l", false), ("h", false)] {
            // %ly is a conversion of its own.
            if let Some(after) = rest
                .strip_prefix(size)
                .filter(|after| !after.starts_with('y'))
            {
                conversion.is_64 = is_64;
                rest = after;
                break;
            }
        }
        let letter = ["msa", "msu", "ma", "mu", "ly"]
            .into_iter()
            .find(|letter| rest.starts_with(letter));
        let length = letter.map_or_else(|| rest.chars().next().map_or(0, char::len_utf8), str::len);
        conversion.letter = rest
            .get(..length)
            .filter(|letter| !letter.is_empty())?
            .to_string();
        Some((conversion, &rest[length..]))
    }

    /// The value as this conversion writes it.
    fn write(&self, session: &Session, value: u64) -> Result<String> {
        let value = if self.is_64 || !["d", "i", "u", "x", "X", "o"].contains(&self.letter.as_str())
        {
            value
        } else {
            value & 0xffff_ffff
        };
        let signed = if self.is_64 {
            value as i64
        } else {
            i64::from(value as u32 as i32)
        };
        let (sign, digits) = match self.letter.as_str() {
            "d" | "i" => {
                let sign = match signed {
                    ..0 => "-",
                    _ if self.plus => "+",
                    _ if self.blank => " ",
                    _ => "",
                };
                (sign, signed.unsigned_abs().to_string())
            }
            "u" => ("", value.to_string()),
            "x" => (
                if self.alternate && value != 0 {
                    "0x"
                } else {
                    ""
                },
                format!("{value:x}"),
            ),
            "X" => (
                if self.alternate && value != 0 {
                    "0X"
                } else {
                    ""
                },
                format!("{value:X}"),
            ),
            "o" => (if self.alternate { "0" } else { "" }, format!("{value:o}")),
            _ => return Ok(self.pad("", &self.write_text(session, value)?, false)),
        };
        let digits = format!("{digits:0>width$}", width = self.precision.unwrap_or(1));
        Ok(self.pad(
            sign,
            &digits,
            self.zero && !self.left && self.precision.is_none(),
        ))
    }

    fn write_text(&self, session: &Session, value: u64) -> Result<String> {
        let at = Virt(value);
        Ok(match self.letter.as_str() {
            "c" => super::display::printable(value as u8).to_string(),
            "p" | "N" => format!("{at:x}"),
            "y" | "ly" => match session.target.kernel.nearest(at) {
                Some(near) => format!("{near} ({at})"),
                None => at.to_string(),
            },
            "ma" => string(session, at, 1)?,
            "mu" => string(session, at, 2)?,
            "msu" => unicode_string(session.target.kernel.space(), at)?,
            letter => {
                return Err(Error::Syntax(format!(
                    "Syntax error at '%{letter}': no such conversion"
                )));
            }
        })
    }

    fn pad(&self, sign: &str, text: &str, zeroes: bool) -> String {
        let missing = self.width.saturating_sub(sign.len() + text.chars().count());
        match (zeroes, self.left) {
            (true, _) => format!("{sign}{}{text}", "0".repeat(missing)),
            (false, true) => format!("{sign}{text}{}", " ".repeat(missing)),
            (false, false) => format!("{}{sign}{text}", " ".repeat(missing)),
        }
    }
}

/// The text at an address up to a zero, at most 4 KiB of it.
fn string(session: &Session, at: Virt, unit: usize) -> Result<String> {
    let mut bytes = vec![0; 0x1000];
    let (read, fault) = session.target.kernel.space().read_prefix(at, &mut bytes);
    match fault {
        Some(fault) if read == 0 => return Err(fault.into()),
        _ => bytes.truncate(read),
    }
    let units = bytes.chunks_exact(unit).map(|unit| {
        unit.iter()
            .rev()
            .fold(0u16, |value, byte| value << 8 | u16::from(*byte))
    });
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    Ok(match unit {
        1 => units
            .iter()
            .map(|unit| super::display::printable(*unit as u8))
            .collect(),
        _ => String::from_utf16_lossy(&units),
    })
}

fn print(session: &Session, format: &str, values: &[u64]) -> Result<String> {
    let mut values = values.iter();
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let (conversion, after) = Conversion::read(after)
            .ok_or_else(|| Error::Syntax(format!("Syntax error at '%{after}'")))?;
        let value = values
            .next()
            .ok_or_else(|| Error::Syntax("There are fewer values than conversions.".into()))?;
        out.push_str(&conversion.write(session, *value)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Text with values in it.
#[derive(Row)]
#[row(kind = "printed")]
struct Printed<'a> {
    /// The text, without a newline at its end.
    #[row(line)]
    text: &'a str,
}
