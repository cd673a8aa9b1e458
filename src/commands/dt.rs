//! `dt`: what types look like, and what lies in memory by them.

mod along;
mod fields;
mod find;
mod options;
mod row;
pub mod spelling;
mod value;
mod walk;

use crate::addr::Virt;
use crate::command::{Args, Command, Completes, Example, Sink, Topic, Value, masm, sink};
use crate::commands::display::Memory;
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::session::Session;
use crate::symbols::{Enum, SymbolTable, Type, Udt};
use along::{Link, along};
use fields::{Spec, members};
use find::{Found, What, find, fitting, is_plain, list, variable_at};
use options::{ALL, Options, Word};
use row::{EnumeratorRow, ValueRow};
use value::{Reader, Shown};
use walk::Walk;

/// See the module.
pub static COMMAND: Command = Command {
    name: "dt",
    aliases: &[],
    rhai: "dt",
    topic: Topic::Memory,
    summary: "show a type, or memory by a type",
    usage: "dt [-abcdehioprstv] [-n|-y] [Module!]Type [[-n|-y] Field]... [Address] [-l Field]",
    help: "\
Shows the fields of a type; with an address, what lies there. Names may be written in any case.

  dt nt!_POOL_HEADER              the fields, their offsets and types
  dt nt!_POOL_HEADER Addr         and their values
  dt nt!_EPROCESS Addr Pcb.       one field and what is inside; .. for two levels, and so on
  dt nt!_EPROCESS Addr Ima* Vm    some fields: names, patterns, Field[3]; with -y the beginnings of names
  dt nt!_E*                       the types whose names fit; -s Size only those of a size
  dt nt!_POOL_TYPE                the names of an enumeration
  dt ULONG[4] Addr                types of the language; _LIST_ENTRY[4] takes four structures in a row
  dt . Addr                       the last type again

  -r[n]  n levels (9 without a number) of what is inside and behind pointers; each type is opened once on the way down
  -b     everything inside, nothing behind pointers          -a[n]  each element of an array on its own line
  -l F   along a list: -l ActiveProcessLinks.Flink           -p     the address is physical
  -v     sizes and kinds of types                            -c     on one line
  -o     without offsets                                     -i     without indentation
  -n     the next word is a name, also if it looks like a number (dt -n Add)
  -y     the next word is the beginning of a name            -e, -t list types, even where one fits whole
  -d     all types that fit a pattern, each with its fields  -h     this help

An unsigned number is shown in hexadecimal digits (without 0x up to nine), a signed one behind 0n, bits behind 0y; what cannot
be read is ?? and the last address of it is named at the end. A list ends where it comes back, and what it cannot be followed
over is said.

From a PDB the fields are in the order of the source. Volatility's tables and the built-in facts keep neither that order (fields
are shown by their offsets, a number before its bits) nor what a function returns (kd: Ptr64     long; here: function).

A variable's name stands for its type and address where private symbols say them (dt driver!g_Object); of others name the type:
dt nt!_LIST_ENTRY nt!PsActiveProcessHead. Without symbols rkd knows the types of nt that its own commands need.",
    completes: Completes::Types,
    examples: &[
        Example {
            line: "dt nt!_LIST_ENTRY nt!PsActiveProcessHead",
            shows: "the head of the list of processes",
            output: " [ 0xffff9100`002ef488 - 0xffff9100`00839488 ]
   +0x000 Flink            : 0xffff9100`002ef488 _LIST_ENTRY [ 0xffff9100`00366488 - 0xfffff807`2321e090 ]
   +0x008 Blink            : 0xffff9100`00839488 _LIST_ENTRY [ 0xfffff807`2321e090 - 0xffff9100`00834488 ]",
        },
        Example {
            line: "dt nt!_POOL_HEADER",
            shows: "what lies in front of each block of the pool",
            output: "   +0x000 Ulong1           : Uint4B
   +0x000 PreviousSize     : Pos 0, 8 Bits
   +0x000 PoolIndex        : Pos 8, 8 Bits
   +0x002 BlockSize        : Pos 0, 8 Bits
   +0x002 PoolType         : Pos 8, 8 Bits
   +0x004 PoolTag          : Uint4B
   +0x008 AllocatorBackTraceIndex : Uint2B
   +0x008 ProcessBilled    : Ptr64 _EPROCESS
   +0x00a PoolTagHash      : Uint2B",
        },
        Example {
            line: "dt nt!_EPROCESS ImageFileName UniqueProcessId poi(nt!PsInitialSystemProcess)",
            shows: "two fields of the System process",
            output: "   +0x440 UniqueProcessId : 0x00000000`00000004 Void
   +0x5a8 ImageFileName   : [15]  \"System\"",
        },
    ],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let options = Options::parse(&args.text)?;
    if options.help {
        return out.text(COMMAND.help);
    }
    let Some(place) = options.words.iter().position(|word| !is_address(word)) else {
        return nameless(session, &options, out);
    };
    let Some(mut word) = options.words.get(place).cloned() else {
        return Ok(());
    };
    if word.text == "." {
        if session.last_type.is_empty() {
            return Err(Error::Syntax(
                "no type has been shown yet that . could stand for".into(),
            ));
        }
        word.text.clone_from(&session.last_type);
        out.text(&format!("Using sym {}", word.text))?;
    }
    let rest: Vec<&Word> = options
        .words
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != place)
        .map(|(_, word)| word)
        .collect();
    let kernel = session.kernel.clone();
    let stop = session.stop.clone();
    let is_pattern = word.text.contains(['*', '?']);
    if is_pattern || word.is_prefix || options.lists || options.details {
        let found = fitting(&kernel, &word.text, word.is_prefix);
        if options.details {
            return found.iter().try_for_each(|found| {
                sink::check(&stop)?;
                out.text(&found.name())?;
                show(session, &kernel, &options, found, &rest, out)
            });
        }
        if found.len() != 1 || is_pattern || options.lists {
            if options.verbose {
                let size = options
                    .size
                    .map_or(String::new(), |size| format!(", Size = {size:#x}"));
                out.text(&format!(
                    "Enumerating symbols matching {}{size}\nAddress   Size Symbol",
                    word.text
                ))?;
            }
            list(&stop, &found, options.size, options.verbose, out)?;
        }
        if found.is_empty() {
            out.note(&format!("no type fits {}", word.text))?;
        }
        return match found.first() {
            Some(first) if word.is_prefix && !options.lists => {
                show(session, &kernel, &options, first, &rest, out)
            }
            _ => Ok(()),
        };
    }
    let found = find(&kernel, &word.text)?;
    session.last_type.clone_from(&word.text);
    let has_module = word
        .text
        .split_once('!')
        .is_some_and(|(module, _)| !module.is_empty());
    if !has_module && found.at.is_none() && !matches!(found.what, What::Plain(_)) {
        out.text(&found.name())?;
    }
    show(session, &kernel, &options, &found, &rest, out)
}

/// A line without a name: the address must be that of a variable whose type is known.
fn nameless(session: &Session, options: &Options, out: &mut dyn Sink) -> Result<()> {
    let Some(word) = options.words.first() else {
        return Err(Error::Syntax(format!("Usage: {}", COMMAND.usage)));
    };
    let at = masm::evaluate(session, &word.text)?;
    let kernel = session.kernel.clone();
    match variable_at(&kernel, Virt(at)) {
        Some((name, found)) => {
            out.text(&name)?;
            show(session, &kernel, options, &found, &[], out)
        }
        None => Err(Error::Refused {
            text: format!("Symbol not found at address {at:016x}."),
            why: Box::new(Error::Absent(
                "no symbol says of what type the variable there is, if there is one: name the type"
                    .into(),
            )),
        }),
    }
}

/// Whether a word can only be an address.
fn is_address(word: &Word) -> bool {
    if word.is_name || word.is_prefix {
        return false;
    }
    let text = &word.text;
    text.starts_with(|c: char| c.is_ascii_digit() || c == '@')
        || text.contains('(') && !is_plain(text)
        || text.chars().all(|c| c.is_ascii_hexdigit() || c == '`')
}

/// Divides what stands behind the name into fields and the address.
fn sort(session: &Session, found: &Found<'_>, rest: &[&Word]) -> Result<(Vec<Spec>, Option<Virt>)> {
    let all = match &found.what {
        What::Udt(udt) => members(found.table, udt),
        _ => Vec::new(),
    };
    let (mut specs, mut at) = (Vec::new(), None);
    for word in rest {
        let spec = Spec::new(word);
        let is_field = word.is_name
            || word.is_prefix
            || !is_address(word)
                && !word.text.contains('!')
                && all.iter().any(|member| spec.means(0, *member, &all));
        if is_field && !all.is_empty() {
            specs.push(spec);
            continue;
        }
        match masm::evaluate(session, &word.text) {
            Ok(_) if at.is_some() => {
                return Err(Error::Syntax(format!(
                    "Extra character error in '{}'",
                    word.text
                )));
            }
            Ok(value) => at = Some(Virt(value)),
            Err(_) if !is_address(word) && !word.text.contains('!') && !all.is_empty() => {
                specs.push(spec)
            }
            Err(error) => return Err(error),
        }
    }
    Ok((specs, at))
}

/// Shows one type.
fn show(
    session: &Session,
    kernel: &Kernel,
    options: &Options,
    found: &Found<'_>,
    rest: &[&Word],
    out: &mut dyn Sink,
) -> Result<()> {
    let (specs, at) = sort(session, found, rest)?;
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
    let stop = &*session.stop;
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
            owner: &e.name,
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
        out.row(&ValueRow {
            index: None,
            address: at,
            ty: spelling::short(found.table, &ty),
            shown,
        })?;
        return why(&reader, out);
    }
    for number in 0..count.unwrap_or(1) {
        sink::check(&session.stop)?;
        let address = at + number.wrapping_mul(size);
        let shown = reader.show(ty, address);
        let is_lost = matches!(shown.value, Value::Absent(_));
        out.row(&ValueRow {
            index: count.map(|_| number),
            address,
            ty: ty_text.clone(),
            shown: Shown { ..shown },
        })?;
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
