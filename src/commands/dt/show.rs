//! One type on the screen: its fields, its names, or a value of it.

use super::along::{Link, along};
use super::fields::Spec;
use super::find::{Found, What};
use super::options::{ALL, Options, Word};
use super::row::{EnumeratorRow, ValueRow};
use super::spelling;
use super::value::Reader;
use super::walk::Walk;
use crate::command::{Sink, Value, sink};
use crate::commands::display::Memory;
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_symbols::{Enum, SymbolTable, Type, Udt};

/// Shows one type.
///
/// # Errors
/// What is wrong with the fields or the address that were typed, and those of the sink.
pub(super) fn show(
    session: &Session,
    kernel: &Kernel,
    options: &Options,
    found: &Found<'_>,
    rest: &[&Word],
    out: &mut dyn Sink,
) -> Result<()> {
    let (specs, at) = super::sort(session, found, rest)?;
    let at = at.or(found.at);
    let memory = match options.physical {
        true => Memory::physical(kernel)?,
        false => Memory::of(kernel),
    };
    let reader = Reader::new(kernel, found.table, memory);
    match &found.what {
        What::Udt(udt) => structure(session, kernel, options, found, udt, specs, at, reader, out)?,
        What::Enum(e) if at.is_none() => enumeration(options, found, e, out)?,
        What::Enum(e) => values(
            session,
            options,
            found,
            &Type::Enum(e.name.clone()),
            at,
            reader,
            out,
        )?,
        What::Plain(ty) => values(session, options, found, ty, at, reader, out)?,
    }
    match found.is_partial() && (options.depth > 0 || options.verbose) {
        true => out.note(
            "rkd's built-in facts hold some of nt's types: what pointers point at may be missing (.sympath, .reload)",
        ),
        false => Ok(()),
    }
}

#[allow(clippy::too_many_arguments)]
fn structure<'a>(
    session: &'a Session,
    kernel: &'a Kernel,
    options: &'a Options,
    found: &Found<'a>,
    udt: &'a Udt,
    specs: Vec<Spec>,
    at: Option<Virt>,
    mut reader: Reader<'a>,
    out: &'a mut dyn Sink,
) -> Result<()> {
    if options.verbose && specs.is_empty() {
        out.text(&spelling::structure(found.table, &udt.name))?;
    }
    let wants_head = specs.is_empty() && options.link.is_none() && found.count.is_none();
    if let Some(at) = at.filter(|_| wants_head)
        && let Some((summary, _)) = reader.summary(&udt.name, at)
    {
        out.text(&summary)?;
    }
    let stop = &*session.control.stop;
    let mut walk = Walk::new(stop, found.table, options, reader, specs, out);
    let shown = match (&options.link, at) {
        (Some(_), None) => {
            return Err(Error::Syntax(
                "-l wants the address of the first structure".into(),
            ));
        }
        (Some(path), Some(at)) => {
            let link = Link::new(found.table, udt, path)?;
            along(&mut walk, stop, kernel, udt, at, &link, path)?
        }
        (None, Some(at)) if found.count.is_some() => {
            let mut shown = true;
            for number in 0..found.count.unwrap_or(0) {
                sink::check(stop)?;
                let at = at + number.wrapping_mul(udt.size);
                let head =
                    format!("[{number}] @ {at}\n---------------------------------------------");
                walk.out.text(&head)?;
                shown = walk.structure(udt, Some(at))?;
                walk.out.text("")?;
                if !shown || walk.is_cut() {
                    break;
                }
            }
            shown
        }
        (None, at) => walk.structure(udt, at)?,
    };
    if !shown {
        walk.out.text("Cannot find specified field members.")?;
    }
    if walk.is_cut() {
        walk.out.note(
            "there is more than anybody reads: give a depth (-r1), or the fields that you want",
        )?;
    }
    why(&walk.reader, walk.out)
}

/// kd's last line when something could not be read, and the reason.
fn why(reader: &Reader<'_>, out: &mut dyn Sink) -> Result<()> {
    let Some(failed) = reader.failed else {
        return Ok(());
    };
    out.text(&format!("Memory read error {failed:x}"))?;
    match reader.fault() {
        Some(fault) => out.note(&fault),
        None => Ok(()),
    }
}

fn enumeration(options: &Options, found: &Found<'_>, e: &Enum, out: &mut dyn Sink) -> Result<()> {
    if options.verbose {
        let ty = Type::Enum(e.name.clone());
        out.text(spelling::verbose(found.table, &ty).trim_end())?;
    }
    e.constants.iter().try_for_each(|(name, value)| {
        out.row(&EnumeratorRow {
            of_type: &e.name,
            name,
            value: *value,
        })
    })
}

/// Values of a type without fields: one, or as many as `-a` or the name says.
fn values(
    session: &Session,
    options: &Options,
    found: &Found<'_>,
    ty: &Type,
    at: Option<Virt>,
    mut reader: Reader<'_>,
    out: &mut dyn Sink,
) -> Result<()> {
    let ty_text = spelling::short(found.table, ty);
    let Some(at) = at else {
        return out.text(&ty_text);
    };
    let count = found
        .count
        .or(options.elements.filter(|count| *count != ALL));
    let size = found.table.size_of(ty).unwrap_or(0);
    // A text is shown as one.
    let is_text = options.elements.is_none() && size == 1 && found.count.is_some();
    if let (true, Some(count)) = (is_text, count) {
        let ty = Type::Array(Box::new(ty.clone()), count);
        let shown = reader.show(&ty, at);
        out.row(&ValueRow::new(
            None,
            at,
            spelling::short(found.table, &ty),
            shown,
        ))?;
        return why(&reader, out);
    }
    for number in 0..count.unwrap_or(1) {
        sink::check(&session.control.stop)?;
        let address = at + number.wrapping_mul(size);
        let shown = reader.show(ty, address);
        let is_lost = matches!(shown.value, Value::Absent(_));
        let index = count.map(|_| number);
        out.row(&ValueRow::new(index, address, ty_text.clone(), shown))?;
        // Nobody wants pages of question marks.
        if is_lost {
            break;
        }
    }
    why(&reader, out)
}

/// A value as `dt` writes it.
pub fn value_of(kernel: &Kernel, table: &SymbolTable, ty: &Type, at: Virt) -> String {
    Reader::new(kernel, table, Memory::of(kernel))
        .show(ty, at)
        .text
}

/// A value as `dt` writes it, without the blank that kd leaves behind some.
pub fn shown_value(kernel: &Kernel, table: &SymbolTable, ty: &Type, at: Virt) -> String {
    value_of(kernel, table, ty, at).trim_end().to_string()
}

/// The fields of a structure, as `dt` shows them.
///
/// # Errors
/// Those of the sink.
pub fn structure_at(
    session: &Session,
    kernel: &Kernel,
    table: &SymbolTable,
    name: &str,
    at: Virt,
    out: &mut dyn Sink,
) -> Result<()> {
    let Some(udt) = table.udt(name) else {
        return Ok(());
    };
    let found = Found {
        module: "",
        table,
        what: What::Udt(udt),
        count: None,
        at: None,
    };
    let reader = Reader::new(kernel, table, Memory::of(kernel));
    let options = Options::default();
    structure(
        session,
        kernel,
        &options,
        &found,
        udt,
        Vec::new(),
        Some(at),
        reader,
        out,
    )
}
