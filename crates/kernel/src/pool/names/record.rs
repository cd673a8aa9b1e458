//! The records of a list of tags, in the forms in which people have them: `pooltag.txt`, the same indented or between commas or
//! tabs, and the lists of a machine's own drivers that PoolMon makes with `/c`.

use super::TagName;
use crate::file_text::tag_of;

type Record = ([u8; 4], TagName);

/// What the lines before say of those that follow.
enum Form {
    /// Nothing: each line is a record.
    Plain,
    /// The tags of this driver stand below it, indented.
    TagsOf(String),
    /// A tag and its driver on each line, below `Tag Mapped_Driver`.
    Mapped,
}

/// The records of a text, in its order. Lines that begin with `rem` are comments.
pub(super) fn records(text: &str) -> Vec<Record> {
    let mut form = Form::Plain;
    let mut records = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if is_comment(line) {
            continue;
        }
        if let Some(record) = record(line) {
            records.push(record);
            continue;
        }
        let mut words = line.split_whitespace();
        match (words.next(), words.next(), &form) {
            (Some("Tag"), Some("Mapped_Driver"), _) => form = Form::Mapped,
            (Some(tag), _, Form::TagsOf(driver)) if line.starts_with(char::is_whitespace) => {
                let tags = std::iter::once(tag).chain(line.split_whitespace().skip(1));
                records.extend(tags.filter_map(|tag| Some((tag_of(tag)?, of_driver(driver)))));
            }
            (Some(driver), None, _) if driver.contains('.') => {
                form = Form::TagsOf(driver.trim_matches(['[', ']']).to_owned());
            }
            (Some(tag), Some(driver), Form::Mapped) => {
                records.extend(tag_of(tag).map(|tag| (tag, of_driver(driver))));
            }
            _ => {}
        }
    }
    records
}

fn of_driver(driver: &str) -> TagName {
    TagName {
        binary: Some(driver.to_owned()),
        description: String::new(),
    }
}

fn is_comment(line: &str) -> bool {
    let (start, rest) = line.split_at_checked(3).unwrap_or_default();
    start.eq_ignore_ascii_case("rem") && (rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn record(line: &str) -> Option<Record> {
    columns(line)
        .or_else(|| dashes(line.trim_start()))
        .or_else(|| glued(line.trim_start()))
        .or_else(|| cells(line))
}

/// `Tag  - binary - description`. A tag of four characters, which may be blanks, fills the columns before the dash; a shorter one
/// may be padded or not.
fn columns(line: &str) -> Option<Record> {
    let (tag, rest) = line.split_once(" - ")?;
    Some((tag_of(tag)?, named(rest)?))
}

/// The same with more blanks than there should be, before the tag or behind it.
fn dashes(line: &str) -> Option<Record> {
    let (tag, rest) = line.split_once(" - ")?;
    Some((tag_of(tag.trim())?, named(rest)?))
}

/// `Tag4-binary-description`, without blanks.
fn glued(line: &str) -> Option<Record> {
    let (tag, rest) = line.split_once('-')?;
    let (binary, description) = rest.split_once('-')?;
    let whole = tag.chars().count() == 4 && !tag.contains(' ') && is_binary(binary);
    let tag = tag_of(tag).filter(|_| whole)?;
    Some((tag, name(binary, description)))
}

/// Tab-separated, or CSV below headings or without.
fn cells(line: &str) -> Option<Record> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(if line.contains('\t') { b'\t' } else { b',' })
        .from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    let mut cells = record.iter();
    let (tag, binary) = (cells.next()?, cells.next()?);
    if tag.eq_ignore_ascii_case("tag") || tag.trim().is_empty() {
        return None;
    }
    let tag = tag_of(tag).or_else(|| tag_of(tag.trim()))?;
    Some((
        tag,
        match cells.next() {
            Some(description) => name(binary, description),
            None => one(binary),
        },
    ))
}

/// What stands behind the tag: `binary - description`, or one of the two.
fn named(rest: &str) -> Option<TagName> {
    let rest = rest.trim();
    match rest.split_once(" - ") {
        Some((binary, description)) => Some(name(binary, description)),
        None => (!rest.is_empty()).then(|| one(rest)),
    }
}

fn one(text: &str) -> TagName {
    match is_binary(text) {
        true => name(text, ""),
        false => name("", text),
    }
}

/// `myfault.sys`, `nt!io`.
fn is_binary(text: &str) -> bool {
    let text = text.trim();
    text.contains(['.', '!']) && !text.contains(char::is_whitespace)
}

fn name(binary: &str, description: &str) -> TagName {
    let binary = binary.trim();
    TagName {
        binary: (!binary.is_empty() && !binary.eq_ignore_ascii_case("<unknown>"))
            .then(|| binary.to_owned()),
        description: description.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_record_are_read() {
        let whole = |tag: &[u8; 4]| (*tag, name("a.sys", "of b"));
        for (line, want) in [
            ("Tun4 - a.sys - of b", whole(b"Tun4")),
            ("Tun4  - a.sys  - of b", whole(b"Tun4")),
            ("Tun  - a.sys - of b", whole(b"Tun ")),
            ("Tun - a.sys - of b", whole(b"Tun ")),
            ("A B  - a.sys - of b", whole(b"A B ")),
            (" abc - a.sys - of b", whole(b" abc")),
            ("  Tun4 - a.sys - of b", whole(b"Tun4")),
            ("\tTun4 - a.sys - of b", whole(b"Tun4")),
            ("Tun4\ta.sys\tof b", whole(b"Tun4")),
            ("Tun4,a.sys,\"of b\"", whole(b"Tun4")),
            ("Tun4-a.sys-of b", whole(b"Tun4")),
            ("Pro\u{e3} - a.sys - of b", whole(b"Pro\xe3")),
            ("Tun4 - a.sys", (*b"Tun4", name("a.sys", ""))),
            (
                "Tun4 - tunnels of a.sys",
                (*b"Tun4", name("", "tunnels of a.sys")),
            ),
        ] {
            assert_eq!(records(line), [want], "{line:?}");
        }
        let local = "[a.sys]\n\tTun4\n\tTun5 Tun6\nb.sys\n\tTun7\n";
        let tags: Vec<[u8; 4]> = records(local).iter().map(|record| record.0).collect();
        assert_eq!(tags, [*b"Tun4", *b"Tun5", *b"Tun6", *b"Tun7"]);
        for line in [
            "",
            "rem - a - b",
            "Wx- broken",
            "Tag,Driver,Description",
            "tunnels - a - b",
            "a - ",
            "\t\t",
            ",,",
        ] {
            assert_eq!(records(line), [], "{line:?}");
        }
    }
}
