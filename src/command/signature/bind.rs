//! Binding: a line, or what a script hands over, to the names of a signature.

use super::arguments::{Args, Bound};
use super::kind::{Argument, word};
use super::misfit::{For, Misfit};
use super::{Flag, Grammar, Kind, Parameter, Signature};
use crate::command::Command;
use crate::command::masm::{self, Scope};
use rkd_dump::error::Result;
use std::fmt;

/// A value that a script hands to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// The place stays empty.
    Nothing,
    /// Whether a flag is set.
    Truth(bool),
    /// A number or an address.
    Number(u64),
    /// Text.
    Text(String),
}

/// As it is spelt in a refusal.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Nothing => f.write_str("()"),
            Given::Truth(truth) => truth.fmt(f),
            Given::Number(number) => write!(f, "{number:#x}"),
            Given::Text(text) => f.write_str(text),
        }
    }
}

/// All that a script hands to a command. One text and nothing else is a line: what a person would type behind the name.
#[derive(Clone, Debug, Default)]
pub struct Handed {
    /// The positional arguments; a text that is spelt as a flag is one.
    pub arguments: Vec<Given>,
    /// Flags by their names without the sign.
    pub flags: Vec<(String, Given)>,
}

/// Binds the text of `args`.
///
/// # Errors
/// [`Error::Syntax`](rkd_dump::error::Error::Syntax) when it does not fit, and those of expressions in it.
pub(in crate::command) fn bind_text(
    command: &Command,
    args: &mut Args,
    scope: &dyn Scope,
) -> Result<()> {
    bind(command, args, scope, |binding, text| binding.line(text))
}

/// Binds what a script hands over.
///
/// # Errors
/// [`Error::Syntax`](rkd_dump::error::Error::Syntax) when it does not fit, and those of expressions in it.
pub(in crate::command) fn bind_values(
    command: &Command,
    args: &mut Args,
    handed: &Handed,
    scope: &dyn Scope,
) -> Result<()> {
    bind(command, args, scope, |binding, _| {
        match handed.arguments.as_slice() {
            [Given::Text(line)] => binding.line(line)?,
            values => binding.values(values)?,
        }
        binding.named(&handed.flags)
    })
}

fn bind(
    command: &Command,
    args: &mut Args,
    scope: &dyn Scope,
    how: impl FnOnce(&mut Binding, &str) -> Result<(), Misfit>,
) -> Result<()> {
    let Grammar::Signature(signature) = command.grammar else {
        return Ok(());
    };
    // What takes nothing takes no notice.
    if signature.items.is_empty() {
        return Ok(());
    }
    let mut binding = Binding {
        signature,
        scope,
        open: signature.parameters().collect::<Vec<_>>().into_iter(),
        of: None,
        bound: Bound::default(),
    };
    how(&mut binding, &args.text)
        .and_then(|()| binding.check())
        .map_err(|misfit| misfit.told(command, signature.unknown, binding.of))?;
    args.bound = binding.bound;
    Ok(())
}

/// The work in hand.
struct Binding<'s> {
    signature: Signature,
    scope: &'s dyn Scope,
    /// The positional arguments that are still to come, in their order.
    open: std::vec::IntoIter<&'static Parameter>,
    /// What is being read, for the refusal.
    of: Option<For>,
    bound: Bound,
}

/// What a word means where it stands.
enum Meaning {
    /// Flags, perhaps none that matter.
    Flags(Vec<&'static Flag>),
    /// Flags, one with a value, and what is written behind that in the same word.
    Valued(Vec<&'static Flag>, &'static Flag, String),
    Argument,
}

impl Binding<'_> {
    /// What a person types.
    fn line(&mut self, text: &str) -> Result<(), Misfit> {
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (first, after) = word(rest);
            let after = match self.meaning(&first)? {
                Meaning::Flags(flags) => {
                    self.set(&flags);
                    after
                }
                Meaning::Valued(flags, flag, typed) => {
                    self.set(&flags);
                    let (value, after) = match typed.is_empty() {
                        true => word(after.trim_start()),
                        false => (typed, after),
                    };
                    self.value(flag, &Given::Text(value))?;
                    after
                }
                Meaning::Argument => {
                    let parameter = self.next(|is_expression| match is_expression {
                        true => Misfit::Rest(rest.to_string()),
                        false => Misfit::Excess(first),
                    })?;
                    let (argument, after) = parameter.kind.read(self.scope, rest)?;
                    self.bound.arguments.push((parameter.name, argument));
                    after
                }
            };
            rest = after.trim_start();
        }
        Ok(())
    }

    /// What a script hands over, one value for one argument.
    fn values(&mut self, values: &[Given]) -> Result<(), Misfit> {
        let mut values = values.iter();
        while let Some(value) = values.next() {
            let meaning = match value {
                Given::Text(text) => self.meaning(text)?,
                _ => Meaning::Argument,
            };
            match meaning {
                Meaning::Flags(flags) => self.set(&flags),
                Meaning::Valued(flags, flag, typed) => {
                    self.set(&flags);
                    match typed.trim() {
                        "" => self.value(flag, values.next().unwrap_or(&Given::Nothing))?,
                        typed => self.value(flag, &Given::Text(typed.to_string()))?,
                    }
                }
                Meaning::Argument => {
                    let parameter = self.next(|_| Misfit::Excess(value.to_string()))?;
                    if let Some(argument) = self.made(parameter.kind, value)? {
                        self.bound.arguments.push((parameter.name, argument));
                    }
                }
            }
        }
        Ok(())
    }

    /// Flags that a script names.
    fn named(&mut self, flags: &[(String, Given)]) -> Result<(), Misfit> {
        for (name, value) in flags {
            let known = self.signature.flags().find(|flag| flag.bare() == name);
            let Some(flag) = known else {
                return Err(Misfit::UnknownName(name.clone()));
            };
            match (flag.value.is_empty(), value) {
                (_, Given::Nothing | Given::Truth(false)) => {}
                (true, Given::Truth(true)) => self.set(&[flag]),
                (true, value) => return Err(Misfit::NoTruth(name.clone(), value.to_string())),
                (false, value) => self.value(flag, value)?,
            }
        }
        Ok(())
    }

    fn meaning(&self, word: &str) -> Result<Meaning, Misfit> {
        if self.signature.is_idle(word) {
            return Ok(Meaning::Flags(Vec::new()));
        }
        let mut flags = self.signature.flags();
        let has_arguments = !self.bound.arguments.is_empty();
        let next = self.open.as_slice().first().map(|parameter| parameter.kind);
        let admits = |sign| next.is_some_and(|kind| kind.admits(sign, word));
        // kd takes - for / as well.
        let bare = word.strip_prefix('-').filter(|_| !admits('-'));
        if let Some(flag) = flags.find(|flag| match flag.value.is_empty() {
            true => {
                flag.name == word
                    || has_arguments && flag.also == word
                    || bare.is_some() && flag.name.strip_prefix('/') == bare
            }
            false => word.starts_with(flag.name),
        }) {
            return Ok(match word.strip_prefix(flag.name) {
                Some(typed) if !flag.value.is_empty() => {
                    Meaning::Valued(Vec::new(), flag, typed.to_string())
                }
                _ => Meaning::Flags(vec![flag]),
            });
        }
        let Some(sign @ ('-' | '/')) = word.chars().next() else {
            return Ok(Meaning::Argument);
        };
        if word.len() == 1 || !self.signature.has_sign(sign) || admits(sign) {
            return Ok(Meaning::Argument);
        }
        // Letters behind one sign, or each behind its own: `-fs`, `/1/Z`.
        let mut flags = Vec::new();
        for (at, letter) in word.char_indices().filter(|(_, letter)| *letter != sign) {
            match self.signature.letter(sign, letter) {
                Some(flag) if flag.value.is_empty() => flags.push(flag),
                Some(flag) => {
                    let typed = word.get(at + 1..).unwrap_or_default().to_string();
                    return Ok(Meaning::Valued(flags, flag, typed));
                }
                None if self.signature.is_idle(&format!("{sign}{letter}")) => {}
                None => {
                    return Err(Misfit::UnknownFlag {
                        word: word.to_string(),
                        letter: format!("{sign}{letter}"),
                    });
                }
            }
        }
        Ok(Meaning::Flags(flags))
    }

    fn set(&mut self, flags: &[&'static Flag]) {
        self.bound
            .flags
            .extend(flags.iter().map(|flag| (flag.bare(), None)));
    }

    fn value(&mut self, flag: &'static Flag, value: &Given) -> Result<(), Misfit> {
        self.of = Some(For::Flag(flag));
        let argument = self.made(flag.kind, value)?;
        self.bound.flags.push((flag.bare(), argument));
        Ok(())
    }

    /// The next positional argument, if one more is taken.
    fn next(
        &mut self,
        too_many: impl FnOnce(bool) -> Misfit,
    ) -> Result<&'static Parameter, Misfit> {
        let repeated = self.open.as_slice().first().copied();
        let repeated = repeated.filter(|parameter| parameter.is_repeated);
        let Some(parameter) = repeated.or_else(|| self.open.next()) else {
            let last = self.signature.parameters().last();
            return Err(too_many(last.is_some_and(|last| last.kind.is_expression())));
        };
        self.of = Some(For::Parameter(parameter));
        Ok(parameter)
    }

    fn made(&self, kind: Kind, value: &Given) -> Result<Option<Argument>, Misfit> {
        match value {
            Given::Nothing => Ok(None),
            Given::Text(text) => kind.of_text(self.scope, text).map(Some),
            Given::Number(number) => kind.of_number(*number).map(Some),
            Given::Truth(_) => Err(Misfit::NoText(value.to_string())),
        }
    }

    /// Whether everything is there that must be.
    fn check(&mut self) -> Result<(), Misfit> {
        // Whoever asks for the help need give nothing else.
        if self.bound.flags.iter().any(|(flag, _)| *flag == "h") {
            return Ok(());
        }
        let given = |parameter: &&Parameter| {
            let mut arguments = self.bound.arguments.iter();
            arguments.any(|(name, _)| *name == parameter.name)
        };
        let mut required = self
            .signature
            .parameters()
            .filter(|parameter| parameter.is_required);
        match required.find(|parameter| !given(parameter)) {
            // kd asks for a number in its own words.
            Some(parameter) if parameter.kind == Kind::Number => {
                Err(masm::evaluate(self.scope, "")
                    .map_or_else(Misfit::Other, |_| Misfit::Missing(parameter)))
            }
            Some(parameter) => Err(Misfit::Missing(parameter)),
            None => Ok(()),
        }
    }
}
