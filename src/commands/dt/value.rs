//! How kd writes what lies in memory: `0x1a`, `0n-3`, `0y101`, `0 ''`, `(null) `, `_LIST_ENTRY [ 0x… - 0x… ]`.

use super::number::{bit_field, long_hex, plain, sign};
use super::spelling;
use crate::command::Value;
use crate::commands::display::{Memory, number, printable};
use rkd_dump::addr::Virt;
use rkd_kernel::Kernel;
use rkd_symbols::{BaseKind, SymbolTable, Type};

/// Text behind a pointer is shown up to so many characters.
const LONGEST_TEXT: usize = 512;
/// So many elements of an array are handed over as data; kd shows the first.
const MAX_VALUE_ELEMENTS: u64 = 256;

/// Reads typed values, and remembers what could not be read.
pub(super) struct Reader<'a> {
    kernel: &'a Kernel,
    table: &'a SymbolTable,
    memory: Memory<'a>,
    /// The last address that could not be read, which kd names at the end.
    pub failed: Option<Virt>,
}

/// A value, as data and in kd's words.
pub(super) struct Shown {
    /// Behind the colon.
    pub text: String,
    /// For programs.
    pub value: Value,
}

impl Shown {
    /// A text and the value behind it.
    pub(super) fn new(text: impl Into<String>, value: impl Into<Value>) -> Shown {
        Shown {
            text: text.into(),
            value: value.into(),
        }
    }

    fn missing(text: &str) -> Shown {
        Shown::new(text, Value::Absent("not in the dump".into()))
    }
}

impl<'a> Reader<'a> {
    /// A reader of values whose types are those of `table`.
    pub(super) fn new(
        kernel: &'a Kernel,
        table: &'a SymbolTable,
        memory: Memory<'a>,
    ) -> Reader<'a> {
        Reader {
            kernel,
            table,
            memory,
            failed: None,
        }
    }

    /// Why the first byte that could not be read could not.
    pub(super) fn fault(&self) -> Option<String> {
        self.memory.fault()
    }

    /// The number of `size` bytes at an address; `None` when it cannot be read, or is none.
    fn bits(&mut self, at: Virt, size: u64) -> Option<u64> {
        if !(1..=8).contains(&size) {
            return None;
        }
        number(&self.memory.read(at, size as usize))
    }

    /// As [`Reader::bits`], and remembers a failure.
    fn read(&mut self, at: Virt, size: u64) -> Option<u64> {
        let value = self.bits(at, size);
        if value.is_none() {
            self.failed = Some(at);
        }
        value
    }

    /// The pointer at an address.
    pub(super) fn pointer(&mut self, at: Virt) -> Option<Virt> {
        self.read(at, u64::from(self.table.pointer_size()))
            .map(Virt)
    }

    /// What lies at an address.
    pub(super) fn show(&mut self, ty: &Type, at: Virt) -> Shown {
        match ty {
            Type::Base(base) => match self.read(at, u64::from(base.size)) {
                Some(bits) => plain(base, bits),
                None => Shown::missing("??"),
            },
            Type::Pointer(to) => self.show_pointer(to, at),
            Type::Array(of, count) => self.show_array(of, *count, at),
            Type::Udt(name) => {
                let (text, value) = self.summary(name, at).unwrap_or((
                    String::new(),
                    Value::Absent("a structure: its fields are rows of their own".into()),
                ));
                Shown::new(format!("{}{text}", spelling::tag(name)), value)
            }
            Type::Enum(name) => {
                let size = self.table.enumeration(name).map_or(4, |e| e.size);
                match self.read(at, size) {
                    Some(bits) => self.enumerator(name, bits, size),
                    None => Shown::missing("??"),
                }
            }
            Type::Bitfield {
                position,
                length,
                of,
            } => {
                let size = self.table.size_of(of).unwrap_or(0);
                match self.read(at, size) {
                    Some(bits) => bit_field(bits, *position, *length),
                    None => Shown::missing("??"),
                }
            }
            Type::Function(_) | Type::Void => Shown::new("", Value::Absent("no data".into())),
        }
    }

    /// What kd puts behind the name of a structure that everybody knows, with a blank in front.
    pub(super) fn summary(&mut self, name: &str, at: Virt) -> Option<(String, Value)> {
        match name {
            "_LIST_ENTRY" => {
                let (flink, blink) = (self.link(at, "Flink")?, self.link(at, "Blink")?);
                let text = format!(" [ {} - {} ]", self.hex(flink), self.hex(blink));
                Some((text, Value::List(vec![flink.into(), blink.into()])))
            }
            "_LARGE_INTEGER" | "_ULARGE_INTEGER" => {
                let value = self.read(at, 8)?;
                let typed = match name {
                    "_LARGE_INTEGER" => Value::I64(value as i64),
                    _ => Value::U64(value),
                };
                Some((format!(" {}", long_hex(value)), typed))
            }
            "_UNICODE_STRING" => {
                let (length, buffer) = self.counted(name, at)?;
                let text = self.text(buffer, 2, length / 2);
                Some((format!(" \"{text}\""), text.into()))
            }
            "_STRING" | "_ANSI_STRING" | "_OEM_STRING" | "_CSTRING" => {
                let (length, buffer) = self.counted(name, at)?;
                let text = self.text(buffer, 1, length);
                Some((format!(" \"{text}\""), text.into()))
            }
            "_GUID" => {
                let low = self.read(at, 4)?;
                let (mid, high) = (self.read(at + 4, 2)?, self.read(at + 6, 2)?);
                let bytes = self.memory.read(at + 8, 8);
                let tail: Option<String> = bytes
                    .iter()
                    .map(|byte| byte.map(|byte| format!("{byte:02x}")))
                    .collect();
                let tail = tail?;
                let (clock, node) = tail.split_at(4);
                let text = format!("{{{low:08x}-{mid:04x}-{high:04x}-{clock}-{node}}}");
                Some((format!(" {text}"), text.into()))
            }
            _ => None,
        }
    }

    fn link(&mut self, at: Virt, field: &str) -> Option<Virt> {
        let field = self.table.field("_LIST_ENTRY", field).ok()?;
        self.pointer(at + field.offset)
    }

    /// The length in bytes and the buffer of a counted string.
    fn counted(&mut self, name: &str, at: Virt) -> Option<(usize, Virt)> {
        let length = self.table.field(name, "Length").ok()?.offset;
        let buffer = self.table.field(name, "Buffer").ok()?.offset;
        let length = self.read(at + length, 2)?;
        Some((length as usize, self.pointer(at + buffer)?))
    }

    /// So many characters of 1 or 2 bytes each, up to a zero; kd says in the quotes what it could not read.
    fn text(&mut self, at: Virt, unit: usize, count: usize) -> String {
        if count == 0 {
            return String::new();
        }
        let bytes = self.memory.read(at, unit * count);
        let characters = bytes.chunks(unit).map(number);
        let read: Vec<u16> = characters
            .map_while(|value| value.filter(|&value| value != 0).map(|value| value as u16))
            .collect();
        if read.is_empty() && bytes.first().is_none_or(Option::is_none) {
            return format!("--- memory read error at address {} ---", self.hex(at));
        }
        match unit {
            1 => read.iter().map(|&byte| printable(byte as u8)).collect(),
            _ => char::decode_utf16(read)
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .map(|c| if c.is_control() { '.' } else { c })
                .collect(),
        }
    }

    fn show_pointer(&mut self, to: &Type, at: Virt) -> Shown {
        let Some(target) = self.pointer(at) else {
            return Shown::missing("???? ");
        };
        if target.0 == 0 {
            return Shown::new("(null) ", target);
        }
        let mut text = self.hex(target);
        match to {
            Type::Void => text.push_str(" Void"),
            Type::Udt(name) => {
                let before = self.failed;
                text.push(' ');
                text.push_str(&spelling::tag(name));
                if let Some((summary, _)) = self.summary(name, target) {
                    text.push_str(&summary);
                }
                // What a pointer points at is a courtesy: that it cannot be read is no failure.
                self.failed = before;
            }
            Type::Function(signature) => {
                text.push_str("     ");
                if signature.is_some() {
                    text.push_str(&spelling::returns(signature));
                    text.push(' ');
                }
                match self.kernel.nearest(target) {
                    Some(near) => match (near.symbol, near.offset) {
                        (Some(symbol), offset) => {
                            text.push_str(&format!("{}!{symbol}+{offset:x}", near.module));
                        }
                        (None, offset) => text.push_str(&format!("{}+{offset:x}", near.module)),
                    },
                    None => text.push_str(&format!("+{:x}", target.0)),
                }
            }
            to if is_character(to) => {
                let unit = self.table.size_of(to).unwrap_or(1) as usize;
                text.push_str(&format!("  \"{}\"", self.text(target, unit, LONGEST_TEXT)));
            }
            to => {
                let before = self.failed;
                text.push_str(&format!("  -> {}", self.show(to, target).text));
                self.failed = before;
            }
        }
        Shown::new(text, target)
    }

    fn show_array(&mut self, of: &Type, count: u64, at: Virt) -> Shown {
        if is_byte(of) {
            let length = count.min(LONGEST_TEXT as u64) as usize;
            let text = self.text(at, 1, length);
            return match text.starts_with("--- memory read error") {
                true => {
                    self.failed = Some(at);
                    Shown::missing(&format!("[{count}]  ??"))
                }
                false => Shown::new(format!("[{count}]  \"{text}\""), text),
            };
        }
        if count == 0 {
            let text = format!("[0] {}", spelling::short(self.table, of));
            return Shown::new(text, Value::List(Vec::new()));
        }
        let first = self.show(of, at);
        let size = self.table.size_of(of).filter(|&size| size > 0);
        let mut values = vec![first.value];
        if let (false, Some(size)) = (matches!(of, Type::Udt(_) | Type::Array(..)), size) {
            let before = self.failed;
            for element in 1..count.min(MAX_VALUE_ELEMENTS) {
                let at = at + element.wrapping_mul(size);
                values.push(self.show(of, at).value);
            }
            self.failed = before;
        }
        Shown::new(format!("[{count}] {}", first.text), Value::List(values))
    }

    /// `200 ( NonPagedPoolNx )`: in hexadecimal digits without a mark.
    fn enumerator(&self, name: &str, bits: u64, size: u64) -> Shown {
        let value = sign(bits, 8 * size as u32);
        let named = self.table.enumeration(name).and_then(|e| {
            // An enumeration with the top bit set may be kept as the large number that it is.
            e.name_of(value).or_else(|| e.name_of(bits as i64))
        });
        let named = named.unwrap_or("No matching name");
        Shown::new(format!("{bits:x} ( {named} )"), value)
    }

    /// An address as the target writes it.
    pub(super) fn hex(&self, at: Virt) -> String {
        match self.table.pointer_size() {
            4 => format!("0x{:08x}", at.0),
            _ => format!("0x{at}"),
        }
    }
}

/// Whether a pointer to it points at a text.
fn is_character(ty: &Type) -> bool {
    matches!(ty, Type::Base(base)
        if base.kind == BaseKind::Char && base.size == 1 || matches!(&*base.name, "wchar" | "wchar_t") && base.size == 2)
}

/// Whether an array of it is shown as a text.
fn is_byte(ty: &Type) -> bool {
    matches!(ty, Type::Base(base) if base.kind == BaseKind::Char && base.size == 1)
}
