//! The table of big allocations: everything of a page and more, by address. A set bit 0 in the address says that the
//! slot is free; what was in it stays readable.

use super::{StructBuilder, Windows};
use crate::plan::{Block, Plan, Pool};
use crate::random::Random;
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::error::Result;

/// Slots of the table.
const SLOTS: usize = 0x1000;
const TYPE: &str = "_POOL_TRACKER_BIG_PAGES";

/// Writes the table, and the first page of each allocation whose contents the plan knows.
pub(super) fn write(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    let blank = free_slot(windows)?;
    let mut slots: Vec<Option<Vec<u8>>> = vec![None; SLOTS];
    let mut random = Random::named(TYPE);
    let mut next = [
        windows.regions.non_paged_pool + 0x1000_0000,
        windows.regions.paged_pool + 0x1000_0000,
    ];
    for block in plan.blocks.iter().take(SLOTS / 2) {
        let Some(place) = next.get_mut(usize::from(block.pool == Pool::Paged)) else {
            continue;
        };
        let at = *place;
        let pages = block.bytes.div_ceil(PAGE_SIZE);
        // neighbours are seldom neighbours: some pages of others lie in between
        *place = at + (pages + random.between(1, 48)) * PAGE_SIZE;
        let entry = entry(windows, block, at)?;
        if let Some(slot) = slot_for(&slots, at).and_then(|index| slots.get_mut(index)) {
            *slot = Some(entry);
        }
        if let Some(addresses) = block.contents {
            let bytes: Vec<u8> = addresses
                .iter()
                .flat_map(|address| address.0.to_le_bytes())
                .collect();
            let mut page = bytes;
            page.resize(PAGE_SIZE as usize, 0);
            windows.memory.write(at, &page)?;
        }
    }
    let in_use = plan
        .blocks
        .iter()
        .filter(|block| !block.stale)
        .count()
        .min(SLOTS / 2);
    let table: Vec<u8> = slots
        .into_iter()
        .flat_map(|slot| slot.unwrap_or_else(|| blank.clone()))
        .collect();
    let at = windows.pool.take(table.len() as u64, PAGE_SIZE);
    windows.memory.write(at, &table)?;
    windows.set_u64("PoolBigPageTable", at.0)?;
    windows.set_u64("PoolBigPageTableSize", SLOTS as u64)?;
    windows.set_u64("ExpPoolBigEntriesInUse", in_use as u64)?;
    Ok(())
}

/// A slot that was never used.
fn free_slot(windows: &Windows<'_>) -> Result<Vec<u8>> {
    let mut structure: StructBuilder<'_> = windows.structure(TYPE)?;
    structure.set("Va", 1)?;
    Ok(structure.bytes().to_vec())
}

fn entry(windows: &Windows<'_>, block: &Block, at: Virt) -> Result<Vec<u8>> {
    let mut structure = windows.structure(TYPE)?;
    structure.set("Va", at.0 | u64::from(block.stale))?;
    structure.set("Key", u64::from(u32::from_le_bytes(block.tag)))?;
    // paged 1; nonpaged 0, or 0x200 for the kind that cannot be executed
    let kind = match block.pool {
        Pool::Paged => 1,
        Pool::NonPagedNx if windows.knows_nx() => 0x200,
        Pool::NonPaged | Pool::NonPagedNx => 0,
    };
    structure.set("PoolType", kind)?;
    structure.set("NumberOfBytes", block.bytes)?;
    structure.set_if("SlushSize", 0);
    Ok(structure.bytes().to_vec())
}

/// The slot for an address: the first free one from its hash on.
fn slot_for(slots: &[Option<Vec<u8>>], at: Virt) -> Option<usize> {
    let product = (at.0 >> 12 & 0xffff_ffff).wrapping_mul(40543);
    let start = ((product ^ product >> 32) as usize) % SLOTS;
    (start..SLOTS)
        .chain(0..start)
        .find(|&slot| slots.get(slot).is_some_and(Option::is_none))
}
