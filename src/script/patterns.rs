//! What a script wants to find, as patterns of the scanner: text, bytes, pointers, or a map that says how.

use super::addr::{Answer, address};
use super::host::refused;
use super::registry::{fail, type_name};
use super::value::display;
use rhai::{Dynamic, INT, Map};
use rkd_dump::addr::Virt;
use rkd_scan::{Pattern, Patterns};
use std::sync::Arc;

/// Patterns with the names under which hits mention them.
pub(super) struct Wanted {
    /// The scanner's set.
    pub patterns: Arc<Patterns>,
    /// The same order: the text itself, or the bytes in hexadecimal.
    pub names: Vec<String>,
}

/// Reads one pattern or an array of them. `any_case` is for all texts.
pub(super) fn read(value: &Dynamic, any_case: bool) -> Answer<Wanted> {
    let mut list = Vec::new();
    let mut names = Vec::new();
    let mut add = |value: &Dynamic| -> Answer<()> {
        let (pattern, name) = one(value)?;
        list.push(if any_case {
            pattern.any_case()
        } else {
            pattern
        });
        names.push(name);
        Ok(())
    };
    match value.as_array_ref() {
        Ok(array) => array.iter().try_for_each(&mut add)?,
        Err(_) => add(value)?,
    }
    Ok(Wanted {
        patterns: Arc::new(Patterns::new(list).map_err(refused)?),
        names,
    })
}

fn one(value: &Dynamic) -> Answer<(Pattern, String)> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok((Pattern::text(&text), text.to_string()));
    }
    if let Ok(bytes) = value.as_blob_ref() {
        return Ok((Pattern::bytes(bytes.clone()), hex(&bytes)));
    }
    if let Some(at) = value.clone().try_cast::<Virt>() {
        return Ok((Pattern::bytes(at.0.to_le_bytes()), at.to_string()));
    }
    if let Ok(map) = value.as_map_ref() {
        return of_map(&map);
    }
    if value.is_int() {
        return Err(fail("say how wide the number is: #{u32: n} or #{u64: n}"));
    }
    Err(fail(format!(
        "a pattern is text, bytes, an address or a map, not {}",
        type_name(value)
    )))
}

/// `#{utf16: "Leak", any_case: true}`, `#{hex: "41 b8 ?? ?? 61 6b"}`, `#{u32: tag("Leak"), align: 4}`.
fn of_map(map: &Map) -> Answer<(Pattern, String)> {
    let mut found: Option<(Pattern, String)> = None;
    let (mut any_case, mut align) = (false, 1);
    for (key, value) in map {
        let pattern = match key.as_str() {
            "text" => Pattern::text(&text(value)?),
            "utf16" => Pattern::utf16(&text(value)?),
            "hex" => Pattern::hex(&text(value)?).map_err(refused)?,
            "bytes" => Pattern::bytes(
                value
                    .clone()
                    .into_blob()
                    .map_err(|_| fail("bytes: takes a blob"))?,
            ),
            "u8" => number(value, 1)?,
            "u16" => number(value, 2)?,
            "u32" => number(value, 4)?,
            "u64" => number(value, 8)?,
            "any_case" => {
                any_case = value
                    .as_bool()
                    .map_err(|_| fail("any_case: is true or false"))?;
                continue;
            }
            "align" => {
                align = value
                    .as_int()
                    .ok()
                    .and_then(|n: INT| u64::try_from(n).ok())
                    .ok_or_else(|| fail("align: takes a number"))?;
                continue;
            }
            other => {
                return Err(fail(format!(
                    "a pattern has no '{other}'; it has one of text, utf16, hex, bytes, u8, u16, u32, u64, and any_case, align"
                )));
            }
        };
        if found.replace((pattern, display(value))).is_some() {
            return Err(fail(
                "a pattern is one of text, utf16, hex, bytes, u8, u16, u32, u64, not several",
            ));
        }
    }
    let (mut pattern, name) = found
        .ok_or_else(|| fail("a pattern needs one of text, utf16, hex, bytes, u8, u16, u32, u64"))?;
    if any_case {
        pattern = pattern.any_case();
    }
    Ok((pattern.aligned(align), name))
}

fn text(value: &Dynamic) -> Answer<String> {
    value
        .clone()
        .into_string()
        .map_err(|kind| fail(format!("a pattern's text is text, not {kind}")))
}

/// A little-endian number of so many bytes.
fn number(value: &Dynamic, width: usize) -> Answer<Pattern> {
    let bits = address(value)?.0.to_le_bytes();
    match bits.split_at_checked(width) {
        Some((low, high)) if high.iter().all(|&b| b == 0) => Ok(Pattern::bytes(low)),
        _ => Err(fail(format!(
            "{} does not fit into {width} bytes",
            display(value)
        ))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}
