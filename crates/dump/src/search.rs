//! Where a Windows is in a memory that has no header: found by what the processor, the loader and the kernel leave at places
//! that can be told from anything else.
//!
//! 1. The root of System's page tables. Windows keeps a stub in the first MiB that starts the further processors; it holds
//!    the root that they shall load. A virtual machine may lack the stub; then a page is a root if one of its entries leads
//!    back to itself, as Windows' own map of its tables does. Either way the root must map the page that every Windows
//!    shares with its programs.
//! 2. nt, an image in the loader's part of the kernel's half that calls itself `ntoskrnl.exe` or was built with its PDB.
//! 3. The debugger data block in nt, by its tag, its size and the base of nt in it. A running kernel keeps it scrambled: then
//!    only nt's symbols lead to it, and to the list of modules.
//! 4. Version, product, times and processors: in the shared page.

use crate::addr::{PAGE_SIZE, Pfn, Virt};
use crate::bytes::ReadAt;
use crate::located::{Fact, Located, MACHINE_X64, Way};
use crate::memory::{AddressSpace, KUSER_SHARED_DATA, maps_itself};
use crate::physical::PhysicalMemory;
use std::sync::Arc;

/// The stub runs in real mode first, so it lies in the first MiB.
const STUB_END: Pfn = Pfn(0x100);
/// The stub loads the root from 32-bit code, so it lies below 4 GiB.
const ROOT_END: Pfn = Pfn(0x10_0000);
/// The roots of so many processes without a kernel are looked at: the tables of user mode, or what programs left.
const MAX_ROOTS: usize = 64;

/// Where the loader puts nt and the drivers, and how far that reaches.
const IMAGES: Virt = Virt(0xffff_f800_0000_0000);
const IMAGES_LEN: u64 = 1 << 40;
/// So many pages are looked at for the start of nt: 16 GiB of them.
const MAX_IMAGE_PAGES: u64 = 1 << 22;
/// No nt is as large, in bytes.
const MAX_KERNEL_SIZE: u32 = 64 << 20;

/// The reason for what version, product and times are missing.
const SHARED: &str = "the page that Windows shares with its programs does not say";

/// Offsets in `KUSER_SHARED_DATA`, the same since Windows 7.
mod shared {
    pub(super) const INTERRUPT_TIME: u64 = 0x8;
    pub(super) const SYSTEM_TIME: u64 = 0x14;
    /// Zero before Windows 10.
    pub(super) const BUILD: u64 = 0x260;
    pub(super) const PRODUCT_TYPE: u64 = 0x264;
    pub(super) const SUITE_MASK: u64 = 0x2d0;
    pub(super) const PROCESSORS: u64 = 0x3c0;
}

/// Finds the Windows in a memory; `None` if there is none.
pub(crate) fn windows(memory: &Arc<dyn PhysicalMemory>) -> Option<Located> {
    let end = memory
        .runs()
        .map(|run| Pfn(run.first.0 + run.pages))
        .max()?;
    let (root, space, kernel) = roots(memory)
        .filter_map(|root| {
            let memory = Some(Arc::clone(memory));
            let space =
                AddressSpace::of_memory(memory, Some(MACHINE_X64), Some(end), root.phys().0);
            space.maps_shared_page().then_some((root, space))
        })
        .take(MAX_ROOTS)
        .find_map(|(root, space)| {
            let kernel = Kernel::find(&space)?;
            Some((root, space, kernel))
        })?;
    let (block, list) = kernel.debugger_block(&space).unzip();
    let number = |offset| space.read_u32(KUSER_SHARED_DATA + offset).ok();
    let time = |offset| {
        // The low and the high part of a KSYSTEM_TIME.
        let time = space.read_u64(KUSER_SHARED_DATA + offset).ok();
        Fact::searched(time.filter(|time| *time != 0), SHARED)
    };
    let build = number(shared::BUILD).filter(|build| *build != 0);
    let product = number(shared::PRODUCT_TYPE).filter(|product| (1..=3).contains(product));
    let processors = number(shared::PROCESSORS).filter(|count| (1..=2048).contains(count));
    Some(Located {
        machine: Fact::Known(MACHINE_X64, Way::Search),
        page_table_root: Fact::Known(root.phys().0, Way::Search),
        kernel_base: Fact::Known(kernel.base, Way::Search),
        module_list: Fact::searched(
            list.filter(|list| list.is_kernel()),
            "only the debugger data block and nt's symbols lead to the list of modules",
        ),
        debugger_block: Fact::searched(
            block,
            "the debugger data block is scrambled, and only nt's symbols lead to it",
        ),
        build: Fact::searched(build.map(|build| build & 0xffff), SHARED),
        is_checked: Fact::searched(None, "only nt's own variables say it"),
        processors: Fact::searched(processors, SHARED),
        product_type: Fact::searched(product, SHARED),
        suite_mask: Fact::searched(number(shared::SUITE_MASK), SHARED),
        system_time: time(shared::SYSTEM_TIME),
        up_time: time(shared::INTERRUPT_TIME),
        memory_end: Fact::Known(end, Way::Search),
    })
}

/// The pages that may be a root, the likeliest first.
fn roots(memory: &Arc<dyn PhysicalMemory>) -> impl Iterator<Item = Pfn> {
    let pages = |end: Pfn| {
        let runs = memory.runs().take_while(move |run| run.first < end);
        runs.flat_map(move |run| run.first.0..(run.first.0 + run.pages).min(end.0))
            .filter_map(|pfn| Some((Pfn(pfn), memory.page(Pfn(pfn))?)))
    };
    let stubs = pages(STUB_END).flat_map(|(_, page)| stub_roots(page));
    let tables = pages(ROOT_END).filter(|(pfn, page)| maps_itself(*pfn, page));
    stubs.chain(tables.map(|(pfn, _)| pfn))
}

/// The root that the stub (`PROCESSOR_START_BLOCK`) holds: it begins with a jump over its own fields, the address of a
/// function of nt lies at 0x70, and the root at 0xa0, or, in Windows 11 24H2, at 0xc0.
fn stub_roots(page: &[u8; 4096]) -> impl Iterator<Item = Pfn> {
    const JUMP: u64 = 0x0000_0001_0006_00e9;
    let is_stub = page.u64_at(0).map(|code| code & !0xff00) == Some(JUMP)
        && page.u64_at(0x70).is_some_and(|target| target >= IMAGES.0);
    let root = move |at: u64| page.u64_at(at).filter(|_| is_stub);
    [0xa0, 0xc0]
        .into_iter()
        .filter_map(root)
        .filter(|root| *root != 0 && root.is_multiple_of(PAGE_SIZE))
        .map(|root| Pfn(root / PAGE_SIZE))
        .filter(|root| *root < ROOT_END)
}

/// The image of nt.
struct Kernel {
    base: Virt,
    /// In bytes.
    size: u32,
}

impl Kernel {
    /// The first image that is nt.
    fn find(space: &AddressSpace) -> Option<Kernel> {
        let mut left = MAX_IMAGE_PAGES;
        space
            .mapped(IMAGES, IMAGES_LEN)
            .take_while(|piece| {
                left = left.saturating_sub((piece.bytes.len() as u64).div_ceil(PAGE_SIZE));
                left > 0
            })
            .flat_map(|piece| {
                let pages = piece.bytes.chunks(PAGE_SIZE as usize).enumerate();
                pages
                    .filter(|(_, page)| page.starts_with(b"MZ"))
                    .map(move |(index, _)| piece.va + index as u64 * PAGE_SIZE)
            })
            .find_map(|base| Kernel::at(space, base))
    }

    /// nt, if the image at `base` is it.
    fn at(space: &AddressSpace, base: Virt) -> Option<Kernel> {
        // Offsets in the headers of a 64-bit PE file, the optional header at 0x18.
        const SIZE_OF_IMAGE: u64 = 0x50;
        const EXPORTS: u64 = 0x88;
        const DEBUG: u64 = 0xb8;
        let u32_at = |at: Virt| space.read_u32(at).ok();
        let pe = base + u64::from(u32_at(base + 0x3c)?);
        let mark = (
            u32_at(pe)?,
            space.read_u16(pe + 4).ok()?,
            space.read_u16(pe + 0x18).ok()?,
        );
        if mark != (u32::from_le_bytes(*b"PE\0\0"), MACHINE_X64 as u16, 0x20b) {
            return None;
        }
        let size = u32_at(pe + SIZE_OF_IMAGE)?;
        let rva = |at: Virt| Some(base + u64::from(u32_at(at)?));
        let text = |at: Virt| {
            let mut name = [0; 0x40];
            let (read, _) = space.read_prefix(at, &mut name);
            name.text_at(0, read)
        };
        let dll = || text(rva(rva(pe + EXPORTS)? + 0xc)?);
        let pdb = || {
            let directory = rva(pe + DEBUG)?;
            let entries =
                (0..u64::from(u32_at(pe + DEBUG + 4)? / 28).min(16)).map(|i| directory + i * 28);
            let record = entries
                .filter(|entry| u32_at(*entry + 0xc) == Some(2))
                .find_map(|entry| rva(entry + 0x14))?;
            // RSDS, a GUID, an age, and the path of the PDB.
            text(record + 0x18)
        };
        let is_nt = dll().is_some_and(|name| name.eq_ignore_ascii_case("ntoskrnl.exe"))
            || pdb().is_some_and(|name| matches!(name.as_str(), "ntkrnlmp.pdb" | "ntoskrnl.pdb"));
        (is_nt && size <= MAX_KERNEL_SIZE).then_some(Kernel { base, size })
    }

    /// The debugger data block, and the list of modules that it names.
    fn debugger_block(&self, space: &AddressSpace) -> Option<(Virt, Virt)> {
        const TAG: u64 = 0x10;
        const MODULE_LIST: u64 = 0x48;
        let is_block = |at: Virt| {
            let size = space.read_u32(at + TAG + 4);
            size.is_ok_and(|size| (0x290..=0x400).contains(&size))
                && space.read_virt(at + TAG + 8) == Ok(self.base)
        };
        let tags = space
            .mapped(self.base, u64::from(self.size))
            .flat_map(|piece| {
                let words = piece.bytes.as_chunks::<8>().0.iter().enumerate();
                words
                    .filter(|(_, word)| word.starts_with(b"KDBG"))
                    .map(move |(index, _)| piece.va + index as u64 * 8)
            });
        let at = tags.map(|tag| tag - TAG).find(|at| is_block(*at))?;
        Some((at, space.read_virt(at + MODULE_LIST).ok()?))
    }
}
