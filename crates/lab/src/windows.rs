//! The made-up Windows: its kernel and drivers as images, its structures laid out by a symbol table, in the virtual
//! memory of the made-up machine.

mod big_pages;
mod builder;
mod counters;
mod debugger;
mod driver;
mod heaps;
mod kernel;
mod loader;
mod pool;
mod processes;
mod processors;
mod regions;
mod shared;
mod snapshot;
mod user;

pub(crate) use builder::StructBuilder;
pub(crate) use kernel::Exports;
pub(crate) use snapshot::stop;

use super::memory::{Arena, Memory};
use super::plan::Plan;
use regions::Regions;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_symbols::SymbolTable;
use std::collections::BTreeSet;

/// A Windows that is being put together.
pub(crate) struct Windows<'t> {
    /// Names, addresses and layouts of its kernel.
    pub table: &'t SymbolTable,
    /// Major, minor, build and revision of the version.
    pub version: [u32; 4],
    /// Its memory.
    pub memory: Memory,
    /// Where the kernel is loaded.
    pub base: Virt,
    /// The kernel's regions of address space.
    pub regions: Regions,
    /// Memory for small nonpaged structures.
    pub pool: Arena,
    /// Room for kernel stacks.
    pub stacks: Arena,
    /// Frames that only user addresses map.
    pub user_frames: BTreeSet<u64>,
    /// Figures that the kernel has no place for, in words.
    pub homeless: Vec<String>,
    /// Drivers of the driver framework: where each has its pointer to the framework's record, and its file name.
    pub bound: Vec<(Virt, String)>,
    /// Files of the drivers that the case is about: name and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

impl<'t> Windows<'t> {
    /// An empty Windows on the machine of `plan`.
    ///
    /// # Errors
    /// When the table lacks what no kernel can do without.
    pub(crate) fn new(
        plan: &Plan,
        table: &'t SymbolTable,
        version: [u32; 4],
    ) -> Result<Windows<'t>> {
        // Kernels that can move their page tables have a variable that says where they are.
        let regions = Regions::of(table.rva("MmPteBase").is_some());
        let memory = Memory::new(plan.frames.clone(), regions.self_map)?;
        let base = plan.kernel_base();
        let pool = Arena::new(regions.non_paged_pool + 0x10_0000);
        let stacks = Arena::new(regions.kernel_stacks + 0x1000);
        Ok(Windows {
            table,
            version,
            memory,
            base,
            regions,
            pool,
            stacks,
            user_frames: BTreeSet::new(),
            homeless: Vec::new(),
            bound: Vec::new(),
            files: Vec::new(),
        })
    }

    /// The address of a symbol of the kernel.
    ///
    /// # Errors
    /// [`Error::NoSymbol`].
    pub(crate) fn symbol(&self, name: &str) -> Result<Virt> {
        self.try_symbol(name)
            .ok_or_else(|| Error::NoSymbol(name.to_owned()))
    }

    /// The address of a symbol that not every kernel has.
    pub(crate) fn try_symbol(&self, name: &str) -> Option<Virt> {
        self.table.rva(name).map(|rva| self.base + rva)
    }

    /// Writes an eight byte variable of the kernel, where it has it.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn set_u64(&mut self, name: &str, value: u64) -> Result<bool> {
        match self.try_symbol(name) {
            Some(at) => self.memory.write_u64(at, value).map(|()| true),
            None => Ok(false),
        }
    }

    /// Writes a four byte variable of the kernel, where it has it.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn set_u32(&mut self, name: &str, value: u32) -> Result<bool> {
        match self.try_symbol(name) {
            Some(at) => self.memory.write_u32(at, value).map(|()| true),
            None => Ok(false),
        }
    }

    /// A structure of zeroes, to be filled in.
    ///
    /// # Errors
    /// [`Error::NoType`].
    pub(crate) fn structure(&self, ty: &'t str) -> Result<StructBuilder<'t>> {
        StructBuilder::new(self.table, ty)
    }

    /// Puts a text into nonpaged pool and returns the sixteen bytes of the `UNICODE_STRING` that names it.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn unicode_string(&mut self, text: &str) -> Result<[u8; 16]> {
        let letters: Vec<u8> = text
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .collect();
        let at = self.pool.take(letters.len() as u64, 8);
        self.memory.write(at, &letters)?;
        let room = letters.len() as u16;
        let mut string = [0; 16];
        string[..2].copy_from_slice(&room.saturating_sub(2).to_le_bytes());
        string[2..4].copy_from_slice(&room.to_le_bytes());
        string[8..].copy_from_slice(&at.0.to_le_bytes());
        Ok(string)
    }

    /// Links the entries at these addresses into a ring with `head`, in this order.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn link(&mut self, head: Virt, entries: &[Virt]) -> Result<()> {
        let ring: Vec<Virt> = std::iter::once(head)
            .chain(entries.iter().copied())
            .collect();
        for (index, &at) in ring.iter().enumerate() {
            let next = ring.get(index + 1).copied().unwrap_or(head);
            let previous = if index == 0 {
                ring.last()
            } else {
                ring.get(index - 1)
            };
            self.memory.write_u64(at, next.0)?;
            self.memory
                .write_u64(at + 8, previous.copied().unwrap_or(head).0)?;
        }
        Ok(())
    }
}

impl Windows<'_> {
    /// Room in nonpaged pool behind a pool header with this tag; a small block never crosses a page.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn allocate(&mut self, tag: &[u8; 4], size: u64) -> Result<Virt> {
        let mut header = StructBuilder::new(self.table, "_POOL_HEADER")?;
        let whole = (size + 0x10).next_multiple_of(0x10);
        let at = self.pool.take_in_page(whole, 0x10);
        // in units of sixteen bytes, up to a page
        header.set("BlockSize", (whole / 0x10).min(0xff))?;
        header.set("PoolType", 2)?;
        header.set("PoolTag", u64::from(u32::from_le_bytes(*tag)))?;
        self.memory.write(at, header.bytes())?;
        Ok(at + 0x10)
    }

    /// Writes a field of a structure in place; says whether the type has it.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn poke(&mut self, ty: &str, at: Virt, path: &str, value: u64) -> Result<bool> {
        let Ok(field) = self.table.field(ty, path) else {
            return Ok(false);
        };
        let width = self.table.size_of(field.ty).unwrap_or(8).min(8) as usize;
        let bytes = value.to_le_bytes();
        self.memory
            .write(at + field.offset, bytes.get(..width).unwrap_or_default())?;
        Ok(true)
    }

    /// Where `_MI_VISIBLE_STATE` lies: some kernels' `MiState` is larger than its public type says, before this member.
    pub(crate) fn visible_state(&self) -> Option<Virt> {
        let field = self.table.field("_MI_SYSTEM_INFORMATION", "Vs").ok()?;
        let slack = self.table.mi_state_slack().unwrap_or(0);
        Some(self.try_symbol("MiState")? + field.offset + slack)
    }

    /// Whether this kernel has a pool of its own for what is never executed.
    pub(crate) fn knows_nx(&self) -> bool {
        self.table
            .enumeration("_POOL_TYPE")
            .is_some_and(|kinds| kinds.value_of("NonPagedPoolNx").is_some())
    }

    /// The head of the list of sessions.
    pub(crate) fn session_list(&self) -> Result<Option<Virt>> {
        if let Some(state) = self.visible_state() {
            let field = self.table.field("_MI_VISIBLE_STATE", "SessionWsList")?;
            return Ok(Some(state + field.offset));
        }
        Ok(self.try_symbol("MiSessionWsList"))
    }
}
