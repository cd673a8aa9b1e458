//! Which parts of the address space are pool.

use super::{BigBlock, BigTable};
use crate::Kernel;
use crate::vm::visible_state;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};

/// A stretch of the address space that is set aside for pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its first address.
    pub start: Virt,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it is paged pool.
    pub paged: bool,
}

/// Paged pool of Windows 7 began here on every machine; no symbol says so.
const PAGED_POOL_7: Virt = Virt(0xffff_f8a0_0000_0000);
/// Nonpaged pool of Windows 8.1 began here on every machine; no symbol says so.
const NONPAGED_POOL_8: Virt = Virt(0xffff_e000_0000_0000);
/// Where paged pool of Windows 8.1 began, when `MiPagedPoolStart` is not in the dump.
const PAGED_POOL_8: Virt = Virt(0xffff_c000_0000_0000);

/// The regions of nonpaged and of paged pool.
///
/// # Errors
/// Without nt's symbols, or when nothing in the dump says where pool is.
pub fn regions(kernel: &Kernel) -> Result<Vec<Region>> {
    let assigned = assigned(kernel);
    let found = match assigned {
        Ok(assigned) if !assigned.is_empty() => {
            named(kernel, &assigned).unwrap_or_else(|| by_blocks(kernel, &assigned))
        }
        _ => fixed(kernel),
    };
    if found.is_empty() {
        return Err(Error::NotInDump(
            "where pool lies in this kernel's address space cannot be told from the dump".into(),
        ));
    }
    Ok(found)
}

/// `SystemVaRegions` of Windows 10: base and size of each region, in an order that changed in 20348.
fn assigned(kernel: &Kernel) -> Result<Vec<(Virt, u64)>> {
    const REGION: &str = "_MI_SYSTEM_VA_ASSIGNMENT";
    let table = kernel.table()?;
    let array = table.field("_MI_VISIBLE_STATE", "SystemVaRegions")?;
    let stride = table
        .udt(REGION)
        .ok_or_else(|| Error::NoType(REGION.into()))?
        .size
        .max(1);
    let count = (table.size_of(array.ty).unwrap_or(0) / stride).min(64);
    let base = visible_state(kernel)? + array.offset;
    (0..count)
        .map(|index| {
            let at = base + index * stride;
            Ok((
                Virt(kernel.field_u64(at, REGION, "BaseAddress")?),
                kernel.field_u64(at, REGION, "NumberOfBytes")?,
            ))
        })
        .collect()
}

/// By the names of the indices, where the symbols have them.
fn named(kernel: &Kernel, assigned: &[(Virt, u64)]) -> Option<Vec<Region>> {
    let names = kernel
        .table()
        .ok()?
        .enumeration("_MI_ASSIGNED_REGION_TYPES")?;
    let region = |name: &str, paged: bool| {
        let index = usize::try_from(names.value_of(name)?).ok()?;
        let (start, bytes) = *assigned.get(index)?;
        (start.0 != 0 && bytes != 0).then_some(Region {
            start,
            bytes,
            paged,
        })
    };
    Some(
        [
            region("AssignedRegionNonPagedPool", false),
            region("AssignedRegionPagedPool", true),
        ]
        .into_iter()
        .flatten()
        .collect(),
    )
}

/// The built-in facts have no names for the indices; but a region that holds large blocks of a pool is that pool's.
fn by_blocks(kernel: &Kernel, assigned: &[(Virt, u64)]) -> Vec<Region> {
    let Ok(table) = BigTable::of(kernel) else {
        return Vec::new();
    };
    let mut found: Vec<Region> = Vec::new();
    let holder = |block: &BigBlock| {
        assigned
            .iter()
            .find(|(start, bytes)| block.va - *start < *bytes)
            .copied()
    };
    for batch in table.batches(kernel) {
        for block in &batch.blocks {
            let Some((start, bytes)) = holder(block) else {
                continue;
            };
            if !found.iter().any(|region| region.start == start) {
                found.push(Region {
                    start,
                    bytes,
                    paged: block.is_paged(),
                });
            }
        }
        if found.len() == 2 {
            break;
        }
    }
    found
}

/// Windows 7 and 8.1 have the pools at fixed places, some of which no symbol tells.
fn fixed(kernel: &Kernel) -> Vec<Region> {
    let value = |name: &str| kernel.global_u64(name).ok().filter(|value| *value != 0);
    let from_to = |start: u64, end: u64| (end > start).then(|| (Virt(start), end - start));
    let nonpaged = match (value("MmNonPagedPoolStart"), value("MiNonPagedPoolEnd")) {
        (Some(start), Some(end)) => from_to(start, end),
        _ => value("MmMaximumNonPagedPoolInBytes").map(|bytes| (NONPAGED_POOL_8, bytes)),
    };
    let paged = match (
        value("MiPagedPoolStart"),
        value("MmPagedPoolEnd"),
        value("MmSizeOfPagedPoolInBytes"),
    ) {
        (Some(start), Some(end), _) => from_to(start, end),
        (None, _, Some(bytes)) if kernel.symbol("MmNonPagedPoolStart").is_ok() => {
            Some((PAGED_POOL_7, bytes))
        }
        (_, _, Some(bytes)) => Some((PAGED_POOL_8, bytes)),
        _ => None,
    };
    let region = |(start, bytes): (Virt, u64), paged| Region {
        start,
        bytes,
        paged,
    };
    nonpaged
        .map(|place| region(place, false))
        .into_iter()
        .chain(paged.map(|place| region(place, true)))
        .collect()
}
