//! What grew between two looks at the same pools: one dump cannot tell a leak from a load, two can.

use crate::error::{Error, Result};
use crate::kernel::pool::{Tag, TagUse};
use std::collections::BTreeMap;

/// Tick marks of 100 ns in an hour.
const HOUR: f64 = 36_000_000_000.0;

/// One look at the pools of a machine.
#[derive(Clone, Debug)]
pub struct Look {
    /// What each tag held.
    pub tags: Vec<TagUse>,
    /// How long the machine had been up, in units of 100 ns; `None` when the source does not say.
    pub uptime: Option<u64>,
    /// When the machine was started, as a FILETIME; two looks at one run of a machine agree in it to a few seconds.
    pub booted: Option<u64>,
}

/// How one tag changed in both pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The tag.
    pub tag: Tag,
    /// Change of its nonpaged bytes.
    pub nonpaged_bytes: i64,
    /// Change of its outstanding nonpaged allocations.
    pub nonpaged_allocs: i64,
    /// Change of its paged bytes.
    pub paged_bytes: i64,
    /// Change of its outstanding paged allocations.
    pub paged_allocs: i64,
}

impl Growth {
    /// Change over both pools, in bytes.
    pub fn bytes(&self) -> i64 {
        self.nonpaged_bytes.wrapping_add(self.paged_bytes)
    }

    /// Change over both pools, in allocations.
    pub fn allocs(&self) -> i64 {
        self.nonpaged_allocs.wrapping_add(self.paged_allocs)
    }
}

/// The tags that changed, those that grew most first.
pub fn growth(before: &Look, after: &Look) -> Vec<Growth> {
    let mut changes: BTreeMap<Tag, Growth> = BTreeMap::new();
    for (look, sign) in [(before, -1i64), (after, 1)] {
        for usage in &look.tags {
            let none = Growth {
                tag: usage.tag,
                nonpaged_bytes: 0,
                nonpaged_allocs: 0,
                paged_bytes: 0,
                paged_allocs: 0,
            };
            let change = changes.entry(usage.tag).or_insert(none);
            let add = |sum: &mut i64, value: u64| {
                *sum = sum.wrapping_add(sign.wrapping_mul(value as i64))
            };
            add(&mut change.nonpaged_bytes, usage.nonpaged.bytes);
            add(&mut change.nonpaged_allocs, usage.nonpaged.outstanding());
            add(&mut change.paged_bytes, usage.paged.bytes);
            add(&mut change.paged_allocs, usage.paged.outstanding());
        }
    }
    let mut changes: Vec<Growth> = changes
        .into_values()
        .filter(|change| change.bytes() != 0 || change.allocs() != 0)
        .collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.bytes()));
    changes
}

/// The hours between two looks; `None` when a source does not say, or when they are the same moment.
pub fn hours(before: &Look, after: &Look) -> Option<f64> {
    let ticks = after.uptime?.checked_sub(before.uptime?)?;
    (ticks != 0).then_some(ticks as f64 / HOUR)
}

/// Whether both looks may be at the same run of the same machine: started within a minute of each other.
pub fn same_boot(a: &Look, b: &Look) -> Option<bool> {
    const MINUTE: u64 = 600_000_000;
    Some(a.booted?.abs_diff(b.booted?) < MINUTE)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pool::Use;

    fn look(tags: &[(&[u8; 4], u64, u64)], uptime: u64) -> Look {
        let usage = |(tag, allocs, bytes): &(&[u8; 4], u64, u64)| TagUse {
            tag: Tag(**tag),
            nonpaged: Use {
                allocs: *allocs,
                frees: 0,
                bytes: *bytes,
            },
            paged: Use::default(),
        };
        Look {
            tags: tags.iter().map(usage).collect(),
            uptime: Some(uptime),
            booted: Some(0),
        }
    }

    #[test]
    fn what_grew_comes_first_and_what_stayed_is_left_out() {
        let before = look(&[(b"Leak", 10, 1000), (b"File", 5, 50), (b"Gone", 1, 7)], 0);
        let after = look(
            &[(b"Leak", 30, 5000), (b"File", 5, 50), (b"NewT", 2, 20)],
            18_000_000_000,
        );
        let shown: Vec<(String, i64, i64)> = growth(&before, &after)
            .iter()
            .map(|g| (g.tag.to_string(), g.bytes(), g.allocs()))
            .collect();
        assert_eq!(
            shown,
            [
                ("Leak".into(), 4000, 20),
                ("NewT".into(), 20, 2),
                ("Gone".into(), -7, -1)
            ]
        );
        assert_eq!(hours(&before, &after), Some(0.5));
        assert_eq!(hours(&after, &after), None);
    }

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
}
