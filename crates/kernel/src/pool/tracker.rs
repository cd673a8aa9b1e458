//! The pool tracker: one table per processor that counts allocations, frees and bytes for every tag.
//!
//! The kernel keeps a table for each processor (`nt!ExPoolTagTables`), and table 0 *is* `nt!PoolTrackTable`: adding both
//! counts processor 0 twice. A processor that frees what another one allocated holds a negative figure, stored as a
//! wrapped unsigned one, so nothing may be judged before all tables are added up.

use super::Tag;
use crate::Kernel;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use std::collections::{BTreeMap, HashSet};

/// Larger tables than this are clipped: the kernel's own have at most 2^16 + 1 entries.
const MAX_TRACKER_ENTRIES: u64 = 1 << 20;
/// Windows runs on at most 2048 logical processors.
const MAX_PROCESSORS: u64 = 2048;

/// What one tag holds in one kind of pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Allocations since boot; 32 bits wide up to 14393, where it wraps.
    pub allocs: u64,
    /// Frees since boot.
    pub frees: u64,
    /// Bytes held now, rounded up to the allocator's granule.
    pub bytes: u64,
}

impl Use {
    /// Allocations that were not freed. Fewer allocations than frees can be seen when a dump is written while another
    /// processor counts; the kernel itself then takes them for equal.
    pub fn outstanding(&self) -> u64 {
        self.allocs.saturating_sub(self.frees)
    }

    fn add(&mut self, other: Use) {
        self.allocs = self.allocs.wrapping_add(other.allocs);
        self.frees = self.frees.wrapping_add(other.frees);
        self.bytes = self.bytes.wrapping_add(other.bytes);
    }

    fn is_zero(&self) -> bool {
        *self == Use::default()
    }
}

/// What one tag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TagUse {
    /// The tag.
    pub tag: Tag,
    /// Its nonpaged pool.
    pub nonpaged: Use,
    /// Its paged pool.
    pub paged: Use,
}

/// The sum over all processors.
#[derive(Debug)]
pub struct Tracker {
    /// One entry a tag, in the order of the tags' bytes.
    pub tags: Vec<TagUse>,
    /// How many processors' tables were read.
    pub tables: usize,
    /// What is missing, and why.
    pub notes: Vec<String>,
}

/// The offsets of one entry, by field name: the order of the fields changed between 14393 and 17763, the width of the
/// counts with it, and the size of the entry again in 20348.
struct Layout {
    size: usize,
    key: usize,
    nonpaged: [Column; 3],
    paged: [Column; 3],
}

#[derive(Clone, Copy)]
struct Column {
    offset: usize,
    width: usize,
}

impl Layout {
    fn of(kernel: &Kernel) -> Result<Layout> {
        const TYPE: &str = "_POOL_TRACKER_TABLE";
        let table = kernel.table()?;
        let column = |field: &str| -> Result<Column> {
            let field = table.field(TYPE, field)?;
            let width = table
                .size_of(field.ty)
                .filter(|w| matches!(w, 4 | 8))
                .ok_or_else(|| Error::NoType(TYPE.into()))?;
            Ok(Column {
                offset: field.offset as usize,
                width: width as usize,
            })
        };
        let size = table
            .udt(TYPE)
            .ok_or_else(|| Error::NoType(TYPE.into()))?
            .size as usize;
        Ok(Layout {
            size,
            key: column("Key")?.offset,
            nonpaged: [
                column("NonPagedAllocs")?,
                column("NonPagedFrees")?,
                column("NonPagedBytes")?,
            ],
            paged: [
                column("PagedAllocs")?,
                column("PagedFrees")?,
                column("PagedBytes")?,
            ],
        })
    }

    fn key(&self, entry: &[u8]) -> u32 {
        read(
            entry,
            Column {
                offset: self.key,
                width: 4,
            },
        ) as u32
    }

    fn uses(&self, entry: &[u8]) -> (Use, Use) {
        let of = |columns: &[Column; 3]| Use {
            allocs: read(entry, columns[0]),
            frees: read(entry, columns[1]),
            bytes: read(entry, columns[2]),
        };
        (of(&self.nonpaged), of(&self.paged))
    }

    /// Sums of 32-bit counters wrap at 32 bits, as each of them does.
    fn narrow(&self, usage: Use, columns: &[Column; 3]) -> Use {
        let cut = |value: u64, column: Column| {
            if column.width == 4 {
                value & 0xffff_ffff
            } else {
                value
            }
        };
        Use {
            allocs: cut(usage.allocs, columns[0]),
            frees: cut(usage.frees, columns[1]),
            bytes: cut(usage.bytes, columns[2]),
        }
    }
}

fn read(entry: &[u8], column: Column) -> u64 {
    let mut bytes = [0; 8];
    if let Some(source) = entry.get(column.offset..column.offset + column.width) {
        bytes[..column.width].copy_from_slice(source);
    }
    u64::from_le_bytes(bytes)
}

/// Sums the tracker.
///
/// # Errors
/// [`Error::NotInDump`] for a dump that never holds the tables, [`Error::NoSymbol`] or [`Error::NoType`] without the kernel's
/// symbols, a fault when not even one table can be read. Whatever is missing besides is in [`Tracker::notes`].
pub fn tracker(kernel: &Kernel) -> Result<Tracker> {
    if kernel.dump().triage().is_some() {
        return Err(Error::NotInDump(
            "this is a triage (\"small memory\") dump, which never holds the pool tables: ask for a kernel, automatic, active or \
             complete memory dump, or a live kernel dump from Task Manager"
                .into(),
        ));
    }
    let layout = Layout::of(kernel)?;
    let mut sum = Sum::new(kernel, &layout);
    sum.processors()?;
    sum.expansion();
    Ok(sum.finish())
}

struct Sum<'a> {
    kernel: &'a Kernel,
    layout: &'a Layout,
    tags: BTreeMap<Tag, (Use, Use)>,
    keys: Vec<u32>,
    homeless: Use,
    tables: usize,
    notes: Vec<String>,
}

impl<'a> Sum<'a> {
    fn new(kernel: &'a Kernel, layout: &'a Layout) -> Sum<'a> {
        Sum {
            kernel,
            layout,
            tags: BTreeMap::new(),
            keys: Vec::new(),
            homeless: Use::default(),
            tables: 0,
            notes: Vec::new(),
        }
    }

    /// The size is a power of two plus one, and the mask two less than the size: so a damaged size is noticed, and mended.
    fn entries(&mut self) -> Result<u64> {
        let plausible = |entries: &u64| {
            (3..=MAX_TRACKER_ENTRIES).contains(entries) && (entries - 1).is_power_of_two()
        };
        let size = self.kernel.global_u64("PoolTrackTableSize")?;
        if plausible(&size) {
            return Ok(size);
        }
        let by_mask = self.kernel.global_u64("PoolTrackTableMask");
        match by_mask.map(|mask| mask.wrapping_add(2)) {
            Ok(entries) if plausible(&entries) => {
                self.notes.push(format!(
                    "nt!PoolTrackTableSize is corrupt ({size}): nt!PoolTrackTableMask says {entries} entries"
                ));
                Ok(entries)
            }
            _ => Ok(size),
        }
    }

    fn processors(&mut self) -> Result<()> {
        let entries = self.entries()?;
        let master = self.kernel.global_virt("PoolTrackTable")?;
        let mut tables = vec![(0, master)];
        let mut seen = HashSet::from([master]);
        match self.kernel.symbol("ExPoolTagTables") {
            Ok(array) => {
                for cpu in 0..u64::from(self.kernel.processors()).min(MAX_PROCESSORS) {
                    match self.kernel.space().read_virt(array + cpu * 8) {
                        Ok(Virt(0)) => {}
                        Ok(at) if seen.insert(at) => tables.push((cpu, at)),
                        Ok(_) => {}
                        Err(fault) => self.notes.push(format!(
                            "the counts of processor {cpu} are missing: {fault}"
                        )),
                    }
                }
            }
            Err(error) => self.notes.push(format!(
                "only the first processor's counts are shown: {error}"
            )),
        }
        for (cpu, at) in tables {
            let what = format!("the table of processor {cpu}");
            let bytes = self.bytes_of(at, entries, &what);
            if cpu == 0 && bytes.is_empty() {
                return Err(self.kernel.space().read_u8(at).err().map_or_else(
                    || Error::NotInDump("the pool tracker is empty".into()),
                    Error::from,
                ));
            }
            self.add(&bytes, cpu == 0);
        }
        Ok(())
    }

    /// Tags that found no slot go to a second table, which only one processor's lock guards.
    fn expansion(&mut self) {
        let table = self.kernel.global_virt("PoolTrackTableExpansion");
        let size = self.kernel.global_u64("PoolTrackTableExpansionSize");
        match (table, size) {
            (Ok(at), Ok(entries)) if at.0 != 0 && entries != 0 => {
                let bytes = self.bytes_of(at, entries, "the expansion table");
                self.keys.clear();
                self.add(&bytes, true);
                self.tables -= usize::from(!bytes.is_empty());
            }
            (Ok(_), Ok(_)) => {}
            (Err(error), _) | (_, Err(error)) => self
                .notes
                .push(format!("the expansion table is missing: {error}")),
        }
    }

    fn bytes_of(&mut self, at: Virt, entries: u64, what: &str) -> Vec<u8> {
        let clipped = entries.min(MAX_TRACKER_ENTRIES);
        if clipped < entries {
            self.notes.push(format!(
                "{what} claims {entries} entries: only {clipped} were looked at"
            ));
        }
        let mut bytes = vec![0; clipped as usize * self.layout.size];
        let (read, fault) = self.kernel.space().read_prefix(at, &mut bytes);
        bytes.truncate(read - read % self.layout.size);
        if let Some(fault) = fault {
            self.notes.push(format!(
                "{what}: {} of {clipped} entries are in the dump ({fault})",
                bytes.len() / self.layout.size
            ));
        }
        bytes
    }

    /// A tag has the same slot in every processor's table, and a processor's own key may still be zero while the first
    /// table has the tag; so the first table's keys stand in.
    fn add(&mut self, bytes: &[u8], master: bool) {
        self.tables += usize::from(!bytes.is_empty());
        for (slot, entry) in bytes.chunks_exact(self.layout.size).enumerate() {
            let own = self.layout.key(entry);
            if master {
                self.keys.push(own);
            }
            let key = if own == 0 {
                self.keys.get(slot).copied().unwrap_or(0)
            } else {
                own
            };
            let (nonpaged, paged) = self.layout.uses(entry);
            if key == 0 {
                self.homeless.add(nonpaged);
                self.homeless.add(paged);
                continue;
            }
            let sums = self.tags.entry(Tag::from_u32(key)).or_default();
            sums.0.add(nonpaged);
            sums.1.add(paged);
        }
    }

    fn finish(mut self) -> Tracker {
        if !self.homeless.is_zero() {
            self.notes.push(format!(
                "{} bytes are counted in slots without a tag",
                self.homeless.bytes as i64
            ));
        }
        let layout = self.layout;
        let tags = self
            .tags
            .into_iter()
            .map(|(tag, (nonpaged, paged))| TagUse {
                tag,
                nonpaged: layout.narrow(nonpaged, &layout.nonpaged),
                paged: layout.narrow(paged, &layout.paged),
            })
            .collect();
        Tracker {
            tags,
            tables: self.tables,
            notes: self.notes,
        }
    }
}
