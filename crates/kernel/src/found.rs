//! "Found 2 of 300", and why: what a search for pool blocks can and cannot have seen.

use crate::Kernel;
use crate::pool::Tag;
use crate::pool::tracker::tracker;
use crate::vm::vm;
use std::fmt;

/// What a search of pool found, beside what the kernel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Blocks that were found.
    pub blocks: u64,
    /// Blocks that the tracker counts as outstanding; `None` when its tables are not in the dump.
    pub tracked: Option<u64>,
    /// Pages of pool that were there to be searched; `None` when small blocks were not looked for.
    pub pages: Option<u64>,
    /// Pages of pool in use by the kernel's own counters, if it has them.
    pub in_use: Option<u64>,
}

impl Found {
    /// The account of a search for the tags that are `wanted`, in one of the pools or in both.
    pub fn new(
        kernel: &Kernel,
        wanted: impl Fn(Tag) -> bool,
        paged: Option<bool>,
        blocks: u64,
        pages: Option<u64>,
    ) -> Found {
        let in_pool = |is_paged: bool, outstanding: u64| match paged {
            Some(paged) if paged != is_paged => 0,
            _ => outstanding,
        };
        let tracked = tracker(kernel).ok().map(|tracker| {
            let tags = tracker.tags.iter().filter(|tag| wanted(tag.tag));
            let each = tags.map(|tag| {
                in_pool(false, tag.nonpaged.outstanding())
                    .saturating_add(in_pool(true, tag.paged.outstanding()))
            });
            each.fold(0, u64::saturating_add)
        });
        Found {
            blocks,
            tracked,
            pages,
            in_use: pages.and_then(|_| in_use(kernel, paged)),
        }
    }
}

/// Pages of pool in use, as `!vm` shows them.
fn in_use(kernel: &Kernel, paged: Option<bool>) -> Option<u64> {
    let vm = vm(kernel).ok()?;
    let pages = |key: &str| vm.counter(key)?.pages.clone().ok();
    // Kernels before Windows 8 have no second nonpaged pool.
    let nonpaged = || {
        Some(pages("nonpaged_pool_pages")? + pages("nonpaged_pool_nx_pages").unwrap_or_default())
    };
    match paged {
        Some(false) => nonpaged(),
        Some(true) => pages("paged_pool_pages"),
        None => Some(nonpaged()? + pages("paged_pool_pages")?),
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Found {
            blocks,
            tracked,
            pages,
            in_use,
        } = *self;
        let Some(tracked) = tracked else {
            return write!(
                f,
                "found {blocks} blocks; how many there should be cannot be told, because the tracker's tables are not in the dump"
            );
        };
        write!(
            f,
            "found {blocks} of the {tracked} blocks that the tracker counts as outstanding"
        )?;
        let Some(pages) = pages else {
            return match blocks < tracked {
                true => f.write_str("; smaller blocks are not in the big-page table"),
                false => Ok(()),
            };
        };
        write!(f, "; the dump has {pages}")?;
        match in_use {
            Some(in_use) => write!(f, " of the {in_use} pages of pool in use")?,
            None => f.write_str(" pages of pool")?,
        }
        let some_are_missing = in_use.is_none_or(|in_use| pages < in_use);
        match blocks.cmp(&tracked) {
            std::cmp::Ordering::Less if some_are_missing => {
                f.write_str(", and the other blocks lie mostly in those that it has not")
            }
            std::cmp::Ordering::Less => f.write_str(
                ", and the other blocks have no header there: their pages were used for something else since, or their \
                 allocator keeps its headers elsewhere",
            ),
            std::cmp::Ordering::Greater => {
                f.write_str("; headers stay behind when blocks are freed, so there can be more of them than blocks")
            }
            std::cmp::Ordering::Equal => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_three_hundred_has_a_reason() {
        let found = |blocks, tracked, pages, in_use| {
            Found {
                blocks,
                tracked: Some(tracked),
                pages,
                in_use,
            }
            .to_string()
        };
        assert_eq!(
            found(2, 300, Some(7), Some(1000)),
            "found 2 of the 300 blocks that the tracker counts as outstanding; the dump has 7 of the 1000 pages of pool in \
             use, and the other blocks lie mostly in those that it has not"
        );
        assert_eq!(
            found(2, 300, Some(7), None),
            "found 2 of the 300 blocks that the tracker counts as outstanding; the dump has 7 pages of pool, and the other \
             blocks lie mostly in those that it has not"
        );
        assert_eq!(
            found(2, 300, None, None),
            "found 2 of the 300 blocks that the tracker counts as outstanding; smaller blocks are not in the big-page table"
        );
        assert!(found(301, 300, Some(7), Some(7)).contains("headers stay behind"));
        assert!(found(299, 300, Some(7), Some(7)).contains("have no header there"));
        assert!(found(300, 300, Some(7), Some(9)).ends_with("7 of the 9 pages of pool in use"));
    }
}
