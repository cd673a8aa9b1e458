//! What a cell can hold. The type says what a thing *is*; a renderer says how it looks.

use rkd_dump::addr::Virt;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::borrow::Cow;

/// One cell of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// An address of the target: `"0xfffff80747f50000"` in JSON, `fffff807'47f50000` with a back-tick in text, an `Addr` in Rhai.
    Addr(Virt),
    /// A count, a size or another unsigned quantity; the field's name carries the unit.
    U64(u64),
    /// A signed quantity.
    I64(i64),
    /// A measured fraction or a floating point value.
    F64(f64),
    /// Yes or no.
    Bool(bool),
    /// Text, as it stands in the dump: a renderer escapes it for where it goes.
    Str(String),
    /// Raw bytes: lower-case hexadecimal in JSON, a blob in Rhai.
    Bytes(Vec<u8>),
    /// Several values of one kind.
    List(Vec<Value>),
    /// A structure.
    Record(Record),
    /// There is no value, and this is why. `null` in JSON, `()` in Rhai.
    Absent(String),
}

/// Named values in the order in which they are shown. Names are snake_case and a promise:
/// they are the JSON keys, the CSV headings and the Rhai properties.
pub type Record = Vec<(Name, Value)>;

/// The name of a cell. Those of the commands stand in the source; a script makes up its own.
pub type Name = Cow<'static, str>;

impl Value {
    /// The value; where there is none, with this reason, unless it has one.
    pub fn because(self, why: &str) -> Value {
        match self {
            Value::Absent(reason) if reason.is_empty() => Value::Absent(why.to_string()),
            value => value,
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $to:expr),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Value {
                let make: fn($from) -> Value = $to;
                make(value)
            }
        })*
    };
}

value_from! {
    Virt => Value::Addr,
    u64 => Value::U64,
    i64 => Value::I64,
    f64 => Value::F64,
    bool => Value::Bool,
    String => Value::Str,
    &str => |v| Value::Str(v.to_string()),
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Absent(String::new()), Into::into)
    }
}

/// JSON's view: addresses are strings, because a double holds only 53 bits and people read them.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Addr(va) => serializer.serialize_str(&format!("{:#x}", va.0)),
            Value::U64(v) => serializer.serialize_u64(*v),
            Value::I64(v) => serializer.serialize_i64(*v),
            Value::F64(v) => serializer.serialize_f64(*v),
            Value::Bool(v) => serializer.serialize_bool(*v),
            Value::Str(v) => serializer.serialize_str(v),
            Value::Bytes(v) => {
                serializer.serialize_str(&v.iter().map(|b| format!("{b:02x}")).collect::<String>())
            }
            Value::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                for value in list {
                    seq.serialize_element(value)?;
                }
                seq.end()
            }
            Value::Record(record) => {
                let mut map = serializer.serialize_map(Some(record.len()))?;
                for (name, value) in record {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Value::Absent(_) => serializer.serialize_none(),
        }
    }
}
