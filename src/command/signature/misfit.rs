//! What does not fit a signature, and what is said of it.

use super::{Flag, Grammar, Parameter, Unknown};
use crate::command::Command;
use rkd_dump::error::Error;

/// Why a line, or a call by a script, does not fit.
#[derive(Debug)]
pub(super) enum Misfit {
    /// An argument that must be given is not.
    Missing(&'static Parameter),
    /// One argument too many.
    Excess(String),
    /// More behind an expression.
    Rest(String),
    /// A flag that is none; where flags are letters, the first that is none.
    UnknownFlag { word: String, letter: String },
    /// A script names a flag that is none.
    UnknownName(String),
    /// A script gives a flag something else than `true` or `false`.
    NoTruth(String, String),
    /// Not a decimal number.
    NoCount(String),
    /// Not a hexadecimal number.
    NoFlags(String),
    /// Not a hexadecimal number, or 0.
    NoSize(String),
    /// No hexadecimal number, in kd's words.
    NoNumber(String),
    /// Bits that no flag has.
    UnknownBits(u64),
    /// A script has something else where only text will do.
    NoText(String),
    /// An expression or a tag that says itself what is wrong with it.
    Other(Error),
}

impl From<Error> for Misfit {
    fn from(error: Error) -> Misfit {
        Misfit::Other(error)
    }
}

/// What was being read.
#[derive(Clone, Copy)]
pub(super) enum For {
    Flag(&'static Flag),
    Parameter(&'static Parameter),
}

impl Misfit {
    /// The refusal. Most end with the usage line.
    pub(super) fn told(self, command: &Command, unknown: Unknown, of: Option<For>) -> Error {
        let name = command.name;
        let wants = match &command.grammar {
            Grammar::Signature(signature) => signature.wants,
            Grammar::Own { .. } => "",
        };
        let (whose, doc) = match of {
            Some(For::Flag(flag)) => (flag.name, flag.doc),
            Some(For::Parameter(parameter)) => (parameter.name, parameter.doc),
            None => (name, ""),
        };
        let why = match self {
            Misfit::Other(error) => return error,
            Misfit::Rest(rest) => {
                return Error::Syntax(format!("Extra character error in '{rest}'"));
            }
            Misfit::NoSize(word) => {
                return Error::Syntax(format!("'{word}' is no size in hexadecimal digits"));
            }
            Misfit::NoNumber(word) => {
                return Error::Syntax(format!("Couldn't resolve error at '{word}'"));
            }
            Misfit::UnknownFlag { word, letter } => match unknown {
                Unknown::HasNo => format!("{name} has no {word}"),
                Unknown::RkdHasNo => format!("rkd's {name} has no {word}"),
                Unknown::NoSwitch(has) => {
                    return Error::Syntax(format!("{word} is no switch of {name} (it has {has})"));
                }
                Unknown::IsNone(help) => {
                    return Error::Syntax(format!("'{letter}' is no option of {name}: {help}"));
                }
            },
            Misfit::UnknownName(flag) => format!("{name} has no flag '{flag}'"),
            Misfit::NoTruth(flag, value) => format!("'{flag}' is true or false, not {value}"),
            Misfit::Missing(_) | Misfit::Excess(_) if !wants.is_empty() => {
                format!("{name} {wants}")
            }
            Misfit::Missing(parameter) if parameter.doc.is_empty() => String::new(),
            Misfit::Missing(parameter) => format!("{name} wants {}", parameter.doc),
            Misfit::Excess(word) => format!("'{word}' is one argument too many"),
            Misfit::NoCount(word) => format!("{whose} wants {doc}, not '{word}'"),
            Misfit::NoFlags(word) => format!("'{word}' are no flags"),
            Misfit::UnknownBits(bits) => format!("{bits:#x} are flags that kd does not have"),
            Misfit::NoText(value) => format!("{whose} wants text, not {value}"),
        };
        command.misuse(&why)
    }
}
