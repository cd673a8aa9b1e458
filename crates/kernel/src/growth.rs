//! What grew between two looks at the same pools: one dump cannot tell a leak from a load, two can.

use crate::pool::{Tag, TagUse};
use std::collections::BTreeMap;

pub mod logs;

/// Tick marks of 100 ns in an hour.
const HOUR: f64 = 36_000_000_000.0;

/// One look at the pools of a machine.
#[derive(Clone, Debug, Default)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Use;

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
}
