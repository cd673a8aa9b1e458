//! The rows of `dt`.

use super::spelling;
use super::value::Shown;
use crate::command::{KdLine, Row, Value};
use rkd_dump::addr::Virt;
use rkd_symbols::{SymbolTable, Type, Udt};

/// A field, an element of an array in it, or a field inside of it.
#[derive(Row)]
#[row(kind = "field")]
pub(super) struct FieldRow {
    /// The structure that it belongs to.
    of_type: String,
    /// Its name.
    field: String,
    /// The names that lead to it from the structure that was asked for.
    path: String,
    /// Where it lies, from the start of its structure.
    #[row(unit = "bytes")]
    offset: u64,
    /// Where it lies in memory.
    #[row(absent = "no address was given")]
    address: Option<Virt>,
    /// Its type in kd's words.
    #[row(name = "type")]
    ty: String,
    /// Its size.
    #[row(absent = "the symbols do not say it")]
    size_bytes: Option<u64>,
    /// The first bit of a bit-field.
    #[row(absent = "not a bit-field")]
    bit_position: Option<u8>,
    /// How many bits a bit-field has.
    #[row(absent = "not a bit-field")]
    bit_length: Option<u8>,
    /// What lies there.
    value: Value,
    /// The same in kd's words.
    text: String,
    /// kd's line; empty when it is part of another one.
    #[row(skip, line)]
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
        let bits = match ty {
            Type::Bitfield {
                position, length, ..
            } => Some((*position, *length)),
            _ => None,
        };
        FieldRow {
            of_type: owner.name.to_string(),
            field: field.to_string(),
            path: format!("{path}{field}"),
            offset: 0,
            address: None,
            ty: spelling::short(table, ty),
            size_bytes: table.size_of(ty),
            bit_position: bits.map(|(position, _)| position),
            bit_length: bits.map(|(_, length)| length),
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
        self.text = shown.text.trim_end().to_string();
        (self.value, self.line) = (shown.value, line);
        self
    }
}

/// A value of a type that has no fields: a number, a pointer, an enumeration.
#[derive(Row)]
#[row(kind = "typed_value")]
pub(super) struct ValueRow {
    /// The number of the element.
    #[row(absent = "not an array")]
    index: Option<u64>,
    /// Where it lies.
    address: Virt,
    /// Its type in kd's words.
    #[row(name = "type")]
    ty: String,
    /// What lies there.
    value: Value,
    /// The same in kd's words.
    text: String,
    #[row(skip, line)]
    line: String,
}

impl ValueRow {
    /// A value at an address; `index` is `None` when there is only one.
    pub(super) fn new(index: Option<u64>, address: Virt, ty: String, shown: Shown) -> ValueRow {
        ValueRow {
            index,
            address,
            ty,
            value: shown.value,
            text: shown.text.trim_end().to_string(),
            line: match index {
                Some(index) => format!("[{index}] {}", shown.text),
                None => shown.text,
            },
        }
    }
}

/// A name of an enumeration.
#[derive(Row)]
#[row(kind = "enumerator")]
pub(super) struct EnumeratorRow<'a> {
    /// The enumeration.
    pub of_type: &'a str,
    /// The name.
    pub name: &'a str,
    /// What it stands for.
    pub value: i64,
}

impl KdLine for EnumeratorRow<'_> {
    fn line(&self) -> String {
        format!("   {} = 0n{}", self.name, self.value)
    }
}

/// A type of a list of types.
#[derive(Row)]
#[row(kind = "type")]
pub(super) struct TypeRow<'a> {
    /// kd's name of the module.
    pub module: &'a str,
    /// The type.
    pub name: &'a str,
    /// `struct`, `union` or `enum`.
    pub kind: &'static str,
    /// Its size.
    pub size_bytes: u64,
    /// How many fields or names it has.
    pub elements: usize,
    /// With the size, as `-v` wants it.
    #[row(skip)]
    pub verbose: bool,
}

impl KdLine for TypeRow<'_> {
    fn line(&self) -> String {
        let (module, name) = (self.module, self.name);
        match self.verbose {
            true => format!("           {:03x} {module}!{name}", self.size_bytes),
            false => format!("          {module}!{name}"),
        }
    }
}
