//! Looks that other programs took: logs of PoolMon, tables of PoolMonX, of System Informer and of rkd itself as CSV.
//!
//! CSV is read by its headings where it has any. PoolMonX v3 saves none (its issue 5): the tag, then allocations, frees, their
//! difference and bytes, once for each pool, and what the list of tags says. Which pool comes first is then told by the dump it is
//! compared with.

use super::Look;
use crate::pool::{Tag, TagUse, Use};
use rkd_dump::error::{Error, Result};
use std::collections::BTreeMap;

/// Records of a table that are read; no machine has so many tags.
const MAX_RECORDS: usize = 1_000_000;

/// Reads what a program wrote. `near` is a look at the same machine, by which a table without headings is understood.
///
/// # Errors
/// [`Error::Syntax`] when it is none of the kinds that are known.
pub fn read(bytes: &[u8], near: &Look) -> Result<Look> {
    let text = text(bytes);
    match read_poolmon(&text) {
        Ok(look) => Ok(look),
        Err(poolmon) => read_csv(&text, near).ok_or(poolmon),
    }
}

/// PoolMonX writes UTF-16, as Windows programs do.
fn text(bytes: &[u8]) -> String {
    let wide = |from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| from(*pair))
            .collect();
        String::from_utf16_lossy(&units)
            .trim_start_matches('\u{feff}')
            .to_owned()
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [_, 0, _, 0, ..] => wide(u16::from_le_bytes),
        _ => String::from_utf8_lossy(bytes)
            .trim_start_matches('\u{feff}')
            .to_owned(),
    }
}

/// Reads a log of PoolMon (`poolmon -n`): a line for each tag and pool, `Tag Type Allocs Frees Diff Bytes Per-Alloc`, where
/// figures in brackets are changes since the last refresh.
///
/// # Errors
/// [`Error::Syntax`] when not a single line reads like that.
pub fn read_poolmon(text: &str) -> Result<Look> {
    let mut tags: BTreeMap<Tag, TagUse> = BTreeMap::new();
    for line in text.lines() {
        if let Some((tag, paged, allocs, frees, bytes)) = poolmon_line(line) {
            let usage = tags.entry(tag).or_insert(TagUse {
                tag,
                nonpaged: Default::default(),
                paged: Default::default(),
            });
            let pool = if paged {
                &mut usage.paged
            } else {
                &mut usage.nonpaged
            };
            (pool.allocs, pool.frees, pool.bytes) = (allocs, frees, bytes);
        }
    }
    if tags.is_empty() {
        return Err(Error::Syntax(
            "no line of it reads like a line of PoolMon: Tag Type Allocs Frees Diff Bytes".into(),
        ));
    }
    Ok(Look {
        tags: tags.into_values().collect(),
        uptime: None,
        booted: None,
    })
}

fn poolmon_line(line: &str) -> Option<(Tag, bool, u64, u64, u64)> {
    let line = line.strip_prefix(' ').unwrap_or(line);
    // The tag may hold blanks, so it is cut by columns; PoolMon writes its four characters and a blank.
    let (tag, rest) = (line.get(..4)?, line.get(4..)?);
    let mut words = rest.split_whitespace();
    let paged = match words.next()? {
        "Nonp" => false,
        "Paged" => true,
        _ => return None,
    };
    let bare: String = words.collect::<Vec<_>>().join(" ");
    let mut numbers = outside_brackets(&bare)
        .split_whitespace()
        .map(str::parse::<u64>)
        .collect::<Result<Vec<_>, _>>()
        .ok()?
        .into_iter();
    let (allocs, frees, _diff, bytes) = (
        numbers.next()?,
        numbers.next()?,
        numbers.next()?,
        numbers.next()?,
    );
    Some((
        Tag(tag.as_bytes().try_into().ok()?),
        paged,
        allocs,
        frees,
        bytes,
    ))
}

fn outside_brackets(text: &str) -> String {
    let mut depth = 0u32;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
        .collect()
}

/// One table, of whatever program.
fn read_csv(text: &str, near: &Look) -> Option<Look> {
    let separator = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|byte| text.bytes().take(1 << 16).filter(|b| b == byte).count())?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(text.as_bytes());
    let records: Vec<csv::StringRecord> = reader
        .records()
        .filter_map(Result::ok)
        .take(MAX_RECORDS)
        .collect();
    let columns = records.first().map(Columns::of)?;
    let look = match columns.tag {
        Some(_) => {
            let rows = records.iter().skip(1);
            look(rows.filter_map(|record| columns.read(record)).flatten())
        }
        None => {
            let paged_first = look(records.iter().filter_map(|r| bare(r, true)).flatten());
            let other = look(records.iter().filter_map(|r| bare(r, false)).flatten());
            match distance(&other, near) < distance(&paged_first, near) {
                true => other,
                false => paged_first,
            }
        }
    };
    (!look.tags.is_empty()).then_some(look)
}

/// What a record says of one pool.
type Part = (Tag, bool, Use);

fn look(parts: impl Iterator<Item = Part>) -> Look {
    let mut tags: BTreeMap<Tag, TagUse> = BTreeMap::new();
    for (tag, paged, held) in parts {
        let usage = tags.entry(tag).or_insert(TagUse {
            tag,
            nonpaged: Use::default(),
            paged: Use::default(),
        });
        match paged {
            true => usage.paged = held,
            false => usage.nonpaged = held,
        }
    }
    Look {
        tags: tags.into_values().collect(),
        uptime: None,
        booted: None,
    }
}

/// How far two looks are from one another, in bytes.
fn distance(look: &Look, near: &Look) -> u64 {
    let known: BTreeMap<Tag, &TagUse> = near.tags.iter().map(|usage| (usage.tag, usage)).collect();
    let apart = |usage: &TagUse| {
        let other = known.get(&usage.tag);
        let (nonpaged, paged) = other.map_or((0, 0), |o| (o.nonpaged.bytes, o.paged.bytes));
        usage
            .nonpaged
            .bytes
            .abs_diff(nonpaged)
            .saturating_add(usage.paged.bytes.abs_diff(paged))
    };
    look.tags.iter().map(apart).fold(0, u64::saturating_add)
}

fn tag(text: &str) -> Option<Tag> {
    // quoted or not, a blank at the end may have been lost
    let text = if text.len() > 4 { text.trim() } else { text };
    Tag::parse(text).ok()
}

/// `1,234,567`, `1 234`, `12 KB`: digits, and what people put between them.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_number = text
        .chars()
        .all(|c| c.is_ascii_digit() || " ,.'_\u{a0}".contains(c));
    digits.parse().ok().filter(|_| is_number)
}

/// Where a table with headings has what.
#[derive(Debug, Default)]
struct Columns {
    tag: Option<usize>,
    kind: Option<usize>,
    /// Allocations, frees, what is outstanding, and bytes: of both pools by the kind, of nonpaged, of paged.
    of: [[Option<usize>; 4]; 3],
}

impl Columns {
    fn of(heading: &csv::StringRecord) -> Columns {
        let mut columns = Columns::default();
        for (at, name) in heading.iter().enumerate() {
            let plain: String = name
                .to_ascii_lowercase()
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect();
            let pool = match () {
                () if plain.contains("nonp") => 1,
                () if plain.contains("paged") => 2,
                () => 0,
            };
            let what = match () {
                () if plain.contains("outstanding") || plain.contains("diff") => 2,
                () if plain.contains("alloc")
                    && !plain.contains("balloc")
                    && !plain.contains("per") =>
                {
                    0
                }
                () if plain.contains("free") => 1,
                () if plain.contains("kb") => continue,
                () if plain.contains("bytes")
                    || plain.contains("used")
                    || plain.contains("usage") =>
                {
                    3
                }
                () if plain == "tag" || plain == "tagname" || plain == "pooltag" => {
                    columns.tag.get_or_insert(at);
                    continue;
                }
                () if plain == "type" || plain == "pool" || plain == "pooltype" => {
                    columns.kind.get_or_insert(at);
                    continue;
                }
                () => continue,
            };
            columns.of[pool][what].get_or_insert(at);
        }
        let useful = columns.of.iter().any(|pool| pool[3].is_some());
        columns.tag = columns.tag.filter(|_| useful);
        columns
    }

    fn read(&self, record: &csv::StringRecord) -> Option<Vec<Part>> {
        let tag = tag(record.get(self.tag?)?)?;
        let cell = |at: Option<usize>| number(record.get(at?)?);
        let held = |[allocs, frees, outstanding, bytes]: [Option<usize>; 4]| {
            let bytes = cell(bytes)?;
            let frees = cell(frees).unwrap_or(0);
            let outstanding = cell(outstanding).unwrap_or(0);
            let allocs = cell(allocs).unwrap_or(outstanding + frees);
            Some(Use {
                allocs,
                frees,
                bytes,
            })
        };
        let kind = self
            .kind
            .and_then(|at| record.get(at))
            .map(str::to_ascii_lowercase);
        let mut parts = Vec::new();
        if let Some(kind) = kind {
            let paged = !kind.starts_with("non");
            parts.extend(held(self.of[0]).map(|held| (tag, paged, held)));
        }
        parts.extend(held(self.of[1]).map(|held| (tag, false, held)));
        parts.extend(held(self.of[2]).map(|held| (tag, true, held)));
        Some(parts)
    }
}

/// A record without headings: a tag, and four numbers for each pool, of which the third is the difference of the first two.
fn bare(record: &csv::StringRecord, paged_first: bool) -> Option<Vec<Part>> {
    let tag = tag(record.get(0)?)?;
    let four = |from: usize| {
        let at = |n: usize| number(record.get(from + n)?);
        let (allocs, frees, diff, bytes) = (at(0)?, at(1)?, at(2)?, at(3)?);
        (allocs.wrapping_sub(frees) == diff || diff == 0).then_some(Use {
            allocs,
            frees,
            bytes,
        })
    };
    if let Some(kind) = record.get(1).filter(|kind| number(kind).is_none()) {
        let paged = !kind.to_ascii_lowercase().starts_with("non");
        return Some(vec![(tag, paged, four(2)?)]);
    }
    Some(vec![
        (tag, paged_first, four(1)?),
        (tag, !paged_first, four(5)?),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Look {
        Look {
            tags: Vec::new(),
            uptime: None,
            booted: None,
        }
    }

    fn leak(look: &Look) -> (Use, Use) {
        let leak = look
            .tags
            .iter()
            .find(|usage| usage.tag == Tag(*b"Leak"))
            .unwrap();
        (leak.nonpaged, leak.paged)
    }

    const HELD: Use = Use {
        allocs: 130,
        frees: 11,
        bytes: 4_991_221_760,
    };

    #[test]
    fn poolmon_logs_are_read() {
        let log = " Memory: 8277684K Avail: 1780060K\n Tag  Type     Allocs            Frees            Diff   Bytes      Per Alloc\n\n \
                   Leak Nonp        119 (   3)         0 (   0)      119 4991221760 ( 125829120)  41943040\n \
                   Io   Paged        20 (   0)        12 (   0)        8       4096 (         0)       512\n";
        let look = read_poolmon(log).unwrap();
        assert_eq!(look.tags.len(), 2);
        let leak = look.tags.iter().find(|t| t.tag == Tag(*b"Leak")).unwrap();
        assert_eq!(
            leak.nonpaged,
            Use {
                allocs: 119,
                frees: 0,
                bytes: 4_991_221_760
            }
        );
        let io = look.tags.iter().find(|t| t.tag == Tag(*b"Io  ")).unwrap();
        assert_eq!(
            io.paged,
            Use {
                allocs: 20,
                frees: 12,
                bytes: 4096
            }
        );
        assert!(read_poolmon("hello").is_err());
    }

    #[test]
    fn tables_are_read_by_their_headings() {
        for table in [
            "Tag,Type,Allocs,Frees,Diff,Bytes,KBytes,B / Alloc,Source,Source Description,\nLeak,Non Paged,130,11,119,4991221760,4874240 KB,41943040,,,\n",
            "tag,tag_bytes,nonpaged_allocs,nonpaged_frees,nonpaged_outstanding,nonpaged_bytes,paged_allocs,paged_frees,paged_outstanding,paged_bytes\nLeak,4c65616b,130,11,119,4991221760,0,0,0,0\n",
            "Tag;Non-paged allocations;Non-paged frees;Non-paged bytes;Paged bytes\n\"Leak\";\"130\";\"11\";\"4.991.221.760\";0\n",
            "Pool Tag\tType\tDiff\tFrees\tBytes\nLeak\tNonp\t119\t11\t4,991,221,760\n",
        ] {
            let look = read(table.as_bytes(), &none()).unwrap();
            assert_eq!(leak(&look), (HELD, Use::default()), "{table}");
        }
    }

    #[test]
    fn without_headings_the_dump_tells_which_pool_is_which() {
        let table =
            "Leak,0,0,0,0,130,11,119,4991221760,,\nFile,5,2,3,300,0,0,0,0,nt!io,File objects\n";
        let near = |nonpaged, paged| Look {
            tags: vec![TagUse {
                tag: Tag(*b"Leak"),
                nonpaged,
                paged,
            }],
            ..none()
        };
        let look = read(table.as_bytes(), &near(HELD, Use::default())).unwrap();
        assert_eq!(leak(&look), (HELD, Use::default()));
        let look = read(table.as_bytes(), &near(Use::default(), HELD)).unwrap();
        assert_eq!(leak(&look), (Use::default(), HELD));
        let wide: Vec<u8> = table.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&wide, &none()).unwrap().tags.len(), 2);
    }

    #[test]
    fn what_is_no_table_of_tags_is_refused() {
        for text in [
            "",
            "hello",
            "a,b,c\n1,2,3\n",
            "Tag,Color\nLeak,red\n",
            "Leak,x,y\n",
            "\u{0}\u{0}\u{0}\u{0}",
            ",,,,\n,,,,\n",
        ] {
            assert!(read(text.as_bytes(), &none()).is_err(), "{text:?}");
        }
    }
}
