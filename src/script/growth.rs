//! What grew between two looks at the pools: `pool_diff(before, after)`.

use super::addr::Answer;
use super::bridge::rows;
use super::host::Host;
use super::registry::{Registry, fail, type_name};
use super::row::RowObject;
use crate::command::Value;
use crate::commands::pooldiff;
use rhai::{Array, Dynamic};
use rkd_kernel::growth::{Look, TagHeld};
use rkd_kernel::pool::{Tag, TagUse, Use};
use std::path::PathBuf;
use std::sync::Arc;

/// One side of the comparison.
enum Side {
    /// Rows of `poolused`, kept from wherever.
    Rows(Look),
    /// A file: a dump, a log, a table.
    File(PathBuf),
    /// The dump that is open.
    Here,
}

/// Registers the function.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "pool_diff(before, after)",
        "The tags that changed between two looks at the pools, as the rows of `!pooldiff`, what grew most first. A look is an array of rows of `poolused()`, or `()` for the dump that is open. With `--allow`, which lets scripts open files, also the path of another dump or of a list that another program wrote, as `!pooldiff` takes it; a figure that a list does not give is `()`.",
    );
    let of = Arc::clone(host);
    r.engine.register_fn(
        "pool_diff",
        move |a: Dynamic, b: Dynamic| -> Answer<Array> {
            let (before, after) = (side(&a)?, side(&b)?);
            rows(&of, move |session, sink| {
                let here = pooldiff::look(&session.target.kernel);
                let mut look = |side: Side| match side {
                    Side::Rows(look) => Ok(look),
                    Side::Here => pooldiff::look(&session.target.kernel),
                    Side::File(path) => {
                        session.check_files()?;
                        let near = here.as_ref().ok().cloned().unwrap_or_default();
                        let list = pooldiff::other_look(session, &path, &near)?;
                        for remark in list.remarks {
                            sink.note(&remark.to_string())?;
                        }
                        Ok(list.look)
                    }
                };
                let (before, after) = (look(before)?, look(after)?);
                pooldiff::compare(session, &before, &after, sink)
            })
        },
    );
}

fn side(value: &Dynamic) -> Answer<Side> {
    if value.is_unit() {
        return Ok(Side::Here);
    }
    if let Ok(path) = value.as_immutable_string_ref() {
        return Ok(Side::File(PathBuf::from(path.as_str())));
    }
    let Ok(list) = value.as_array_ref() else {
        return Err(fail(format!(
            "pool_diff() compares rows of poolused(), files, or () for this dump, not {}",
            type_name(value)
        )));
    };
    let mut tags = Vec::new();
    for item in list.iter() {
        let row = item.clone().try_cast::<RowObject>();
        let usage = row.as_ref().and_then(usage).map(TagHeld::from);
        tags.push(usage.ok_or_else(|| {
            fail("pool_diff() wants rows of poolused(), with tag_bytes and the figures of both pools".to_owned())
        })?);
    }
    Ok(Side::Rows(Look {
        tags,
        whole: true,
        ..Look::default()
    }))
}

fn usage(row: &RowObject) -> Option<TagUse> {
    let bytes = match row.cell("tag_bytes")? {
        Value::Bytes(bytes) => <[u8; 4]>::try_from(bytes.as_slice()).ok()?,
        _ => return None,
    };
    let number = |name: &str| match row.cell(name)? {
        Value::U64(number) => Some(*number),
        _ => None,
    };
    Some(TagUse {
        tag: Tag(bytes),
        nonpaged: Use {
            allocs: number("nonpaged_allocs")?,
            frees: number("nonpaged_frees")?,
            bytes: number("nonpaged_bytes")?,
        },
        paged: Use {
            allocs: number("paged_allocs")?,
            frees: number("paged_frees")?,
            bytes: number("paged_bytes")?,
        },
    })
}
