//! What the columns of rows are: declared once by `#[derive(Row)]`, and read by every format, by Rhai and by the reference.

use super::value::{Record, Value};
use rkd_dump::addr::{Pfn, Phys, Rva, Virt};
use rkd_kernel::pool::Tag;
use std::fmt::{self, Display};

/// A kind of row.
#[derive(Debug)]
pub struct Schema {
    /// One snake_case word: `module`, `hit`, `tag`.
    pub kind: &'static str,
    /// What a row of the kind stands for, in a sentence.
    pub doc: &'static str,
    /// Its columns, in the order in which they are shown.
    pub columns: &'static [Column],
}

/// A column of a kind of row.
#[derive(Debug)]
pub struct Column {
    /// The JSON key, the CSV heading and the Rhai property: snake_case, and a promise.
    pub name: &'static str,
    /// What its cells are.
    pub kind: CellKind,
    /// The unit of its numbers (`bytes`, `pages`, `100 ns since 1601`); empty for bare counts and for what is no number.
    pub unit: &'static str,
    /// Whether a cell can be absent.
    pub is_optional: bool,
    /// What it holds, in a sentence.
    pub doc: &'static str,
}

impl Column {
    /// The column for cells of type `T`. A unit is kept for numbers only.
    pub const fn of<T: Cell>(name: &'static str, unit: &'static str, doc: &'static str) -> Column {
        Column {
            name,
            kind: T::KIND,
            unit: if T::KIND.is_number() { unit } else { "" },
            is_optional: T::IS_OPTIONAL,
            doc,
        }
    }
}

/// What a cell is.
#[derive(Clone, Copy, Debug)]
pub enum CellKind {
    /// A virtual address of the target.
    Address,
    /// A physical address of the target.
    Physical,
    /// A count, a size or another number without a sign.
    Number,
    /// A number with a sign.
    Signed,
    /// A floating point value.
    Fraction,
    /// Yes or no.
    Flag,
    /// Text.
    Text,
    /// Raw bytes.
    Bytes,
    /// Several values of one kind.
    List(&'static CellKind),
    /// A structure with these cells.
    Record(&'static [Column]),
    /// Whatever the target has there: a number, an address, text.
    Any,
}

impl CellKind {
    /// Whether the cells are numbers, which may have a unit.
    pub const fn is_number(self) -> bool {
        match self {
            CellKind::Number | CellKind::Signed | CellKind::Fraction => true,
            CellKind::List(of) => of.is_number(),
            _ => false,
        }
    }
}

/// In a word or two: `address`, `list of text`, `record (address, site)`.
impl Display for CellKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CellKind::Address => "address",
            CellKind::Physical => "physical address",
            CellKind::Number => "number",
            CellKind::Signed => "signed number",
            CellKind::Fraction => "fraction",
            CellKind::Flag => "flag",
            CellKind::Text => "text",
            CellKind::Bytes => "bytes",
            CellKind::Any => "any value",
            CellKind::List(of) => return write!(f, "list of {of}"),
            CellKind::Record(columns) => {
                let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
                return write!(f, "record ({})", names.join(", "));
            }
        })
    }
}

/// Named cells: what `#[derive(Record)]` and `#[derive(Row)]` make of the fields of a struct.
pub trait Cells {
    /// Their names and kinds, in their order.
    const COLUMNS: &'static [Column];
    /// Their values: the same names in the same order.
    fn record(&self) -> Record;
}

/// A type that can stand in a column.
pub trait Cell {
    /// What its cells are.
    const KIND: CellKind;
    /// What several of them in one cell are.
    const KIND_OF_MANY: CellKind = CellKind::List(&Self::KIND);
    /// Whether there may be no value.
    const IS_OPTIONAL: bool = false;

    /// The cell.
    fn value(&self) -> Value;

    /// Several of them as one cell.
    fn value_of_many(all: &[Self]) -> Value
    where
        Self: Sized,
    {
        Value::List(all.iter().map(Cell::value).collect())
    }
}

macro_rules! cells {
    ($($of:ty: $kind:ident => $value:expr),+ $(,)?) => {
        $(impl Cell for $of {
            const KIND: CellKind = CellKind::$kind;
            fn value(&self) -> Value {
                let make: fn(&$of) -> Value = $value;
                make(self)
            }
        })+
    };
}

cells! {
    Virt: Address => |v| Value::Addr(*v),
    Phys: Physical => |v| Value::Addr(Virt(v.0)),
    Pfn: Number => |v| Value::U64(v.0),
    Rva: Number => |v| Value::U64(v.0.into()),
    u64: Number => |v| Value::U64(*v),
    u32: Number => |v| Value::U64((*v).into()),
    u16: Number => |v| Value::U64((*v).into()),
    usize: Number => |v| Value::U64(*v as u64),
    i64: Signed => |v| Value::I64(*v),
    i32: Signed => |v| Value::I64((*v).into()),
    f64: Fraction => |v| Value::F64(*v),
    bool: Flag => |v| Value::Bool(*v),
    str: Text => |v| Value::Str(v.to_string()),
    String: Text => |v| Value::Str(v.clone()),
    Tag: Text => |v| Value::Str(v.to_string()),
}

impl Cell for u8 {
    const KIND: CellKind = CellKind::Number;
    const KIND_OF_MANY: CellKind = CellKind::Bytes;

    fn value(&self) -> Value {
        Value::U64((*self).into())
    }

    fn value_of_many(all: &[u8]) -> Value {
        Value::Bytes(all.to_vec())
    }
}

impl Cell for Value {
    const KIND: CellKind = CellKind::Any;
    const IS_OPTIONAL: bool = true;

    fn value(&self) -> Value {
        self.clone()
    }
}

impl<T: Cell> Cell for Option<T> {
    const KIND: CellKind = T::KIND;
    const IS_OPTIONAL: bool = true;

    fn value(&self) -> Value {
        self.as_ref()
            .map_or(Value::Absent(String::new()), Cell::value)
    }
}

/// An error is the reason why there is no value.
impl<T: Cell, E: Display> Cell for Result<T, E> {
    const KIND: CellKind = T::KIND;
    const IS_OPTIONAL: bool = true;

    fn value(&self) -> Value {
        match self {
            Ok(value) => value.value(),
            Err(why) => Value::Absent(why.to_string()),
        }
    }
}

impl<T: Cell> Cell for [T] {
    const KIND: CellKind = T::KIND_OF_MANY;

    fn value(&self) -> Value {
        T::value_of_many(self)
    }
}

impl<T: Cell + ?Sized> Cell for &T {
    const KIND: CellKind = T::KIND;
    const IS_OPTIONAL: bool = T::IS_OPTIONAL;

    fn value(&self) -> Value {
        (**self).value()
    }
}

impl<T: Cell> Cell for Vec<T> {
    const KIND: CellKind = T::KIND_OF_MANY;

    fn value(&self) -> Value {
        T::value_of_many(self)
    }
}

impl<T: Cell, const N: usize> Cell for [T; N] {
    const KIND: CellKind = T::KIND_OF_MANY;

    fn value(&self) -> Value {
        T::value_of_many(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::command::{Cell, KdLine, Record, Row, Schema, Value};
    use rkd_dump::addr::Virt;

    /// A place.
    #[derive(Record)]
    struct Place<'a> {
        /// Where it is.
        at: Virt,
        /// What it is called.
        #[row(absent = "no module there")]
        name: Option<&'a str>,
    }

    /// A made-up row.
    #[derive(Row)]
    #[row(kind = "made_up")]
    struct MadeUp<'a> {
        /// How large it is.
        size_bytes: Result<u64, &'a str>,
        /// Its first bytes.
        head_bytes: Vec<u8>,
        /// Where it goes.
        #[row(name = "type")]
        places: Vec<Place<'a>>,
        /// Its numbers.
        numbers: [u32; 2],
        #[row(skip)]
        mark: char,
    }

    impl KdLine for MadeUp<'_> {
        fn line(&self) -> String {
            format!("{}{}", self.mark, self.numbers.len())
        }
    }

    /// A row that costs more than its line.
    #[derive(Row)]
    #[row(kind = "dear", cells = Place<'a>)]
    struct Dear<'a> {
        name: &'a str,
    }

    impl<'a> Dear<'a> {
        fn cells(&self) -> Place<'a> {
            Place {
                at: Virt(2),
                name: Some(self.name),
            }
        }
    }

    impl KdLine for Dear<'_> {
        fn line(&self) -> String {
            self.name.to_string()
        }
    }

    fn columns(schema: &Schema) -> Vec<String> {
        let columns = schema.columns.iter().map(|column| {
            let mark = if column.is_optional { "?" } else { "" };
            format!(
                "{}: {}{mark} [{}] {}",
                column.name, column.kind, column.unit, column.doc
            )
        });
        columns.collect()
    }

    #[test]
    fn columns_are_declared_by_fields() {
        assert_eq!(MadeUp::SCHEMA.doc, "A made-up row.");
        assert_eq!(
            columns(MadeUp::SCHEMA),
            [
                "size_bytes: number? [bytes] How large it is.",
                "head_bytes: bytes [] Its first bytes.",
                "type: list of record (at, name) [] Where it goes.",
                "numbers: list of number [] Its numbers.",
            ]
        );
        assert_eq!(
            columns(Dear::SCHEMA),
            [
                "at: address [] Where it is.",
                "name: text? [] What it is called."
            ]
        );
    }

    #[test]
    fn cells_are_made_of_fields_and_keep_the_reasons() {
        let place = |name| Place { at: Virt(1), name };
        let row = MadeUp {
            size_bytes: Err("paged out"),
            head_bytes: vec![0x4d, 0x5a],
            places: vec![place(Some("nt")), place(None)],
            numbers: [1, 2],
            mark: '!',
        };
        assert_eq!((row.kind(), row.text().as_str()), ("made_up", "!2"));
        let record = row.record();
        assert_eq!(record[0].1, Value::Absent("paged out".into()));
        assert_eq!(
            serde_json::to_string(&Value::Record(record)).unwrap(),
            r#"{"size_bytes":null,"head_bytes":"4d5a","type":[{"at":"0x1","name":"nt"},{"at":"0x1","name":null}],"numbers":[1,2]}"#
        );
        let why = Value::Absent("no module there".into());
        assert_eq!(
            place(None).value(),
            Value::Record(vec![("at".into(), Virt(1).into()), ("name".into(), why)])
        );
    }

    #[test]
    fn dear_cells_are_those_of_another_type() {
        let row = Dear { name: "nt" };
        assert_eq!(Value::Record(row.record()), row.cells().value());
        assert_eq!(row.text(), "nt");
    }
}
