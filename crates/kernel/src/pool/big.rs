//! The big-page table: every pool block of a page and more, with its tag, size and pool type.
//!
//! On kernels with segment heaps every block from about 0xfe0 bytes on is here, whichever part of the heap it came from.

use super::Tag;
use crate::Kernel;
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::bytes::ReadAt;
use rkd_dump::error::{Error, Fault, Result};
use rkd_symbols::Type;

const TYPE: &str = "_POOL_TRACKER_BIG_PAGES";
/// The table of a 24-TB server has 2^26 entries; a larger count is a lie.
const MAX_BIG_PAGE_ENTRIES: u64 = 1 << 28;
/// Entries read at once.
const BATCH: u64 = 4096;
/// `POOL_TYPE` bits.
const PAGED: u64 = 1;
const SESSION: u64 = 0x20;
const NX: u64 = 0x200;

/// A big block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BigBlock {
    /// Its address: page-aligned.
    pub va: Virt,
    /// Its tag.
    pub tag: Tag,
    /// Its `POOL_TYPE`.
    pub pool_type: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

impl BigBlock {
    /// Whether the block is paged pool.
    pub fn is_paged(&self) -> bool {
        self.pool_type & PAGED != 0
    }

    /// The pool's name as kd writes it.
    pub fn pool(&self) -> &'static str {
        match (
            self.pool_type & SESSION != 0,
            self.is_paged(),
            self.pool_type & NX != 0,
        ) {
            (true, true, _) => "Paged session pool",
            (true, false, _) => "Nonpaged session pool",
            (false, true, _) => "Paged pool",
            (false, false, _) => "Nonpaged pool",
        }
    }

    /// How many pages it takes.
    pub fn pages(&self) -> u64 {
        self.bytes.div_ceil(PAGE_SIZE)
    }
}

/// Where the table lies.
#[derive(Clone, Copy, Debug)]
pub struct BigTable {
    /// Its first entry.
    pub start: Virt,
    /// How many entries it has.
    pub entries: u64,
    stride: u64,
    va: u64,
    key: u64,
    bytes: u64,
    /// The offset and the bits of the pool type: a 32-bit field until 9600, twelve bits of one since 14393.
    pool_type: (u64, u32, u64),
}

/// The blocks of a stretch of the table, and what of the stretch is missing.
#[derive(Debug, Default)]
pub struct Batch {
    /// The blocks in use, in the order of the table.
    pub blocks: Vec<BigBlock>,
    /// Entries that are not in the dump.
    pub missing: u64,
    /// Why.
    pub why: Option<Fault>,
}

impl BigTable {
    /// Finds the table.
    ///
    /// # Errors
    /// Without nt's symbols, or when the table's variables are not in the dump.
    pub fn of(kernel: &Kernel) -> Result<BigTable> {
        if kernel.dump().triage().is_some() {
            return Err(Error::NotInDump(
                "this is a triage (\"small memory\") dump, which never holds the big-page table: ask for a kernel, automatic, active or \
                 complete memory dump"
                    .into(),
            ));
        }
        let table = kernel.table()?;
        let start = kernel.global_virt("PoolBigPageTable")?;
        let entries = kernel.global_u64("PoolBigPageTableSize")?;
        if entries > MAX_BIG_PAGE_ENTRIES {
            return Err(Error::Corrupt {
                what: "nt!PoolBigPageTableSize".into(),
                why: format!("{entries} entries are more than any machine has"),
            });
        }
        let pool_type = table.field(TYPE, "PoolType")?;
        let (shift, mask) = match pool_type.ty {
            Type::Bitfield {
                position, length, ..
            } => (u32::from(*position), (1u64 << length) - 1),
            _ => (0, u64::from(u32::MAX)),
        };
        Ok(BigTable {
            start,
            entries,
            stride: table
                .udt(TYPE)
                .ok_or_else(|| Error::NoType(TYPE.into()))?
                .size
                .max(1),
            va: table.field(TYPE, "Va")?.offset,
            key: table.field(TYPE, "Key")?.offset,
            bytes: table.field(TYPE, "NumberOfBytes")?.offset,
            pool_type: (pool_type.offset, shift, mask),
        })
    }

    /// The first address behind the table.
    pub fn end(&self) -> Virt {
        self.start + self.entries.wrapping_mul(self.stride)
    }

    /// Reads the table stretch by stretch: the first blocks are there at once, whatever the table's size.
    pub fn batches<'a>(&'a self, kernel: &'a Kernel) -> impl Iterator<Item = Batch> + 'a {
        (0..self.entries).step_by(BATCH as usize).map(move |first| {
            let entries = BATCH.min(self.entries - first);
            self.batch(kernel, first, entries)
        })
    }

    fn batch(&self, kernel: &Kernel, first: u64, entries: u64) -> Batch {
        let mut bytes = vec![0; (entries * self.stride) as usize];
        let mut batch = Batch::default();
        let mut done = 0;
        // A missing page costs its own entries, not those behind it.
        while done < bytes.len() {
            let at = self.start + first * self.stride + done as u64;
            let (read, fault) = kernel.space().read_prefix(at, &mut bytes[done..]);
            done += read;
            let Some(fault) = fault else { break };
            let hole = PAGE_SIZE - (at + read as u64).page_offset();
            batch.why = batch.why.or(Some(fault));
            batch.missing += hole.div_ceil(self.stride);
            done += hole as usize;
        }
        batch.missing = batch.missing.min(entries);
        batch.blocks = bytes
            .chunks_exact(self.stride as usize)
            .filter_map(|entry| self.block(entry))
            .collect();
        batch
    }

    /// Bit 0 of the address marks a free slot; an address or a key of zero one that was never used. Other low bits of the
    /// address carry flags on some kernels.
    fn block(&self, entry: &[u8]) -> Option<BigBlock> {
        let (va, key) = (entry.u64_at(self.va)?, entry.u32_at(self.key)?);
        if va & 1 != 0 || va == 0 || key == 0 {
            return None;
        }
        let (offset, shift, mask) = self.pool_type;
        let pool_type = u64::from(entry.u32_at(offset)?) >> shift & mask;
        Some(BigBlock {
            va: Virt(va).page(),
            tag: Tag::from_u32(key),
            pool_type,
            bytes: entry.u64_at(self.bytes)?,
        })
    }
}
