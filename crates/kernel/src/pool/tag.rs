//! Pool tags: four bytes in memory order, usually letters, but never to be relied upon.

use rkd_dump::error::{Error, Result};
use std::fmt;

/// A pool tag. Ordered by its bytes as they stand in memory, which is the order in which people read them –
/// not by the integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 4]);

impl Tag {
    /// The tag that a kernel structure holds as a little-endian integer.
    pub fn from_u32(value: u32) -> Tag {
        Tag(value.to_le_bytes())
    }

    /// The integer that code passes to `ExAllocatePoolWithTag`.
    pub fn to_u32(self) -> u32 {
        u32::from_le_bytes(self.0)
    }

    /// The tag without bit 31, with which `ExAllocatePoolWithTag` once marked protected pool (`Proc` became `Pro\xe3`).
    /// Windows 8 and later rarely set it.
    pub fn without_protection(self) -> Tag {
        Tag::from_u32(self.to_u32() & 0x7fff_ffff)
    }

    /// The tag that a person typed: shorter ones are padded with blanks.
    ///
    /// # Errors
    /// [`Error::Syntax`] when the text is empty or longer than four bytes.
    pub fn parse(text: &str) -> Result<Tag> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > 4 {
            return Err(Error::Syntax(format!(
                "'{text}' is no pool tag: a tag has one to four characters"
            )));
        }
        let mut tag = [b' '; 4];
        tag[..bytes.len()].copy_from_slice(bytes);
        Ok(Tag(tag))
    }
}

/// As kd prints it: a byte that is no printable ASCII character shows as a full stop.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self
            .0
            .iter()
            .map(|&b| {
                if (0x20..0x7f).contains(&b) {
                    char::from(b)
                } else {
                    '.'
                }
            })
            .collect();
        f.pad(&text)
    }
}

/// A tag argument of `!poolused`: case-sensitive, `*` for any run, `?` for one character, else exactly four
/// characters with blanks added.
#[derive(Clone, Debug)]
pub struct TagPattern(Vec<u8>);

impl TagPattern {
    /// Takes what was typed.
    ///
    /// # Errors
    /// [`Error::Syntax`] when it is empty, or longer than four characters without a `*`.
    pub fn parse(text: &str) -> Result<TagPattern> {
        let mut bytes = text.as_bytes().to_vec();
        let wild = bytes.contains(&b'*');
        if bytes.is_empty() || (!wild && bytes.len() > 4) || bytes.len() > 16 {
            return Err(Error::Syntax(format!(
                "'{text}' is no pool tag: four characters, with * for any run and ? for any one"
            )));
        }
        if !wild {
            bytes.resize(4, b' ');
        }
        Ok(TagPattern(bytes))
    }

    /// Whether the tag fits, with or without its protection bit.
    pub fn matches(&self, tag: Tag) -> bool {
        fits(&self.0, &tag.0) || fits(&self.0, &tag.without_protection().0)
    }
}

/// The pattern has at most 16 bytes and the text four, so the recursion is bounded.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| fits(rest, &text[skip..])),
        Some((b'?', rest)) => text.split_first().is_some_and(|(_, text)| fits(rest, text)),
        Some((byte, rest)) => text
            .split_first()
            .is_some_and(|(first, text)| first == byte && fits(rest, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("Leak", "Leak", true),
            ("leak", "Leak", false),
            ("Le*", "Leak", true),
            ("*k", "Leak", true),
            ("L?ak", "Leak", true),
            ("*", "\0\0\0\0", true),
            ("Io", "Io  ", true),
            ("Io", "IoWI", false),
            ("Lea", "Leak", false),
            ("*e*k*", "Leak", true),
        ];
        for (pattern, tag, expected) in cases {
            let tag = Tag(tag.as_bytes().try_into().unwrap());
            assert_eq!(
                TagPattern::parse(pattern).unwrap().matches(tag),
                expected,
                "{pattern} on {tag}"
            );
        }
        assert!(TagPattern::parse("Leaks").is_err());
        assert!(TagPattern::parse("").is_err());
    }

    #[test]
    fn a_protected_tag_fits_its_plain_name() {
        assert!(TagPattern::parse("Proc").unwrap().matches(Tag(*b"Pro\xe3")));
        assert_eq!(Tag(*b"Pro\xe3").without_protection().to_string(), "Proc");
    }

    #[test]
    fn order_is_by_memory_bytes() {
        let mut tags = [Tag(*b"usbp"), Tag(*b"aEoP"), Tag(*b"AGP "), Tag(*b"1394")];
        tags.sort();
        assert_eq!(
            tags.map(|t| t.to_string()),
            ["1394", "AGP ", "aEoP", "usbp"]
        );
    }

    #[test]
    fn escape_codes_do_not_reach_the_screen() {
        assert_eq!(Tag(*b"\x1b[2J").to_string(), ".[2J");
    }
}
