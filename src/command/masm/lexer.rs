//! Text to tokens, one at a time, because `@@c++( )` changes the rules in the middle of a line.

use super::number::{self, Reading};

/// What the reading of numbers depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub radix: u32,
    /// Whether a 32-bit number with its highest bit set is an address of the upper half (x86 targets).
    pub sign_extends: bool,
}

/// The two languages that may be mixed in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Masm,
    Cpp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number(u64),
    /// A number of more than 64 bits.
    TooLarge,
    /// A name, or an operator that is spelt with letters.
    Word(String),
    /// What follows an `@`: a register, or a pseudo-register with its dollar sign.
    Register(String),
    /// A string in double quotes.
    Text(String),
    /// `@@(`, `@@c++(`, `@@masm(`.
    Switch(Dialect),
    Sign(&'static str),
    End,
    /// Something that the language has no use for.
    Strange,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Longest first.
const SIGNS: [&str; 24] = [
    ">>>", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "+", "-", "*", "/", "%", "=", "<", ">",
    "&", "^", "|", "(", ")", ",", "~",
];

pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    settings: Settings,
    pub dialect: Dialect,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str, settings: Settings, dialect: Dialect) -> Lexer<'t> {
        Lexer {
            text,
            at: 0,
            settings,
            dialect,
        }
    }

    pub(super) fn next(&mut self) -> Token {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start().len();
        let start = self.at + blanks;
        let rest = rest.trim_start();
        let (kind, length) = self.read(rest);
        self.at = start + length;
        Token {
            kind,
            start,
            end: self.at,
        }
    }

    fn read(&self, rest: &str) -> (Kind, usize) {
        let Some(first) = rest.chars().next() else {
            return (Kind::End, 0);
        };
        match first {
            '@' => read_at(rest, self.dialect),
            '"' => read_text(rest, true),
            '\'' => read_characters(rest),
            _ => {
                let length = if self.dialect == Dialect::Cpp && first == '!' {
                    0
                } else {
                    word_length(rest)
                };
                if length > 0 {
                    return self.read_word(&rest[..length]);
                }
                let known = |sign: &&&str| {
                    rest.starts_with(**sign)
                        && (self.dialect == Dialect::Cpp || !["&&", "||"].contains(*sign))
                };
                if let Some(sign) = SIGNS.iter().find(known) {
                    return (Kind::Sign(sign), sign.len());
                }
                if self.dialect == Dialect::Cpp && first == '!' {
                    return (Kind::Sign("!"), 1);
                }
                (Kind::Strange, first.len_utf8())
            }
        }
    }

    fn read_word(&self, word: &str) -> (Kind, usize) {
        let read = |word: &str| match self.dialect {
            Dialect::Masm => number::masm(word, self.settings),
            Dialect::Cpp => number::cpp(word),
        };
        match read(word) {
            Reading::Number(value) => return (Kind::Number(value), word.len()),
            Reading::Overflow => return (Kind::TooLarge, word.len()),
            Reading::NotANumber => {}
        }
        // `fffff807'47f50000L20`, `10L?8`: the length of a range may follow a number without a blank. A short word of
        // hexadecimal letters only is taken for a name.
        if let Some(length) = word.find(['l', 'L'])
            && (length >= 8 || word.starts_with(|c: char| c.is_ascii_digit()))
            && let Reading::Number(value) = read(&word[..length])
        {
            return (Kind::Number(value), length);
        }
        (Kind::Word(word.to_string()), word.len())
    }
}

/// Everything that begins with an `@`.
fn read_at(rest: &str, dialect: Dialect) -> (Kind, usize) {
    let other = if dialect == Dialect::Masm {
        Dialect::Cpp
    } else {
        Dialect::Masm
    };
    for (spelling, dialect) in [
        ("@@c++(", Dialect::Cpp),
        ("@@masm(", Dialect::Masm),
        ("@@(", other),
    ] {
        if rest
            .get(..spelling.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(spelling))
        {
            return (Kind::Switch(dialect), spelling.len());
        }
    }
    if let Some(after) = rest.strip_prefix("@!\"") {
        return match after.find('"') {
            Some(length) => (Kind::Word(after[..length].to_string()), length + 4),
            None => (Kind::Strange, rest.len()),
        };
    }
    if rest.starts_with("@\"") {
        let (kind, length) = read_text(&rest[1..], false);
        return (kind, length + 1);
    }
    let name = &rest[1..];
    let length = name
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(name.len());
    if length == 0 {
        (Kind::Strange, 1)
    } else {
        (
            Kind::Register(name[..length].to_ascii_lowercase()),
            length + 1,
        )
    }
}

/// A string in quotes; in an escaped one `\"` is a quote and `\\` a backslash, in a raw one everything is itself.
fn read_text(rest: &str, escapes: bool) -> (Kind, usize) {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (Kind::Text(text), at + 1),
            '\\' if escapes => match chars.clone().next() {
                Some((_, next @ ('"' | '\\'))) => {
                    chars.next();
                    text.push(next);
                }
                _ => text.push('\\'),
            },
            c => text.push(c),
        }
    }
    (Kind::Strange, rest.len())
}

/// `'kaeL'` is the number whose bytes, from the highest, are these characters.
fn read_characters(rest: &str) -> (Kind, usize) {
    match rest[1..].find('\'') {
        Some(length) if (1..=8).contains(&length) => {
            let value = rest[1..=length]
                .bytes()
                .fold(0u64, |value, byte| value << 8 | u64::from(byte));
            (Kind::Number(value), length + 2)
        }
        _ => (Kind::Strange, 1),
    }
}

/// The length of the number or name at the start of `rest`; 0 for neither.
///
/// Names are those of symbols: `nt!Name`, `!Name`, `mod!Class::~Class`, `nt!?SmGlobals@@3U_SM_GLOBALS@@A`.
fn word_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let starts = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$' | b'?');
    let mut decorated = byte(0) == b'?';
    let mut after_module = false;
    let mut at = 0;
    if byte(0) == b'.' && !starts(byte(1)) {
        return 1;
    }
    if !(starts(byte(0)) || byte(0) == b'!' && starts(byte(1))) {
        return 0;
    }
    while at < bytes.len() {
        at += match byte(at) {
            b'_' | b'$' | b'?' | b'`' => 1,
            c if c.is_ascii_alphanumeric() => 1,
            b'!' if !after_module && starts(byte(at + 1)) => {
                after_module = true;
                decorated |= byte(at + 1) == b'?';
                1
            }
            b':' if byte(at + 1) == b':' => 2 + usize::from(byte(at + 2) == b'~'),
            b'.' if starts(byte(at + 1)) => 1,
            b'@' if decorated => 1,
            b'\'' if after_module => 1,
            _ => break,
        };
    }
    at
}
