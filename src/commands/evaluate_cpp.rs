//! `??`: what a C++ expression comes to: numbers, and what lies in the target by its types.

mod tokens;
mod typed;
mod value;

use crate::command::{Args, Command, Completes, Example, Grammar, Row, Sink, Topic, masm};
use crate::commands::dt::{shown_value, spelling, structure_at};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_symbols::{BaseKind, Type};
use typed::{evaluate, is_typed};
use value::Typed;

/// `??`: evaluate a C++ expression.
pub static COMMAND: Command = Command {
    name: "??",
    aliases: &[],
    rhai: "evaluate_cpp",
    topic: Topic::Expressions,
    summary: "evaluate a C++ expression",
    grammar: Grammar::own("?? Expression", Completes::Nothing),
    help: "\
Evaluates an expression in C++'s way of writing numbers and operators: 10 is ten, 0x10 is sixteen, 010 is eight, && || ! ~ and
the rest bind as in C++, and everything is signed. @ introduces registers and pseudo-registers, @@masm( ) kd's own language.

The target's types are understood: casts, members, elements, addresses and sizes. @$proc and @$thread point at nt!_EPROCESS and
nt!_ETHREAD; a variable has its type where private symbols say it.

  ?? ((nt!_EPROCESS *)ADDR)->Pcb.DirectoryTableBase       ?? @$proc->ImageFileName[0]
  ?? &@$thread->Tcb.ThreadListEntry                       ?? sizeof(nt!_POOL_HEADER)
  ?? *(nt!_LIST_ENTRY *)@@masm(nt!PsActiveProcessHead)    ?? #FIELD_OFFSET(nt!_EPROCESS, ActiveProcessLinks)

The result is shown with its type, as kd shows it: a number of no type is an int where it fits into 32 bits and an unsigned
int64 where it does not; of a structure, and of what a pointer to one points at, the fields follow.",
    examples: &[
        Example {
            line: "?? @$proc->UniqueProcessId",
            shows: "a member of a structure",
            output: "void * 0x00000000`00000004",
        },
        Example {
            line: "?? sizeof(nt!_POOL_HEADER)",
            shows: "the size of a type",
            output: "unsigned int64 0x10",
        },
        Example { line: "?? 10 + 0x10", shows: "ten and sixteen", output: "int 0n26" },
        Example {
            line: "?? @@masm(nt) + 0x10",
            shows: "an address from kd's own language",
            output: "unsigned int64 0xfffff807`22600010",
        },
    ],
    rows: &[Evaluated::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    if args.text.trim().is_empty() {
        return Err(Error::Syntax(
            "Numeric expression missing from '<EOL>'".into(),
        ));
    }
    let expression = args.text.trim().to_string();
    if is_typed(&expression) {
        return typed(session, expression, out);
    }
    let value = masm::evaluate_cpp(session, &args.text)?;
    session.numbers.last_value = value;
    out.row(&Evaluated::new(expression, value, number(value)))
}

/// A number that no type stands behind.
fn number(value: u64) -> String {
    match i32::try_from(value as i64) {
        Ok(value) => format!("int 0n{value}"),
        Err(_) => format!("unsigned int64 0x{}", Virt(value)),
    }
}

fn typed(session: &mut Session, expression: String, out: &mut dyn Sink) -> Result<()> {
    let kernel = session.target.kernel.clone();
    let text = expression.clone();
    let refused = |error: Error| match error {
        Error::Fault(_) => Error::Refused {
            text: format!("Memory access error at '{text}'"),
            why: Box::new(error),
        },
        error => error,
    };
    let result = evaluate(session, &kernel, &text).map_err(refused)?;
    let Typed {
        ty: Some(ty),
        table: Some(table),
        at,
        ..
    } = &result
    else {
        let value = result.load(&kernel).map_err(refused)?;
        session.numbers.last_value = value;
        return out.row(&Evaluated::new(expression, value, number(value)));
    };
    let spelt = spelling::long(table, ty);
    if let (Type::Udt(name), Some(at)) = (ty, at) {
        out.row(&Evaluated::new(expression, at.0, spelt))?;
        structure_at(session, &kernel, table, name, *at, out)?;
        session.numbers.last_value = at.0;
        return Ok(());
    }
    let value = result.load(&kernel).map_err(refused)?;
    let shown = match ty {
        Type::Pointer(to) if matches!(&**to, Type::Base(_)) && at.is_some() => {
            // A pointer to characters is followed by the text.
            let text = at.map_or(String::new(), |at| shown_value(&kernel, table, ty, at));
            let text = text
                .split_once("  \"")
                .map_or(String::new(), |(_, text)| format!(" \"{text}"));
            format!("{spelt} 0x{}{text}", Virt(value))
        }
        Type::Pointer(_) => format!("{spelt} 0x{}", Virt(value)),
        Type::Array(..) => {
            let text = shown_value(&kernel, table, ty, Virt(value));
            let text = text
                .rsplit_once("]  \"")
                .map_or(String::new(), |(_, text)| format!(" \"{text}"));
            format!("{spelt} 0x{}{text}", Virt(value))
        }
        Type::Enum(name) => {
            let e = table.enumeration(name);
            let named = e.and_then(|e| {
                e.name_of(value as i64)
                    .or_else(|| e.name_of(i64::from(value as i32)))
            });
            format!(
                "{} {} (0n{})",
                spelling::tag(name),
                named.unwrap_or("No matching name"),
                value as i32
            )
        }
        Type::Base(base) if base.kind == BaseKind::Float => {
            let at = at.unwrap_or_default();
            format!("{spelt} {}", shown_value(&kernel, table, ty, at))
        }
        Type::Base(base) if base.signed && at.is_none() => format!("{spelt} 0n{}", value as i64),
        ty => match at {
            Some(at) => format!("{spelt} {}", wide(&shown_value(&kernel, table, ty, *at))),
            None if value > u64::from(u32::MAX) => format!("{spelt} 0x{}", Virt(value)),
            None => format!("{spelt} {value:#x}"),
        },
    };
    out.row(&Evaluated::new(expression, value, shown))?;
    if let Type::Pointer(to) = ty
        && let Type::Udt(name) = &**to
        && value != 0
    {
        structure_at(session, &kernel, table, name, Virt(value), out)?;
    }
    session.numbers.last_value = value;
    Ok(())
}

/// `??` marks small numbers as hexadecimal too, where `dt` does not.
fn wide(shown: &str) -> String {
    let digits = shown
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(shown.len());
    match (
        digits,
        shown.starts_with("0x") || shown.starts_with("0n") || shown.starts_with("0y"),
    ) {
        (1, false) => format!("0x{shown}"),
        _ => shown.to_string(),
    }
}

/// What an expression of C++ comes to.
#[derive(Row)]
#[row(kind = "value")]
struct Evaluated {
    /// The expression as it was typed.
    expression: String,
    /// Its value; of a structure, where it lies.
    value: Virt,
    /// The same as a number with a sign.
    signed: i64,
    /// The type and the value, as kd writes them.
    #[row(line)]
    shown: String,
}

impl Evaluated {
    fn new(expression: String, value: u64, shown: String) -> Evaluated {
        Evaluated {
            expression,
            value: Virt(value),
            signed: value as i64,
            shown,
        }
    }
}
