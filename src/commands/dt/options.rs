//! What is typed behind `dt`: options in any place, a name, fields, an address.

use rkd_dump::error::{Error, Result};

/// The options, and the words that are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// `-a[n]`: each element of an array on its own line, at most so many of them.
    pub elements: Option<u64>,
    /// `-b`: structures inside are shown whole.
    pub blocks: bool,
    /// `-c`: on one line.
    pub compact: bool,
    /// `-d`: everything about all types that fit.
    pub details: bool,
    /// `-e`, `-t`, `-s`: types are listed, and nothing else.
    pub lists: bool,
    /// `-h`.
    pub help: bool,
    /// `-i`: what is inside is not moved to the right.
    pub flat: bool,
    /// `-l Field`: along a list.
    pub link: Option<String>,
    /// `-o`: without offsets.
    pub no_offsets: bool,
    /// `-p`: the address is physical.
    pub physical: bool,
    /// `-r[n]`: so many levels of what is inside and behind pointers.
    pub depth: u32,
    /// `-s Size`: only types of this size.
    pub size: Option<u64>,
    /// `-v`.
    pub verbose: bool,
    /// What is no option, in order.
    pub words: Vec<Word>,
}

/// A word that is no option.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// The word, without brackets around it.
    pub text: String,
    /// Behind `-n`: a name, whatever it looks like.
    pub is_name: bool,
    /// Behind `-y`: only the beginning of a name.
    pub is_prefix: bool,
}

/// `-r` without a number.
pub(super) const DEEPEST: u32 = 9;
/// `-a` without a number.
pub(super) const ALL: u64 = u64::MAX;

impl Options {
    /// Reads the text behind `dt`.
    ///
    /// # Errors
    /// A letter that is no option, or an option without its argument.
    pub(super) fn parse(text: &str) -> Result<Options> {
        let mut options = Options::default();
        let (mut is_name, mut is_prefix) = (false, false);
        let mut words = split(text).into_iter();
        while let Some(word) = words.next() {
            let letters = word
                .strip_prefix('-')
                .filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
            let Some(letters) = letters else {
                options.words.push(Word {
                    text: word,
                    is_name: std::mem::take(&mut is_name),
                    is_prefix: std::mem::take(&mut is_prefix),
                });
                continue;
            };
            let mut letters = letters.chars().peekable();
            while let Some(letter) = letters.next() {
                let mut digits = String::new();
                while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                let argument = || Error::Syntax(format!("-{letter} wants an argument: dt -h"));
                match letter {
                    'a' => options.elements = Some(digits.parse().unwrap_or(ALL)),
                    'b' => options.blocks = true,
                    'c' => options.compact = true,
                    'd' => options.details = true,
                    'e' | 't' => options.lists = true,
                    'h' => options.help = true,
                    'i' => options.flat = true,
                    'l' => options.link = Some(words.next().ok_or_else(argument)?),
                    'n' => is_name = true,
                    'o' => options.no_offsets = true,
                    'p' => options.physical = true,
                    'r' => options.depth = digits.parse().unwrap_or(DEEPEST).min(DEEPEST),
                    's' => {
                        let size = words.next().ok_or_else(argument)?;
                        let hex = size.trim_start_matches("0x");
                        let size = u64::from_str_radix(hex, 16).map_err(|_| {
                            Error::Syntax(format!("'{size}' is no size in hexadecimal digits"))
                        })?;
                        (options.size, options.lists) = (Some(size), true);
                    }
                    'v' => options.verbose = true,
                    'y' => is_prefix = true,
                    other => {
                        return Err(Error::Syntax(format!(
                            "'-{other}' is no option of dt: dt -h"
                        )));
                    }
                }
            }
        }
        Ok(options)
    }
}

/// Words at blanks, except inside of brackets and quotes. `a + b` is one word, because an address may be written so.
fn split(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let (mut depth, mut quoted) = (0u32, false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth = depth.saturating_add(1),
            ')' if !quoted => depth = depth.saturating_sub(1),
            c if c.is_whitespace() && depth == 0 && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    if !word.is_empty() {
        words.push(word);
    }
    let mut joined: Vec<String> = Vec::new();
    let is_sign = |word: &str| ["+", "-", "*", "/"].contains(&word);
    for word in words {
        match joined.last_mut() {
            Some(last) if joined_by(last, &word, is_sign) => {
                last.push(' ');
                last.push_str(&word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

/// Whether a word belongs to the one before it: one of them is, or ends in, an operator.
fn joined_by(last: &str, word: &str, is_sign: impl Fn(&str) -> bool) -> bool {
    let tail = last.rsplit(' ').next().unwrap_or_default();
    // A star alone behind a name would be a wildcard: only behind something that looks like a number it multiplies.
    (is_sign(word) && !last.starts_with('-')) || (is_sign(tail) && last.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let options = Options::parse(text).unwrap();
        let mark = |word: Word| {
            let marks = [(word.is_name, "n:"), (word.is_prefix, "y:")];
            let marks = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark);
            format!("{}{}", marks.collect::<String>(), word.text)
        };
        options.words.into_iter().map(mark).collect()
    }

    #[test]
    fn options_stand_anywhere_and_run_together() {
        let options =
            Options::parse("nt!_EPROCESS -l ActiveProcessLinks.Flink -y Ima -yoi Uni 814856f0")
                .unwrap();
        assert_eq!(options.link.as_deref(), Some("ActiveProcessLinks.Flink"));
        assert!(options.no_offsets && options.flat && !options.verbose);
        assert_eq!(
            words("nt!_EPROCESS -l X -y Ima -yoi Uni 814856f0"),
            ["nt!_EPROCESS", "y:Ima", "y:Uni", "814856f0"]
        );
        let options = Options::parse("-ca10 ULONG 01002be0").unwrap();
        assert_eq!((options.elements, options.compact), (Some(10), true));
        let options = Options::parse("-a -r3 -bv -s 0x1c nt!*").unwrap();
        assert_eq!(
            (options.elements, options.depth, options.size),
            (Some(ALL), 3, Some(0x1c))
        );
        assert!(options.blocks && options.verbose && options.lists);
        assert_eq!(Options::parse("-r nt!_X").unwrap().depth, DEEPEST);
        assert_eq!(
            Options::parse("-r99999999999 nt!_X").unwrap().depth,
            DEEPEST
        );
    }

    #[test]
    fn an_address_may_be_an_expression() {
        assert_eq!(
            words("nt!_X poi(nt!Head + 8) F"),
            ["nt!_X", "poi(nt!Head + 8)", "F"]
        );
        assert_eq!(
            words("nt!_X @rax + 10 Flink"),
            ["nt!_X", "@rax + 10", "Flink"]
        );
        assert_eq!(words("-ny A"), ["n:y:A"]);
        assert_eq!(words("nt!_X ffff8000 -r1"), ["nt!_X", "ffff8000"]);
    }

    #[test]
    fn what_is_refused() {
        for (text, said) in [
            ("-x nt!_X", "'-x' is no option of dt: dt -h"),
            ("nt!_X -l", "-l wants an argument: dt -h"),
            ("-s nt!_X", "'nt!_X' is no size in hexadecimal digits"),
        ] {
            assert_eq!(Options::parse(text).unwrap_err().to_string(), said);
        }
    }
}
