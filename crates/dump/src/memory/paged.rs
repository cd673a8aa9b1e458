//! The x64 walk: from a virtual address through four tables to a frame, or to the reason why there is none.

use crate::PhysicalMemory;
use crate::addr::{PAGE_SIZE, Pfn, Phys, Virt};
use crate::bytes::ReadAt;
use crate::error::{Fault, Level, Why};
use crate::located::MACHINE_X64;
use crate::memory::pte::{Entry, PteRules, Soft, State};
use std::sync::Arc;

/// `KUSER_SHARED_DATA`, at one address in every 64-bit Windows.
pub(crate) const KUSER_SHARED_DATA: Virt = Virt(0xffff_f780_0000_0000);
const KUSER_NT_MAJOR_VERSION: u64 = 0x26c;

pub(crate) const LEVELS: [Level; 4] = [Level::Pxe, Level::Ppe, Level::Pde, Level::Pte];

/// How many bits of an address lie below the index into the table of this depth: an entry covers `1 << shift` bytes.
pub(crate) fn shift(depth: usize) -> u32 {
    39u32.saturating_sub(9 * depth as u32)
}

/// The index into the table of this depth.
fn index(va: Virt, depth: usize) -> u64 {
    (va.0 >> shift(depth)) & 0x1ff
}

/// An entry that a walk read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The level, by Windows' name.
    pub level: Level,
    /// The physical address of the entry.
    pub at: Phys,
    /// What it holds.
    pub raw: u64,
}

/// The entries of a walk, from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    steps: [Step; 4],
    count: usize,
}

impl Default for Steps {
    fn default() -> Steps {
        Steps {
            steps: [Step {
                level: Level::Pxe,
                at: Phys(0),
                raw: 0,
            }; 4],
            count: 0,
        }
    }
}

impl Steps {
    fn push(&mut self, step: Step) {
        if let Some(slot) = self.steps.get_mut(self.count) {
            *slot = step;
            self.count += 1;
        }
    }

    /// As a slice.
    pub fn as_slice(&self) -> &[Step] {
        self.steps.get(..self.count).unwrap_or_default()
    }
}

/// Where an address lies in physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical address of the byte.
    pub phys: Phys,
    /// 4 KiB, 2 MiB or 1 GiB.
    pub page_size: u64,
    /// Whether every level allows writing.
    pub writable: bool,
    /// Whether every level allows execution.
    pub executable: bool,
    /// How the page was found.
    pub state: State,
    /// The entries that led there.
    pub steps: Steps,
}

/// What an entry leads to.
#[derive(Clone, Copy)]
pub(crate) enum Next {
    /// A table of the next depth.
    Table(Pfn),
    /// A page of `1 << shift(depth)` bytes, at its start.
    Page(Phys, State),
    /// Nothing.
    Nothing(Why),
}

/// An address space described by page tables.
#[derive(Clone)]
pub(crate) struct Paged {
    memory: Option<Arc<dyn PhysicalMemory>>,
    root: Pfn,
    pub(crate) rules: PteRules,
    /// The bits that a physical address of this machine can have, as far as the dump tells.
    machine: u64,
    /// Why nothing can be translated at all.
    refusal: Option<Why>,
}

impl Paged {
    /// A dump without physical memory has no page tables either: every read says so.
    pub(crate) fn new(
        memory: Option<Arc<dyn PhysicalMemory>>,
        machine: Option<u32>,
        memory_end: Option<Pfn>,
        directory_table_base: u64,
    ) -> Paged {
        let refusal = match &memory {
            None => Some(Why::NoPageTables),
            Some(_) if machine == Some(MACHINE_X64) => None,
            Some(_) => Some(Why::Unsupported(
                "only the page tables of x64 machines are understood so far",
            )),
        };
        let mut space = Paged {
            memory,
            root: Pfn(0),
            rules: PteRules::default(),
            machine: machine_bits(memory_end),
            refusal,
        };
        space = space.with_root(directory_table_base);
        if space.refusal.is_none() && space.has_five_levels() {
            space.refusal = Some(Why::Unsupported(
                "five levels of page tables (LA57) are not understood so far",
            ));
        }
        space
    }

    /// The same kernel's view from another root. Bits 0 to 11 (PCID) and 63 ("no flush") of a CR3 are no address.
    pub(crate) fn with_root(mut self, directory_table_base: u64) -> Paged {
        self.root = Entry(directory_table_base).frame(PAGE_SIZE).pfn();
        self
    }

    pub(crate) fn root(&self) -> Pfn {
        self.root
    }

    pub(crate) fn refusal(&self) -> Option<Why> {
        self.refusal
    }

    pub(crate) fn memory(&self) -> Result<&dyn PhysicalMemory, Why> {
        self.memory.as_deref().ok_or(Why::NoPageTables)
    }

    /// Whether the page that the kernel shares with programs is where it is in every 64-bit Windows: it states a major version
    /// of 6 (Windows 7 and 8) or 10.
    pub(crate) fn maps_shared_page(&self) -> bool {
        let found = self.walk(KUSER_SHARED_DATA, false).1;
        found
            .ok()
            .and_then(|found| self.table(found.phys.pfn()))
            .and_then(|page| page.u32_at(KUSER_NT_MAJOR_VERSION))
            .is_some_and(|version| matches!(version, 6..=10))
    }

    /// With five levels the root has one more table above: the shared page is found below its last entry only.
    fn has_five_levels(&self) -> bool {
        if self.maps_shared_page() {
            return false;
        }
        let last = self
            .table(self.root)
            .and_then(|table| table.u64_at(511 * 8))
            .map(Entry);
        last.is_some_and(|entry| {
            entry.valid() && self.clone().with_root(entry.0).maps_shared_page()
        })
    }

    pub(crate) fn table(&self, pfn: Pfn) -> Option<&[u8; 4096]> {
        self.memory.as_ref()?.page(pfn)
    }

    /// Walks as far as it can, and keeps what it saw. `follow` allows one prototype PTE to be looked up, which lies in
    /// virtual memory itself; that look-up allows none.
    pub(crate) fn walk(&self, va: Virt, follow: bool) -> (Steps, Result<Translation, Fault>) {
        let mut steps = Steps::default();
        let found = self
            .descend(va, follow, &mut steps)
            .map(|found| Translation { steps, ..found });
        (steps, found.map_err(|why| Fault { at: va, why }))
    }

    fn descend(&self, va: Virt, follow: bool, steps: &mut Steps) -> Result<Translation, Why> {
        if let Some(why) = self.refusal {
            return Err(why);
        }
        if !is_canonical(va) {
            return Err(Why::NonCanonical);
        }
        let mut table = self.root;
        let (mut writable, mut executable) = (true, true);
        for (depth, level) in LEVELS.into_iter().enumerate() {
            let missing = Why::PageNotInDump {
                pfn: table,
                level: Some(level),
            };
            let slot = index(va, depth) * 8;
            let raw = self
                .table(table)
                .and_then(|table| table.u64_at(slot))
                .ok_or(missing)?;
            steps.push(Step {
                level,
                at: table.phys() + slot,
                raw,
            });
            let entry = Entry(raw);
            match self.next(entry, depth, follow) {
                Next::Table(next) => {
                    // A table in transition has no bits of its own for this; those of its pages decide.
                    writable &= !entry.valid() || entry.writable();
                    executable &= !entry.valid() || entry.executable();
                    table = next;
                }
                Next::Page(start, state) => {
                    let page_size = 1 << shift(depth);
                    return Ok(Translation {
                        phys: start + (va.0 & (page_size - 1)),
                        page_size,
                        writable: writable && entry.writable(),
                        executable: executable && entry.executable(),
                        state,
                        steps: *steps,
                    });
                }
                Next::Nothing(why) => return Err(why),
            }
        }
        Err(Why::CorruptTable(Level::Pte))
    }

    /// What the entry of a table at `depth` leads to.
    pub(crate) fn next(&self, entry: Entry, depth: usize, follow: bool) -> Next {
        let level = LEVELS.get(depth).copied().unwrap_or(Level::Pte);
        if entry.valid() {
            return match depth {
                3 => Next::Page(entry.frame(PAGE_SIZE), State::Valid),
                0 if entry.large() => Next::Nothing(Why::CorruptTable(level)),
                _ if entry.large() => Next::Page(entry.frame(1 << shift(depth)), State::Valid),
                _ => Next::Table(entry.frame(PAGE_SIZE).pfn()),
            };
        }
        match entry.decode(level, &self.rules, self.machine) {
            Soft::Gone(why) => Next::Nothing(why),
            // A trimmed page table is still where it was, like any page in transition.
            Soft::Transition(pfn) if depth < 3 => Next::Table(pfn),
            Soft::Transition(pfn) => Next::Page(pfn.phys(), State::Transition),
            Soft::Prototype(at, stored) if depth == 3 && follow => self.follow(at, stored),
            Soft::Prototype(at, _) => Next::Nothing(Why::Prototype(at)),
        }
    }

    /// Looks a prototype PTE up. Whether the guard bits are in these entries too was never seen in a real dump, so the
    /// address is tried without them, then as stored.
    fn follow(&self, at: Virt, stored: Virt) -> Next {
        let Some((at, raw)) = [at, stored]
            .into_iter()
            .find_map(|at| Some((at, self.prototype(at)?)))
        else {
            return Next::Nothing(Why::Prototype(at));
        };
        let entry = Entry(raw);
        if entry.valid() {
            return Next::Page(entry.frame(PAGE_SIZE), State::Prototype { at, raw });
        }
        match entry.decode_prototype(at, &self.rules, self.machine) {
            Soft::Transition(pfn) => Next::Page(pfn.phys(), State::Prototype { at, raw }),
            Soft::Prototype(..) => Next::Nothing(Why::Prototype(at)),
            Soft::Gone(why) => Next::Nothing(why),
        }
    }

    /// The prototype PTE at a kernel address. One that spans two pages is no PTE.
    fn prototype(&self, at: Virt) -> Option<u64> {
        if !at.is_kernel() || at.0 & 7 != 0 {
            return None;
        }
        let found = self.walk(at, false).1.ok()?;
        self.table(found.phys.pfn())?
            .u64_at(found.phys.page_offset())
    }
}

/// Whether a page can be the root of Windows' page tables: it leads to the shared page, and one entry of the kernel's half leads
/// back to the page itself, as Windows maps its own tables.
pub(crate) fn maps_itself(pfn: Pfn, page: &[u8; 4096]) -> bool {
    let entry = |index: u64| page.u64_at(index * 8).map(Entry);
    // Most pages are told by this one look.
    let shared = entry(index(KUSER_SHARED_DATA, 0));
    shared.is_some_and(Entry::valid)
        && (256..512)
            .filter_map(entry)
            .any(|entry| entry.valid() && entry.frame(PAGE_SIZE).pfn() == pfn)
}

/// Whether bits 48 to 63 repeat bit 47.
pub(crate) fn is_canonical(va: Virt) -> bool {
    matches!(va.0 >> 47, 0 | 0x1_ffff)
}

/// The bits below the next power of two after the machine's memory. All of them if the dump does not say where that ends.
fn machine_bits(memory_end: Option<Pfn>) -> u64 {
    let size = memory_end
        .and_then(|end| end.0.checked_mul(PAGE_SIZE))
        .and_then(u64::checked_next_power_of_two);
    match size {
        Some(size) if size > 1 => size - 1,
        _ => u64::MAX,
    }
}
