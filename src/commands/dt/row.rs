//! The rows of `dt`.

use super::spelling;
use super::value::Shown;
use crate::command::{Record, Row, Value};
use rkd_dump::addr::Virt;
use rkd_symbols::{SymbolTable, Type, Udt};

/// A field, an element of an array in it, or a field inside of it.
pub(super) struct FieldRow {
    owner: String,
    field: String,
    path: String,
    offset: u64,
    address: Option<Virt>,
    ty: String,
    size: Option<u64>,
    bits: Option<(u8, u8)>,
    value: Value,
    text: String,
    /// kd's line; empty when it is part of another one.
    pub line: String,
}

impl FieldRow {
    /// A field of `owner`, which the names in `path` lead to.
    pub(super) fn new(
        table: &SymbolTable,
        owner: &Udt,
        path: &str,
        field: &str,
        ty: &Type,
    ) -> FieldRow {
        FieldRow {
            owner: owner.name.to_string(),
            field: field.to_string(),
            path: format!("{path}{field}"),
            offset: 0,
            address: None,
            ty: spelling::short(table, ty),
            size: table.size_of(ty),
            bits: match ty {
                Type::Bitfield {
                    position, length, ..
                } => Some((*position, *length)),
                _ => None,
            },
            value: Value::Absent(String::new()),
            text: String::new(),
            line: String::new(),
        }
    }

    /// Where it lies: in bytes from the start of its structure, and in memory.
    pub(super) fn at(mut self, offset: u64, address: Option<Virt>) -> FieldRow {
        (self.offset, self.address) = (offset, address);
        self
    }

    /// What lies there, and kd's line.
    pub(super) fn shown(mut self, shown: Shown, line: String) -> FieldRow {
        (self.value, self.text, self.line) = (shown.value, shown.text, line);
        self
    }
}

impl Row for FieldRow {
    fn kind(&self) -> &'static str {
        "field"
    }

    fn record(&self) -> Record {
        let absent = |why: &str| Value::Absent(why.into());
        let bit = |bit: Option<u8>| bit.map_or_else(|| absent("not a bit-field"), Value::from);
        vec![
            ("of_type", self.owner.as_str().into()),
            ("field", self.field.as_str().into()),
            ("path", self.path.as_str().into()),
            ("offset", self.offset.into()),
            (
                "address",
                self.address
                    .map_or_else(|| absent("no address was given"), Value::Addr),
            ),
            ("type", self.ty.as_str().into()),
            (
                "size_bytes",
                self.size
                    .map_or_else(|| absent("the symbols do not say it"), Value::U64),
            ),
            ("bit_position", bit(self.bits.map(|(position, _)| position))),
            ("bit_length", bit(self.bits.map(|(_, length)| length))),
            ("value", self.value.clone()),
            ("text", self.text.trim_end().into()),
        ]
    }

    fn text(&self) -> String {
        self.line.clone()
    }
}

/// A value of a type that has no fields: a number, a pointer, an enumeration.
pub(super) struct ValueRow {
    /// The number of the element; `None` when there is only one.
    pub index: Option<u64>,
    /// Where it lies.
    pub address: Virt,
    /// kd's spelling.
    pub ty: String,
    /// What lies there.
    pub shown: Shown,
}

impl Row for ValueRow {
    fn kind(&self) -> &'static str {
        "typed_value"
    }

    fn record(&self) -> Record {
        vec![
            (
                "index",
                self.index
                    .map_or_else(|| Value::Absent("not an array".into()), Value::U64),
            ),
            ("address", self.address.into()),
            ("type", self.ty.as_str().into()),
            ("value", self.shown.value.clone()),
            ("text", self.shown.text.trim_end().into()),
        ]
    }

    fn text(&self) -> String {
        match self.index {
            Some(index) => format!("[{index}] {}", self.shown.text),
            None => self.shown.text.clone(),
        }
    }
}

/// A name of an enumeration.
pub(super) struct EnumeratorRow<'a> {
    /// The enumeration.
    pub owner: &'a str,
    /// The name.
    pub name: &'a str,
    /// What it stands for.
    pub value: i64,
}

impl Row for EnumeratorRow<'_> {
    fn kind(&self) -> &'static str {
        "enumerator"
    }

    fn record(&self) -> Record {
        vec![
            ("of_type", self.owner.into()),
            ("name", self.name.into()),
            ("value", self.value.into()),
        ]
    }

    fn text(&self) -> String {
        format!("   {} = 0n{}", self.name, self.value)
    }
}

/// A type of a list of types.
pub(super) struct TypeRow<'a> {
    /// kd's name of the module.
    pub module: &'a str,
    /// The type.
    pub name: &'a str,
    /// `struct`, `union`, `enum`.
    pub kind: &'static str,
    /// In bytes.
    pub size: u64,
    /// How many fields or names it has.
    pub elements: usize,
    /// With the size, as `-v` wants it.
    pub verbose: bool,
}

impl Row for TypeRow<'_> {
    fn kind(&self) -> &'static str {
        "type"
    }

    fn record(&self) -> Record {
        vec![
            ("module", self.module.into()),
            ("name", self.name.into()),
            ("kind", self.kind.into()),
            ("size_bytes", self.size.into()),
            ("elements", self.elements.into()),
        ]
    }

    fn text(&self) -> String {
        match self.verbose {
            true => format!("           {:03x} {}!{}", self.size, self.module, self.name),
            false => format!("          {}!{}", self.module, self.name),
        }
    }
}
