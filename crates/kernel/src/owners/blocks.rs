//! What the books say of a tag's blocks: how many there are, how large they are, and of which sizes a site can be the maker.
//!
//! The tracker counts all blocks and their bytes, the big-page table lists blocks of a page and more, and headers tell of small
//! ones. A site whose size is a constant makes blocks of one size, which the allocator rounds up.

use super::Question;
use crate::Kernel;
use crate::leak::limits;
use crate::pool::headers::{HeaderLayout, LargeBlocks, scan};
use crate::pool::regions::regions;
use crate::pool::{BigBlock, Tag};
use rkd_dump::addr::PAGE_SIZE;
use rkd_dump::error::{Error, Result};
use rkd_pooltags::api::Pool;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// Bytes of a block's header, which small blocks have; blocks of a page and more have none.
const HEADER: u64 = 0x10;
/// What the allocator may put to a request besides its header: a pointer for the quota, and the rest of a cache line.
const SLACK: u64 = 0x50;
/// What the driver framework puts to a request: its object, and the driver's contexts behind it.
const FRAMEWORK_OBJECT: u64 = 0x200;

/// Blocks that were seen, and their sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// How many.
    pub blocks: u64,
    /// The smallest.
    pub smallest: u64,
    /// The size of most of them.
    pub commonest: u64,
    /// The largest.
    pub largest: u64,
}

impl Sizes {
    /// Of how many blocks have which size; `None` where none was seen.
    pub(super) fn of(counts: &BTreeMap<u64, u64>) -> Option<Sizes> {
        let (commonest, _) = counts.iter().max_by_key(|(_, count)| **count)?;
        Some(Sizes {
            blocks: counts.values().sum(),
            smallest: *counts.keys().next()?,
            commonest: *commonest,
            largest: *counts.keys().next_back()?,
        })
    }
}

/// What the books say of a tag's blocks in the pool in which it holds most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// The pool.
    pub pool: Pool,
    /// Blocks that the tracker counts.
    pub outstanding: u64,
    /// Their bytes, as the tracker counts them.
    pub bytes: u64,
    /// Blocks in the big-page table; `None` where it was not looked at, or has none.
    pub large: Option<Sizes>,
    /// Headers of small blocks; `None` where they were not looked for, or none was found.
    pub small: Option<Sizes>,
}

impl Blocks {
    /// What the tracker says. `None` where the tag holds nothing, or the dump does not say what.
    pub(super) fn of(question: &Question) -> Option<Blocks> {
        let pool = question.pool()?;
        let held = question.held?;
        let held = match pool {
            Pool::Nonpaged => held.nonpaged,
            Pool::Paged => held.paged,
        };
        Some(Blocks {
            pool,
            outstanding: held.outstanding(),
            bytes: held.bytes,
            large: None,
            small: None,
        })
        .filter(|blocks| blocks.outstanding > 0)
    }

    /// Bytes of one block on average.
    pub fn average(&self) -> u64 {
        self.bytes / self.outstanding.max(1)
    }

    /// Bytes of each block, where all books agree that they can be of one size.
    pub fn each(&self) -> Option<u64> {
        let each = self.average();
        let even = self.outstanding >= limits::FEW_ALLOCATIONS
            && self.bytes.is_multiple_of(self.outstanding);
        let pages = |bytes: u64| bytes.div_ceil(PAGE_SIZE);
        let large = self.large.is_none_or(|seen| {
            pages(seen.smallest) == pages(each) && pages(seen.largest) == pages(each)
        });
        // Freed blocks keep their headers, so that a few of other sizes say nothing.
        let small = self
            .small
            .is_none_or(|seen| seen.commonest.abs_diff(each) <= HEADER);
        (even && large && small).then_some(each)
    }

    /// Whether a request for so many bytes may have made these blocks. `None` where their sizes differ, and it may have made
    /// some of them.
    pub(super) fn made_by(&self, request: u64, framework: bool) -> Option<bool> {
        if let Some(each) = self.each() {
            return Some(can_make(request, each, framework));
        }
        // Where every block was seen, what lies outside the range of their sizes was not among them.
        let seen = [self.large, self.small].into_iter().flatten();
        let (count, smallest, largest) =
            seen.fold((0, u64::MAX, 0), |(count, low, high), sizes| {
                (
                    count + sizes.blocks,
                    low.min(sizes.smallest),
                    high.max(sizes.largest),
                )
            });
        let all_seen = count >= self.outstanding;
        (all_seen && (request > largest || largest_of(request, framework) < smallest))
            .then_some(false)
    }

    /// A sentence about how many of the large blocks are in the big-page table, where that is a difference.
    pub fn unlisted(&self, tag: Tag) -> Option<String> {
        let listed = self.large.map_or(0, |sizes| sizes.blocks);
        let should_be = self.average() >= PAGE_SIZE
            && listed.saturating_mul(20) < self.outstanding.saturating_mul(19);
        should_be.then(|| {
            format!(
                "the big-page table lists {listed} of the {} blocks with the tag {tag} that the tracker counts: of the others neither \
                 sizes nor contents can be seen",
                self.outstanding
            )
        })
    }
}

/// Whether a request may make a block of that size.
fn can_make(request: u64, block: u64, framework: bool) -> bool {
    (request..=largest_of(request, framework)).contains(&block)
}

/// The largest block that a request may make: the header, what is put to it, and the size class. Segment heaps (since 1809)
/// have classes of 16 bytes up to 1 KiB, of 64 bytes up to 2 KiB and of 128 bytes up to a page; the allocator before them has
/// 16 bytes throughout. From a page on both count in pages.
fn largest_of(request: u64, framework: bool) -> u64 {
    let extra = if framework { FRAMEWORK_OBJECT } else { 0 };
    let bytes = request.saturating_add(HEADER + SLACK + extra);
    let class = match bytes {
        0..=0x400 => HEADER,
        0x401..=0x800 => 0x40,
        0x801..=0xfff => 0x80,
        _ => PAGE_SIZE,
    };
    bytes.checked_next_multiple_of(class).unwrap_or(u64::MAX)
}

/// Looks for headers of the tag in the pool, in so many pages that it takes no time worth mentioning.
///
/// # Errors
/// Where the pool lies, or what a header looks like, cannot be told; [`Error::Stopped`].
pub(super) fn small(
    kernel: &Kernel,
    tag: Tag,
    pool: Pool,
    large: &[BigBlock],
    stop: &AtomicBool,
) -> Result<Option<Sizes>> {
    let layout = HeaderLayout::of(kernel)?;
    let large = LargeBlocks::of(large.iter());
    let same = |other: Tag| other.without_protection() == tag.without_protection();
    let (mut seen, mut pages) = (BTreeMap::new(), 0);
    let paged = pool == Pool::Paged;
    for region in regions(kernel)?
        .into_iter()
        .filter(|region| region.paged == paged)
    {
        let outcome = scan(kernel, region, &large, stop, |page, bytes| {
            for block in layout.candidates(page, bytes, region, same) {
                *seen.entry(block.bytes).or_default() += 1;
            }
            pages += 1;
            match pages < limits::MAX_HEADER_PAGES {
                true => Ok(()),
                false => Err(Error::Stopped),
            }
        });
        match outcome {
            Err(Error::Stopped) => break,
            other => other?,
        };
    }
    Ok(Sizes::of(&seen))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(outstanding: u64, bytes: u64, large: Option<Sizes>) -> Blocks {
        Blocks {
            pool: Pool::Nonpaged,
            outstanding,
            bytes,
            large,
            small: None,
        }
    }

    #[test]
    fn requests_make_blocks_of_their_class() {
        for (request, block, fits) in [
            (0x3f0, 0x400, true),
            (0x400, 0x410, true),
            (0x80, 0x90, true),
            (0x80, 0x70, false),
            (0x80, 0x14000, false),
            (0x14000, 0x14000, true),
            (0x13ff8, 0x14000, true),
            (0x14000, 0x1_8000, false),
            (0x7c8, 0x800, true),
            (u64::MAX, 0x10, false),
        ] {
            assert_eq!(
                can_make(request, block, false),
                fits,
                "{request:#x} {block:#x}"
            );
        }
        assert!(can_make(0x400, 0x5a0, true) && !can_make(0x400, 0x5a0, false));
    }

    #[test]
    fn blocks_are_of_one_size_where_all_books_say_so() {
        let listed = |smallest, largest| {
            Some(Sizes {
                blocks: 10,
                smallest,
                commonest: largest,
                largest,
            })
        };
        assert_eq!(blocks(10, 0x14_0000, None).each(), Some(0x2_0000));
        assert_eq!(
            blocks(10, 0x14_0000, listed(0x2_0000, 0x2_0000)).each(),
            Some(0x2_0000)
        );
        assert_eq!(
            blocks(10, 0x14_0000, listed(0x1_0000, 0x3_0000)).each(),
            None
        );
        assert_eq!(blocks(10, 0x14_0001, None).each(), None);
        // two blocks are even by chance
        assert_eq!(blocks(2, 0x200, None).each(), None);
        let all = blocks(10, 0x14_0000, listed(0x1_0000, 0x3_0000));
        assert_eq!(all.made_by(0x80, false), Some(false));
        assert_eq!(all.made_by(0x1_2000, false), None);
        assert_eq!(
            blocks(11, 0x14_0001, listed(0x1_0000, 0x3_0000)).made_by(0x80, false),
            None
        );
    }
}
