//! What is typed behind `s`: type and flags, range, pattern.

use crate::command::masm;
use crate::command::range::Range;
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_scan::{Pattern, Regex, Span, Strings};

/// How many hits `s -[s]` keeps when nobody says.
const KEPT: usize = 1024;
/// The least length of a string that `s -sa` lists when nobody says.
const SHORTEST: usize = 3;

/// The type of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `b`.
    Bytes,
    /// `w`.
    Words,
    /// `d`.
    Dwords,
    /// `q`.
    Qwords,
    /// `a`.
    Ascii,
    /// `u`.
    Unicode,
}

impl Kind {
    /// Bytes in one unit of the range's length and of a number.
    fn unit(self) -> u64 {
        match self {
            Kind::Bytes | Kind::Ascii => 1,
            Kind::Words | Kind::Unicode => 2,
            Kind::Dwords => 4,
            Kind::Qwords => 8,
        }
    }
}

/// What is looked for.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Patterns, each with the text that stands for it in a hit; never empty.
    Patterns(Vec<(Pattern, String)>),
    /// Every string of at least so many characters.
    Strings(Strings),
    /// Every match of an expression.
    Regex(Regex),
}

/// How the pattern is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Numbers,
    Text { any_case: bool },
    Mask,
    Regex,
    Strings,
}

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Area {
    /// So many bytes from an address on.
    Range(Virt, u64),
    /// All loaded modules: `*`.
    Modules,
}

/// A search.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// See [`Kind`].
    pub kind: Kind,
    /// See [`What`].
    pub what: What,
    /// See [`Area`].
    pub area: Area,
    /// Flag 1.
    pub bare: bool,
    /// Flag w.
    pub writable: bool,
    /// Flag s.
    pub keep: bool,
    /// Flag n.
    pub most_kept: usize,
    /// Flag r.
    pub among_kept: bool,
}

#[derive(Default)]
struct Flags {
    bare: bool,
    writable: bool,
    keep: bool,
    among_kept: bool,
    most_kept: Option<usize>,
    shortest: Option<usize>,
}

fn syntax(text: &str) -> Error {
    Error::Syntax(format!("Syntax error at '{text}'"))
}

impl Request {
    /// The range, for the scanner. From 0 to the last address is one byte more than a length can say.
    pub(super) fn spans(&self, kernel: &Kernel) -> Vec<Span> {
        match self.area {
            Area::Range(Virt(0), u64::MAX) => Span::everything().to_vec(),
            Area::Range(start, length) => vec![Span::new(start, length)],
            Area::Modules => {
                let modules = kernel.modules().iter();
                modules
                    .map(|module| Span::new(module.base, module.size))
                    .collect()
            }
        }
    }

    /// Reads the text behind `s`.
    ///
    /// # Errors
    /// kd's `Syntax error` and `Range error`, and those of expressions.
    pub(super) fn parse(session: &Session, text: &str) -> Result<Request> {
        let (flags, kind, form, rest) = switches(text.trim())?;
        if flags.keep && flags.among_kept {
            return Err(Error::Syntax("the flags s and r exclude each other".into()));
        }
        let (area, rest) = area(session, rest, kind.unit(), flags.among_kept)
            .map_err(|error| range_error(error, text))?;
        let what = match form {
            Form::Strings if !rest.trim().is_empty() => return Err(syntax(rest)),
            Form::Strings => What::Strings(Strings {
                wide: kind == Kind::Unicode,
                shortest: flags.shortest.unwrap_or(SHORTEST),
            }),
            Form::Regex => What::Regex(Regex::new(quoted(rest.trim())?)?),
            Form::Mask => one(Pattern::hex(rest)?, rest),
            Form::Numbers => one(numbers(session, kind.unit(), rest.trim())?, rest),
            Form::Text { any_case } => texts(rest.trim(), kind, any_case)?,
        };
        if flags.among_kept && !matches!(what, What::Patterns(_)) {
            return Err(Error::Syntax(
                "the flag r goes with one pattern, not with strings or expressions".into(),
            ));
        }
        Ok(Request {
            kind,
            what,
            area,
            bare: flags.bare,
            writable: flags.writable,
            keep: flags.keep,
            most_kept: flags.most_kept.unwrap_or(KEPT),
            among_kept: flags.among_kept,
        })
    }
}

/// A range, or all modules. Without a length only the flag `r` is content, which does not look at the range.
fn area<'t>(
    session: &Session,
    text: &'t str,
    unit: u64,
    among_kept: bool,
) -> Result<(Area, &'t str)> {
    if let Some(rest) = text.strip_prefix('*') {
        return Ok((Area::Modules, rest.trim_start()));
    }
    let (range, rest) = Range::parse_to_the_end(session, text, unit)?;
    match range.length {
        Some(length) => Ok((Area::Range(range.start, length), rest)),
        None if among_kept => Ok((Area::Range(range.start, 1), rest)),
        None => Err(Error::Syntax("Range error".into())),
    }
}

fn one(pattern: Pattern, typed: &str) -> What {
    What::Patterns(vec![(pattern, typed.trim().to_string())])
}

/// One text in double quotes, as kd has it, or several.
fn texts(text: &str, kind: Kind, any_case: bool) -> Result<What> {
    let mut patterns = Vec::new();
    let mut rest = text;
    loop {
        let (inside, behind) = rest
            .strip_prefix('"')
            .and_then(|rest| rest.split_once('"'))
            .filter(|(inside, _)| !inside.is_empty())
            .ok_or_else(|| syntax(text))?;
        let pattern = match kind {
            Kind::Unicode => Pattern::utf16(inside),
            _ => Pattern::text(inside),
        };
        let pattern = if any_case {
            pattern.any_case()
        } else {
            pattern
        };
        patterns.push((pattern, inside.to_string()));
        rest = behind.trim_start();
        if rest.is_empty() {
            return Ok(What::Patterns(patterns));
        }
    }
}

/// kd quotes the whole command when a range is refused, and does not say why.
fn range_error(error: Error, text: &str) -> Error {
    if !matches!(error, Error::Range(_)) {
        return error;
    }
    let why = "a range is addr L n, addr L?n (above 256 MB), addr L-n or two addresses, the second not before the first";
    Error::Refused {
        text: format!("    ^ Range error in 's {}'", text.trim()),
        why: Box::new(Error::Syntax(why.into())),
    }
}

/// `-[1w l 4]sa`: flags need a type behind them.
fn switches(text: &str) -> Result<(Flags, Kind, Form, &str)> {
    let Some(switches) = text.strip_prefix('-') else {
        return Ok((Flags::default(), Kind::Bytes, Form::Numbers, text));
    };
    let (flags, rest) = match switches.strip_prefix('[') {
        Some(inside) => {
            let (inside, rest) = inside.split_once(']').ok_or_else(|| syntax(text))?;
            (flags(inside)?, rest)
        }
        None => (Flags::default(), switches),
    };
    let end = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let (letters, rest) = rest.split_at(end);
    let (kind, form) = match letters {
        "b" => (Kind::Bytes, Form::Numbers),
        "w" => (Kind::Words, Form::Numbers),
        "d" => (Kind::Dwords, Form::Numbers),
        "q" => (Kind::Qwords, Form::Numbers),
        "a" => (Kind::Ascii, Form::Text { any_case: false }),
        "u" => (Kind::Unicode, Form::Text { any_case: false }),
        "ai" => (Kind::Ascii, Form::Text { any_case: true }),
        "ui" => (Kind::Unicode, Form::Text { any_case: true }),
        "sa" => (Kind::Ascii, Form::Strings),
        "su" => (Kind::Unicode, Form::Strings),
        "m" => (Kind::Bytes, Form::Mask),
        "re" => (Kind::Bytes, Form::Regex),
        "v" => {
            return Err(Error::NeedsSymbols(
                "s -v needs the private types of a program, which no dump has".into(),
            ));
        }
        _ => return Err(syntax(text)),
    };
    Ok((flags, kind, form, rest.trim_start()))
}

fn flags(text: &str) -> Result<Flags> {
    let mut flags = Flags::default();
    let mut rest = text.trim_start();
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter {
            ' ' | ',' => {}
            '1' => flags.bare = true,
            'w' => flags.writable = true,
            's' => flags.keep = true,
            'r' => flags.among_kept = true,
            'n' => flags.most_kept = Some(number(&mut rest).ok_or_else(|| syntax(text))?),
            'l' => flags.shortest = Some(number(&mut rest).ok_or_else(|| syntax(text))?),
            _ => return Err(syntax(text)),
        }
    }
    Ok(flags)
}

fn number(rest: &mut &str) -> Option<usize> {
    let text = rest.trim_start();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    *rest = &text[end..];
    text[..end].parse().ok()
}

/// One text in double quotes, without escapes.
fn quoted(text: &str) -> Result<&str> {
    let inside = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .filter(|text| !text.contains('"'));
    inside
        .filter(|text| !text.is_empty())
        .ok_or_else(|| syntax(text))
}

/// Numbers and characters; the address of a hit is a multiple of the numbers' size.
fn numbers(session: &Session, unit: u64, text: &str) -> Result<Pattern> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let value;
        (value, rest) = match rest.strip_prefix('\'') {
            Some(inside) => {
                let (inside, behind) = inside.split_once('\'').ok_or_else(|| syntax(rest))?;
                (
                    characters(inside, unit).ok_or_else(|| syntax(rest))?,
                    behind.trim_start(),
                )
            }
            None => masm::evaluate_prefix(session, rest)?,
        };
        let narrow = value.to_le_bytes();
        let (kept, lost) = narrow.split_at(unit as usize);
        // A negative number keeps its low bytes; any other must fit.
        if lost.iter().any(|b| *b != 0) && lost.iter().any(|b| *b != 0xff) {
            return Err(Error::Syntax(format!("Overflow error in '{text}'")));
        }
        bytes.extend_from_slice(kept);
    }
    if bytes.is_empty() {
        return Err(Error::Syntax(
            "Numeric expression missing from '<EOL>'".into(),
        ));
    }
    Ok(Pattern::bytes(bytes).aligned(unit))
}

/// `'kaeL'`: the first character is the highest byte, so that memory holds them the other way round.
fn characters(text: &str, unit: u64) -> Option<u64> {
    if text.is_empty() || text.len() as u64 > unit {
        return None;
    }
    Some(
        text.bytes()
            .fold(0, |value, byte| value << 8 | u64::from(byte)),
    )
}
