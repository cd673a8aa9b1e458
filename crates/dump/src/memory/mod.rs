//! ADDRESSES: from frames and blocks to address spaces that can be translated, read and enumerated. A read that fails
//! says at which address, and why.

mod blocks;
mod mapped;
mod paged;
mod pte;

pub use mapped::{Mapped, Piece};
pub use paged::{Step, Steps, Translation};
pub use pte::{PteRules, State};

use crate::addr::{PAGE_SIZE, Pfn, Virt};
use crate::error::{Fault, Why};
use crate::{Dump, PhysicalMemory};
use blocks::Blocks;
use paged::Paged;
pub(crate) use paged::{KUSER_SHARED_DATA, maps_itself};
use std::sync::Arc;

/// The virtual memory of the kernel or of one process. Cheap to clone, and shared between threads freely.
#[derive(Clone)]
pub struct AddressSpace {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Paged(Paged),
    Blocks(Blocks),
}

impl AddressSpace {
    /// The address space whose page tables hang at `directory_table_base`, a CR3 with or without its flags.
    ///
    /// When the dump has no page tables, or has some that are not understood, every read says so.
    pub fn paged(dump: Arc<Dump>, directory_table_base: u64) -> AddressSpace {
        let located = dump.located();
        let (machine, end) = (located.machine.get(), located.memory_end.get());
        AddressSpace::of_memory(dump.shared_physical(), machine, end, directory_table_base)
    }

    /// The same for a memory of which only the machine's number and one past its last frame are known.
    pub(crate) fn of_memory(
        memory: Option<Arc<dyn PhysicalMemory>>,
        machine: Option<u32>,
        memory_end: Option<Pfn>,
        directory_table_base: u64,
    ) -> AddressSpace {
        AddressSpace {
            kind: Kind::Paged(Paged::new(
                memory,
                machine,
                memory_end,
                directory_table_base,
            )),
        }
    }

    /// Whether the page that every Windows shares with its programs is mapped: there is no other sign of a Windows by which
    /// page tables can be told.
    pub(crate) fn maps_shared_page(&self) -> bool {
        matches!(&self.kind, Kind::Paged(paged) if paged.maps_shared_page())
    }

    /// The union of a triage dump's blocks, with its stack and its copy of the debugger data block.
    pub fn blocks(dump: Arc<Dump>) -> AddressSpace {
        AddressSpace {
            kind: Kind::Blocks(Blocks::of_dump(dump)),
        }
    }

    /// Blocks made in memory. Where they overlap, the one that starts later wins.
    pub fn of_blocks(blocks: Vec<(Virt, Vec<u8>)>) -> AddressSpace {
        AddressSpace {
            kind: Kind::Blocks(Blocks::owned(blocks)),
        }
    }

    /// The same space, with what symbols tell about entries that are not valid.
    pub fn with_rules(mut self, rules: PteRules) -> AddressSpace {
        if let Kind::Paged(paged) = &mut self.kind {
            paged.rules = rules;
        }
        self
    }

    /// Another process of the same machine. A space of blocks has no roots and stays as it is.
    pub fn with_root(&self, directory_table_base: u64) -> AddressSpace {
        match &self.kind {
            Kind::Paged(paged) => AddressSpace {
                kind: Kind::Paged(paged.clone().with_root(directory_table_base)),
            },
            Kind::Blocks(_) => self.clone(),
        }
    }

    /// The physical address of the top table; `None` for a space of blocks.
    pub fn root(&self) -> Option<crate::addr::Phys> {
        match &self.kind {
            Kind::Paged(paged) => Some(paged.root().phys()),
            Kind::Blocks(_) => None,
        }
    }

    /// What decodes the entries that are not valid.
    pub fn rules(&self) -> PteRules {
        match &self.kind {
            Kind::Paged(paged) => paged.rules,
            Kind::Blocks(_) => PteRules::default(),
        }
    }

    /// Where `va` lies in physical memory, whether or not the dump holds that page.
    ///
    /// # Errors
    /// The reason why there is no such page; [`Why::NoPageTables`] for a space of blocks.
    pub fn translate(&self, va: Virt) -> Result<Translation, Fault> {
        self.walk(va).1
    }

    /// [`AddressSpace::translate`], with the entries that were read even when it fails (what `!pte` shows).
    pub fn walk(&self, va: Virt) -> (Steps, Result<Translation, Fault>) {
        match &self.kind {
            Kind::Paged(paged) => paged.walk(va, true),
            Kind::Blocks(_) => (
                Steps::default(),
                Err(Fault {
                    at: va,
                    why: Why::NoPageTables,
                }),
            ),
        }
    }

    /// The longest piece from `va` on that is contiguous in the file, at least one byte and at most `max` (0 counts as 1).
    ///
    /// # Errors
    /// If the byte at `va` cannot be read.
    pub fn slice(&self, va: Virt, max: usize) -> Result<&[u8], Fault> {
        self.piece(va, 1)?;
        let piece = self
            .mapped(va, (max as u64).max(1))
            .next()
            .filter(|piece| piece.va == va);
        piece.map(|piece| piece.bytes).ok_or(Fault {
            at: va,
            why: Why::NoBlock,
        })
    }

    /// A piece from `va` on inside one page or block: fast, but not always the longest.
    fn piece(&self, va: Virt, max: u64) -> Result<&[u8], Fault> {
        match &self.kind {
            Kind::Paged(paged) => {
                let found = paged.walk(va, true).1?;
                let in_page = found.phys.page_offset();
                let left = found.page_size - (va.0 & (found.page_size - 1));
                let pages = (in_page + max.min(left)).div_ceil(PAGE_SIZE);
                let pfn = found.phys.pfn();
                let run = paged
                    .memory()
                    .ok()
                    .and_then(|memory| memory.run_at(pfn, pages));
                let piece = run.and_then(|run| run.get(in_page as usize..));
                let piece = piece.ok_or(Fault {
                    at: va,
                    why: Why::PageNotInDump { pfn, level: None },
                })?;
                Ok(piece.get(..max as usize).unwrap_or(piece))
            }
            Kind::Blocks(blocks) => {
                let last = va.0.saturating_add(max.saturating_sub(1));
                let found = blocks
                    .first_in(va.0, last)
                    .filter(|(start, _)| *start == va);
                found.map(|(_, bytes)| bytes).ok_or(Fault {
                    at: va,
                    why: Why::NoBlock,
                })
            }
        }
    }

    /// Fills `buf` from `va` on.
    ///
    /// # Errors
    /// The first address that is missing, and why. What lies before it is in `buf`.
    pub fn read(&self, va: Virt, buf: &mut [u8]) -> Result<(), Fault> {
        match self.read_prefix(va, buf) {
            (_, None) => Ok(()),
            (_, Some(fault)) => Err(fault),
        }
    }

    /// Fills as much of `buf` as there is: how many bytes, and what stopped it.
    pub fn read_prefix(&self, va: Virt, buf: &mut [u8]) -> (usize, Option<Fault>) {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let Some(at) = va.0.checked_add(done as u64).map(Virt) else {
                return (
                    done,
                    Some(Fault {
                        at: Virt(u64::MAX),
                        why: Why::EndOfSpace,
                    }),
                );
            };
            match self.piece(at, rest.len() as u64) {
                Ok(piece) => {
                    // A piece is never empty and never longer than what was asked for.
                    for (to, from) in rest.iter_mut().zip(piece) {
                        *to = *from;
                    }
                    done += piece.len();
                }
                Err(fault) => return (done, Some(fault)),
            }
        }
        (done, None)
    }

    /// `N` bytes, for the typed reads.
    fn read_array<const N: usize>(&self, va: Virt) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.read(va, &mut bytes)?;
        Ok(bytes)
    }

    /// One byte.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    pub fn read_u8(&self, va: Virt) -> Result<u8, Fault> {
        self.read_array(va).map(u8::from_le_bytes)
    }

    /// A 2-byte number.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    pub fn read_u16(&self, va: Virt) -> Result<u16, Fault> {
        self.read_array(va).map(u16::from_le_bytes)
    }

    /// A 4-byte number.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    pub fn read_u32(&self, va: Virt) -> Result<u32, Fault> {
        self.read_array(va).map(u32::from_le_bytes)
    }

    /// An 8-byte number.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    pub fn read_u64(&self, va: Virt) -> Result<u64, Fault> {
        self.read_array(va).map(u64::from_le_bytes)
    }

    /// A pointer.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    pub fn read_virt(&self, va: Virt) -> Result<Virt, Fault> {
        self.read_u64(va).map(Virt)
    }

    /// How many bytes there are at all.
    pub fn store_len(&self) -> usize {
        match &self.kind {
            Kind::Paged(paged) => paged.memory().map_or(0, |memory| memory.file().len()),
            Kind::Blocks(blocks) => blocks.store().len(),
        }
    }

    /// `len` bytes. No more memory is taken than can be read: a length from a damaged structure is no danger.
    ///
    /// # Errors
    /// As [`AddressSpace::read`].
    pub fn read_vec(&self, va: Virt, len: usize) -> Result<Vec<u8>, Fault> {
        if len > self.store_len() {
            let why = Why::Unsupported("more bytes were asked for than the whole dump has");
            return Err(Fault { at: va, why });
        }
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let Some(at) = va.0.checked_add(bytes.len() as u64).map(Virt) else {
                return Err(Fault {
                    at: Virt(u64::MAX),
                    why: Why::EndOfSpace,
                });
            };
            bytes.extend_from_slice(self.piece(at, (len - bytes.len()) as u64)?);
        }
        Ok(bytes)
    }

    /// The present pieces of `len` bytes from `start` on, in ascending order; `u64::MAX` goes to the end of the address
    /// space. Neighbours that are apart in the file are separate pieces.
    pub fn mapped(&self, start: Virt, len: u64) -> Mapped<'_> {
        match &self.kind {
            Kind::Paged(paged) => Mapped::of_tables(paged, start, len),
            Kind::Blocks(blocks) => Mapped::of_blocks(blocks, start, len),
        }
    }
}
