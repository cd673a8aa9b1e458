//! What a command is called with.

use super::kind::{Argument, word};
use super::{ModuleRef, Tags};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};

/// What a command is called with: bound to its signature, or as text where it has a grammar of its own.
#[derive(Clone, Debug)]
pub struct Args {
    /// The spelling that was used: the name or one of the aliases.
    pub name: String,
    /// The rest of the line, trimmed on the left; never cut apart, because kd's commands differ in how they read it. Empty when a
    /// script called a command that has a signature.
    pub text: String,
    pub(super) bound: Bound,
}

/// An argument that must be given: binding has seen to it that it is there.
///
/// # Errors
/// [`Error::Syntax`] when the signature does not ask for it after all.
pub fn given<T>(argument: Option<T>) -> Result<T> {
    argument.ok_or_else(|| Error::Syntax("an argument is missing".into()))
}

/// What the arguments are by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Bound {
    /// Without their signs, in the order in which they were given.
    pub flags: Vec<(&'static str, Option<Argument>)>,
    pub arguments: Vec<(&'static str, Argument)>,
}

impl Args {
    /// A call that is not bound yet.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Args {
        Args {
            name: name.into(),
            text: text.into(),
            bound: Bound::default(),
        }
    }

    /// What is typed behind a command's name, bound without a target.
    #[cfg(test)]
    pub fn typed(command: &crate::command::Command, text: &str) -> Result<Args> {
        let mut args = Args::new(command.name, text);
        let scope = crate::command::masm::Numbers { radix: 16 };
        super::bind_text(command, &mut args, &scope).map(|()| args)
    }

    /// The words of the text, divided at blanks; a word in double quotes may hold blanks and loses its quotes.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut rest = self.text.trim_start();
        while !rest.is_empty() {
            let (next, after) = word(rest);
            words.push(next);
            rest = after.trim_start();
        }
        words
    }

    /// Whether a flag is given, by its name without the sign.
    pub fn has(&self, flag: &str) -> bool {
        self.flags().any(|given| given == flag)
    }

    /// The flags that are given, without their signs, in the order in which they were given.
    pub fn flags(&self) -> impl DoubleEndedIterator<Item = &'static str> {
        self.bound.flags.iter().map(|(name, _)| *name)
    }

    /// The number behind a flag (`5` of `/t5`), by the flag's name without the sign; the last one counts.
    pub fn flag(&self, flag: &str) -> Option<u64> {
        let mut given = self.bound.flags.iter().rev();
        match given.find(|(name, _)| *name == flag) {
            Some((_, Some(Argument::Number(number)))) => Some(*number),
            _ => None,
        }
    }

    /// How many rows a table has at most (`/tN`).
    pub fn most(&self) -> Option<usize> {
        self.flag("t")
            .map(|most| usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// An address.
    pub fn address(&self, parameter: &str) -> Option<Virt> {
        self.number(parameter).map(Virt)
    }

    /// A number, or a word of flags.
    pub fn number(&self, parameter: &str) -> Option<u64> {
        match self.argument(parameter)? {
            Argument::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A text, a file, the name of a command.
    pub fn text(&self, parameter: &str) -> Option<&str> {
        match self.argument(parameter)? {
            Argument::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of an argument that may be given several times.
    pub fn texts(&self, parameter: &str) -> impl Iterator<Item = &str> {
        let arguments = self.bound.arguments.iter();
        arguments.filter_map(move |(name, argument)| match argument {
            Argument::Text(text) if *name == parameter => Some(text.as_str()),
            _ => None,
        })
    }

    /// A pool tag or several.
    pub fn tags(&self, parameter: &str) -> Option<&Tags> {
        match self.argument(parameter)? {
            Argument::Tags(tags) => Some(tags),
            _ => None,
        }
    }

    /// A module.
    pub fn module(&self, parameter: &str) -> Option<ModuleRef<'_>> {
        match self.argument(parameter)? {
            Argument::Text(text) => Some(ModuleRef::Named(text)),
            Argument::Number(at) => Some(ModuleRef::At(Virt(*at))),
            Argument::Tags(_) => None,
        }
    }

    fn argument(&self, parameter: &str) -> Option<&Argument> {
        let mut arguments = self.bound.arguments.iter();
        arguments
            .find(|(name, _)| *name == parameter)
            .map(|(_, argument)| argument)
    }
}
