//! Triage dumps (`DumpType` 4, "minidumps"): no physical memory, but blocks of virtual memory and copies of the most
//! wanted structures, each found by an offset in the second header at 0x2000.

use super::header::{self, Header};
use super::triage_lists::{self, TriageDriver, TriageUnloaded};
use super::{Contents, Format, Refusal, with_header};
use crate::addr::Virt;
use crate::bytes::ReadAt;
use crate::map::Map;
use std::sync::Arc;

/// `DumpType` 4: a small dump of selected blocks of virtual memory.
pub(super) static TRIAGE: Format = Format {
    name: "triage",
    description: "Mini Kernel Dump File: Only registers and stack trace are available",
    is_of: |bytes| header::dump_type(bytes) == Some(4),
    open: |file, notes| {
        with_header(file, notes, |file, header, notes| {
            Triage::open(file, header, notes).map(|triage| Contents::Virtual(Box::new(triage)))
        })
    },
};

const HEADER: u64 = 0x2000;
const HEADER_LEN: u64 = 0x80;

/// Where the debugger data block says how large the copies of structures are.
const SIZE_EPROCESS: u64 = 0x2a8;
const SIZE_PRCB: u64 = 0x2b0;
const SIZE_ETHREAD: u64 = 0x2c0;

/// A piece of virtual memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualBlock<'a> {
    /// Where it lay.
    pub va: Virt,
    /// What was there.
    pub bytes: &'a [u8],
}

/// The contents of a triage dump.
pub struct Triage {
    file: Arc<Map>,
    /// The address of the debugger data block, of which the dump has a copy.
    debugger_data_block: Virt,
    /// Service pack and its build, as the writer stored them; 0 on anything recent.
    pub service_pack_build: u32,
    /// Bytes of the dump proper; secondary data follows.
    pub size_of_dump: u32,
    /// The `TRIAGE_OPTION_*` flags; `None` when the writer set none.
    pub options: Option<u32>,
    /// The stack pointer of the crash.
    pub top_of_stack: Virt,
}

impl Triage {
    /// Reads the second header.
    fn open(file: Arc<Map>, header: &Header, notes: &mut Vec<String>) -> Result<Triage, Refusal> {
        let bytes = file.bytes();
        if bytes.slice_at(HEADER, HEADER_LEN).is_none() {
            return Err(Refusal::TriageCut(bytes.len()));
        }
        let number = |offset| bytes.u32_at(HEADER + offset).unwrap_or_default();
        let triage = Triage {
            service_pack_build: number(0),
            size_of_dump: number(4),
            options: Some(number(0x44)).filter(|options| *options != u32::MAX),
            top_of_stack: Virt(bytes.u64_at(HEADER + 0x48).unwrap_or_default()),
            debugger_data_block: header.located.debugger_block.get().unwrap_or_default(),
            file: Arc::clone(&file),
        };
        triage.note_damage(notes);
        Ok(triage)
    }

    fn note_damage(&self, notes: &mut Vec<String>) {
        let len = self.bytes().len() as u64;
        let whole = u64::from(self.size_of_dump);
        if whole > len {
            notes.push(format!(
                "the file is cut short by {} bytes: it should have {whole}",
                whole - len
            ));
        }
        let valid = u64::from(self.number(8));
        match self.bytes().slice_at(valid, 4) {
            Some(b"TRGD") => {}
            Some(_) => notes.push(format!(
                "the mark TRGD is not at {valid:#x}, where a complete triage dump has it"
            )),
            None => notes.push(format!(
                "the mark TRGD should be at {valid:#x}, beyond the end of the file"
            )),
        }
        let (there, lost) = self
            .data_blocks()
            .fold((0u64, 0u64), |(there, lost), (_, block)| match block {
                Some(_) => (there + 1, lost),
                None => (there, lost + 1),
            });
        if lost > 0 {
            notes.push(format!(
                "{lost} of {} blocks of memory lie beyond the end of the file",
                there + lost
            ));
        }
        let listed = u64::from(self.number(0x7c));
        if listed > there + lost {
            notes.push(format!(
                "the header counts {listed} blocks of memory, the file has room to list {}",
                there + lost
            ));
        }
        if self.overflowed() {
            notes.push(
                "the dump was too small for all that Windows wanted to keep (triage overflow)"
                    .to_string(),
            );
        }
    }

    fn bytes(&self) -> &[u8] {
        self.file.bytes()
    }

    fn number(&self, offset: u64) -> u32 {
        self.bytes().u32_at(HEADER + offset).unwrap_or_default()
    }

    /// Whether Windows had to leave things out for want of room.
    pub fn overflowed(&self) -> bool {
        self.options.is_some_and(|options| options & 0x100 != 0)
    }

    /// The addresses of the data blocks, and the blocks as far as the file holds any of them.
    fn data_blocks(&self) -> impl Iterator<Item = (Virt, Option<VirtualBlock<'_>>)> {
        let (start, count) = (u64::from(self.number(0x78)), u64::from(self.number(0x7c)));
        (0..count).map_while(move |index| {
            let at = start + index * 16;
            let va = Virt(self.bytes().u64_at(at)?);
            let (offset, size) = (
                u64::from(self.bytes().u32_at(at + 8)?),
                u64::from(self.bytes().u32_at(at + 12)?),
            );
            let there = (self.bytes().len() as u64).saturating_sub(offset).min(size);
            let bytes = self
                .bytes()
                .slice_at(offset, there)
                .filter(|bytes| !bytes.is_empty() || size == 0);
            Some((va, bytes.map(|bytes| VirtualBlock { va, bytes })))
        })
    }

    /// How many data blocks the file lists.
    pub fn data_block_count(&self) -> u32 {
        self.number(0x7c)
    }

    /// All memory of the dump in the order of the file: the stack, the data page, the copy of the debugger data block,
    /// then the data blocks. They may overlap; a block which a cut file has lost in part is shorter.
    pub fn blocks(&self) -> impl Iterator<Item = VirtualBlock<'_>> {
        [self.call_stack(), self.data_page(), self.debugger_block()]
            .into_iter()
            .flatten()
            .chain(self.data_blocks().filter_map(|(_, block)| block))
            .filter(|block| !block.bytes.is_empty())
    }

    /// The part of the kernel stack from the stack pointer of the crash on.
    pub fn call_stack(&self) -> Option<VirtualBlock<'_>> {
        self.block(self.top_of_stack, self.number(0x28), self.number(0x2c))
    }

    /// One page which the bug check thought worth keeping.
    pub fn data_page(&self) -> Option<VirtualBlock<'_>> {
        self.block(
            Virt(self.bytes().u64_at(HEADER + 0x60)?),
            self.number(0x68),
            self.number(0x6c),
        )
    }

    fn debugger_block(&self) -> Option<VirtualBlock<'_>> {
        Some(VirtualBlock {
            va: self.debugger_data_block,
            bytes: self.debugger_data()?,
        })
        .filter(|block| block.va.0 != 0)
    }

    fn block(&self, va: Virt, offset: u32, size: u32) -> Option<VirtualBlock<'_>> {
        let bytes = self.part(offset, u64::from(size))?;
        (va.0 != 0).then_some(VirtualBlock { va, bytes })
    }

    /// A part of the file that a field of the header points at; offset 0 means that there is none.
    fn part(&self, offset: u32, size: u64) -> Option<&[u8]> {
        if offset == 0 || size == 0 {
            return None;
        }
        self.bytes().slice_at(u64::from(offset), size)
    }

    /// A decoded copy of `KDDEBUGGER_DATA64`.
    pub fn debugger_data(&self) -> Option<&[u8]> {
        self.part(self.number(0x70), u64::from(self.number(0x74)))
    }

    /// A copy of a structure whose size the debugger data block gives.
    fn structure(&self, offset: u64, size: u64) -> Option<&[u8]> {
        self.part(
            self.number(offset),
            u64::from(self.debugger_data()?.u16_at(size)?),
        )
    }

    /// A copy of the current `_EPROCESS`.
    pub fn process(&self) -> Option<&[u8]> {
        self.structure(0x20, SIZE_EPROCESS)
    }

    /// A copy of the current `_ETHREAD`.
    pub fn thread(&self) -> Option<&[u8]> {
        self.structure(0x24, SIZE_ETHREAD)
    }

    /// A copy of the current processor's `_KPRCB`.
    pub fn prcb(&self) -> Option<&[u8]> {
        self.structure(0x1c, SIZE_PRCB)
    }

    /// The drivers that were loaded, in load order: the kernel first.
    pub fn drivers(&self) -> Vec<TriageDriver> {
        triage_lists::drivers(self.bytes(), self.number(0x30), self.number(0x34))
    }

    /// The drivers that were unloaded last, the latest first.
    pub fn unloaded(&self) -> Vec<TriageUnloaded> {
        triage_lists::unloaded(self.bytes(), self.number(0x18))
    }

    /// The driver that the bug check blames.
    pub fn broken_driver(&self) -> Option<String> {
        match self.number(0x40) {
            0 => None,
            offset => triage_lists::counted_string(self.bytes(), u64::from(offset)),
        }
    }
}
