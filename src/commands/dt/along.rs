//! `-l`: from one structure to the next, along a field that links them.

use super::walk::Walk;
use crate::command::sink;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_symbols::{SymbolTable, Type, Udt};
use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

/// How structures of one type are linked.
pub(super) struct Link {
    /// Where the pointer to the next one lies, in bytes.
    pointer: u64,
    /// Where in the next one it points, in bytes.
    target: u64,
}

impl Link {
    /// Reads the field behind `-l`. `ActiveProcessLinks.Flink` points at the `ActiveProcessLinks` of the next structure, and a
    /// field that points at the type itself at its start.
    ///
    /// # Errors
    /// When there is no such field, or it is no pointer.
    pub(super) fn new(table: &SymbolTable, udt: &Udt, path: &str) -> Result<Link> {
        let field = table.field(&udt.name, path)?;
        match field.ty {
            Type::Pointer(to) => {
                let is_own = matches!(&**to, Type::Udt(name) if *name == udt.name);
                let outer = path.rsplit_once('.').map(|(outer, _)| outer);
                let target = match (is_own, outer) {
                    (true, _) => 0,
                    (false, Some(outer)) => table.field(&udt.name, outer)?.offset,
                    (false, None) => field.offset,
                };
                Ok(Link {
                    pointer: field.offset,
                    target,
                })
            }
            // The list's name alone is as clear.
            Type::Udt(name) if matches!(&**name, "_LIST_ENTRY" | "_SINGLE_LIST_ENTRY") => {
                Ok(Link {
                    pointer: field.offset,
                    target: field.offset,
                })
            }
            ty => Err(Error::Syntax(format!(
                "{}.{path} is no pointer but {ty}: the field behind -l must lead to the next structure",
                udt.name
            ))),
        }
    }
}

/// Shows one structure after the other until the list comes back, ends, or cannot be read.
///
/// # Errors
/// Those of the sink, and [`Stopped`](Error::Stopped).
pub(super) fn along<'a>(
    walk: &mut Walk<'a>,
    stop: &AtomicBool,
    kernel: &Kernel,
    udt: &'a Udt,
    first: Virt,
    link: &Link,
    name: &str,
) -> Result<bool> {
    let mut seen = HashSet::from([first]);
    let mut here = first;
    loop {
        sink::check(stop)?;
        let head = format!("{name} at {}", walk.reader.hex(here));
        walk.out.text(&head)?;
        walk.out
            .text("---------------------------------------------")?;
        if !walk.structure(udt, Some(here))? {
            return Ok(false);
        }
        walk.out.text("")?;
        if let Some(near) = kernel.nearest(here + link.target) {
            let what = format!(
                "{} lies in {near}: it is the head of the list and no {}",
                here + link.target,
                udt.name
            );
            walk.out.note(&what)?;
        }
        let Some(next) = walk.reader.pointer(here + link.pointer) else {
            walk.out
                .note("the list goes on where memory is not in the dump")?;
            return Ok(true);
        };
        if next.0 == 0 || walk.is_cut() {
            return Ok(true);
        }
        here = next - link.target;
        if !seen.insert(here) {
            if here != first {
                walk.out.note(&format!(
                    "the list comes back to {here}, which is not where it began"
                ))?;
            }
            return Ok(true);
        }
    }
}
