//! kd's expression language, MASM: `nt+0x10`, `poi(nt!PoolTrackTable) + 0n16*8`, `@rax & ff`.
//!
//! `parse` turns text into steps for a small stack machine, `run` takes them with the help of a
//! [`Scope`], which is all that the language knows of a target. Arithmetic is that of unsigned 64-bit numbers and wraps.
//! Error texts are kd's and quote the rest of the line from the place that could not be understood.

mod functions;
mod lexer;
mod machine;
mod number;
mod operators;
mod parser;
mod scope;

pub use scope::{Numbers, Scope, Width};

use lexer::Dialect;
use rkd_dump::error::{Error, Result};

/// What `text` comes to, when all of it is one expression.
pub fn evaluate(scope: &dyn Scope, text: &str) -> Result<u64> {
    whole(evaluate_prefix(scope, text)?)
}

/// What `text` comes to in C++'s language: decimal, signed, and only numbers.
pub fn evaluate_cpp(scope: &dyn Scope, text: &str) -> Result<u64> {
    whole(evaluate_in(scope, text, Dialect::Cpp)?)
}

fn whole((value, rest): (u64, &str)) -> Result<u64> {
    if rest.trim().is_empty() {
        Ok(value)
    } else {
        Err(Error::Syntax(format!("Extra character error in '{rest}'")))
    }
}

/// What the longest expression at the start of `text` comes to, and the text after it, without leading blanks.
///
/// An expression goes on over blanks as long as operators join it: of `nt + 10 L20`, `L20` is left.
pub fn evaluate_prefix<'t>(scope: &dyn Scope, text: &'t str) -> Result<(u64, &'t str)> {
    evaluate_in(scope, text, Dialect::Masm)
}

fn evaluate_in<'t>(scope: &dyn Scope, text: &'t str, dialect: Dialect) -> Result<(u64, &'t str)> {
    let settings = lexer::Settings {
        radix: scope.radix(),
        sign_extends: scope.pointer_size() == 4,
    };
    let parsed = parser::parse(text, settings, dialect).map_err(|failure| failure.told(text))?;
    let value = machine::run(scope, &parsed.steps).map_err(|failure| failure.told(text))?;
    Ok((
        value,
        text.get(parsed.end..).unwrap_or_default().trim_start(),
    ))
}

/// What went wrong and where, before the text of the line is put to it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The byte offset from which the line is quoted.
    at: usize,
    /// kd's words.
    says: Complaint,
    /// What kd does not tell: the reason behind it.
    why: Option<Error>,
}

/// kd's words for what is wrong with an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    Syntax,
    CouldNotResolve,
    BadRegister,
    Memory,
    Operand,
    Overflow,
    Missing,
    TooDeep,
}

impl Failure {
    fn new(says: Complaint, at: usize) -> Failure {
        Failure {
            at,
            says,
            why: None,
        }
    }

    fn because(says: Complaint, at: usize, why: impl Into<Error>) -> Failure {
        Failure {
            at,
            says,
            why: Some(why.into()),
        }
    }

    fn told(self, text: &str) -> Error {
        let rest = match text.get(self.at..).unwrap_or_default() {
            "" => "<EOL>",
            rest => rest,
        };
        let told = match self.says {
            Complaint::Syntax => format!("Syntax error at '{rest}'"),
            Complaint::CouldNotResolve => format!("Couldn't resolve error at '{rest}'"),
            Complaint::BadRegister => format!("Bad register error at '{rest}'"),
            Complaint::Memory => format!("Memory access error at '{rest}'"),
            Complaint::Operand => format!("Operand error at '{rest}'"),
            Complaint::Overflow => format!("Overflow error at '{rest}'"),
            Complaint::Missing => format!("Numeric expression missing from '{rest}'"),
            Complaint::TooDeep => format!(
                "Expression nested more than {} levels deep at '{rest}'",
                parser::MAX_DEPTH
            ),
        };
        match self.why {
            None => Error::Syntax(told),
            Some(why) => Error::Refused {
                text: told,
                why: Box::new(why),
            },
        }
    }
}

#[cfg(test)]
mod tests;
