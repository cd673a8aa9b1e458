//! The lines of the family, as data and as kd writes them.

use super::form::{Form, Look, Target};
use super::memory::{self, Memory};
use crate::command::{Record, Row, Value};
use crate::commands::formats::general;
use rkd_dump::addr::Virt;
use rkd_kernel::Kernel;

/// A byte as kd shows it beside numbers: itself where ASCII has a picture of it, a dot otherwise.
pub fn printable(byte: u8) -> char {
    if (0x20..0x7f).contains(&byte) {
        byte as char
    } else {
        '.'
    }
}

/// A line of numbers.
pub(super) struct Numbers {
    pub at: Virt,
    pub bytes: Vec<Option<u8>>,
    pub form: Form,
    pub columns: usize,
    pub is_physical: bool,
}

impl Numbers {
    fn values(&self) -> impl Iterator<Item = Option<u64>> {
        self.bytes
            .chunks(self.form.unit as usize)
            .map(memory::number)
    }

    /// The last number of the line, for `$p`.
    pub(super) fn last(&self) -> u64 {
        self.values().last().flatten().unwrap_or(0)
    }

    fn characters(&self) -> impl Iterator<Item = char> {
        self.bytes.iter().map(|byte| byte.map_or('?', printable))
    }

    fn has_text(&self) -> bool {
        self.form.look == Look::Numbers { text: true }
    }
}

impl Row for Numbers {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn record(&self) -> Record {
        let missing = || Value::Absent("not in the dump".into());
        let values = self.values().map(|value| match value {
            None => missing(),
            Some(value) if self.form.look == Look::Floats => {
                Value::F64(float(value, self.form.unit))
            }
            Some(value) if self.form.unit == 8 => Virt(value).into(),
            Some(value) => value.into(),
        });
        let text = if self.has_text() {
            self.characters().collect::<String>().into()
        } else {
            Value::Absent("not asked for".into())
        };
        vec![
            ("address", self.at.into()),
            ("unit_bytes", self.form.unit.into()),
            ("values", values.collect::<Vec<_>>().into()),
            ("text", text),
        ]
    }

    fn text(&self) -> String {
        let (mut line, gap) = match self.is_physical {
            true => (format!("#{:>9x} ", self.at.0), " "),
            false => (format!("{}  ", self.at), "  "),
        };
        let prefix = line.len();
        let mut full = 0;
        // A search may show millions of these.
        line.reserve(self.columns * (2 * self.form.unit as usize + 2) + 32);
        for (number, value) in self.values().enumerate() {
            if number > 0 {
                // kd marks the middle of sixteen bytes.
                line.push(
                    if number == 8 && self.form.unit == 1 && self.columns == 16 {
                        '-'
                    } else {
                        ' '
                    },
                );
            }
            let start = line.len();
            push_cell(&mut line, value, &self.form);
            full = (line.len() - start + 1) * self.columns - 1;
        }
        if self.has_text() {
            let blanks = (prefix + full).saturating_sub(line.len());
            line.extend(std::iter::repeat_n(' ', blanks));
            line.push_str(gap);
            line.extend(self.characters());
        }
        line
    }
}

/// Adds one unit, as wide as all units of its form are.
fn push_cell(line: &mut String, value: Option<u64>, form: &Form) {
    match (value, form.look, form.unit) {
        (Some(value), Look::Floats, unit) => {
            line.push_str(&format!("{:>16}", general(float(value, unit))));
        }
        (None, Look::Floats, _) => line.push_str("        ????????"),
        (Some(value), _, 8) => {
            push_hex(line, value >> 32, 8);
            line.push('`');
            push_hex(line, value, 8);
        }
        (None, _, 8) => line.push_str("????????`????????"),
        (Some(value), _, unit) => push_hex(line, value, 2 * unit as usize),
        (None, _, unit) => line.extend(std::iter::repeat_n('?', 2 * unit as usize)),
    }
}

/// Adds the last so many digits of a number.
fn push_hex(line: &mut String, value: u64, digits: usize) {
    let digit = |at: usize| char::from(b"0123456789abcdef"[(value >> (4 * at)) as usize & 15]);
    line.extend((0..digits).rev().map(digit));
}

fn float(value: u64, unit: u64) -> f64 {
    if unit == 4 {
        f32::from_bits(value as u32).into()
    } else {
        f64::from_bits(value)
    }
}

/// A line of text.
pub(super) struct Text {
    at: Virt,
    characters: Vec<char>,
    /// Whether a zero follows.
    pub is_ended: bool,
}

impl Text {
    /// The characters of `bytes` up to a zero.
    pub(super) fn new(at: Virt, bytes: &[Option<u8>], unit: u64) -> Text {
        let mut text = Text {
            at,
            characters: Vec::new(),
            is_ended: false,
        };
        for value in bytes.chunks(unit as usize).map(memory::number) {
            match value {
                Some(0) => {
                    text.is_ended = true;
                    break;
                }
                Some(value) => text.characters.push(character(value)),
                None => text.characters.push('?'),
            }
        }
        text
    }

    /// How many characters there are.
    pub(super) fn length(&self) -> usize {
        self.characters.len()
    }
}

/// ASCII as it is; other letters of 16 bits too, because names of files are written in them; a dot for the rest.
fn character(value: u64) -> char {
    match u8::try_from(value) {
        Ok(byte) => printable(byte),
        Err(_) => u32::try_from(value)
            .ok()
            .and_then(char::from_u32)
            .filter(|c| c.is_alphanumeric())
            .unwrap_or('.'),
    }
}

impl Row for Text {
    fn kind(&self) -> &'static str {
        "text"
    }

    fn record(&self) -> Record {
        vec![
            ("address", self.at.into()),
            ("text", self.characters.iter().collect::<String>().into()),
        ]
    }

    fn text(&self) -> String {
        format!(
            "{}  \"{}\"",
            self.at,
            self.characters.iter().collect::<String>()
        )
    }
}

/// A line with a pointer.
pub(super) struct Pointer {
    at: Virt,
    value: Option<u64>,
    unit: u64,
    /// The text that the pointer points at, in quotes.
    quoted: Option<String>,
    /// The number that the pointer points at.
    number: Option<Option<u64>>,
    symbol: Option<String>,
}

impl Pointer {
    /// Looks at what the pointer points at.
    pub(super) fn new(kernel: &Kernel, at: Virt, value: Option<u64>, form: &Form) -> Pointer {
        let mut pointer = Pointer {
            at,
            value,
            unit: form.unit,
            quoted: None,
            number: None,
            symbol: None,
        };
        let Some(target) = value.map(Virt) else {
            return pointer;
        };
        let name = |va: Virt| kernel.nearest(va).map(|near| near.to_string());
        let mut memory = Memory::of(kernel);
        let mut text = |unit: u64| {
            let bytes = memory.read(target, 32 * unit as usize);
            bytes.first().copied().flatten().map(|_| {
                Text::new(target, &bytes, unit)
                    .characters
                    .iter()
                    .collect::<String>()
            })
        };
        match form.look {
            Look::Follow(Target::Ascii) => pointer.quoted = text(1),
            Look::Follow(Target::Unicode) => pointer.quoted = text(2),
            Look::Follow(Target::Pointer) => {
                let number = memory::number(&memory.read(target, form.unit as usize));
                pointer.number = Some(number);
                pointer.symbol = number.and_then(|number| name(Virt(number)));
            }
            _ => pointer.symbol = name(target),
        }
        pointer
    }
}

impl Row for Pointer {
    fn kind(&self) -> &'static str {
        "pointer"
    }

    fn record(&self) -> Record {
        let missing = |what: &str| Value::Absent(what.into());
        vec![
            ("address", self.at.into()),
            (
                "value",
                self.value
                    .map_or_else(|| missing("not in the dump"), |value| Virt(value).into()),
            ),
            (
                "symbol",
                self.symbol
                    .clone()
                    .map_or_else(|| missing("no module there"), Value::Str),
            ),
            (
                "points_at",
                match (&self.quoted, self.number) {
                    (Some(text), _) => text.as_str().into(),
                    (None, Some(Some(number))) => Virt(number).into(),
                    _ => missing("nothing that can be read"),
                },
            ),
        ]
    }

    fn text(&self) -> String {
        let number = |value: Option<u64>| match (value, self.unit) {
            (Some(value), 8) => Virt(value).to_string(),
            (Some(value), _) => format!("{value:08x}"),
            (None, 8) => "????????`????????".into(),
            (None, _) => "????????".into(),
        };
        let mut line = format!("{}  {}", self.at, number(self.value));
        if let Some(target) = self.number {
            line.push_str(&format!(" {}", number(target)));
        }
        if let Some(text) = &self.quoted {
            line.push_str(&format!(" \"{text}\""));
        }
        if let Some(symbol) = &self.symbol {
            line.push_str(&format!(" {symbol}"));
        }
        line
    }
}
