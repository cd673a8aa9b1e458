//! `dt`: what types look like, and what lies in memory by them.

mod along;
mod fields;
pub mod find;
mod number;
mod options;
mod row;
mod show;
pub mod spelling;
mod value;
mod walk;

pub use show::{shown_value, structure_at, value_of};

use crate::command::{Args, Command, Completes, Example, Grammar, Sink, Topic, masm, sink};
use crate::session::Session;
use fields::{Spec, members};
use find::{Found, What, find, fitting, is_plain, list, variable_at};
use options::{Options, Word};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use show::show;

/// `dt`: show a type, or memory by a type.
pub static COMMAND: Command = Command {
    name: "dt",
    aliases: &[],
    rhai: "dt",
    topic: Topic::Memory,
    summary: "show a type, or memory by a type",
    grammar: Grammar::own("dt [-abcdehioprstv] [-n|-y] [Module!]Type [[-n|-y] Field]... [Address] [-l Field]", Completes::Types),
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
    rows: &[row::FieldRow::SCHEMA, row::ValueRow::SCHEMA, row::EnumeratorRow::SCHEMA, row::TypeRow::SCHEMA],
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
        if session.display.last_type.is_empty() {
            return Err(Error::Syntax(
                "no type has been shown yet that . could stand for".into(),
            ));
        }
        word.text.clone_from(&session.display.last_type);
        out.text(&format!("Using sym {}", word.text))?;
    }
    let rest: Vec<&Word> = options
        .words
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != place)
        .map(|(_, word)| word)
        .collect();
    let kernel = session.target.kernel.clone();
    let stop = session.control.stop.clone();
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
    session.display.last_type.clone_from(&word.text);
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
        return Err(COMMAND.misuse(""));
    };
    let at = masm::evaluate(session, &word.text)?;
    let kernel = session.target.kernel.clone();
    match variable_at(&kernel, Virt(at)) {
        Some((name, found)) => {
            out.text(&name)?;
            show(session, &kernel, options, &found, &[], out)
        }
        None => Err(Error::Refused {
            text: format!("Symbol not found at address {at:016x}."),
            why: Box::new(Error::NeedsSymbols(
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
