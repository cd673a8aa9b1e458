//! What is typed behind `lm`: letters that may be run together, and up to one pattern, path or address.

use crate::command::masm;
use crate::command::wildcard::Wildcard;
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

/// Which half of the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Both.
    All,
    /// `k`.
    Kernel,
    /// `u`.
    User,
}

/// What stands behind the module's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// The state of the symbols and their file.
    Symbols,
    /// `i`, `n`: the image's file name.
    ImageName,
    /// `f`, `p`: the image's path.
    ImagePath,
    /// `t`: the time stamp.
    TimeStamp,
    /// `1m`: nothing, and no heading.
    NamesOnly,
}

/// The options.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// See [`Which`].
    pub which: Which,
    /// See [`Columns`].
    pub columns: Columns,
    /// `v`.
    pub verbose: bool,
    /// `sm`.
    pub by_name: bool,
    /// `o`.
    pub loaded_only: bool,
    /// `l`.
    pub loaded_symbols: bool,
    /// `e`.
    pub problems: bool,
    /// `t` beside another column.
    pub with_time: bool,
    /// `m Pattern`.
    pub name: Option<Wildcard>,
    /// `M Pattern`.
    pub path: Option<Wildcard>,
    /// `a Address`.
    pub address: Option<Virt>,
}

impl Options {
    /// Reads the text behind `lm`.
    ///
    /// # Errors
    /// A letter that is no option, a pattern or an address that is missing or does not evaluate.
    pub(super) fn parse(session: &Session, text: &str) -> Result<Options> {
        let mut options = Options {
            which: Which::All,
            columns: Columns::Symbols,
            verbose: false,
            by_name: false,
            loaded_only: false,
            loaded_symbols: false,
            problems: false,
            with_time: false,
            name: None,
            path: None,
            address: None,
        };
        let mut rest = text.trim();
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            match letter {
                ' ' | '\t' | 'D' | 'c' => {}
                'k' => options.which = Which::Kernel,
                'u' => options.which = Which::User,
                'l' => options.loaded_symbols = true,
                'o' => options.loaded_only = true,
                'e' => options.problems = true,
                'v' => options.verbose = true,
                'i' | 'n' => options.columns = Columns::ImageName,
                'f' | 'p' => options.columns = Columns::ImagePath,
                't' => options.with_time = true,
                's' if rest.starts_with('m') => {
                    options.by_name = true;
                    rest = &rest[1..];
                }
                's' => options.by_name = true,
                '1' if rest.starts_with('m') => {
                    options.columns = Columns::NamesOnly;
                    rest = &rest[1..];
                }
                'm' => options.name = Some(Wildcard::new(&word(&mut rest, "m")?)),
                'M' => options.path = Some(Wildcard::new(&word(&mut rest, "M")?)),
                'a' => {
                    options.address = Some(Virt(masm::evaluate(session, rest.trim())?));
                    rest = "";
                }
                other => {
                    return Err(super::COMMAND.misuse(&format!("'{other}' is no option of lm")));
                }
            }
        }
        if options.with_time && options.columns == Columns::Symbols {
            options.columns = Columns::TimeStamp;
        }
        Ok(options)
    }

    /// Whether a pattern or an address narrows the list.
    pub(super) fn narrowed(&self) -> bool {
        self.name.is_some() || self.path.is_some() || self.address.is_some()
    }

    /// Whether the unloaded modules are listed too.
    pub(super) fn unloaded(&self) -> bool {
        !self.loaded_only && !self.loaded_symbols && !self.problems && self.which != Which::User
    }
}

/// The pattern may follow its letter with or without a blank.
fn word(rest: &mut &str, option: &str) -> Result<String> {
    let text = rest.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, behind) = text.split_at(end);
    *rest = behind;
    if word.is_empty() {
        return Err(super::COMMAND.misuse(&format!("{option} wants a pattern")));
    }
    Ok(word.to_string())
}
