//! How much nonpaged pool is in use, and how it divides into executable and NX pool: from the descriptors of the old
//! allocator, or from the segment heaps that took its place (since 1809 beside it, since 19041 alone).

use super::no_counter;
use super::view::{CounterSource, View};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use std::collections::BTreeSet;

/// One NUMA node's nonpaged pool, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeUse {
    /// Executable nonpaged pool.
    pub nonpaged: u64,
    /// NX nonpaged pool.
    pub nonpaged_nx: u64,
    /// Paged pool.
    pub paged: u64,
}

/// What was found.
pub(super) struct Pools {
    /// `NonPagedPool Usage:`.
    pub nonpaged: Result<u64>,
    /// `NonPagedPoolNx Usage:`; `None` before Windows 8.
    pub nonpaged_nx: Option<Result<u64>>,
    /// The nodes; empty unless there are heaps.
    pub nodes: Vec<NodeUse>,
    /// Doubts.
    pub notes: Vec<String>,
}

/// `POOL_TYPE` NonPagedPoolNx.
const NX: u64 = 0x200;
/// `POOL_TYPE` PagedPool is bit 0.
const PAGED: u64 = 1;
const STATE: &str = "_EX_POOL_HEAP_MANAGER_STATE";
const NODE: &str = "_EX_HEAP_POOL_NODE";
const DESCRIPTOR: &str = "_POOL_DESCRIPTOR";
/// There are 64 nodes in the table, and as many descriptors at most.
const MAX_NODES: u64 = 64;

/// Reads the usage of the nonpaged pools.
pub(super) fn pools(view: &View) -> Pools {
    let kernel = view.kernel;
    let (mut notes, mut nodes) = (Vec::new(), Vec::new());
    let mut total = Ok(NodeUse::default());
    let mut known = false;
    if kernel.has_field(DESCRIPTOR, "PoolType") {
        known = true;
        total = add(total, descriptors(view));
    }
    if kernel.symbol("ExPoolState").is_ok() && kernel.has_field(NODE, "Heaps") {
        known = true;
        match heaps(view) {
            Ok(found) => {
                let sum = found
                    .iter()
                    .fold(NodeUse::default(), |sum, node| plus(sum, *node));
                nodes = found;
                total = add(total, Ok(sum));
            }
            Err(error) => total = Err(error),
        }
    }
    let allocated = allocated_of(view)
        .or_else(|| view.first(&[CounterSource::Variable("MmAllocatedNonPagedPool")]));
    match (known, total, allocated) {
        (true, Ok(total), allocated) if total != NodeUse::default() || allocated.is_none() => {
            if let Some(Ok(pages)) = allocated {
                let sum = total.nonpaged.wrapping_add(total.nonpaged_nx);
                if sum != pages {
                    notes.push(format!("the pools' own figures add up to {sum} pages of nonpaged pool, the memory manager counts {pages}"));
                }
            }
            Pools {
                nonpaged: Ok(total.nonpaged),
                nonpaged_nx: Some(Ok(total.nonpaged_nx)),
                nodes,
                notes,
            }
        }
        (_, total, Some(Ok(pages))) => {
            if let Err(error) = total {
                notes.push(format!("NonPagedPool Usage holds NX pool too, because the pools' own figures are missing: {error}"));
            }
            let why = "the memory manager counts both kinds of nonpaged pool together: see NonPagedPool Usage";
            Pools {
                nonpaged: Ok(pages),
                nonpaged_nx: Some(Err(Error::NotInDump(why.into()))),
                nodes,
                notes,
            }
        }
        (_, total, allocated) => {
            let why = total.err().or_else(|| allocated.and_then(Result::err));
            let why = why.unwrap_or_else(no_counter);
            Pools {
                nonpaged: Err(why.clone()),
                nonpaged_nx: Some(Err(why)),
                nodes,
                notes,
            }
        }
    }
}

/// `MiState.Pools` lies in front of the point where MiState outgrew its type, so no drift applies.
fn allocated_of(view: &View) -> Option<Result<u64>> {
    const PATH: &str = "Pools.AllocatedNonPagedPool";
    const TYPE: &str = "_MI_SYSTEM_INFORMATION";
    let state = view.state().ok()?;
    view.kernel
        .has_field(TYPE, PATH)
        .then(|| view.kernel.field_u64(state, TYPE, PATH))
}

fn plus(a: NodeUse, b: NodeUse) -> NodeUse {
    NodeUse {
        nonpaged: a.nonpaged.wrapping_add(b.nonpaged),
        nonpaged_nx: a.nonpaged_nx.wrapping_add(b.nonpaged_nx),
        paged: a.paged.wrapping_add(b.paged),
    }
}

fn add(a: Result<NodeUse>, b: Result<NodeUse>) -> Result<NodeUse> {
    Ok(plus(a?, b?))
}

/// The segment heaps of each node: 0 nonpaged, 1 nonpaged NX, 2 and 3 paged.
fn heaps(view: &View) -> Result<Vec<NodeUse>> {
    let kernel = view.kernel;
    let table = kernel.table()?;
    let state = kernel.symbol("ExPoolState")?;
    let count = kernel
        .field_u64(state, STATE, "NumberOfPools")?
        .min(MAX_NODES);
    let first = kernel.field_address(state, STATE, "PoolNode")?;
    let stride = table
        .udt(NODE)
        .ok_or_else(|| Error::NoType(NODE.into()))?
        .size;
    (0..count)
        .map(|node| {
            let heaps = kernel.field_address(first + node * stride, NODE, "Heaps")?;
            let pages = |index: u64| heap_pages(view, kernel.space().read_virt(heaps + index * 8)?);
            Ok(NodeUse {
                nonpaged: pages(0)?,
                nonpaged_nx: pages(1)?,
                paged: pages(2)?.wrapping_add(pages(3)?),
            })
        })
        .collect()
}

fn heap_pages(view: &View, heap: Virt) -> Result<u64> {
    const HEAP: &str = "_SEGMENT_HEAP";
    if heap.0 == 0 {
        return Ok(0);
    }
    let segments = view
        .kernel
        .field_u64(heap, HEAP, "MemStats.TotalCommittedPages")?;
    Ok(segments.wrapping_add(view.kernel.field_u64(heap, HEAP, "LargeCommittedPages")?))
}

/// The descriptors of the old allocator, each once: nt reaches the same one through several variables.
fn descriptors(view: &View) -> Result<NodeUse> {
    let kernel = view.kernel;
    let space = kernel.space();
    let mut found = BTreeSet::new();
    if let Ok(at) = kernel.symbol("NonPagedPoolDescriptor") {
        found.insert(at);
    }
    let arrays = [
        ("PoolVector", 2),
        ("ExpNonPagedPoolDescriptor", nodes(view)),
        ("ExpPagedPoolDescriptor", 0),
    ];
    for (name, count) in arrays {
        let Ok(array) = kernel.symbol(name) else {
            continue;
        };
        for index in 0..count {
            match space.read_virt(array + index * 8) {
                Ok(at) if at.is_kernel() => drop(found.insert(at)),
                _ => break,
            }
        }
    }
    let mut sum = NodeUse::default();
    for at in found {
        let pool_type = kernel.field_u64(at, DESCRIPTOR, "PoolType")?;
        let pages = descriptor_pages(view, at)?;
        match pool_type {
            paged if paged & PAGED != 0 => sum.paged = sum.paged.wrapping_add(pages),
            nx if nx & NX != 0 => sum.nonpaged_nx = sum.nonpaged_nx.wrapping_add(pages),
            _ => sum.nonpaged = sum.nonpaged.wrapping_add(pages),
        }
    }
    Ok(sum)
}

fn nodes(view: &View) -> u64 {
    view.kernel
        .global_u32("ExpNumberOfNonPagedPools")
        .map_or(1, u64::from)
        .clamp(1, MAX_NODES)
}

/// Since 14393 a descriptor counts what was taken and what was given back; before, what it holds.
fn descriptor_pages(view: &View, at: Virt) -> Result<u64> {
    let kernel = view.kernel;
    let read = |path| kernel.field_u64(at, DESCRIPTOR, path);
    if kernel.has_field(DESCRIPTOR, "PagesAllocated") {
        let taken = read("PagesAllocated")?.wrapping_add(read("BigPagesAllocated")?);
        return Ok(taken
            .wrapping_sub(read("PagesDeallocated")?.wrapping_add(read("BigPagesDeallocated")?)));
    }
    Ok(read("TotalPages")?.wrapping_add(read("TotalBigPages")?))
}
