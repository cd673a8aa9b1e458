//! The pool tracker: per tag and processor, what was allocated and freed. A processor that frees what another one
//! allocated has a negative balance, so only the sum over all processors means anything.

use super::Windows;
use crate::plan::{Plan, PoolUse, Tag};
use crate::random::Random;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_symbols::SymbolTable;

/// Slots for tags; one more follows for tags that found none.
const SLOTS: usize = 0x1000;
/// Entries of the table for tags that came when the first was full.
const EXPANSION: usize = 0x80;
/// How many of the plan's tags, from the end of its list, came late.
const LATE: usize = 8;
/// What the slot of the homeless tags is called.
const OVERFLOW: [u8; 4] = *b"Ovfl";

const TYPE: &str = "_POOL_TRACKER_TABLE";

/// A field's offset and width, in bytes.
type FieldRange = (usize, usize);

/// Where the fields of an entry lie.
struct Layout {
    size: usize,
    key: FieldRange,
    non_paged: [FieldRange; 3],
    paged: [FieldRange; 3],
}

impl Layout {
    fn of(table: &SymbolTable) -> Result<Layout> {
        let place = |name: &str| -> Result<FieldRange> {
            let field = table.field(TYPE, name)?;
            Ok((
                field.offset as usize,
                table.size_of(field.ty).unwrap_or(8) as usize,
            ))
        };
        Ok(Layout {
            size: table.udt(TYPE).map_or(0, |udt| udt.size as usize),
            key: place("Key")?,
            non_paged: [
                place("NonPagedAllocs")?,
                place("NonPagedFrees")?,
                place("NonPagedBytes")?,
            ],
            paged: [
                place("PagedAllocs")?,
                place("PagedFrees")?,
                place("PagedBytes")?,
            ],
        })
    }

    fn put(&self, table: &mut [u8], slot: usize, place: FieldRange, value: u64) {
        let at = slot * self.size + place.0;
        if let Some(target) = table.get_mut(at..at + place.1) {
            target.copy_from_slice(value.to_le_bytes().get(..place.1).unwrap_or_default());
        }
    }

    fn put_share(&self, table: &mut [u8], slot: usize, tag: &Tag, share: &Share, master: bool) {
        // a processor's own table names a tag once it has seen it
        if master || share.non_paged != [0; 3] || share.paged != [0; 3] {
            self.put(
                table,
                slot,
                self.key,
                u64::from(u32::from_le_bytes(tag.tag)),
            );
        }
        for (place, value) in self.non_paged.iter().zip(share.non_paged) {
            self.put(table, slot, *place, value);
        }
        for (place, value) in self.paged.iter().zip(share.paged) {
            self.put(table, slot, *place, value);
        }
    }
}

/// Allocations, frees and the balance of bytes (wrapped where negative) of one processor.
#[derive(Clone, Copy, Default)]
struct Share {
    non_paged: [u64; 3],
    paged: [u64; 3],
}

/// Writes the tables.
pub(super) fn write(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    let layout = Layout::of(windows.table)?;
    let processors = plan.processors.max(1) as usize;
    let mut tables = vec![vec![0; (SLOTS + 1) * layout.size]; processors];
    let (early, late) = plan.tags.split_at(plan.tags.len().saturating_sub(LATE));
    let mut used = vec![false; SLOTS];
    for tag in early {
        let slot = free_slot(&mut used, tag.tag);
        for (cpu, share) in shares(tag, processors).iter().enumerate() {
            if let Some(table) = tables.get_mut(cpu) {
                layout.put_share(table, slot, tag, share, cpu == 0);
            }
        }
    }
    if let Some(master) = tables.first_mut() {
        layout.put(
            master,
            SLOTS,
            layout.key,
            u64::from(u32::from_le_bytes(OVERFLOW)),
        );
    }
    let mut expansion = vec![0; EXPANSION * layout.size];
    for (slot, tag) in late.iter().enumerate() {
        let whole = shares(tag, 1);
        if let Some(share) = whole.first() {
            layout.put_share(&mut expansion, slot, tag, share, true);
        }
    }

    let mut places = Vec::new();
    for table in &tables {
        places.push(place(windows, table)?);
    }
    let expansion_at = place(windows, &expansion)?;
    let master = places.first().copied().unwrap_or(Virt(0));
    windows.set_u64("PoolTrackTable", master.0)?;
    windows.set_u64("PoolTrackTableSize", SLOTS as u64 + 1)?;
    windows.set_u64("PoolTrackTableMask", SLOTS as u64 - 1)?;
    windows.set_u64("PoolTrackTableExpansion", expansion_at.0)?;
    windows.set_u64("PoolTrackTableExpansionSize", EXPANSION as u64)?;
    let array = windows.symbol("ExPoolTagTables")?;
    for (cpu, at) in places.iter().enumerate() {
        windows.memory.write_u64(array + cpu as u64 * 8, at.0)?;
    }
    Ok(())
}

fn place(windows: &mut Windows<'_>, table: &[u8]) -> Result<Virt> {
    let at = windows.pool.take(table.len() as u64, 0x1000);
    windows.memory.write(at, table)?;
    Ok(at)
}

/// The first free slot from the tag's hash on.
fn free_slot(used: &mut [bool], tag: [u8; 4]) -> usize {
    let start = (u64::from(u32::from_le_bytes(tag)).wrapping_mul(0x9e3d) >> 8) as usize % SLOTS;
    let free = |slot: &usize| used.get(*slot) == Some(&false);
    let slot = (start..SLOTS)
        .chain(0..start)
        .find(free)
        .unwrap_or(SLOTS - 1);
    if let Some(mark) = used.get_mut(slot) {
        *mark = true;
    }
    slot
}

/// Deals a tag's past to the processors.
fn shares(tag: &Tag, processors: usize) -> Vec<Share> {
    let mut random = Random::new(u64::from(u32::from_le_bytes(tag.tag)) ^ 0x706f_6f6c);
    let non_paged = deal(tag.non_paged, processors, &mut random);
    let paged = deal(tag.paged, processors, &mut random);
    non_paged
        .into_iter()
        .zip(paged)
        .map(|(non_paged, paged)| Share { non_paged, paged })
        .collect()
}

fn deal(of: PoolUse, processors: usize, random: &mut Random) -> Vec<[u64; 3]> {
    let allocations = split(of.count + of.freed, processors, random);
    let frees = split(of.freed, processors, random);
    let each = of.bytes.checked_div(of.count).unwrap_or(0x40);
    let mut rest = of.bytes;
    let mut shares: Vec<[u64; 3]> = Vec::new();
    for (allocated, freed) in allocations.into_iter().zip(frees) {
        let bytes = allocated.wrapping_sub(freed).wrapping_mul(each);
        rest = rest.wrapping_sub(bytes);
        shares.push([allocated, freed, bytes]);
    }
    // what rounding left over goes where there is a balance
    if let Some(share) = shares.iter_mut().max_by_key(|share| share[0]) {
        share[2] = share[2].wrapping_add(rest);
    }
    shares
}

/// Splits a number into so many parts of uneven size.
fn split(total: u64, parts: usize, random: &mut Random) -> Vec<u64> {
    let weights: Vec<u64> = (0..parts).map(|_| random.between(1, 20)).collect();
    let sum: u64 = weights.iter().sum();
    let mut out: Vec<u64> = weights
        .iter()
        .map(|weight| total / sum.max(1) * weight)
        .collect();
    let mut rest = total - out.iter().sum::<u64>();
    let mut part = random.below(parts as u64) as usize;
    while rest > 0 {
        let piece = rest.min((total / 5).max(1));
        if let Some(place) = out.get_mut(part % parts) {
            *place += piece;
        }
        rest -= piece;
        part += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_processors_add_up_and_some_are_negative() {
        let held = PoolUse {
            count: 16410,
            bytes: 8_117_664,
            freed: 1_234_567,
        };
        let shares = shares(
            &Tag {
                tag: *b"KETR",
                non_paged: held,
                paged: PoolUse::default(),
            },
            8,
        );
        let sum = |index: usize| {
            shares
                .iter()
                .fold(0_u64, |sum, share| sum.wrapping_add(share.non_paged[index]))
        };
        assert_eq!(
            (sum(0) - sum(1), sum(1), sum(2)),
            (16410, 1_234_567, 8_117_664)
        );
        assert!(
            shares
                .iter()
                .any(|share| share.non_paged[1] > share.non_paged[0])
        );
        assert!(shares.iter().any(|share| share.non_paged[2] > u64::MAX / 2));
    }

    #[test]
    fn a_split_is_whole() {
        for total in [0, 1, 7, 119, 1_000_003] {
            assert_eq!(
                split(total, 8, &mut Random::new(total)).iter().sum::<u64>(),
                total
            );
        }
    }
}
