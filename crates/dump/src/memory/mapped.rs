//! What of a range is there at all. Holes are skipped by whole table entries, so a range of terabytes that holds
//! nothing costs no more than one that holds a page.

use crate::PhysicalMemory;
use crate::addr::{PAGE_SIZE, Pfn, Virt};
use crate::bytes::ReadAt;
use crate::memory::blocks::Blocks;
use crate::memory::paged::{Next, Paged, shift};
use crate::memory::pte::Entry;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// A piece of memory that is contiguous in the file too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its first address.
    pub va: Virt,
    /// Its bytes; never empty.
    pub bytes: &'a [u8],
}

/// The present pieces of a range in ascending order; made by [`AddressSpace::mapped`](super::AddressSpace::mapped).
pub struct Mapped<'a> {
    /// The next address to look at; `None` when the end is reached.
    next: Option<u64>,
    /// The last address of the range, inclusive.
    last: u64,
    source: Source<'a>,
    stop: Option<&'a AtomicBool>,
}

enum Source<'a> {
    Blocks(&'a Blocks),
    Tables(Box<Tables<'a>>),
    Nothing,
}

impl<'a> Mapped<'a> {
    pub(super) fn of_blocks(blocks: &'a Blocks, start: Virt, len: u64) -> Mapped<'a> {
        Mapped::new(Source::Blocks(blocks), start, len)
    }

    pub(super) fn of_tables(space: &'a Paged, start: Virt, len: u64) -> Mapped<'a> {
        let source = match space.memory() {
            Ok(memory) if space.refusal().is_none() => {
                Source::Tables(Box::new(Tables::new(space, memory)))
            }
            _ => Source::Nothing,
        };
        Mapped::new(source, start, len)
    }

    fn new(source: Source<'a>, start: Virt, len: u64) -> Mapped<'a> {
        // 2^64 bytes cannot be said in a u64: its greatest value stands for all there are.
        let last = match len {
            u64::MAX => u64::MAX,
            _ => start.0.saturating_add(len.saturating_sub(1)),
        };
        Mapped {
            next: (len > 0).then_some(start.0),
            last,
            source,
            stop: None,
        }
    }

    /// The same, but it ends early when the flag is set: tables can describe millions of pages that the dump does not
    /// hold, and the walk from one piece to the next may take seconds.
    pub fn until(self, stop: &'a AtomicBool) -> Mapped<'a> {
        Mapped {
            stop: Some(stop),
            ..self
        }
    }

    /// Whether the walk was broken off because the tables map far more than the dump holds, as no Windows does: they are
    /// damaged, and point at each other. Meaningful once the iterator has ended.
    pub fn gave_up(&self) -> bool {
        matches!(&self.source, Source::Tables(tables) if tables.budget == 0)
    }
}

impl<'a> Iterator for Mapped<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        match &mut self.source {
            Source::Nothing => None,
            Source::Blocks(blocks) => {
                let (va, bytes) = blocks.first_in(self.next?, self.last)?;
                self.next = va.0.checked_add(bytes.len() as u64);
                Some(Piece { va, bytes })
            }
            Source::Tables(tables) => tables.piece(&mut self.next, self.last, self.stop),
        }
    }
}

/// A stretch of virtual memory and its place in the file.
#[derive(Clone, Copy)]
struct Extent {
    va: u64,
    offset: u64,
    len: u64,
}

impl Extent {
    fn continues(&self, next: &Extent) -> bool {
        self.va.checked_add(self.len) == Some(next.va)
            && self.offset.checked_add(self.len) == Some(next.offset)
    }
}

/// What is at an address.
enum Look {
    There(Extent),
    /// Nothing up to this address; `None` is the end of the address space.
    HoleUntil(Option<u64>),
}

/// A table that the walk is inside of.
#[derive(Clone, Copy)]
struct Inside<'a> {
    /// The part of the address that all its entries share.
    prefix: u64,
    pfn: Pfn,
    bytes: &'a [u8; 4096],
    /// Whether anything was found below it, or some of it was never looked at.
    in_use: bool,
}

/// The walk through page tables, which keeps the tables that it is inside of.
struct Tables<'a> {
    space: &'a Paged,
    memory: &'a dyn PhysicalMemory,
    inside: [Option<Inside<'a>>; 4],
    /// Tables (depth and frame) that were walked whole and held nothing. Damaged tables can lead to the same empty one
    /// a billion times; each is walked once.
    empty: HashSet<(usize, Pfn)>,
    /// Found, and not handed out yet: the next stretch may continue it.
    pending: Option<Extent>,
    /// Pages that may still be found. A page is rarely mapped more than twice in one address space; tables that point
    /// at themselves can map one 2^36 times.
    budget: u64,
}

/// Holes between two looks at the flag: some tens of microseconds.
const HOLES_PER_STOP_CHECK: u32 = 1024;
/// How often the memory of a dump may be mapped in one address space before the tables are taken for damaged.
const MAX_MAPPINGS_PER_PAGE: u64 = 64;
const MIN_PAGE_BUDGET: u64 = 1 << 20;
/// No more empty tables are remembered than this.
const MAX_EMPTY_TABLES: usize = 1 << 20;

impl<'a> Tables<'a> {
    fn new(space: &'a Paged, memory: &'a dyn PhysicalMemory) -> Tables<'a> {
        let budget = memory
            .present_pages()
            .saturating_mul(MAX_MAPPINGS_PER_PAGE)
            .max(MIN_PAGE_BUDGET);
        Tables {
            space,
            memory,
            inside: [None; 4],
            empty: HashSet::new(),
            pending: None,
            budget,
        }
    }

    /// The next piece: stretches are joined as long as they follow each other in the file.
    fn piece(
        &mut self,
        next: &mut Option<u64>,
        last: u64,
        stop: Option<&AtomicBool>,
    ) -> Option<Piece<'a>> {
        let mut holes: u32 = 0;
        while let Some(va) = next.filter(|va| *va <= last && self.budget > 0) {
            match self.look(va, last) {
                Look::HoleUntil(end) => {
                    *next = end;
                    holes = holes.wrapping_add(1);
                    if holes.is_multiple_of(HOLES_PER_STOP_CHECK)
                        && stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
                    {
                        *next = None;
                        break;
                    }
                    if self.pending.is_some() {
                        break;
                    }
                }
                Look::There(found) => {
                    *next = found.va.checked_add(found.len);
                    self.budget = self.budget.saturating_sub(found.len.div_ceil(PAGE_SIZE));
                    match &mut self.pending {
                        Some(pending) if pending.continues(&found) => pending.len += found.len,
                        pending => {
                            if let Some(piece) =
                                pending.replace(found).and_then(|done| self.hand_out(done))
                            {
                                return Some(piece);
                            }
                        }
                    }
                }
            }
        }
        let done = self.pending.take()?;
        self.hand_out(done)
    }

    fn hand_out(&self, extent: Extent) -> Option<Piece<'a>> {
        let bytes = self.memory.file().slice_at(extent.offset, extent.len)?;
        Some(Piece {
            va: Virt(extent.va),
            bytes,
        })
    }

    fn look(&mut self, va: u64, last: u64) -> Look {
        const LOWER_END: u64 = 1 << 47;
        const UPPER_START: u64 = LOWER_END.wrapping_neg();
        if (LOWER_END..UPPER_START).contains(&va) {
            return Look::HoleUntil(Some(UPPER_START));
        }
        let depth = self.deepest(va);
        if depth == 0 && self.inside[0].is_none() && !self.enter(0, va, self.space.root()) {
            return Look::HoleUntil(None);
        }
        for depth in depth..4 {
            let Some(bytes) = self.inside[depth].map(|inside| inside.bytes) else {
                break;
            };
            let index = (va >> shift(depth)) & 0x1ff;
            let entry = Entry(bytes.u64_at(index * 8).unwrap_or_default());
            if entry.0 == 0 {
                return Look::HoleUntil(after(va, shift(depth), zeroes(bytes, index)));
            }
            match self.space.next(entry, depth, true) {
                Next::Nothing(_) => return Look::HoleUntil(after(va, shift(depth), 1)),
                Next::Page(start, _) => return self.page(va, last, depth, start.pfn()),
                Next::Table(pfn) => {
                    if !self.enter(depth + 1, va, pfn) {
                        return Look::HoleUntil(after(va, shift(depth), 1));
                    }
                }
            }
        }
        Look::HoleUntil(after(va, shift(3), 1))
    }

    /// The depth of the innermost table that the address is inside of; tables that it has left are put away.
    fn deepest(&mut self, va: u64) -> usize {
        for depth in (1..4).rev() {
            if let Some(inside) = self.inside[depth] {
                if inside.prefix == prefix(va, depth) {
                    return depth;
                }
                if !inside.in_use && self.empty.len() < MAX_EMPTY_TABLES {
                    self.empty.insert((depth, inside.pfn));
                }
                self.inside[depth] = None;
            }
        }
        0
    }

    /// Goes into a table. `false` if the dump does not have it, or if it is known to be empty.
    fn enter(&mut self, depth: usize, va: u64, pfn: Pfn) -> bool {
        if self.empty.contains(&(depth, pfn)) {
            return false;
        }
        let (Some(bytes), Some(slot)) = (self.memory.page(pfn), self.inside.get_mut(depth)) else {
            return false;
        };
        // Entered in its middle, it cannot be called empty in the end.
        let from_start = va & ((1u64 << (shift(depth) + 9)) - 1) == 0;
        *slot = Some(Inside {
            prefix: prefix(va, depth),
            pfn,
            bytes,
            in_use: !from_start,
        });
        true
    }

    /// The part of a page from `va` on that is in the dump, up to `last`. A large page may be there in parts.
    fn page(&mut self, va: u64, last: u64, depth: usize, first: Pfn) -> Look {
        let size = 1u64 << shift(depth);
        let into = va & (size - 1);
        let page_last = (va | (size - 1)).min(last);
        let pfn = Pfn(first.0 + into / PAGE_SIZE);
        let wanted = (page_last / PAGE_SIZE) - (va / PAGE_SIZE) + 1;
        let Some(run) = self.memory.locate(pfn, wanted) else {
            let skip = match self.memory.next_present(pfn) {
                Some(next) if next.0 - pfn.0 < wanted => next.0 - pfn.0,
                _ => wanted,
            };
            return Look::HoleUntil(
                (va / PAGE_SIZE)
                    .checked_add(skip)
                    .and_then(|page| page.checked_mul(PAGE_SIZE)),
            );
        };
        for inside in self.inside.iter_mut().flatten() {
            inside.in_use = true;
        }
        let in_page = va % PAGE_SIZE;
        let len = (run.pages * PAGE_SIZE - in_page).min(page_last - va + 1);
        Look::There(Extent {
            va,
            offset: run.offset + in_page,
            len,
        })
    }
}

/// What the entries of one table at this depth have in common.
fn prefix(va: u64, depth: usize) -> u64 {
    va >> (shift(depth) + 9)
}

/// How many entries from `index` on are zero, as most entries of most tables are.
fn zeroes(table: &[u8; 4096], index: u64) -> u64 {
    let entries = table.as_chunks::<8>().0.iter().skip(index as usize);
    entries.take_while(|entry| **entry == [0; 8]).count() as u64
}

/// The first address after `entries` entries, of which the first covers `va`; `None` past the end of the address space.
fn after(va: u64, shift: u32, entries: u64) -> Option<u64> {
    ((va >> shift) + entries)
        .checked_shl(shift)
        .filter(|next| *next > va)
}
