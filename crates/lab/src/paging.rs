//! Real x64 page tables, four levels, with the self-map entry by which Windows finds its own tables.

use super::ram::Ram;
use rkd_dump::addr::{Pfn, Phys, Virt};

const VALID: u64 = 1;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
const FRAME: u64 = 0x0000_ffff_ffff_f000;

/// What a mapping allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Kernel data: readable, writable, not executable.
    Data,
    /// Kernel constants: readable only.
    Constant,
    /// Kernel code: readable and executable.
    Code,
    /// A page of a user process: readable, writable, not executable.
    User,
}

impl Access {
    fn bits(self) -> u64 {
        match self {
            Access::Data => GLOBAL | WRITE | DIRTY | NO_EXECUTE,
            Access::Constant => GLOBAL | NO_EXECUTE,
            Access::Code => GLOBAL,
            Access::User => USER | WRITE | DIRTY | NO_EXECUTE,
        }
    }
}

/// The page tables of one address space.
#[derive(Clone, Copy, Debug)]
pub struct PageTables {
    root: Pfn,
    self_map: u64,
}

/// The machine has no free frame left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl PageTables {
    /// Empty tables whose root maps itself by entry `self_map` (256..512).
    pub fn new(ram: &mut Ram, self_map: u64) -> Result<PageTables, Full> {
        // Windows' loader puts the first one there, and tools look for it there.
        let root = match ram.claim(Pfn(0x1ad)) {
            Some(root) => root,
            None => ram.allocate().ok_or(Full)?,
        };
        let tables = PageTables { root, self_map };
        tables.write_self_map(ram);
        Ok(tables)
    }

    /// A second address space that shares the kernel half with this one, as every process does.
    ///
    /// The kernel half must have all its root entries by then.
    pub fn fork(&self, ram: &mut Ram) -> Result<PageTables, Full> {
        let root = ram.allocate().ok_or(Full)?;
        for index in 256..512 {
            let entry = ram.read_u64(self.root.phys() + index * 8);
            ram.write(root.phys() + index * 8, &entry.to_le_bytes());
        }
        let tables = PageTables {
            root,
            self_map: self.self_map,
        };
        tables.write_self_map(ram);
        Ok(tables)
    }

    fn write_self_map(&self, ram: &mut Ram) {
        let entry = self.root.phys().0 | VALID | WRITE | ACCESSED | DIRTY | NO_EXECUTE;
        ram.write(self.root.phys() + self.self_map * 8, &entry.to_le_bytes());
    }

    /// CR3 of this address space.
    pub fn root(&self) -> Phys {
        self.root.phys()
    }

    /// The address at which the self-map shows the page table entries (`MmPteBase`).
    pub fn pte_base(&self) -> Virt {
        Virt(0xffff_0000_0000_0000 | self.self_map << 39)
    }

    /// Maps one 4 KiB page.
    pub fn map(&self, ram: &mut Ram, va: Virt, frame: Pfn, access: Access) -> Result<(), Full> {
        self.set_entry(ram, va, frame.phys().0 | VALID | ACCESSED | access.bits())
    }

    /// Maps one 2 MiB page; `va` and `frame` are aligned to it.
    pub(crate) fn map_large(&self, ram: &mut Ram, va: Virt, frame: Pfn) -> Result<(), Full> {
        let table = self.table(ram, va, 1)?;
        let entry = frame.phys().0 | VALID | WRITE | ACCESSED | DIRTY | LARGE | GLOBAL;
        ram.write(table.phys() + index(va, 1) * 8, &entry.to_le_bytes());
        Ok(())
    }

    /// Writes a page table entry as it is: for pages in the page file and other states that are no mapping.
    pub(crate) fn set_entry(&self, ram: &mut Ram, va: Virt, entry: u64) -> Result<(), Full> {
        let table = self.table(ram, va, 0)?;
        ram.write(table.phys() + index(va, 0) * 8, &entry.to_le_bytes());
        Ok(())
    }

    /// The table of the given level (0: of PTEs, 1: of PDEs) that covers `va`, made when there is none.
    fn table(&self, ram: &mut Ram, va: Virt, level: u32) -> Result<Pfn, Full> {
        let mut table = self.root;
        for above in (level + 1..=3).rev() {
            let at = table.phys() + index(va, above) * 8;
            let entry = ram.read_u64(at);
            table = if entry & VALID != 0 {
                Phys(entry & FRAME).pfn()
            } else {
                let new = ram.allocate().ok_or(Full)?;
                let rights = if va.is_kernel() { 0 } else { USER };
                ram.write(
                    at,
                    &(new.phys().0 | VALID | WRITE | ACCESSED | DIRTY | rights).to_le_bytes(),
                );
                new
            };
        }
        Ok(table)
    }

    /// Where `va` lies in physical memory.
    pub fn translate(&self, ram: &Ram, va: Virt) -> Option<Phys> {
        let mut table = self.root;
        for level in (0..=3).rev() {
            let entry = ram.read_u64(table.phys() + index(va, level) * 8);
            if entry & VALID == 0 {
                return None;
            }
            if level == 1 && entry & LARGE != 0 {
                return Some(Phys((entry & 0x0000_ffff_ffe0_0000) + (va.0 & 0x1f_ffff)));
            }
            table = Phys(entry & FRAME).pfn();
        }
        Some(table.phys() + va.page_offset())
    }
}

fn index(va: Virt, level: u32) -> u64 {
    va.0 >> (12 + 9 * level) & 0x1ff
}

/// The entry of a page that was written to a page file: software PTE, page file number in bits 12..15,
/// page in that file in bits 32..63, protection read-execute. Bit 4 says that nothing is swizzled.
pub(crate) fn paged_out(file: u8, page: u32) -> u64 {
    u64::from(page) << 32 | (u64::from(file) & 0xf) << 12 | 1 << 4 | 0x3 << 5
}

#[cfg(test)]
mod tests {
    use super::super::ram::FrameRun;
    use super::*;

    fn ram() -> Ram {
        Ram::new(vec![FrameRun {
            first: Pfn(0x200),
            pages: 0x2000,
        }])
    }

    #[test]
    fn small_and_large_pages_translate() {
        let mut ram = ram();
        let tables = PageTables::new(&mut ram, 0x1ed).unwrap();
        let frame = ram.allocate().unwrap();
        let large = ram.reserve_large().unwrap();
        let (a, b) = (Virt(0xffff_f807_47f5_0000), Virt(0xffff_f807_2260_0000));
        tables.map(&mut ram, a, frame, Access::Code).unwrap();
        tables.map_large(&mut ram, b, large).unwrap();
        assert_eq!(
            tables.translate(&ram, a + 0x559),
            Some(frame.phys() + 0x559)
        );
        assert_eq!(
            tables.translate(&ram, b + 0x12_3456),
            Some(large.phys() + 0x12_3456)
        );
        assert_eq!(tables.translate(&ram, a + 0x1000), None);
        assert_eq!(tables.pte_base(), Virt(0xffff_f680_0000_0000));
    }

    #[test]
    fn the_self_map_shows_the_entry_of_a_page() {
        let mut ram = ram();
        let tables = PageTables::new(&mut ram, 0x149).unwrap();
        let frame = ram.allocate().unwrap();
        let va = Virt(0xffff_f807_47f5_0000);
        tables.map(&mut ram, va, frame, Access::Data).unwrap();
        let pte = tables.pte_base() + ((va.0 & 0xffff_ffff_ffff) >> 12) * 8;
        let at = tables.translate(&ram, pte).unwrap();
        assert_eq!(ram.read_u64(at) & FRAME, frame.phys().0);
    }

    #[test]
    fn processes_share_the_kernel_half() {
        let mut ram = ram();
        let tables = PageTables::new(&mut ram, 0x149).unwrap();
        let frame = ram.allocate().unwrap();
        let va = Virt(0xffff_f807_47f5_0000);
        tables.map(&mut ram, va, frame, Access::Data).unwrap();
        let other = tables.fork(&mut ram).unwrap();
        assert_ne!(other.root(), tables.root());
        assert_eq!(other.translate(&ram, va), Some(frame.phys()));
    }
}
