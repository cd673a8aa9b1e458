//! Candidates for small pool blocks: every sixteenth byte of pool that looks like a `POOL_HEADER`.
//!
//! A header is eight telling bytes and no signature, so that a hit is a candidate, not a proof: freed blocks keep theirs, and
//! on kernels with segment heaps only the heap's own bitmaps know which blocks are in use. The count beside the tracker's
//! figure says how much of a tag was found.

use super::regions::Region;
use super::{BigBlock, Tag};
use crate::Kernel;
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::error::{Error, Result};
use rkd_symbols::Type;
use std::sync::atomic::{AtomicBool, Ordering};

/// Blocks are counted, and headers aligned, in units of this many bytes on x64.
pub const GRANULE: u64 = 0x10;
/// `PoolType` of a header, Vista and later: bit 0 paged, bit 1 in use; the other bits that occur are quota, must-succeed,
/// cache-aligned and session.
const PLAUSIBLE_TYPE: u64 = 0x2f;
const IN_USE: u64 = 2;

/// What looks like a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The address of its header; the memory that the driver got begins one granule behind it.
    pub header: Virt,
    /// Its tag.
    pub tag: Tag,
    /// Its size in bytes, with the header.
    pub bytes: u64,
    /// Whether it lies in paged pool.
    pub paged: bool,
}

/// Where a header keeps its fields, in bits: 7601 packs them into 32 bits, later kernels into two times 16, at the same
/// places.
#[derive(Clone, Copy, Debug)]
pub struct HeaderLayout {
    previous: Bits,
    size: Bits,
    pool_type: Bits,
    tag: Bits,
}

#[derive(Clone, Copy, Debug)]
struct Bits {
    shift: u32,
    mask: u64,
}

impl Bits {
    fn of(self, header: u128) -> u64 {
        header.checked_shr(self.shift).unwrap_or(0) as u64 & self.mask
    }
}

impl HeaderLayout {
    /// The layout of this kernel.
    ///
    /// # Errors
    /// Without nt's types.
    pub fn of(kernel: &Kernel) -> Result<HeaderLayout> {
        const TYPE: &str = "_POOL_HEADER";
        let table = kernel.table()?;
        let bits = |name: &str| -> Result<Bits> {
            let field = table.field(TYPE, name)?;
            Ok(match field.ty {
                Type::Bitfield {
                    position, length, ..
                } => Bits {
                    shift: (field.offset as u32)
                        .saturating_mul(8)
                        .saturating_add(u32::from(*position)),
                    mask: (1u64 << length) - 1,
                },
                _ => {
                    return Err(Error::NoField {
                        ty: TYPE.into(),
                        field: name.into(),
                    });
                }
            })
        };
        let tag = table.field(TYPE, "PoolTag")?.offset as u32;
        Ok(HeaderLayout {
            previous: bits("PreviousSize")?,
            size: bits("BlockSize")?,
            pool_type: bits("PoolType")?,
            tag: Bits {
                shift: tag.saturating_mul(8),
                mask: u64::from(u32::MAX),
            },
        })
    }

    /// The candidates in one page of a region. `wanted` decides by tag: a caller that knows which tags exist rejects
    /// nearly all chance hits with it.
    pub fn candidates<'a>(
        &'a self,
        page: Virt,
        bytes: &'a [u8],
        region: Region,
        wanted: impl Fn(Tag) -> bool + 'a,
    ) -> impl Iterator<Item = Candidate> + 'a {
        let (headers, _) = bytes.as_chunks::<{ GRANULE as usize }>();
        headers
            .iter()
            .enumerate()
            .filter_map(move |(index, header)| {
                let header = u128::from_le_bytes(*header);
                // What hardly ever is right comes first: most of pool is no header.
                let pool_type = self.pool_type.of(header);
                if pool_type & !PLAUSIBLE_TYPE != 0 || pool_type & IN_USE == 0 {
                    return None;
                }
                let size = self.size.of(header) * GRANULE;
                let paged = pool_type & 1 != 0;
                let offset = index as u64 * GRANULE;
                let previous = self.previous.of(header) * GRANULE;
                let plausible = size != 0
                    && offset + size <= PAGE_SIZE
                    && previous <= offset
                    && paged == region.paged;
                let tag = self.tag.of(header) as u32;
                (plausible && tag != 0 && wanted(Tag::from_u32(tag))).then_some(Candidate {
                    header: page + offset,
                    tag: Tag::from_u32(tag),
                    bytes: size,
                    paged,
                })
            })
    }
}

/// The large blocks of a kind of pool by address: their pages hold no headers, whatever they look like.
#[derive(Debug, Default)]
pub struct LargeBlocks(Vec<(u64, u64)>);

impl LargeBlocks {
    /// Takes them from the big-page table.
    pub fn of<'a>(blocks: impl Iterator<Item = &'a BigBlock>) -> LargeBlocks {
        let mut ranges: Vec<(u64, u64)> = blocks
            .map(|block| {
                (
                    block.va.0,
                    block.va.0.saturating_add(block.pages() * PAGE_SIZE),
                )
            })
            .collect();
        ranges.sort_unstable();
        LargeBlocks(ranges)
    }

    /// Whether a large block covers the page.
    pub fn cover(&self, page: Virt) -> bool {
        let before = self.0.partition_point(|(start, _)| *start <= page.0);
        before
            .checked_sub(1)
            .and_then(|index| self.0.get(index))
            .is_some_and(|(_, end)| page.0 < *end)
    }
}

/// Looks at every page of the region that is in the dump, and answers how many those are.
///
/// # Errors
/// Whatever `each` answers for a page, and [`Error::Stopped`] when the flag is set.
pub fn scan(
    kernel: &Kernel,
    region: Region,
    large: &LargeBlocks,
    stop: &AtomicBool,
    mut each: impl FnMut(Virt, &[u8]) -> Result<()>,
) -> Result<u64> {
    let mut pages = 0;
    let pieces = kernel.space().mapped(region.start, region.bytes);
    for piece in pieces.until(stop) {
        for (index, page) in piece.bytes.chunks_exact(PAGE_SIZE as usize).enumerate() {
            let va = piece.va + index as u64 * PAGE_SIZE;
            pages += 1;
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            if !large.cover(va) {
                each(va, page)?;
            }
        }
    }
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Stopped);
    }
    Ok(pages)
}
