//! Tables: with headings (CSV, JSON, columns of text), and without.
//!
//! PoolMonX v3 saves no headings (its issue 5): the tag, then allocations, frees, their difference and bytes, once for each pool, and
//! what the list of tags says. Which pool comes first is then told by the dump it is compared with. Headings in languages that are
//! not known here are no hindrance where the difference proves which column is which.

use super::figure::{Figure, figure};
use super::heading::{Columns, Pool, Unit, heading_unit};
use super::{Found, Held, Look, Unreadable};
use crate::file_text;
use crate::pool::Tag;
use csv::StringRecord;
use serde_json::Value;
use std::collections::BTreeMap;

/// Records of a table that are read; no machine has so many tags.
const MAX_RECORDS: usize = 1_000_000;
/// Headings are looked for in so many records.
const MAX_PREAMBLE: usize = 64;
/// How deep rows may lie in JSON.
const MAX_DEPTH: usize = 8;

/// Reads a table of any kind.
pub(super) fn read(text: &str, near: &Look) -> Result<Found, Unreadable> {
    if text.trim_start().starts_with(['{', '[']) {
        return json(text);
    }
    let mut refused = Unreadable::NoList;
    for delimiter in [Some(b','), Some(b';'), Some(b'\t'), None] {
        let records = records(text, delimiter);
        let headings = records.iter().take(MAX_PREAMBLE);
        let columns: Vec<Columns> = headings.filter_map(|r| Columns::of(r.iter())).collect();
        if let Some(columns) = columns
            .iter()
            .find(|columns| columns.useful() || columns.strange().is_some())
        {
            check_unit(columns)?;
            // a comma between cells without quotes cannot be one before places
            let mark = (delimiter == Some(b',') && !text.contains('"')).then_some('.');
            return with_headings(&records, mark);
        }
        if let (false, true, Some(first)) =
            (columns.is_empty(), delimiter.is_some(), records.first())
            && first.len() > 1
        {
            refused = Unreadable::NoBytes(first.iter().collect::<Vec<_>>().join(", "));
        }
    }
    let frequent = |byte: &u8| text.bytes().take(1 << 16).filter(|b| b == byte).count();
    let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(frequent);
    let found = without_headings(&records(text, delimiter), near);
    if found.is_empty() {
        Err(refused)
    } else {
        Ok(found)
    }
}

fn records(text: &str, delimiter: Option<u8>) -> Vec<StringRecord> {
    let Some(delimiter) = delimiter else {
        let words = |line: &str| line.split_whitespace().collect();
        return text.lines().take(MAX_RECORDS).map(words).collect();
    };
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
        .records()
        .filter_map(Result::ok)
        .take(MAX_RECORDS)
        .collect()
}

fn check_unit(columns: &Columns) -> Result<(), Unreadable> {
    match columns.strange() {
        Some(heading) => Err(Unreadable::Unit(heading.to_owned())),
        None => Ok(()),
    }
}

fn with_headings(records: &[StringRecord], mark: Option<char>) -> Result<Found, Unreadable> {
    let mut found = Found::default();
    let cells = records.iter().flat_map(StringRecord::iter);
    let mark = mark.or_else(|| {
        cells
            .filter_map(figure)
            .find_map(|(figure, _)| figure.mark())
    });
    let mut columns = None;
    for record in records {
        if let Some(heading) = Columns::of(record.iter()).filter(Columns::useful) {
            check_unit(&heading)?;
            found.begin();
            columns = Some(heading);
        } else if let Some(columns) = &columns {
            row(record, columns, mark, &mut found)?;
        }
    }
    Ok(found)
}

fn row(
    record: &StringRecord,
    columns: &Columns,
    mark: Option<char>,
    found: &mut Found,
) -> Result<(), Unreadable> {
    let cell = |at: Option<usize>| record.get(at?);
    let tag = cell(columns.tag_bytes)
        .and_then(hex)
        .or_else(|| tag(cell(columns.tag)?));
    let Some(tag) = tag else { return Ok(()) };
    let kind = cell(columns.kind).and_then(is_paged);
    let pools = [
        (Some(false), &columns.nonpaged),
        (Some(true), &columns.paged),
        (kind, &columns.by_kind),
    ];
    for (paged, pool) in pools {
        if let Some(paged) = paged
            && let Some(held) = held(record, pool, mark, found)?
        {
            found.add(tag, paged, held);
        }
    }
    Ok(())
}

fn held(
    record: &StringRecord,
    pool: &Pool,
    mark: Option<char>,
    found: &mut Found,
) -> Result<Option<Held>, Unreadable> {
    let Some(column) = &pool.bytes else {
        return Ok(None);
    };
    let text = record.get(column.at).unwrap_or_default();
    let Some((number, own)) = figure(text) else {
        return Ok(None);
    };
    let fraction = matches!(number, Figure::Decimal { .. });
    let Some(unit) = own.or(column.unit).or((!fraction).then_some(Unit(1))) else {
        return Err(Unreadable::Fraction {
            heading: column.heading.clone(),
            figure: text.to_owned(),
        });
    };
    let Some((bytes, off)) = number.bytes(unit, mark) else {
        return Err(Unreadable::Ambiguous {
            heading: column.heading.clone(),
            figure: text.to_owned(),
        });
    };
    if off != 0 {
        let most = found.rounded.entry(column.heading.clone()).or_default();
        *most = off.max(*most);
    }
    let count = |at: Option<usize>| figure(record.get(at?)?)?.0.count();
    let difference = || Some(count(pool.allocs)?.saturating_sub(count(pool.frees)?));
    Ok(Some(Held {
        bytes: Some(bytes),
        allocs: count(pool.outstanding).or_else(difference),
    }))
}

/// Rows that lie anywhere in JSON, one document or many.
fn json(text: &str) -> Result<Found, Unreadable> {
    let mut found = Found::default();
    let mut refused = Unreadable::NoList;
    // What follows a place that is no JSON is not understood.
    for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let Ok(document) = document else { break };
        rows(&document, MAX_DEPTH, &mut found, &mut refused)?;
    }
    if found.is_empty() {
        Err(refused)
    } else {
        Ok(found)
    }
}

fn rows(
    value: &Value,
    depth: usize,
    found: &mut Found,
    refused: &mut Unreadable,
) -> Result<(), Unreadable> {
    match value {
        Value::Array(items) if depth > 0 => {
            found.begin();
            items
                .iter()
                .try_for_each(|item| rows(item, depth - 1, found, refused))
        }
        Value::Object(fields) => match Columns::of(fields.keys().map(String::as_str)) {
            Some(columns) => {
                check_unit(&columns)?;
                if !columns.useful() {
                    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
                    *refused = Unreadable::NoBytes(names.join(", "));
                }
                let record = fields.values().map(|value| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                row(&record.collect(), &columns, Some('.'), found)
            }
            None if depth > 0 => fields
                .values()
                .try_for_each(|value| rows(value, depth - 1, found, refused)),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// A quoted tag is exact; a blank at its end may have been lost all the same.
fn tag(text: &str) -> Option<Tag> {
    let text = if text.chars().count() > 4 {
        text.trim()
    } else {
        text
    };
    file_text::tag_of(text).map(Tag)
}

fn hex(text: &str) -> Option<Tag> {
    let text = text.trim();
    let number = u32::from_str_radix(text, 16)
        .ok()
        .filter(|_| text.len() == 8)?;
    Some(Tag(number.to_be_bytes()))
}

/// Which pool a word names, in the languages of Windows that say "not paged" for nonpaged; nothing for session pool.
fn is_paged(kind: &str) -> Option<bool> {
    const NOT: [&str; 10] = [
        "non", "no ", "nicht", "niet", "não", "nao ", "ikke", "inte", "не", "非",
    ];
    let kind = kind.trim().to_lowercase();
    if kind.is_empty() || kind.contains("session") {
        return None;
    }
    Some(!NOT.iter().any(|not| kind.starts_with(not)))
}

fn without_headings(records: &[StringRecord], near: &Look) -> Found {
    let paged_first = bare_rows(records, true);
    let other = bare_rows(records, false);
    let distance = |found: &Found| {
        found
            .lists
            .last()
            .map_or(0, |list| distance(&Found::look(list), near))
    };
    match distance(&other) < distance(&paged_first) {
        true => other,
        false => paged_first,
    }
}

fn bare_rows(records: &[StringRecord], paged_first: bool) -> Found {
    let mut found = Found::default();
    let mut headings: Option<&StringRecord> = None;
    for record in records {
        let first = record.get(0).unwrap_or_default();
        let Some(tag) = tag(first).filter(|_| record.len() > 4) else {
            // the lines of sums with which XPerf's and other logs begin a list, or headings
            headings = headings.or(Some(record));
            found.begin();
            continue;
        };
        let kind = record.get(1).filter(|kind| figure(kind).is_none());
        let parts = match kind {
            Some(kind) => [is_paged(kind).map(|paged| (paged, 2)), None],
            None => [Some((paged_first, 1)), Some((!paged_first, 5))],
        };
        for (paged, from) in parts.into_iter().flatten() {
            let heading = headings
                .and_then(|headings| headings.get(from + 3))
                .unwrap_or_default();
            let Some((held, off)) = four(record, from, heading_unit(heading)) else {
                continue;
            };
            if off != 0 {
                found.rounded.insert(heading.to_owned(), off);
            }
            found.add(tag, paged, held);
        }
    }
    found
}

/// Allocations, frees, their difference, which proves the three, and bytes; and by how many bytes these may be off.
fn four(record: &StringRecord, from: usize, unit: Option<Unit>) -> Option<(Held, u64)> {
    let at = |column: usize| figure(record.get(from + column)?);
    let count = |column: usize| at(column)?.0.count();
    let (allocs, frees, difference) = (count(0)?, count(1)?, count(2)?);
    let (figure, own) = at(3)?;
    let (bytes, off) = figure.bytes(own.or(unit).unwrap_or(Unit(1)), None)?;
    let held = Held {
        bytes: Some(bytes),
        allocs: Some(difference),
    };
    (allocs.saturating_sub(frees) == difference).then_some((held, off))
}

/// How far two looks are from one another, in bytes.
fn distance(look: &Look, near: &Look) -> u64 {
    let known: BTreeMap<Tag, _> = near.tags.iter().map(|held| (held.tag, held)).collect();
    let apart = |a: Held, b: Held| a.bytes.unwrap_or(0).abs_diff(b.bytes.unwrap_or(0));
    let apart = |held: &super::TagHeld| {
        let other = known.get(&held.tag);
        let (nonpaged, paged) = other.map_or_else(Default::default, |o| (o.nonpaged, o.paged));
        apart(held.nonpaged, nonpaged).saturating_add(apart(held.paged, paged))
    };
    look.tags.iter().map(apart).fold(0, u64::saturating_add)
}
