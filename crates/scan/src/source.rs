//! What can be searched: an address space, the writable part of one, or the physical memory of a dump.

use rkd_dump::Dump;
use rkd_dump::addr::{PAGE_SIZE, Pfn, Phys, Virt};
use rkd_dump::error::{Level, Why};
use rkd_dump::memory::AddressSpace;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Memory to search. Cheap to clone.
#[derive(Clone)]
pub enum Source {
    /// Virtual memory.
    Virtual(AddressSpace),
    /// The pages of virtual memory that may be written to, as far as the page tables tell.
    Writable(AddressSpace),
    /// The pages of the dump in physical order; addresses are physical. A triage dump has none.
    Physical(Arc<Dump>),
}

/// A damaged table can map the same memory again and again. Above this many times the size of the dump nobody is served.
const MAX_TIMES_MAPPED: u64 = 64;
const MIN_SPAN_LIMIT: u64 = 256 << 20;

impl Source {
    /// What there is of `len` bytes from `start` on: addresses and bytes, ascending, never empty. When the flag is set they
    /// may end early.
    pub(super) fn pieces<'a>(
        &'a self,
        start: u64,
        len: u64,
        stop: &'a AtomicBool,
    ) -> Box<dyn Iterator<Item = (u64, &'a [u8])> + 'a> {
        match self {
            Source::Virtual(space) => Box::new(
                space
                    .mapped(Virt(start), len)
                    .until(stop)
                    .map(|piece| (piece.va.0, piece.bytes)),
            ),
            Source::Writable(space) => Box::new(
                space
                    .mapped(Virt(start), len)
                    .until(stop)
                    .flat_map(move |piece| Writable {
                        space,
                        va: piece.va.0,
                        bytes: piece.bytes,
                    }),
            ),
            Source::Physical(dump) => physical(dump, start, len),
        }
    }

    /// Asks the system to fetch what is searched next, where it comes from a file in the file's order.
    pub(super) fn read_ahead(&self, start: u64, len: u64, stop: &AtomicBool) {
        if let Source::Physical(dump) = self {
            self.pieces(start, len, stop)
                .for_each(|(_, bytes)| dump.will_need(bytes));
        }
    }

    /// Tells the system that the pieces are done with, where they come from a file in the file's order.
    pub(super) fn release(&self, pieces: &[(u64, &[u8])]) {
        if let Source::Physical(dump) = self {
            pieces.iter().for_each(|(_, bytes)| dump.release(bytes));
        }
    }

    /// Why there is nothing at an address, and the last address for which the same must hold.
    pub(super) fn explain(&self, at: u64) -> (&'static str, u64) {
        match self {
            Source::Virtual(space) => explain(space, at),
            Source::Writable(space) if space.slice(Virt(at), 1).is_ok() => {
                ("read-only", at | (PAGE_SIZE - 1))
            }
            Source::Writable(space) => explain(space, at),
            Source::Physical(_) => ("not in the dump", u64::MAX),
        }
    }

    /// The reason with its figures, for one address.
    pub(super) fn fault(&self, at: u64) -> String {
        match self {
            Source::Virtual(space) | Source::Writable(space) => match space.slice(Virt(at), 1) {
                Err(fault) => fault.why.to_string(),
                Ok(_) => "read-only".to_string(),
            },
            Source::Physical(_) => format!("page {} is not in the dump", Phys(at).pfn()),
        }
    }

    /// How an address is written.
    pub(super) fn name(&self, at: u64) -> String {
        match self {
            Source::Physical(_) => Phys(at).to_string(),
            _ => Virt(at).to_string(),
        }
    }

    /// More bytes than this in one span can only come from damaged tables.
    pub(super) fn max_span_bytes(&self) -> u64 {
        match self {
            Source::Virtual(space) | Source::Writable(space) => (space.store_len() as u64)
                .saturating_mul(MAX_TIMES_MAPPED)
                .max(MIN_SPAN_LIMIT),
            Source::Physical(_) => u64::MAX,
        }
    }
}

fn physical(dump: &Dump, start: u64, len: u64) -> Box<dyn Iterator<Item = (u64, &[u8])> + '_> {
    let Some(memory) = dump.physical() else {
        return Box::new(std::iter::empty());
    };
    let Some(last) = len.checked_sub(1).map(|len| start.saturating_add(len)) else {
        return Box::new(std::iter::empty());
    };
    let mut next = Some(start);
    Box::new(std::iter::from_fn(move || {
        loop {
            let pfn = memory.next_present(Phys(next?).pfn())?;
            let first = next?.max(pfn.phys().0);
            if first > last {
                return None;
            }
            let pages = (last / PAGE_SIZE - pfn.0).saturating_add(1);
            let Some(run) = memory.run_at(pfn, pages) else {
                // Listed, but lost with the end of a cut file.
                next = Pfn(pfn.0.checked_add(1)?).0.checked_mul(PAGE_SIZE);
                continue;
            };
            let skip = (first - pfn.phys().0) as usize;
            let room = usize::try_from(last - first)
                .unwrap_or(usize::MAX)
                .saturating_add(1);
            let bytes = run.get(skip..).filter(|bytes| !bytes.is_empty())?;
            let bytes = bytes.get(..room).unwrap_or(bytes);
            next = first.checked_add(bytes.len() as u64);
            return Some((first, bytes));
        }
    }))
}

/// The writable parts of a piece.
struct Writable<'a> {
    space: &'a AddressSpace,
    va: u64,
    bytes: &'a [u8],
}

impl<'a> Writable<'a> {
    /// Takes the start of the piece as far as one page table entry reaches.
    fn page(&mut self) -> Option<(bool, u64, &'a [u8])> {
        if self.bytes.is_empty() {
            return None;
        }
        let (writable, size) = match self.space.translate(Virt(self.va)) {
            Ok(found) => (found.writable, found.page_size),
            Err(_) => (false, PAGE_SIZE),
        };
        let left = (size - (self.va & (size - 1))).min(self.bytes.len() as u64);
        let (page, rest) = self.bytes.split_at(left as usize);
        let va = self.va;
        self.va = va.wrapping_add(left);
        self.bytes = rest;
        Some((writable, va, page))
    }
}

impl<'a> Iterator for Writable<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<(u64, &'a [u8])> {
        loop {
            if let (true, va, page) = self.page()? {
                return Some((va, page));
            }
        }
    }
}

/// Bytes that one entry of the level stands for.
fn span(level: Level) -> u64 {
    match level {
        Level::Pxe => 1 << 39,
        Level::Ppe => 1 << 30,
        Level::Pde => 1 << 21,
        Level::Pte => 1 << 12,
    }
}

fn explain(space: &AddressSpace, at: u64) -> (&'static str, u64) {
    const UPPER_HALF: u64 = 0xffff_8000_0000_0000;
    let until = |bytes: u64| at | (bytes - 1);
    let Err(fault) = space.translate(Virt(at)) else {
        return ("not in the dump", until(PAGE_SIZE));
    };
    match fault.why {
        Why::NonCanonical => ("not canonical", UPPER_HALF - 1),
        Why::NotMapped(level) => ("not mapped", until(span(level))),
        Why::PageNotInDump { level: None, .. } => ("not in the dump", until(PAGE_SIZE)),
        // The whole table is missing: 512 entries.
        Why::PageNotInDump {
            level: Some(Level::Pxe),
            ..
        } => ("page tables not in the dump", u64::MAX),
        Why::PageNotInDump {
            level: Some(level), ..
        } => ("page tables not in the dump", until(span(level) << 9)),
        Why::NoBlock | Why::NoPageTables => ("not in the dump", u64::MAX),
        Why::PagedOut { .. } => ("paged out", until(PAGE_SIZE)),
        Why::Compressed { .. } => ("compressed", until(PAGE_SIZE)),
        Why::TablePagedOut { level, .. } => ("page tables paged out", until(span(level))),
        Why::TableCompressed { level, .. } => ("page tables compressed", until(span(level))),
        Why::DemandZero => ("demand zero", until(PAGE_SIZE)),
        Why::Prototype(_) => ("behind a prototype PTE", until(PAGE_SIZE)),
        Why::MappedFile(_) => ("of mapped files, not in memory", until(PAGE_SIZE)),
        Why::SeeVad => ("described only by a VAD", until(PAGE_SIZE)),
        Why::EndOfSpace => ("past the end of the address space", u64::MAX),
        Why::Unsupported(why) => (why, u64::MAX),
        Why::CorruptTable(level) => ("under corrupt page tables", until(span(level))),
    }
}
