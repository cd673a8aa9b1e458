//! Lists in columns of text, without separators: what PoolMon logs, and what kd's `!poolused` prints, pasted from wherever.

use super::figure::figure;
use super::{Found, Held};
use crate::file_text;
use crate::pool::Tag;

/// Which columns kd prints, as the heading above them says.
#[derive(Clone, Copy)]
enum Kd {
    /// `Allocs Used`, for both pools.
    Short,
    /// With flag 1: `Allocs Frees Diff Used`.
    Verbose,
}

/// Every line of PoolMon, and those of kd below its headings.
pub(super) fn read(text: &str) -> Found {
    let mut found = Found::default();
    let mut kd = None;
    let mut session = false;
    for line in text.lines() {
        let line = unquoted(line);
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            // Session pool has books of its own: it is not what the other side counts.
            ["Sorting", "by", rest @ ..] => (session, kd) = (rest.contains(&"Session"), None),
            ["Tag", "Allocs", "Used", ..] if !session => kd = Some(Kd::Short),
            ["Tag", "Allocs", "Frees", "Diff", "Used", ..] if !session => kd = Some(Kd::Verbose),
            ["TOTAL", ..] => {
                kd = None;
                continue;
            }
            ["Tag", "Type", ..] => kd = None,
            [start, ..] if start.starts_with("Memory:") => kd = None,
            _ => {
                entry(line, kd, &mut found);
                continue;
            }
        }
        found.begin();
    }
    found
}

/// A line without the signs that mail programs and forums put before what is quoted.
fn unquoted(line: &str) -> &str {
    match line.trim_start().strip_prefix('>') {
        Some(rest) => unquoted(rest),
        None => line,
    }
}

fn entry(line: &str, kd: Option<Kd>, found: &mut Found) {
    if let Some((tag, paged, rest)) = pool_of(line) {
        match poolmon(&rest) {
            Some(held) => found.add(tag, paged, held),
            None if rest
                .trim_start()
                .starts_with(|char: char| char.is_ascii_digit()) =>
            {
                found.unread += 1;
            }
            None => {}
        }
    } else if let Some((tag, [nonpaged, paged])) = kd.and_then(|kd| kd_line(line, kd)) {
        found.add(tag, false, nonpaged);
        found.add(tag, true, paged);
    }
}

/// The tag and the pool at the start of a line of PoolMon, and the rest of it, in which brackets stand for nothing.
fn pool_of(line: &str) -> Option<(Tag, bool, String)> {
    let lower = line.to_ascii_lowercase();
    let mut places: Vec<(usize, &str)> = ["nonpaged", "nonp", "paged"]
        .into_iter()
        .flat_map(|kind| lower.match_indices(kind))
        .filter(|(at, kind)| {
            let blank = |text: Option<&str>| {
                text.and_then(|text| text.chars().next())
                    .is_none_or(char::is_whitespace)
            };
            let before = line.get(..*at).and_then(|text| text.chars().next_back());
            before.is_some_and(char::is_whitespace) && blank(line.get(at + kind.len()..))
        })
        .collect();
    places.sort_unstable();
    places.into_iter().find_map(|(at, kind)| {
        let tag = tag_in_field(line.get(..at)?)?;
        Some((
            tag,
            kind == "paged",
            outside_brackets(line.get(at + kind.len()..)?),
        ))
    })
}

/// PoolMon writes a blank, the four characters of the tag, which may be blanks themselves, and a blank.
fn tag_in_field(field: &str) -> Option<Tag> {
    let inner = field.strip_suffix(' ').unwrap_or(field);
    let exact = inner.strip_prefix(' ').unwrap_or(inner);
    let text = match exact.chars().count() {
        4 if !exact.contains('\t') => exact,
        _ => field.trim(),
    };
    file_text::tag_of(text)
        .filter(|tag| *tag != *b"    ")
        .map(Tag)
}

fn outside_brackets(text: &str) -> String {
    let mut depth = 0u32;
    let keep = |char: char| match char {
        '(' => {
            depth += 1;
            ' '
        }
        ')' => {
            depth = depth.saturating_sub(1);
            ' '
        }
        _ if depth != 0 => ' ',
        char => char,
    };
    text.chars().map(keep).collect()
}

/// `Allocs Frees Diff Bytes Per-Alloc`, and with `/g` the names of drivers behind them.
fn poolmon(rest: &str) -> Option<Held> {
    let numbers = numbers(rest, 5);
    let (&[allocs, frees], rest) = numbers.split_first_chunk()?;
    let outstanding = allocs.saturating_sub(frees);
    let bytes = match *rest {
        [_, bytes, _] => bytes,
        [diff, bytes] if diff == outstanding => bytes,
        // Figures that fill their columns stand without a blank: 8 digits of Diff and 10 of Bytes.
        [both, each] => apart(both, each, outstanding)?,
        _ => return None,
    };
    Some(Held {
        bytes: Some(bytes),
        allocs: Some(outstanding),
    })
}

/// The bytes of `Diff` and `Bytes` that run together: the only end that makes so many bytes for each allocation.
fn apart(both: u64, each: u64, outstanding: u64) -> Option<u64> {
    let text = both.to_string();
    let mut ends = (1..text.len()).filter_map(|at| {
        let bytes: u64 = text
            .get(at..)
            .filter(|end| !end.starts_with('0'))?
            .parse()
            .ok()?;
        (bytes.checked_div(outstanding)? == each).then_some(bytes)
    });
    match (ends.next(), ends.next()) {
        (Some(bytes), None) => Some(bytes),
        _ => None,
    }
}

/// The integers at the start of a text, at most so many.
fn numbers(text: &str, most: usize) -> Vec<u64> {
    text.split_ascii_whitespace()
        .map_while(|word| match figure(word) {
            Some((figure, None)) => figure.count(),
            _ => None,
        })
        .take(most)
        .collect()
}

fn kd_line(line: &str, kd: Kd) -> Option<(Tag, [Held; 2])> {
    let exact = line.strip_prefix(' ').and_then(|line| {
        let (end, _) = line.char_indices().nth(4)?;
        let (tag, rest) = line.split_at_checked(end)?;
        rest.starts_with(' ').then_some((tag, rest))
    });
    let word = line.trim_start().split_once(char::is_whitespace);
    [exact, word].into_iter().flatten().find_map(|(tag, rest)| {
        let tag = file_text::tag_of(tag).filter(|tag| *tag != *b"    ")?;
        Some((Tag(tag), kd_figures(rest, kd)?))
    })
}

/// Old versions of kd begin the description right behind the last figure.
fn kd_figures(rest: &str, kd: Kd) -> Option<[Held; 2]> {
    let columns = match kd {
        Kd::Short => 4,
        Kd::Verbose => 8,
    };
    let mut words = rest.split_ascii_whitespace();
    let mut numbers = Vec::new();
    for column in 1..=columns {
        let word = words.next()?;
        let digits = match column == columns {
            true => word
                .find(|char: char| !char.is_ascii_digit())
                .and_then(|end| word.get(..end)),
            false => None,
        };
        numbers.push(digits.unwrap_or(word).parse().ok()?);
    }
    let held = |of: &[u64]| {
        let (allocs, bytes) = match *of {
            [allocs, bytes] => (allocs, bytes),
            [allocs, frees, _, bytes] => (allocs.saturating_sub(frees), bytes),
            _ => return None,
        };
        Some(Held {
            bytes: Some(bytes),
            allocs: Some(allocs),
        })
    };
    let (nonpaged, paged) = numbers.split_at_checked(columns / 2)?;
    Some([held(nonpaged)?, held(paged)?])
}
