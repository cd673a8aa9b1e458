//! The kinds of arguments: how each is read from text, and made of a number that a script has.

use super::Completes;
use super::misfit::Misfit;
use crate::command::masm::{self, Scope};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::pool::{Tag, TagPattern};
use std::fmt;

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An address: an expression, which may hold blanks.
    Address,
    /// A number: an expression. Where it is missing, kd says so in its own words.
    Number,
    /// A count in decimal digits.
    Decimal,
    /// A size in hexadecimal digits, not 0.
    Size,
    /// kd's word of flags, in hexadecimal digits, and the bits that it may have.
    Flags(u32),
    /// One pool tag: its characters, or the number that code passes (`0x6b61654c`).
    Tag,
    /// A pool tag or, with `*` and `?`, several.
    Tags,
    /// A number in hexadecimal digits, whatever the radix, with kd's backtick or without.
    Hex,
    /// A module by its name, or an address: the rest of the line.
    Module,
    /// A module by its name, with wildcards, and perhaps the place where it is put: `name=Address,Size`.
    Placed,
    /// A file.
    File,
    /// A search path, its places divided by semicolons: the rest of the line, in double quotes or not.
    Path,
    /// The name of a command, or commands: the rest of the line.
    Command,
    /// `Module!Symbol`, with wildcards: the rest of the line.
    SymbolPattern,
    /// The rest of the line as it stands.
    Text,
}

/// An argument that was read.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    Number(u64),
    Text(String),
    Tags(Tags),
}

impl Kind {
    /// Whether it is an expression, which ends where no operator goes on and not at a blank.
    pub(super) fn is_expression(self) -> bool {
        matches!(self, Kind::Address | Kind::Number)
    }

    /// What Tab offers.
    pub(super) fn completes(self) -> Completes {
        match self {
            Kind::Address | Kind::Number | Kind::SymbolPattern => Completes::Symbols,
            Kind::Tag | Kind::Tags => Completes::Tags,
            Kind::Module | Kind::Placed => Completes::Modules,
            Kind::File | Kind::Path => Completes::Files,
            Kind::Command => Completes::Commands,
            Kind::Decimal | Kind::Size | Kind::Flags(_) | Kind::Hex | Kind::Text => {
                Completes::Nothing
            }
        }
    }

    /// Reads it at the start of `text`; what comes after it is given back.
    pub(super) fn read<'t>(
        self,
        scope: &dyn Scope,
        text: &'t str,
    ) -> Result<(Argument, &'t str), Misfit> {
        match self {
            Kind::Address | Kind::Number => {
                let (value, rest) = masm::evaluate_prefix(scope, text)?;
                Ok((Argument::Number(value), rest))
            }
            Kind::Module | Kind::Command | Kind::SymbolPattern | Kind::Text => {
                Ok((Argument::Text(text.trim_end().to_string()), ""))
            }
            Kind::Path => Ok((self.of_text(scope, text)?, "")),
            _ => {
                let (word, rest) = word(text);
                Ok((self.of_word(word)?, rest))
            }
        }
    }

    /// Makes it of a text that a script has.
    pub(super) fn of_text(self, scope: &dyn Scope, text: &str) -> Result<Argument, Misfit> {
        match self {
            Kind::Address | Kind::Number => Ok(Argument::Number(masm::evaluate(scope, text)?)),
            Kind::Module | Kind::Command | Kind::SymbolPattern | Kind::Text => {
                Ok(Argument::Text(text.to_string()))
            }
            Kind::Path => Ok(Argument::Text(text.trim().trim_matches('"').to_string())),
            // A script may write the quotes that a person has to.
            _ => self.of_word(
                match text
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'))
                {
                    Some(inside) => inside.to_string(),
                    None => text.to_string(),
                },
            ),
        }
    }

    /// Makes it of a number that a script has.
    pub(super) fn of_number(self, number: u64) -> Result<Argument, Misfit> {
        Ok(match self {
            Kind::Address
            | Kind::Number
            | Kind::Decimal
            | Kind::Size
            | Kind::Hex
            | Kind::Module => Argument::Number(number),
            Kind::Flags(all) => flags(all, number)?,
            Kind::Tag | Kind::Tags => match u32::try_from(number) {
                Ok(tag) => Argument::Tags(Tags::of(Tag::from_u32(tag))),
                Err(_) => return Err(Misfit::NoText(format!("{number:#x}"))),
            },
            Kind::Placed
            | Kind::File
            | Kind::Path
            | Kind::Command
            | Kind::SymbolPattern
            | Kind::Text => {
                return Err(Misfit::NoText(format!("{number:#x}")));
            }
        })
    }

    fn of_word(self, word: String) -> Result<Argument, Misfit> {
        match self {
            Kind::Decimal => match word.parse() {
                Ok(number) => Ok(Argument::Number(number)),
                Err(_) => Err(Misfit::NoCount(word)),
            },
            Kind::Size => match u64::from_str_radix(word.trim_start_matches("0x"), 16) {
                Ok(size) if size > 0 => Ok(Argument::Number(size)),
                _ => Err(Misfit::NoSize(word)),
            },
            Kind::Flags(all) => match u32::from_str_radix(word.trim_start_matches("0x"), 16) {
                Ok(number) => flags(all, number.into()),
                Err(_) => Err(Misfit::NoFlags(word)),
            },
            Kind::Hex => {
                let digits = word.replace('`', "");
                let digits = digits.trim_start_matches("0x").trim_start_matches("0X");
                u64::from_str_radix(digits, 16)
                    .map(Argument::Number)
                    .map_err(|_| Misfit::NoNumber(word))
            }
            Kind::Tag => Ok(Argument::Tags(Tags::of(parse_tag(&word)?))),
            Kind::Tags => Ok(Argument::Tags(Tags::parse(word)?)),
            _ => Ok(Argument::Text(word)),
        }
    }

    /// Whether a word that is spelt as a flag and is none may be this.
    pub(super) fn admits(self, sign: char, word: &str) -> bool {
        match self {
            // `-1`
            Kind::Address | Kind::Number => true,
            // Any four characters are a tag.
            Kind::Tag | Kind::Tags => sign == '/' || word.chars().count() == 4,
            // A file of Unix.
            Kind::File => sign == '/',
            _ => false,
        }
    }
}

fn flags(all: u32, flags: u64) -> Result<Argument, Misfit> {
    match flags & !u64::from(all) {
        0 => Ok(Argument::Number(flags)),
        unknown => Err(Misfit::UnknownBits(unknown)),
    }
}

/// The word at the start of a text, and the text after it. Double quotes hold blanks together and are dropped.
pub(super) fn word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => return (word, &text[at..]),
            c => word.push(c),
        }
    }
    (word, "")
}

/// A pool tag, or a pattern that several fit.
#[derive(Clone, Debug)]
pub struct Tags {
    typed: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    One(Tag),
    Fitting(TagPattern),
}

impl Tags {
    fn of(tag: Tag) -> Tags {
        Tags {
            typed: tag.to_string(),
            what: What::One(tag),
        }
    }

    fn parse(typed: String) -> Result<Tags> {
        if typed.contains(['*', '?']) {
            let what = What::Fitting(TagPattern::parse(&typed)?);
            return Ok(Tags { typed, what });
        }
        let tag = parse_tag(&typed)?;
        Ok(match Tag::parse(&typed) {
            Ok(_) => Tags {
                typed,
                what: What::One(tag),
            },
            Err(_) => Tags::of(tag),
        })
    }

    /// The tag, if one is meant.
    pub fn one(&self) -> Option<Tag> {
        match self.what {
            What::One(tag) => Some(tag),
            What::Fitting(_) => None,
        }
    }

    /// Whether a tag is meant, with or without its protection bit.
    pub fn matches(&self, tag: Tag) -> bool {
        match &self.what {
            What::One(one) => *one == tag || *one == tag.without_protection(),
            What::Fitting(pattern) => pattern.matches(tag),
        }
    }
}

/// As it was typed.
impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// A tag as a person types it: its characters, or the number that code passes.
fn parse_tag(typed: &str) -> Result<Tag> {
    let digits = typed
        .strip_prefix("0x")
        .or_else(|| typed.strip_prefix("0X"));
    // `0x12` has four characters and may well be a tag
    let number = digits.filter(|digits| digits.len() > 2);
    match number.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
        Some(number) => Ok(Tag::from_u32(number)),
        None => Tag::parse(typed),
    }
}

/// A module or an address, as a person or a script means it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleRef<'a> {
    /// A module's name, its image's, or an expression.
    Named(&'a str),
    /// An address.
    At(Virt),
}

/// As it is typed.
impl fmt::Display for ModuleRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleRef::Named(text) => f.write_str(text),
            ModuleRef::At(at) => write!(f, "{at:#x}"),
        }
    }
}
