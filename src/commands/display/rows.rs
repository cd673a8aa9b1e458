//! The lines of the family, as data and as kd writes them.

use super::form::{Form, Look, Target};
use super::memory::{self, Memory};
use crate::command::{KdLine, Record, Row, Value};
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
#[derive(Row)]
#[row(kind = "memory", cells = Units)]
pub(super) struct Numbers {
    pub at: Virt,
    pub bytes: Vec<Option<u8>>,
    pub form: Form,
    pub columns: usize,
    pub is_physical: bool,
}

/// The data of a line of numbers.
#[derive(Record)]
struct Units {
    /// Where the line begins.
    address: Virt,
    /// The size of each number.
    unit_bytes: u64,
    /// The numbers; addresses where they are as large as one.
    values: Vec<Value>,
    /// The bytes as characters.
    #[row(absent = "not asked for")]
    text: Option<String>,
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

    fn cells(&self) -> Units {
        let values = self.values().map(|value| match value {
            None => Value::Absent("not in the dump".into()),
            Some(value) if self.form.look == Look::Floats => {
                Value::F64(float(value, self.form.unit))
            }
            Some(value) if self.form.unit == 8 => Virt(value).into(),
            Some(value) => value.into(),
        });
        Units {
            address: self.at,
            unit_bytes: self.form.unit,
            values: values.collect(),
            text: self.has_text().then(|| self.characters().collect()),
        }
    }

    fn has_text(&self) -> bool {
        self.form.look == Look::Numbers { text: true }
    }
}

impl KdLine for Numbers {
    fn line(&self) -> String {
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
#[derive(Row)]
#[row(kind = "text")]
pub(super) struct Text {
    /// Where it begins.
    address: Virt,
    /// Its characters.
    text: String,
    /// Whether a zero follows.
    #[row(skip)]
    pub is_ended: bool,
}

impl Text {
    /// The characters of `bytes` up to a zero.
    pub(super) fn new(address: Virt, bytes: &[Option<u8>], unit: u64) -> Text {
        let mut text = Text {
            address,
            text: String::new(),
            is_ended: false,
        };
        for value in bytes.chunks(unit as usize).map(memory::number) {
            match value {
                Some(0) => {
                    text.is_ended = true;
                    break;
                }
                Some(value) => text.text.push(character(value)),
                None => text.text.push('?'),
            }
        }
        text
    }

    /// How many characters there are.
    pub(super) fn length(&self) -> usize {
        self.text.chars().count()
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

impl KdLine for Text {
    fn line(&self) -> String {
        format!("{}  \"{}\"", self.address, self.text)
    }
}

/// A pointer, and what it points at.
#[derive(Row)]
#[row(kind = "pointer")]
pub(super) struct Pointer {
    /// Where it lies.
    address: Virt,
    /// Where it points to.
    #[row(absent = "not in the dump")]
    value: Option<Virt>,
    /// What that place is called, or the place that the pointer there points to.
    #[row(absent = "no module there")]
    symbol: Option<String>,
    /// What lies there: text, or another pointer.
    #[row(absent = "nothing that can be read")]
    points_at: Value,
    #[row(skip)]
    unit: u64,
    /// The number that the pointer points at.
    #[row(skip)]
    number: Option<Option<u64>>,
}

impl Pointer {
    /// Looks at what the pointer points at.
    pub(super) fn new(kernel: &Kernel, address: Virt, value: Option<u64>, form: &Form) -> Pointer {
        let mut pointer = Pointer {
            address,
            value: value.map(Virt),
            symbol: None,
            points_at: Value::Absent(String::new()),
            unit: form.unit,
            number: None,
        };
        let Some(target) = pointer.value else {
            return pointer;
        };
        let name = |va: Virt| kernel.nearest(va).map(|near| near.to_string());
        let mut memory = Memory::of(kernel);
        let mut text = |unit: u64| {
            let bytes = memory.read(target, 32 * unit as usize);
            let is_there = bytes.first().copied().flatten().is_some();
            is_there
                .then(|| Text::new(target, &bytes, unit).text)
                .into()
        };
        match form.look {
            Look::Follow(Target::Ascii) => pointer.points_at = text(1),
            Look::Follow(Target::Unicode) => pointer.points_at = text(2),
            Look::Follow(Target::Pointer) => {
                let number = memory::number(&memory.read(target, form.unit as usize));
                pointer.points_at = number.map(Virt).into();
                pointer.symbol = number.and_then(|number| name(Virt(number)));
                pointer.number = Some(number);
            }
            _ => pointer.symbol = name(target),
        }
        pointer
    }
}

impl KdLine for Pointer {
    fn line(&self) -> String {
        let number = |value: Option<u64>| match (value, self.unit) {
            (Some(value), 8) => Virt(value).to_string(),
            (Some(value), _) => format!("{value:08x}"),
            (None, 8) => "????????`????????".into(),
            (None, _) => "????????".into(),
        };
        let value = self.value.map(|Virt(value)| value);
        let mut line = format!("{}  {}", self.address, number(value));
        if let Some(target) = self.number {
            line.push_str(&format!(" {}", number(target)));
        }
        if let Value::Str(text) = &self.points_at {
            line.push_str(&format!(" \"{text}\""));
        }
        if let Some(symbol) = &self.symbol {
            line.push_str(&format!(" {symbol}"));
        }
        line
    }
}
