//! The cells of rows as values of Rhai, and back; and how a value looks at the prompt.

use super::addr::number;
use super::registry::type_name;
use super::row::RowObject;
use super::typed::StructObject;
use crate::command::{Kept, Record, Value};
use rhai::{Array, Blob, Dynamic, Map};
use rkd_dump::addr::Virt;

/// How deep arrays in arrays are followed. Rhai's parser allows no deeper literals; a loop can build them.
const MAX_DEPTH: usize = 32;

/// A cell as a script sees it. What is absent is `()`; `row.why("field")` tells the reason.
pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Addr(at) => Dynamic::from(*at),
        Value::U64(v) => number(*v),
        Value::I64(v) => Dynamic::from(*v),
        Value::F64(v) => Dynamic::from(*v),
        Value::Bool(v) => Dynamic::from(*v),
        Value::Str(v) => Dynamic::from(v.clone()),
        Value::Bytes(v) => Dynamic::from_blob(v.clone()),
        Value::List(v) => Dynamic::from_array(v.iter().map(to_dynamic).collect()),
        Value::Record(v) => Dynamic::from(RowObject::new(Kept {
            kind: "record",
            record: v.clone(),
            text: String::new(),
        })),
        Value::Absent(_) => Dynamic::UNIT,
    }
}

/// A value of a script as a cell of a row.
pub(super) fn from_dynamic(value: &Dynamic) -> Value {
    from_dynamic_at(value, 0)
}

fn from_dynamic_at(value: &Dynamic, depth: usize) -> Value {
    if depth >= MAX_DEPTH {
        return Value::Str("...".into());
    }
    if value.is_unit() {
        return Value::Absent(String::new());
    }
    if let Some(at) = value.clone().try_cast::<Virt>() {
        return Value::Addr(at);
    }
    if let Some(row) = value.clone().try_cast::<RowObject>() {
        return Value::Record(row.kept().record.clone());
    }
    if let Ok(v) = value.as_int() {
        return u64::try_from(v).map_or(Value::I64(v), Value::U64);
    }
    if let Ok(v) = value.as_float() {
        return Value::F64(v);
    }
    if let Ok(v) = value.as_bool() {
        return Value::Bool(v);
    }
    if let Ok(list) = value.as_array_ref() {
        return Value::List(list.iter().map(|v| from_dynamic_at(v, depth + 1)).collect());
    }
    if let Ok(bytes) = value.as_blob_ref() {
        return Value::Bytes(bytes.clone());
    }
    if let Ok(map) = value.as_map_ref() {
        return Value::Record(record_at(&map, depth + 1));
    }
    Value::Str(display(value))
}

/// A map of a script as a record. Rhai keeps maps in the order of their names.
pub(super) fn record(map: &Map) -> Record {
    record_at(map, 0)
}

fn record_at(map: &Map, depth: usize) -> Record {
    map.iter()
        .map(|(name, value)| (name.to_string().into(), from_dynamic_at(value, depth)))
        .collect()
}

/// The text of a value, as `print` and `${..}` give it.
pub(super) fn display(value: &Dynamic) -> String {
    display_at(value, 0)
}

fn display_at(value: &Dynamic, depth: usize) -> String {
    if depth >= MAX_DEPTH {
        return "...".into();
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return if depth == 0 {
            text.to_string()
        } else {
            format!("{:?}", text.as_str())
        };
    }
    if let Some(at) = value.clone().try_cast::<Virt>() {
        return at.to_string();
    }
    if let Some(row) = value.clone().try_cast::<RowObject>() {
        return row.to_string();
    }
    if let Some(structure) = value.clone().try_cast::<StructObject>() {
        return structure.to_string();
    }
    if let Ok(list) = value.as_array_ref() {
        return display_list(&list, depth);
    }
    if let Ok(bytes) = value.as_blob_ref() {
        return display_bytes(&bytes);
    }
    if let Ok(map) = value.as_map_ref() {
        let cells: Vec<String> = map
            .iter()
            .map(|(k, v)| format!("{k}: {}", display_at(v, depth + 1)))
            .collect();
        return format!("#{{{}}}", cells.join(", "));
    }
    if let Ok(c) = value.as_char() {
        return if depth == 0 {
            c.to_string()
        } else {
            format!("{c:?}")
        };
    }
    // Rhai shows a type that it does not know by its path in our source.
    let text = value.to_string();
    if text.contains("::") && value.type_name() == text {
        type_name(value).to_string()
    } else {
        text
    }
}

fn display_list(list: &Array, depth: usize) -> String {
    let cells: Vec<String> = list.iter().map(|v| display_at(v, depth + 1)).collect();
    format!("[{}]", cells.join(", "))
}

/// Bytes in hexadecimal, sixteen to a line.
fn display_bytes(bytes: &Blob) -> String {
    let lines: Vec<String> = bytes
        .chunks(16)
        .map(|line| {
            line.iter()
                .map(|b| format!("{b:02x}"))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    lines.join("\n")
}

/// A result of the prompt as rows: rows as they are, a map as one record, anything else as a row with one `value`.
pub(super) fn rows(value: &Dynamic) -> Vec<Kept> {
    if let Some(row) = value.clone().try_cast::<RowObject>() {
        return vec![row.kept().clone()];
    }
    if let Ok(list) = value.as_array_ref()
        && !list.is_empty()
        && list.iter().all(|v| v.is::<RowObject>())
    {
        return list.iter().flat_map(rows).collect();
    }
    if let Ok(map) = value.as_map_ref() {
        return vec![
            RowObject::new(Kept {
                kind: "map",
                record: record(&map),
                text: String::new(),
            })
            .with_lines(),
        ];
    }
    vec![Kept {
        kind: "value",
        record: vec![("value".into(), from_dynamic(value))],
        text: display(value),
    }]
}
