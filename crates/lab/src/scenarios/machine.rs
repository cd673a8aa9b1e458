//! The PC of `notmyfault` before anybody started that tool: an ordinary machine, in which something else can go wrong.

use super::notmyfault;
use crate::plan::{Block, Driver, Module, ModuleBody, Plan, Pool, PoolUse, Tag};
use crate::version::Version;
use rkd_dump::addr::Virt;

/// The driver and the tag of the tool.
const TOOL: (&str, [u8; 4]) = ("myfault.sys", *b"Leak");
const PAGE: u64 = 0x1000;
/// Large blocks that are listed of a leak; the table has room for some thousands.
const MAX_BLOCKS: u64 = 600;

/// The machine as it was.
pub(super) fn healthy() -> Plan {
    let mut plan = notmyfault::plan();
    plan.modules.retain(|module| module.name != TOOL.0);
    plan.blocks.retain(|block| block.tag != TOOL.1);
    let held: u64 = plan
        .tags
        .iter()
        .filter(|tag| tag.tag == TOOL.1)
        .map(|tag| tag.non_paged.bytes / PAGE)
        .sum();
    plan.tags.retain(|tag| tag.tag != TOOL.1);
    grow(&mut plan, Pool::NonPaged, held, false);
    plan
}

/// What goes wrong: so many allocations under a tag that are never freed.
#[derive(Clone, Copy)]
pub(super) struct Leak {
    pub tag: [u8; 4],
    pub pool: Pool,
    pub count: u64,
    /// Bytes of each; a page and more makes large blocks.
    pub each: u64,
    /// Allocations that were freed again.
    pub freed: u64,
    /// What the first pages of a few of them begin with.
    pub contents: Option<[Virt; 3]>,
}

/// The machine after it has happened.
pub(super) fn leaking(leak: &Leak) -> Plan {
    let mut plan = healthy();
    self::leak(&mut plan, leak);
    plan
}

/// Lets it happen. What the tag held before is forgotten.
pub(super) fn leak(plan: &mut Plan, leak: &Leak) {
    let held = PoolUse {
        count: leak.count,
        bytes: leak.count * leak.each,
        freed: leak.freed,
    };
    let mut tag = Tag {
        tag: leak.tag,
        ..Tag::default()
    };
    match leak.pool {
        Pool::Paged => tag.paged = held,
        Pool::NonPaged | Pool::NonPagedNx => tag.non_paged = held,
    }
    plan.tags.retain(|other| other.tag != leak.tag);
    plan.tags.insert(0, tag);
    if leak.each >= PAGE {
        let blocks = (0..leak.count.min(MAX_BLOCKS)).map(|index| Block {
            tag: leak.tag,
            bytes: leak.each,
            pool: leak.pool,
            stale: false,
            contents: leak.contents.filter(|_| index % 23 == 5),
        });
        plan.blocks.splice(0..0, blocks);
    }
    grow(plan, leak.pool, held.bytes / PAGE, true);
}

/// Moves pages between what is free and a pool.
fn grow(plan: &mut Plan, pool: Pool, pages: u64, larger: bool) {
    let counters = &mut plan.counters;
    let moved = |from: &mut u64| match larger {
        true => *from = from.saturating_add(pages),
        false => *from = from.saturating_sub(pages),
    };
    match pool {
        Pool::Paged => moved(&mut counters.paged_pool),
        Pool::NonPaged => {
            moved(&mut counters.non_paged_pool);
            moved(&mut counters.non_paged_pool_commit);
        }
        Pool::NonPagedNx => {
            moved(&mut counters.non_paged_pool_nx);
            moved(&mut counters.non_paged_pool_commit);
        }
    }
    moved(&mut counters.system_commit);
    moved(&mut counters.committed);
    for free in [&mut counters.available, &mut counters.resident_available] {
        *free = match larger {
            true => free.saturating_sub(pages),
            false => free.saturating_add(pages),
        };
    }
}

/// A driver of another maker, at a place where no other is: the number counts from 0.
pub(super) fn driver(name: &str, number: u64, maker: &str, driver: Driver) -> Module {
    let stem = name.trim_end_matches(".sys");
    Module {
        name: name.to_owned(),
        alias: None,
        folder: "\\SystemRoot\\System32\\drivers\\",
        base: place(number),
        size: SIZE,
        time_stamp: 0x64a1_0000 + 0x1357 * number as u32,
        checksum: 0x1_5000 + 0x321 * number as u32,
        body: ModuleBody::Driver(Box::new(Driver {
            version: Some(Version {
                company: maker.to_owned(),
                description: format!("{stem} driver"),
                file: [2, 4, 0, 118 + number as u16],
                product: format!("{maker} {stem}"),
                name: name.to_owned(),
                copyright: format!("Copyright (C) {maker}"),
            }),
            ..driver
        })),
    }
}

/// Bytes of such a driver.
pub(super) const SIZE: u32 = 0x9000;

/// Where it lies.
pub(super) fn place(number: u64) -> Virt {
    Virt(0xffff_f807_4a00_0000 + number * 0x1_0000)
}
