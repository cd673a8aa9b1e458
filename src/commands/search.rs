//! `!search`: a number of a pointer's size, or nearly that number, anywhere in physical memory.

use crate::command::signature::{Item, Kind, given};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::addr::{PAGE_SIZE, Pfn, Phys, Virt};
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_scan::{Event, Hits, Pattern, Patterns, Source, Span};
use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// `!search`: search physical memory for a pointer.
pub static COMMAND: Command = Command {
    name: "!search",
    aliases: &[],
    rhai: "search_physical",
    topic: Topic::Memory,
    summary: "search physical memory for a pointer",
    grammar: Grammar::of(&[
        Item::flag("-s", "nothing, as in kd"),
        Item::flag("-p", "Data has 32 bits, and its sign is not extended"),
        Item::required("Data", Kind::Number, "the number"),
        Item::optional("Delta", Kind::Number, "all from Data-Delta to Data+Delta, and those that differ from Data-Delta in a single bit"),
        Item::optional("StartPFN", Kind::Number, "the first page"),
        Item::optional("EndPFN", Kind::Number, "the last page"),
    ]),
    help: "\
Searches all pages of the dump, whoever owns them, for an 8-byte number at addresses that are multiples of 8: for every place
that points at a pool block, an object, a module.

Without Delta, or with 0, numbers that differ from Data in a single bit are found too (a sign of bad memory).

Va is the address at which the kernel has the page, by the PFN database or the page tables, and Pte the address of its page table
entry; both stay empty when no kernel address has it.",
    examples: &[Example { line: "!search myfault", shows: "who points at a driver", output: "\
Searching PFNs in range 000001AD - 002305FF for [FFFFF80747F50000 - FFFFF80747F50000]

Pfn      Offset   Hit              Va               Pte              
- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
0001B461 00000CE0 FFFFF80747F50000 FFFF91000010BCE0 FFFFA4C880000858 
0001B4EF 00000120 FFFFF80747F50000 FFFFF80747F50120 FFFFA4FC03A3FA80 
Search done." }],
    rows: &[PhysicalHit::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let request = Request::of(args)?;
    let kernel = session.target.kernel.clone();
    let Some(memory) = kernel.dump().physical() else {
        return Err(Error::NotInDump(
            "There is no physical memory in this dump: it holds blocks of virtual memory only."
                .into(),
        ));
    };
    let first = memory
        .next_present(Pfn(request.first.unwrap_or(0)))
        .unwrap_or_default();
    let last = match request.last {
        Some(last) => Pfn(last),
        None => memory
            .runs()
            .last()
            .map_or(first, |run| Pfn(run.first.0 + run.pages.saturating_sub(1))),
    };
    let (low, high) = request.bounds();
    out.text(&format!(
        "Searching PFNs in range {:08X} - {:08X} for [{low:016X} - {high:016X}]\n\n{:<8} {:<8} {:<16} {:<16} {:<16} \n{}",
        first.0,
        last.0,
        "Pfn",
        "Offset",
        "Hit",
        "Va",
        "Pte",
        "- ".repeat(35).trim_end(),
    ))?;
    let pages = last
        .0
        .checked_sub(first.0)
        .map_or(0, |pages| pages.saturating_add(1));
    out.table(PhysicalHit::SCHEMA)?;
    let span = Span {
        start: first.phys().0,
        len: pages.saturating_mul(PAGE_SIZE),
    };
    let patterns = Arc::new(Patterns::new(request.patterns())?);
    let mut hits = Hits::new(
        Source::Physical(kernel.dump().clone()),
        vec![span],
        patterns,
        Arc::clone(&session.control.stop),
    );
    let owners = Owners::new(&kernel, &session.control.stop);
    let mut before = None;
    let end = hits.each(|event| match event {
        // A number can be near Data and a bit away from its lower bound: one line for both.
        Event::Hit(hit) if before == Some(hit.address) => Ok(()),
        Event::Hit(hit) => {
            before = Some(hit.address);
            let at = Phys(hit.address);
            let page = memory.page(at.pfn());
            let bytes =
                page.and_then(|page| page.get(at.page_offset() as usize..)?.first_chunk::<8>());
            let value = bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
            let (va, pte) = owners.of(at.pfn()).unzip();
            out.row(&PhysicalHit {
                physical: at,
                pfn: at.pfn(),
                offset: at.page_offset(),
                value: Virt(value),
                exact: value == request.data,
                va: va.map(|page: Virt| page + at.page_offset()),
                pte: pte.flatten(),
            })
        }
        Event::Progress { done, total } => out.progress(done, total, "bytes"),
    });
    let coverage = match end {
        Ok(()) => hits.coverage(),
        // Ctrl-C reaches the screen before it reaches the search.
        Err(Error::Stopped) => hits.break_off(),
        Err(error) => return Err(error),
    };
    if coverage.stopped_at.is_some() {
        out.note(&coverage.to_string())?;
        return Err(Error::Stopped);
    }
    out.text("Search done.")?;
    out.note(&match coverage.read / PAGE_SIZE {
        1 => "1 page of physical memory was searched".to_string(),
        pages => format!("{pages} pages of physical memory were searched"),
    })
}

/// What is typed.
struct Request {
    data: u64,
    delta: u64,
    first: Option<u64>,
    last: Option<u64>,
}

impl Request {
    fn of(args: &Args) -> Result<Request> {
        let (first, last) = (args.number("StartPFN"), args.number("EndPFN"));
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            return Err(COMMAND.misuse(&format!(
                "no page lies between {first:x} and {last:x}: the first number of a range is the smaller one"
            )));
        }
        let data = given(args.number("Data"))?;
        Ok(Request {
            data: match args.has("p") {
                true => data & u64::from(u32::MAX),
                false => data,
            },
            delta: args.number("Delta").unwrap_or_default(),
            first,
            last,
        })
    }

    fn bounds(&self) -> (u64, u64) {
        (
            self.data.saturating_sub(self.delta),
            self.data.saturating_add(self.delta),
        )
    }

    fn patterns(&self) -> Vec<Pattern> {
        let (low, high) = self.bounds();
        let mut patterns = between(low, high);
        patterns.extend((0..64).map(|bit| Pattern::bytes((low ^ (1 << bit)).to_le_bytes())));
        patterns
            .into_iter()
            .map(|pattern| pattern.aligned(8))
            .collect()
    }
}

/// The numbers from `low` to `high` as blocks of which only the upper bits are fixed: at most 126.
fn between(low: u64, high: u64) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    let mut next = Some(low);
    while let Some(start) = next.filter(|start| *start <= high) {
        // The largest block that begins here and ends at `high` or before; one bit of 64 stays fixed.
        let fits = |bits: &u32| start.trailing_zeros() >= *bits && (1 << bits) - 1 <= high - start;
        let free = (1..64).take_while(fits).last().unwrap_or(0);
        let block = (1u64 << free) - 1;
        patterns.extend(Pattern::masked(
            &start.to_le_bytes(),
            &(!block).to_le_bytes(),
        ));
        next = (start | block).checked_add(1);
    }
    patterns
}

/// Which kernel address a page has: what the PFN database says, or else the page tables, read backwards.
struct Owners<'a> {
    kernel: &'a Kernel,
    stop: &'a AtomicBool,
    /// Where the database begins, and the size of its entries.
    database: Option<(Virt, u64)>,
    /// Where the page tables are mapped: 512 GiB.
    tables: Option<Virt>,
    /// Everything the kernel has mapped, by its place in the file: made when the database is of no use.
    mapped: OnceCell<Vec<(usize, usize, Virt)>>,
}

/// No more pieces of mapped memory than this are kept.
const MAX_PIECES: usize = 1 << 20;

impl<'a> Owners<'a> {
    fn new(kernel: &'a Kernel, stop: &'a AtomicBool) -> Owners<'a> {
        let entry = kernel
            .table()
            .ok()
            .and_then(|table| table.udt("_MMPFN"))
            .map(|entry| entry.size);
        let database = kernel
            .global_virt("MmPfnDatabase")
            .ok()
            .filter(|at| at.is_kernel())
            .zip(entry);
        // The entry of the top table that leads back to it says where the tables are.
        let root = kernel.space().root();
        let page = root.and_then(|root| kernel.dump().physical()?.page(root.pfn()));
        let slot = page.zip(root).and_then(|(page, root)| {
            let (entries, _) = page.as_chunks::<8>();
            entries
                .iter()
                .position(|entry| u64::from_le_bytes(*entry) & 0xf_ffff_ffff_f001 == root.0 | 1)
        });
        let tables = slot.map(|slot| canonical((slot as u64) << 39));
        Owners {
            kernel,
            stop,
            database,
            tables,
            mapped: OnceCell::new(),
        }
    }

    /// The address of the page, and that of its page table entry.
    fn of(&self, pfn: Pfn) -> Option<(Virt, Option<Virt>)> {
        let va = self.by_database(pfn).or_else(|| self.by_tables(pfn))?;
        let pte = self
            .tables
            .map(|tables| tables + ((va.0 & 0xffff_ffff_f000) >> 9));
        Some((va, pte))
    }

    /// What the database says is believed only if the page tables agree.
    fn by_database(&self, pfn: Pfn) -> Option<Virt> {
        let ((database, size), tables) = self.database.zip(self.tables)?;
        let entry = database + pfn.0.wrapping_mul(size);
        // The lowest bit is a lock.
        let pte = Virt(self.kernel.field_u64(entry, "_MMPFN", "PteAddress").ok()? & !7);
        let index = (pte - tables) / 8;
        let va = (index < 1 << 36).then(|| canonical(index << 12))?;
        (self.kernel.space().translate(va).ok()?.phys.pfn() == pfn).then_some(va)
    }

    fn by_tables(&self, pfn: Pfn) -> Option<Virt> {
        let mapped = self.mapped.get_or_init(|| {
            let pieces = self
                .kernel
                .space()
                .mapped(Virt(1 << 63), 1 << 63)
                .until(self.stop)
                .take(MAX_PIECES);
            let mut mapped: Vec<_> = pieces
                .map(|piece| (piece.bytes.as_ptr().addr(), piece.bytes.len(), piece.va))
                .collect();
            mapped.sort_unstable();
            mapped
        });
        let place = self.kernel.dump().physical()?.page(pfn)?.as_ptr().addr();
        // A page can be mapped more than once, in pieces of different sizes.
        let before = mapped.partition_point(|(start, ..)| *start <= place);
        let near = mapped.get(before.saturating_sub(8)..before)?;
        let (start, _, va) = near
            .iter()
            .rev()
            .find(|(start, len, _)| place - start < *len)?;
        Some(*va + (place - start) as u64)
    }
}

/// Bits 48 to 63 repeat bit 47.
fn canonical(va: u64) -> Virt {
    Virt(((va << 16) as i64 >> 16) as u64)
}

/// A place in physical memory that holds the number, or nearly.
#[derive(Row)]
#[row(kind = "physical_hit")]
struct PhysicalHit {
    /// Where it is.
    physical: Phys,
    /// The number of its page.
    pfn: Pfn,
    /// How far into the page it is.
    #[row(unit = "bytes")]
    offset: u64,
    /// The number that is there.
    value: Virt,
    /// Whether it is the number that was looked for.
    exact: bool,
    /// The address at which the kernel has it.
    #[row(absent = "no kernel address has the page")]
    va: Option<Virt>,
    /// Where the page table entry of that address is.
    #[row(absent = "no kernel address has the page")]
    pte: Option<Virt>,
}

impl KdLine for PhysicalHit {
    fn line(&self) -> String {
        let mut line = format!(
            "{:08X} {:08X} {:016X}",
            self.pfn.0, self.offset, self.value.0
        );
        if let Some(va) = self.va {
            line.push_str(&format!(" {:016X}", va.0));
            line.push_str(
                &self
                    .pte
                    .map_or(String::new(), |pte| format!(" {:016X} ", pte.0)),
            );
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_numbers_and_no_others() {
        for (low, high) in [
            (5, 5),
            (0, 0),
            (0, 16),
            (3, 17),
            (0x1230, 0x1238),
            (0xff00, 0x1_0100),
            (u64::MAX - 9, u64::MAX),
        ] {
            let patterns = between(low, high);
            let covered = |n: u64| {
                patterns
                    .iter()
                    .filter(|pattern| pattern.matches(&n.to_le_bytes()))
                    .count()
            };
            for n in low.saturating_sub(300)..=high.saturating_add(300) {
                assert_eq!(
                    covered(n),
                    usize::from((low..=high).contains(&n)),
                    "{n:#x} of {low:#x}..{high:#x}"
                );
                if n == u64::MAX {
                    break;
                }
            }
        }
        assert!(between(0, u64::MAX).len() <= 2);
        assert!(between(1, u64::MAX - 1).len() <= 126);
        assert!(
            between(1, u64::MAX - 1)
                .iter()
                .all(|pattern| pattern.mask().iter().any(|m| *m != 0))
        );
    }
}
