//! A row of a command as a value of Rhai: `row.name`, `row["name"]`, `row.keys()`, and why a cell is empty.

use super::addr::{Answer, address, compare};
use super::registry::{Registry, fail, type_name};
use super::value::{display, to_dynamic};
use crate::command::{Kept, Record, Row, Value};
use rhai::{Array, Dynamic, ImmutableString, Map};
use rkd_dump::addr::Virt;
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A row. Copies share the data.
#[derive(Clone)]
pub(super) struct RowObject {
    row: Arc<Shared<dyn Row + Send + Sync>>,
    /// Whether `${row}` gives the first cell alone, because it says enough: a hit is its address.
    short: bool,
}

/// The data, and where they come from when they are not there yet.
struct Shared<R: ?Sized> {
    kept: OnceLock<Kept>,
    from: R,
}

/// Where a row comes from that was there from the beginning.
struct Nowhere;

impl Row for Nowhere {
    fn kind(&self) -> &'static str {
        ""
    }

    fn record(&self) -> Record {
        Record::new()
    }

    fn text(&self) -> String {
        String::new()
    }
}

impl RowObject {
    /// A row that shows as its kd line.
    pub(super) fn new(kept: Kept) -> RowObject {
        RowObject {
            row: Arc::new(Shared {
                kept: kept.into(),
                from: Nowhere,
            }),
            short: false,
        }
    }

    /// A row that is made when somebody looks at it, and shows as its first cell: a loop that only counts hits should not
    /// pay for what is in them.
    pub(super) fn later(row: impl Row + Send + Sync + 'static) -> RowObject {
        RowObject {
            row: Arc::new(Shared {
                kept: OnceLock::new(),
                from: row,
            }),
            short: true,
        }
    }

    /// The data.
    pub(super) fn kept(&self) -> &Kept {
        self.row.kept.get_or_init(|| Kept::of(&self.row.from))
    }

    /// A cell.
    pub(super) fn cell(&self, name: &str) -> Option<&Value> {
        self.kept()
            .record
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// An address cell.
    pub(super) fn addr(&self, name: &str) -> Option<Virt> {
        match self.cell(name) {
            Some(Value::Addr(at)) => Some(*at),
            _ => None,
        }
    }

    /// The range that the row describes, for rows of modules: `start` and `end` (exclusive).
    pub(super) fn range(&self) -> Answer<(Virt, u64)> {
        match (self.addr("start"), self.addr("end")) {
            (Some(start), Some(end)) if start <= end => Ok((start, end - start)),
            _ => Err(fail(format!(
                "a row of kind '{}' has no start and end",
                self.kept().kind
            ))),
        }
    }

    /// The row with its cells as lines of text, when it has no line of its own.
    pub(super) fn with_lines(&self) -> Kept {
        let mut kept = self.kept().clone();
        if kept.text.is_empty() {
            let width = kept
                .record
                .iter()
                .map(|(name, _)| name.len())
                .max()
                .unwrap_or(0);
            let lines: Vec<String> = kept
                .record
                .iter()
                .map(|(name, value)| {
                    format!(
                        "{:<1$} {2}",
                        format!("{name}:"),
                        width + 1,
                        display(&to_dynamic(value))
                    )
                })
                .map(|line| line.trim_end().to_string())
                .collect();
            kept.text = lines.join("\n");
        }
        kept
    }

    fn get(&self, name: &str) -> Answer<Dynamic> {
        self.cell(name).map(to_dynamic).ok_or_else(|| {
            let names: Vec<&str> = self.kept().record.iter().map(|(name, _)| &**name).collect();
            fail(format!(
                "a row of kind '{}' has no field '{name}'; it has {}",
                self.kept().kind,
                names.join(", ")
            ))
        })
    }

    fn why(&self, name: &str) -> Answer<Dynamic> {
        let _ = self.get(name)?;
        Ok(match self.cell(name) {
            Some(Value::Absent(why)) => Dynamic::from(why.clone()),
            _ => Dynamic::UNIT,
        })
    }

    fn to_map(&self) -> Map {
        self.kept()
            .record
            .iter()
            .map(|(name, value)| (name.as_ref().into(), to_dynamic(value)))
            .collect()
    }

    fn contains(&self, what: &Dynamic) -> Answer<bool> {
        if let Ok(name) = what.clone().into_immutable_string() {
            return Ok(self.cell(&name).is_some());
        }
        let (start, length) = self.range()?;
        Ok(address(what)? - start < length)
    }
}

/// What was not looked at yet is not made for this: most of what is shown is shown as its line.
impl Row for RowObject {
    fn kind(&self) -> &'static str {
        match self.row.kept.get() {
            Some(kept) => kept.kind,
            None => self.row.from.kind(),
        }
    }

    fn record(&self) -> Record {
        match self.row.kept.get() {
            Some(kept) => kept.record.clone(),
            None => self.row.from.record(),
        }
    }

    fn text(&self) -> String {
        match self.row.kept.get() {
            Some(kept) => kept.text.clone(),
            None => self.row.from.text(),
        }
    }
}

impl fmt::Display for RowObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.short
            && let Some((_, first)) = self.kept().record.first()
        {
            return f.write_str(&display(&to_dynamic(first)));
        }
        if !self.kept().text.is_empty() {
            return f.write_str(&self.kept().text);
        }
        let cells: Vec<String> = self
            .kept()
            .record
            .iter()
            .map(|(name, value)| format!("{name}: {}", display(&to_dynamic(value))))
            .collect();
        write!(f, "{{{}}}", cells.join(", "))
    }
}

impl fmt::Debug for RowObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kept().fmt(f)
    }
}

/// Registers the type and what can be done with rows.
pub(super) fn register(r: &mut Registry) {
    r.engine
        .register_type_with_name::<RowObject>("Row")
        // Rhai tries the indexer with the name when a property has no getter, so this is `row.name` as well.
        .register_indexer_get(|row: &mut RowObject, name: &str| row.get(name))
        // Rhai gives every value a `tag` of its own, which would hide the most important column of all.
        .register_get("tag", |row: &mut RowObject| row.get("tag"))
        .register_fn("to_string", |row: &mut RowObject| row.to_string())
        .register_fn("to_debug", |row: &mut RowObject| row.to_string())
        .register_fn("keys", |row: &mut RowObject| -> Array {
            row.kept()
                .record
                .iter()
                .map(|(name, _)| Dynamic::from(ImmutableString::from(name.as_ref())))
                .collect()
        })
        .register_fn("values", |row: &mut RowObject| -> Array {
            row.kept()
                .record
                .iter()
                .map(|(_, value)| to_dynamic(value))
                .collect()
        })
        .register_fn("kind", |row: &mut RowObject| row.kind().to_string())
        .register_fn("line", |row: &mut RowObject| row.text())
        .register_fn("to_map", |row: &mut RowObject| row.to_map())
        .register_fn("to_json", |row: &mut RowObject| {
            serde_json::to_string(&Value::Record(row.kept().record.clone()))
                .map_err(|why| fail(why.to_string()))
        })
        .register_fn("why", |row: &mut RowObject, name: &str| row.why(name))
        .register_fn("contains", |row: &mut RowObject, what: Dynamic| {
            row.contains(&what)
        })
        .register_fn("+", |a: &str, b: RowObject| format!("{a}{b}"))
        .register_fn("+", |a: RowObject, b: &str| format!("{a}{b}"))
        .register_fn("==", |a: RowObject, b: RowObject| a.kept() == b.kept())
        .register_fn("!=", |a: RowObject, b: RowObject| a.kept() != b.kept());
    r.property(
        "row",
        "NAME",
        "a cell, also written `row[\"NAME\"]`; `()` when there is no value",
    );
    r.property(
        "row",
        "why(name)",
        "the reason why a cell is empty, `()` when it is not",
    );
    r.property("row", "keys()", "the names of the cells, in their order");
    r.property(
        "row",
        "values()",
        "the values of the cells, in the same order",
    );
    r.property(
        "row",
        "kind()",
        "what the row is: `\"module\"`, `\"hit\"`, `\"tag\"`",
    );
    r.property("row", "line()", "kd's line for the row");
    r.property("row", "to_map()", "a copy as a map, which can be changed");
    r.property(
        "row",
        "to_json()",
        "the row as JSON, as `--format json` writes it",
    );
    r.property("row", "contains(x)", "for text: whether there is such a cell; for an address: whether it lies between `start` and `end`");
    sorting(r);
}

fn sorting(r: &mut Registry) {
    r.property(
        "rows",
        "sort_by(name)",
        "sorts an array of rows or maps by a cell, ascending; empty cells come last",
    );
    r.property(
        "rows",
        "sort_by_desc(name)",
        "the same, descending; empty cells come last",
    );
    r.engine
        .register_fn("sort_by", |rows: &mut Array, name: &str| {
            sort_by(rows, name, false)
        });
    r.engine
        .register_fn("sort_by_desc", |rows: &mut Array, name: &str| {
            sort_by(rows, name, true)
        });
}

fn sort_by(rows: &mut Array, name: &str, descending: bool) -> Answer<()> {
    let keys = rows
        .iter()
        .map(|row| key(row, name))
        .collect::<Answer<Vec<Dynamic>>>()?;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (&keys[a], &keys[b]);
        match (a.is_unit(), b.is_unit()) {
            (false, false) => {
                let order = compare(a, b).unwrap_or(Ordering::Equal);
                if descending { order.reverse() } else { order }
            }
            (a, b) => a.cmp(&b),
        }
    });
    *rows = order.into_iter().map(|i| rows[i].clone()).collect();
    Ok(())
}

fn key(row: &Dynamic, name: &str) -> Answer<Dynamic> {
    if let Some(row) = row.clone().try_cast::<RowObject>() {
        return row.get(name);
    }
    if let Ok(map) = row.as_map_ref() {
        return Ok(map.get(name).cloned().unwrap_or(Dynamic::UNIT));
    }
    Err(fail(format!(
        "sort_by() sorts rows and maps, not {}",
        type_name(row)
    )))
}
