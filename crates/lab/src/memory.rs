//! The virtual memory of the made-up machine: physical memory and page tables together, written to by address.

use super::paging::{Access, Full, PageTables, paged_out};
use super::ram::{FrameRun, Ram};
use rkd_dump::addr::{PAGE_SIZE, Pfn, Virt};
use rkd_dump::error::{Error, Result};

/// Physical memory under one set of kernel page tables.
pub struct Memory {
    /// The frames.
    pub ram: Ram,
    /// The tables of the System process.
    pub tables: PageTables,
}

impl From<Full> for Error {
    fn from(Full: Full) -> Error {
        Error::TooLarge(
            "the practice machine has no memory left: the scenario is too big for it".to_string(),
        )
    }
}

impl Memory {
    /// The memory of a machine with these frames, whose tables map themselves by entry `self_map`.
    pub fn new(machine: Vec<FrameRun>, self_map: u64) -> Result<Memory> {
        let mut ram = Ram::new(machine);
        let tables = PageTables::new(&mut ram, self_map)?;
        Ok(Memory { ram, tables })
    }

    /// Makes sure that every page of `[at, at + len)` has a frame; pages that have one keep it.
    pub fn back(&mut self, at: Virt, len: u64, access: Access) -> Result<()> {
        let mut page = at.page();
        while page.0 < at.0.saturating_add(len) {
            if self.tables.translate(&self.ram, page).is_none() {
                let frame = self.ram.allocate().ok_or(Full)?;
                self.tables.map(&mut self.ram, page, frame, access)?;
            }
            page += PAGE_SIZE;
        }
        Ok(())
    }

    /// Writes bytes; pages without a frame get one, as kernel data.
    pub fn write(&mut self, at: Virt, bytes: &[u8]) -> Result<()> {
        self.back(at, bytes.len() as u64, Access::Data)?;
        let (mut at, mut rest) = (at, bytes);
        while !rest.is_empty() {
            let here = (PAGE_SIZE - at.page_offset()).min(rest.len() as u64) as usize;
            let (now, later) = rest.split_at(here);
            if let Some(phys) = self.tables.translate(&self.ram, at) {
                self.ram.write(phys, now);
            }
            at += here as u64;
            rest = later;
        }
        Ok(())
    }

    /// Writes eight bytes.
    pub fn write_u64(&mut self, at: Virt, value: u64) -> Result<()> {
        self.write(at, &value.to_le_bytes())
    }

    /// Writes four bytes.
    pub fn write_u32(&mut self, at: Virt, value: u32) -> Result<()> {
        self.write(at, &value.to_le_bytes())
    }

    /// Bytes as they stand; pages without a frame read as zeroes.
    pub fn read(&self, at: Virt, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len);
        let mut at = at;
        while bytes.len() < len {
            let start = at.page_offset() as usize;
            let here = (PAGE_SIZE as usize - start).min(len - bytes.len());
            let page = self
                .tables
                .translate(&self.ram, at)
                .and_then(|phys| self.ram.page(phys.pfn()));
            match page.and_then(|page| page.get(start..start + here)) {
                Some(part) => bytes.extend_from_slice(part),
                None => bytes.resize(bytes.len() + here, 0),
            }
            at += here as u64;
        }
        bytes
    }

    /// Whether the page that holds `at` is mapped and its frame exists.
    pub(crate) fn is_present(&self, at: Virt) -> bool {
        self.tables
            .translate(&self.ram, at)
            .is_some_and(|phys| self.ram.page(phys.pfn()).is_some())
    }

    /// Maps 2 MiB by a large page, all of which is in memory.
    pub(crate) fn map_large(&mut self, at: Virt) -> Result<()> {
        let frame = self.ram.reserve_large().ok_or(Full)?;
        self.tables.map_large(&mut self.ram, at, frame)?;
        for next in 0..512 {
            self.ram.page_mut(Pfn(frame.0 + next));
        }
        Ok(())
    }

    /// Marks a page as written to the first page file, somewhere.
    pub fn page_out(&mut self, at: Virt) -> Result<()> {
        let place = (at.0 >> 12) as u32 & 0x1f_ffff;
        self.tables
            .set_entry(&mut self.ram, at, paged_out(0, place))?;
        Ok(())
    }
}

/// A region of virtual memory from which structures are taken in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arena {
    next: u64,
}

impl Arena {
    /// An arena that begins at `start`.
    pub(crate) fn new(start: Virt) -> Arena {
        Arena { next: start.0 }
    }

    /// The next `size` bytes on a boundary of `align` (a power of two).
    pub(crate) fn take(&mut self, size: u64, align: u64) -> Virt {
        let at = self.next.next_multiple_of(align.max(1));
        self.next = at + size;
        Virt(at)
    }

    /// The same for a block that lies within one page, if it can.
    pub(crate) fn take_in_page(&mut self, size: u64, align: u64) -> Virt {
        let at = self.next.next_multiple_of(align.max(1));
        if size <= PAGE_SIZE && at % PAGE_SIZE + size > PAGE_SIZE {
            self.next = at.next_multiple_of(PAGE_SIZE);
        }
        self.take(size, align)
    }
}
