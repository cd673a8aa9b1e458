//! Memory with holes: bytes that are there, bytes that are not, and the first reason.

use rkd_dump::PhysicalMemory;
use rkd_dump::addr::{PAGE_SIZE, Phys, Virt};
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;

/// Virtual or physical memory, read byte by byte where it must be.
pub(crate) struct Memory<'a> {
    kernel: &'a Kernel,
    physical: Option<&'a dyn PhysicalMemory>,
    fault: Option<String>,
}

impl<'a> Memory<'a> {
    /// The kernel's address space.
    pub(crate) fn of(kernel: &'a Kernel) -> Memory<'a> {
        Memory {
            kernel,
            physical: None,
            fault: None,
        }
    }

    /// Physical memory.
    ///
    /// # Errors
    /// When the dump holds none.
    pub(crate) fn physical(kernel: &'a Kernel) -> Result<Memory<'a>> {
        match kernel.dump().physical() {
            Some(physical) => Ok(Memory {
                kernel,
                physical: Some(physical),
                fault: None,
            }),
            None => Err(Error::NotInDump(
                "There is no physical memory in this dump: it holds blocks of virtual memory only."
                    .into(),
            )),
        }
    }

    /// Whether addresses are physical.
    pub(crate) fn is_physical(&self) -> bool {
        self.physical.is_some()
    }

    /// Why the first byte that could not be read could not.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.clone()
    }

    /// `length` bytes, `None` for each that cannot be read.
    pub(crate) fn read(&mut self, at: Virt, length: usize) -> Vec<Option<u8>> {
        let mut bytes = vec![0; length];
        let mut found = vec![None; length];
        let mut done = 0;
        while done < length {
            let here = at + done as u64;
            let read = match self.physical {
                Some(memory) => self.read_physical(memory, here, &mut bytes[done..]),
                None => {
                    let (read, fault) = self.kernel.space().read_prefix(here, &mut bytes[done..]);
                    if let Some(fault) = fault {
                        self.fault.get_or_insert_with(|| fault.to_string());
                    }
                    read
                }
            };
            for (slot, byte) in found[done..].iter_mut().zip(&bytes[done..done + read]) {
                *slot = Some(*byte);
            }
            done += read;
            if done < length {
                // What is missing is missing up to the end of its page.
                let missing = PAGE_SIZE - (at + done as u64).page_offset();
                done = done.saturating_add(missing as usize);
            }
        }
        found
    }

    /// The bytes up to the end of the page, none when the page is not there.
    fn read_physical(&mut self, memory: &dyn PhysicalMemory, at: Virt, into: &mut [u8]) -> usize {
        let at = Phys(at.0);
        let Some(page) = memory.page(at.pfn()) else {
            self.fault
                .get_or_insert_with(|| format!("page {} is not in the dump", at.pfn()));
            return 0;
        };
        let rest = page.get(at.page_offset() as usize..).unwrap_or_default();
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        length
    }
}

/// The number that bytes stand for, when all of them are there.
pub(crate) fn number(bytes: &[Option<u8>]) -> Option<u64> {
    bytes
        .iter()
        .rev()
        .try_fold(0, |value: u64, byte| Some(value << 8 | u64::from((*byte)?)))
}
