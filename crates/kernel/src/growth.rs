//! What grew between two looks at the same pools: one dump cannot tell a leak from a load, two can.

use crate::pool::{Tag, TagUse, Use};
use std::collections::BTreeMap;

pub mod lists;

/// Tick marks of 100 ns in an hour.
const HOUR: f64 = 36_000_000_000.0;

/// What a tag holds in one pool, as far as a source says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Allocations that were not freed.
    pub allocs: Option<u64>,
}

impl Held {
    /// Nothing, and that is known.
    const NOTHING: Held = Held {
        bytes: Some(0),
        allocs: Some(0),
    };
}

impl From<Use> for Held {
    fn from(usage: Use) -> Held {
        Held {
            bytes: Some(usage.bytes),
            allocs: Some(usage.outstanding()),
        }
    }
}

/// What a tag holds in both pools, as far as a source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagHeld {
    /// The tag.
    pub tag: Tag,
    /// Its nonpaged pool.
    pub nonpaged: Held,
    /// Its paged pool.
    pub paged: Held,
}

impl TagHeld {
    fn holds(&self) -> bool {
        let figures = |held: Held| [held.bytes, held.allocs];
        let all = [figures(self.nonpaged), figures(self.paged)];
        all.iter()
            .flatten()
            .any(|figure| figure.is_some_and(|figure| figure != 0))
    }
}

impl From<TagUse> for TagHeld {
    fn from(usage: TagUse) -> TagHeld {
        TagHeld {
            tag: usage.tag,
            nonpaged: usage.nonpaged.into(),
            paged: usage.paged.into(),
        }
    }
}

/// One look at the pools of a machine.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What each tag held.
    pub tags: Vec<TagHeld>,
    /// Whether a tag that is not among them held nothing. It may have held anything where somebody saved a part of a list.
    pub whole: bool,
    /// How long the machine had been up, in units of 100 ns; `None` when the source does not say.
    pub uptime: Option<u64>,
    /// When the machine was started, as a FILETIME; two looks at one run of a machine agree in it to a few seconds.
    pub booted: Option<u64>,
}

/// How one tag changed in both pools. A figure that one of the two looks does not give is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The tag.
    pub tag: Tag,
    /// Change of its nonpaged bytes.
    pub nonpaged_bytes: Option<i64>,
    /// Change of its outstanding nonpaged allocations.
    pub nonpaged_allocs: Option<i64>,
    /// Change of its paged bytes.
    pub paged_bytes: Option<i64>,
    /// Change of its outstanding paged allocations.
    pub paged_allocs: Option<i64>,
}

impl Growth {
    fn between(before: &TagHeld, after: &TagHeld) -> Growth {
        let change =
            |before: Option<u64>, after: Option<u64>| Some((after?).wrapping_sub(before?) as i64);
        Growth {
            tag: after.tag,
            nonpaged_bytes: change(before.nonpaged.bytes, after.nonpaged.bytes),
            nonpaged_allocs: change(before.nonpaged.allocs, after.nonpaged.allocs),
            paged_bytes: change(before.paged.bytes, after.paged.bytes),
            paged_allocs: change(before.paged.allocs, after.paged.allocs),
        }
    }

    /// Change over both pools, in bytes: of one, if that of the other is not known.
    pub fn bytes(&self) -> Option<i64> {
        sum(self.nonpaged_bytes, self.paged_bytes)
    }

    /// Change over both pools, in allocations: of one, if that of the other is not known.
    pub fn allocs(&self) -> Option<i64> {
        sum(self.nonpaged_allocs, self.paged_allocs)
    }
}

fn sum(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a.or(b).map(|_| a.unwrap_or(0).wrapping_add(b.unwrap_or(0)))
}

/// What two looks tell of the tags.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The tags that changed, those that grew most first.
    pub tags: Vec<Growth>,
    /// The tags that hold something in one look and that the other, which is a part of a list, lacks: their growth is not known.
    pub unknown: Vec<TagHeld>,
}

/// Compares two looks.
pub fn growth(before: &Look, after: &Look) -> Changes {
    let mut sides: BTreeMap<Tag, [Option<TagHeld>; 2]> = BTreeMap::new();
    for held in &before.tags {
        sides.entry(held.tag).or_default()[0] = Some(*held);
    }
    for held in &after.tags {
        sides.entry(held.tag).or_default()[1] = Some(*held);
    }
    let mut changes = Changes::default();
    for (tag, [earlier, later]) in sides {
        let lacking = |look: &Look| {
            let held = if look.whole {
                Held::NOTHING
            } else {
                Held::default()
            };
            TagHeld {
                tag,
                nonpaged: held,
                paged: held,
            }
        };
        let change = Growth::between(
            &earlier.unwrap_or(lacking(before)),
            &later.unwrap_or(lacking(after)),
        );
        match (change.bytes(), change.allocs()) {
            (None, None) => changes
                .unknown
                .extend(later.or(earlier).filter(TagHeld::holds)),
            (None | Some(0), None | Some(0)) => {}
            _ => changes.tags.push(change),
        }
    }
    changes
        .tags
        .sort_by_key(|change| std::cmp::Reverse(change.bytes()));
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

    fn look(tags: &[(&[u8; 4], u64, u64)], uptime: u64) -> Look {
        let held = |(tag, allocs, bytes): &(&[u8; 4], u64, u64)| TagHeld {
            tag: Tag(**tag),
            nonpaged: Held {
                allocs: Some(*allocs),
                bytes: Some(*bytes),
            },
            paged: Held::NOTHING,
        };
        Look {
            tags: tags.iter().map(held).collect(),
            whole: true,
            uptime: Some(uptime),
            booted: Some(0),
        }
    }

    fn shown(changes: &Changes) -> Vec<(String, Option<i64>, Option<i64>)> {
        let change = |g: &Growth| (g.tag.to_string(), g.bytes(), g.allocs());
        changes.tags.iter().map(change).collect()
    }

    #[test]
    fn what_grew_comes_first_and_what_stayed_is_left_out() {
        let mut before = look(&[(b"Leak", 10, 1000), (b"File", 5, 50), (b"Gone", 1, 7)], 0);
        let after = look(
            &[(b"Leak", 30, 5000), (b"File", 5, 50), (b"NewT", 2, 20)],
            18_000_000_000,
        );
        let leak = ("Leak".into(), Some(4000), Some(20));
        let gone = ("Gone".into(), Some(-7), Some(-1));
        assert_eq!(
            shown(&growth(&before, &after)),
            [
                leak.clone(),
                ("NewT".into(), Some(20), Some(2)),
                gone.clone()
            ]
        );
        assert_eq!(hours(&before, &after), Some(0.5));
        assert_eq!(hours(&after, &after), None);
        // of a part of a list nobody knows what it lacks
        before.whole = false;
        let changes = growth(&before, &after);
        assert_eq!(shown(&changes), [leak, gone]);
        assert_eq!(changes.unknown, [after.tags[2]]);
    }
}
