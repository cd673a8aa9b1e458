//! What a command takes, as data. From a [`Signature`] follow how a line is parsed and a call of a script is bound, the usage
//! line, what is said when something does not fit, and what Tab offers at each place.

mod arguments;
mod bind;
mod kind;
mod misfit;

pub use arguments::{Args, given};
pub use bind::{Given, Handed};
pub(super) use bind::{bind_text, bind_values};
pub use kind::{Kind, ModuleRef, Tags};

#[cfg(test)]
mod tests;

use super::Completes;
use std::borrow::Cow;
use std::fmt;

/// How a command reads what stands behind its name.
#[derive(Clone, Copy, Debug)]
pub enum Grammar {
    /// Flags and positional arguments: `run` finds them bound in its [`Args`].
    Signature(Signature),
    /// A grammar of its own (`s`, `dt`, `lm`): `run` reads [`Args::text`] itself.
    Own {
        /// The usage line, in kd's notation.
        usage: &'static str,
        /// What Tab offers everywhere behind the name.
        completes: Completes,
    },
}

/// Flags and positional arguments, in the order of the usage line.
///
/// Flags may stand anywhere between the positional arguments, but not inside of an expression. A command that takes
/// nothing at all takes no notice of what is typed behind it, as kd does.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// What is taken.
    pub items: &'static [Item],
    /// The usage line, where it says more than what follows from the items.
    pub written: Option<&'static str>,
    /// What is said of a number of arguments that does not fit, behind the command's name (`takes one tag`); where it is empty,
    /// the argument itself is named.
    pub wants: &'static str,
    /// What is said of a flag that is not taken.
    pub unknown: Unknown,
}

/// A part of a signature.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// A flag.
    Flag(Flag),
    /// Flags of which one or none is meant.
    OneOf(&'static [Flag]),
    /// Flags of kd's that change nothing here; the usage line keeps quiet about them.
    Idle(&'static [&'static str]),
    /// An argument that is known by its place.
    Parameter(Parameter),
}

/// A flag, with or without a value.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// As it is typed: `-v`, `/t`. Letters may be run together behind one sign (`-fs`).
    pub name: &'static str,
    /// Another way to say it, behind the first positional argument only: kd's `0` for `-nonpaged`.
    pub also: &'static str,
    /// The value that follows the name directly or as the next word, by its name in the usage line; none when empty.
    pub value: &'static str,
    /// How the value is read.
    pub kind: Kind,
    /// Of a flag with a value what it must be (`a decimal number of tags`), of another one what it does. Empty where the help
    /// says it in a table of its own.
    pub doc: &'static str,
}

/// A positional argument.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name in the usage line, by which [`Args`] knows it.
    pub name: &'static str,
    /// How it is read.
    pub kind: Kind,
    /// Whether it must be given. Those that need not be given come last.
    pub is_required: bool,
    /// Whether several may be given: the last parameter only.
    pub is_repeated: bool,
    /// What it is (`the other dump`), for the help and for the refusal when it is missing. Empty where the usage line says enough.
    pub doc: &'static str,
}

/// What is said of a flag that a command does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// `!poolowner has no -x`, and the usage line.
    HasNo,
    /// The same of rkd's command, where kd's command of that name has more flags.
    RkdHasNo,
    /// `/x is no switch of .reload (it has /f /i)`.
    NoSwitch(&'static str),
    /// `'-x' is no option of !dh: !dh -h`: this is where the letters are explained.
    IsNone(&'static str),
}

impl Signature {
    /// A command that takes nothing.
    pub const NOTHING: Signature = Signature::of(&[]);

    /// What follows from the items alone.
    pub const fn of(items: &'static [Item]) -> Signature {
        Signature {
            items,
            written: None,
            wants: "",
            unknown: Unknown::HasNo,
        }
    }

    fn flags(&self) -> impl Iterator<Item = &'static Flag> + Clone {
        self.items.iter().flat_map(|item| match item {
            Item::Flag(flag) => std::slice::from_ref(flag),
            Item::OneOf(flags) => flags,
            Item::Idle(_) | Item::Parameter(_) => &[],
        })
    }

    fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        self.items.iter().filter_map(|item| match item {
            Item::Parameter(parameter) => Some(parameter),
            _ => None,
        })
    }

    fn is_idle(&self, word: &str) -> bool {
        let mut idle = self.items.iter().filter_map(|item| match item {
            Item::Idle(names) => Some(names),
            _ => None,
        });
        idle.any(|names| names.contains(&word))
    }

    /// The flag of one letter; capitals are letters of their own only where a flag says so.
    fn letter(&self, sign: char, letter: char) -> Option<&'static Flag> {
        let mut single = self
            .flags()
            .filter(|flag| flag.name.starts_with(sign) && flag.bare().len() == 1);
        let letter = letter.to_string();
        single
            .clone()
            .find(|flag| flag.bare() == letter)
            .or_else(|| single.find(|flag| flag.bare().eq_ignore_ascii_case(&letter)))
    }

    /// Whether flags begin with this sign: a word of another sign is no flag, but an argument.
    fn has_sign(&self, sign: char) -> bool {
        self.flags().any(|flag| flag.name.starts_with(sign))
    }

    /// `!pooldiff FILE [TagCount]`: optional arguments stand inside each other's brackets.
    fn usage(&self, name: &str) -> String {
        let mut usage = name.to_string();
        let mut open = 0;
        for item in self.items {
            match item {
                Item::Flag(flag) => usage += &format!(" [{flag}]"),
                Item::OneOf(flags) => {
                    let names: Vec<String> = flags.iter().map(Flag::to_string).collect();
                    usage += &format!(" [{}]", names.join(" | "));
                }
                Item::Idle(_) => {}
                Item::Parameter(parameter) if parameter.is_required => {
                    usage += &format!(" {}", parameter.name);
                }
                Item::Parameter(parameter) if parameter.is_repeated => {
                    usage += &format!(" [{}]...", parameter.name);
                }
                Item::Parameter(parameter) => {
                    usage += &format!(" [{}", parameter.name);
                    open += 1;
                }
            }
        }
        usage.push_str(&"]".repeat(open));
        usage
    }

    /// What the flags and the arguments are, a line or more for each, as `help` shows it.
    fn documented(&self) -> String {
        let mut parts: Vec<(String, &str)> = Vec::new();
        for item in self.items {
            match item {
                Item::Flag(flag) => parts.push((flag.to_string(), flag.doc)),
                Item::OneOf(flags) => {
                    parts.extend(flags.iter().map(|flag| (flag.to_string(), flag.doc)));
                }
                Item::Idle(_) => {}
                Item::Parameter(parameter) => parts.push((parameter.name.into(), parameter.doc)),
            }
        }
        parts.retain(|(_, doc)| !doc.is_empty());
        let width = parts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (mut name, doc) in parts {
            for line in doc.lines() {
                text += &format!("  {name:<width$}   {line}\n");
                name.clear();
            }
        }
        text
    }

    /// What can stand at the end of `typed`, the text behind the name.
    fn completes(&self, typed: &str) -> Completes {
        let before = typed.split_whitespace().count()
            - usize::from(typed.ends_with(|c: char| !c.is_whitespace()));
        let is_flag =
            |word: &&str| word.starts_with(|c| matches!(c, '-' | '/') && self.has_sign(c));
        let place = typed
            .split_whitespace()
            .take(before)
            .filter(|word| !is_flag(word))
            .count();
        // Words behind the last argument belong to it.
        let parameters = self.parameters().take(place + 1);
        parameters
            .last()
            .map_or(Completes::Nothing, |parameter| parameter.kind.completes())
    }
}

impl Grammar {
    /// A command that takes nothing.
    pub const NOTHING: Grammar = Grammar::Signature(Signature::NOTHING);

    /// A grammar of its own.
    pub const fn own(usage: &'static str, completes: Completes) -> Grammar {
        Grammar::Own { usage, completes }
    }

    /// What follows from the items alone.
    pub const fn of(items: &'static [Item]) -> Grammar {
        Grammar::Signature(Signature::of(items))
    }

    /// The usage line of the command `name`, in kd's notation: `!poolused [/tN] [Flags [TagString]]`.
    pub fn usage(&self, name: &str) -> Cow<'static, str> {
        match self {
            Grammar::Own { usage, .. } => Cow::Borrowed(usage),
            Grammar::Signature(signature) => match signature.written {
                Some(written) => Cow::Borrowed(written),
                None => Cow::Owned(signature.usage(name)),
            },
        }
    }

    /// What the flags and the arguments are, a line or more for each; empty where the help's text says it.
    pub(super) fn documented(&self) -> String {
        match self {
            Grammar::Own { .. } => String::new(),
            Grammar::Signature(signature) => signature.documented(),
        }
    }

    /// What Tab offers at the end of `typed`, the text behind the name.
    pub fn completes(&self, typed: &str) -> Completes {
        match self {
            Grammar::Own { completes, .. } => *completes,
            Grammar::Signature(signature) => signature.completes(typed),
        }
    }
}

impl Item {
    /// A flag that is there or is not.
    pub const fn flag(name: &'static str, doc: &'static str) -> Item {
        Item::Flag(Flag::new(name, doc))
    }

    /// `/tN`: how many rows of a table are shown, in decimal.
    pub const fn most(doc: &'static str) -> Item {
        Item::Flag(Flag {
            value: "N",
            ..Flag::new("/t", doc)
        })
    }

    /// An argument that must be given.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Item {
        Item::Parameter(Parameter {
            is_required: true,
            ..Parameter::new(name, kind, doc)
        })
    }

    /// An argument that may be left out.
    pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Item {
        Item::Parameter(Parameter::new(name, kind, doc))
    }

    /// An argument that may be left out, or given several times.
    pub const fn several(name: &'static str, kind: Kind, doc: &'static str) -> Item {
        Item::Parameter(Parameter {
            is_repeated: true,
            ..Parameter::new(name, kind, doc)
        })
    }
}

impl Parameter {
    const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Parameter {
        Parameter {
            name,
            kind,
            is_required: false,
            is_repeated: false,
            doc,
        }
    }
}

impl Flag {
    /// A flag that is there or is not.
    pub const fn new(name: &'static str, doc: &'static str) -> Flag {
        Flag {
            name,
            also: "",
            value: "",
            kind: Kind::Decimal,
            doc,
        }
    }

    /// The name without its sign, as scripts and [`Args`] know it.
    fn bare(&self) -> &'static str {
        self.name.trim_start_matches(['-', '/'])
    }
}

/// `/tN`
impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, self.value)
    }
}
