//! What a script says: text, rows and remarks.

use super::addr::Answer;
use super::host::Host;
use super::registry::{Registry, fail, type_name};
use super::row::RowObject;
use super::search::hits;
use super::value::{display, from_dynamic, record, rows};
use crate::command::{Kept, Name, Value};
use rhai::Dynamic;
use std::sync::Arc;

/// Registers the functions.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "print(x)",
        "Writes a line of text. JSON and CSV leave text out: see `emit` and `show`.",
    );
    r.function("out(x)", "The same as `print`.");
    let to = Arc::clone(host);
    r.engine
        .register_fn("out", move |x: Dynamic| to.text(display(&x)));

    r.function("note(text)", "Makes a remark for the person at the screen, apart from the output; the same remark only once.");
    let to = Arc::clone(host);
    r.engine
        .register_fn("note", move |x: Dynamic| to.note(display(&x)));

    r.function("show(x)", "Shows rows as the command that they come from would, in the format that was asked for (text, JSON, CSV).");
    let to = Arc::clone(host);
    r.engine
        .register_fn("show", move |x: Dynamic| show(&to, &x));

    r.function(
        "emit(cells[, line])",
        "Hands over a row of the script's own making: an array of pairs `[[\"tag\", \"Leak\"], ..]`, or a map, whose columns stand in alphabetical order. JSON and CSV get the cells, the screen gets `line` (or one line for each cell).",
    );
    let to = Arc::clone(host);
    r.engine
        .register_fn("emit", move |x: Dynamic| emit(&to, &x, None));
    let to = Arc::clone(host);
    r.engine.register_fn("emit", move |x: Dynamic, line: &str| {
        emit(&to, &x, Some(line))
    });
}

/// Shows a value: rows as rows.
pub(super) fn show(host: &Host, value: &Dynamic) -> Answer<()> {
    if value.is_unit() {
        return Ok(());
    }
    if let Some(mut hits) = hits(value) {
        return hits.try_for_each(|hit| show(host, &hit?));
    }
    if let Some(row) = value.clone().try_cast::<RowObject>() {
        return host.row(row);
    }
    rows(value).into_iter().try_for_each(|row| host.row(row))
}

fn emit(host: &Host, value: &Dynamic, line: Option<&str>) -> Answer<()> {
    let mut kept = if let Some(row) = value.clone().try_cast::<RowObject>() {
        row.with_lines()
    } else if let Ok(map) = value.as_map_ref() {
        RowObject::new(Kept {
            kind: "row",
            record: record(&map),
            text: String::new(),
        })
        .with_lines()
    } else if let Ok(pairs) = value.as_array_ref() {
        let record = pairs.iter().map(pair).collect::<Answer<_>>()?;
        RowObject::new(Kept {
            kind: "row",
            record,
            text: String::new(),
        })
        .with_lines()
    } else {
        return Err(fail(format!(
            "emit() takes pairs, a map or a row, not {}",
            type_name(value)
        )));
    };
    if let Some(line) = line {
        kept.text = line.to_string();
    }
    host.row(kept)
}

/// A cell: its name and its value.
fn pair(pair: &Dynamic) -> Answer<(Name, Value)> {
    let wrong = || fail("emit() takes an array of pairs [name, value]");
    let pair = pair.as_array_ref().map_err(|_| wrong())?;
    let [name, value] = pair.as_slice() else {
        return Err(wrong());
    };
    let name = name.as_immutable_string_ref().map_err(|_| wrong())?;
    Ok((name.to_string().into(), from_dynamic(value)))
}
