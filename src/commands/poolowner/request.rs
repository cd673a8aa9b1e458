//! What is typed after `!poolowner`.

use super::COMMAND;
use crate::command::Args;
use rkd_dump::error::{Error, Result};
use rkd_kernel::owners::Search;
use rkd_kernel::pool::{Tag, TagPattern};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The tag, if it is one.
    pub tag: Option<Tag>,
    /// The tags, if they are several.
    pub pattern: Option<TagPattern>,
    /// How many lines a list has at most.
    pub most: Option<usize>,
    /// Every site is shown.
    pub verbose: bool,
    /// Every module is read.
    pub thorough: bool,
    /// Bytes that prove nothing are shown.
    pub raw: bool,
}

impl Request {
    /// Whether a table is asked for.
    pub fn is_list(&self) -> bool {
        self.pattern.is_some()
    }

    /// How the search is to be done.
    pub fn search(&self, stop: &Arc<AtomicBool>) -> Search {
        Search {
            thorough: self.thorough,
            mentions: self.raw,
            stop: Arc::clone(stop),
        }
    }

    pub(super) fn parse(args: &Args) -> Result<Request> {
        let mut request = Request::default();
        let mut words = args.words().into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-v" => request.verbose = true,
                "-all" => request.thorough = true,
                "-raw" => request.raw = true,
                option if option.starts_with("/t") => {
                    let count = match option.strip_prefix("/t") {
                        Some("") | None => words.next().unwrap_or_default(),
                        Some(count) => count.to_owned(),
                    };
                    request.most = Some(count.parse().map_err(|_| {
                        usage(&format!("/t wants a decimal number of tags, not '{count}'"))
                    })?);
                }
                option if option.starts_with('-') && option.len() > 1 && option.len() != 4 => {
                    return Err(usage(&format!("!poolowner has no {option}")));
                }
                tag if request.tag.is_none() && request.pattern.is_none() => request.take(tag)?,
                more => return Err(usage(&format!("'{more}' is one argument too many"))),
            }
        }
        match (request.tag, &request.pattern) {
            (None, None) => Err(usage(
                "!poolowner wants a tag, or * for all that are in use",
            )),
            _ => Ok(request),
        }
    }

    fn take(&mut self, typed: &str) -> Result<()> {
        match typed.contains(['*', '?']) {
            true => self.pattern = Some(TagPattern::parse(typed)?),
            false => self.tag = Some(parse_tag(typed)?),
        }
        Ok(())
    }
}

/// A tag as a person types it: its characters, or the number that code passes.
///
/// # Errors
/// [`Error::Syntax`] when it is neither.
pub fn parse_tag(typed: &str) -> Result<Tag> {
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

pub(super) fn usage(why: &str) -> Error {
    Error::Syntax(format!("{why}\nUsage: {}", COMMAND.usage))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request> {
        Request::parse(&Args {
            name: "!poolowner".into(),
            text: text.into(),
        })
    }

    #[test]
    fn tags_are_taken_as_people_write_them() {
        for (typed, tag) in [
            ("Leak", b"Leak"),
            ("Io", b"Io  "),
            ("0x6b61654c", b"Leak"),
            ("\"AB C\" -v", b"AB C"),
            ("-abc", b"-abc"),
            ("0x12", b"0x12"),
            ("-v -all -raw Leak", b"Leak"),
        ] {
            assert_eq!(parse(typed).unwrap().tag, Some(Tag(*tag)), "{typed}");
        }
        let list = parse("* /t 5").unwrap();
        assert!(list.is_list() && list.most == Some(5));
        assert!(parse("Nt* /t3").unwrap().is_list());
        for wrong in ["", "Leaks", "Leak Leak", "* /tx", "Leak -nosuch"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
