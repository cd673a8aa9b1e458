//! The function table of an image (`.pdata`): where its functions lie, which pieces belong together, and where their unwind data is.

use super::Memory;
use super::info::Head;
use crate::Machine;
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::bytes::ReadAt;
use rkd_dump::error::{Error, Result};

/// How many pieces of a function may be chained to each other; Windows stops at 32, compilers make one or two.
const MAX_CHAIN: usize = 32;

/// An entry of `.pdata` (`RUNTIME_FUNCTION`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeFunction {
    /// The first byte.
    pub begin: Rva,
    /// One past the last byte.
    pub end: Rva,
    /// Its unwind data; an odd value leads to another entry of `.pdata` (x64).
    pub unwind: Rva,
}

impl RuntimeFunction {
    /// Bytes of an entry on x64.
    pub const SIZE: usize = 12;

    /// Decodes an entry of x64.
    pub fn parse(bytes: &[u8; RuntimeFunction::SIZE]) -> RuntimeFunction {
        let word = |at: usize| Rva(bytes.u32_at(at).unwrap_or_default());
        RuntimeFunction {
            begin: word(0),
            end: word(4),
            unwind: word(8),
        }
    }

    /// Reads an entry of x64 at this place.
    pub(super) fn read(memory: &dyn Memory, at: Virt) -> Result<RuntimeFunction> {
        let mut bytes = [0; RuntimeFunction::SIZE];
        memory.read(at, &mut bytes)?;
        Ok(RuntimeFunction::parse(&bytes))
    }

    /// Whether it covers the place.
    pub fn contains(&self, at: Rva) -> bool {
        (self.begin..self.end).contains(&at)
    }

    /// The entry that this one is a part of: its unwind data is chained to that one's, or is that entry itself.
    fn parent(&self, memory: &dyn Memory, base: Virt) -> Result<Option<RuntimeFunction>> {
        if self.unwind.0 & 1 == 1 {
            return RuntimeFunction::read(memory, base + Rva(self.unwind.0 & !1)).map(Some);
        }
        Head::read(memory, base + self.unwind)?.chained(memory)
    }

    /// The first piece of a function of several, of which this is one (x64).
    ///
    /// # Errors
    /// The piece that was come to, with why its unwind data leads no further: it cannot be read, or leads in a circle.
    pub fn first_piece(
        self,
        memory: &dyn Memory,
        base: Virt,
    ) -> Result<RuntimeFunction, (RuntimeFunction, Error)> {
        let mut piece = self;
        for _ in 0..MAX_CHAIN {
            match piece.parent(memory, base) {
                Ok(Some(parent)) => piece = parent,
                Ok(None) => return Ok(piece),
                Err(why) => return Err((piece, why)),
            }
        }
        let circle = Error::Corrupt {
            what: format!("the unwind data at {}", base + piece.unwind),
            why: "its pieces are chained in a circle".into(),
        };
        Err((piece, circle))
    }
}

/// A function table.
#[derive(Clone, Copy, Debug)]
pub struct FunctionTable {
    /// The processor.
    pub machine: Machine,
    /// Where the image lies.
    pub base: Virt,
    /// Where in the image the table lies.
    pub rva: Rva,
    /// Bytes of the table.
    pub size: u32,
}

impl FunctionTable {
    /// All entries in the order of the table, as far as it can be read; on ARM64 without those whose length cannot be.
    pub fn entries(&self, memory: &dyn Memory) -> Vec<RuntimeFunction> {
        let size = match self.machine {
            Machine::Arm64 => 8,
            Machine::X64 | Machine::X86 => RuntimeFunction::SIZE as u32,
        };
        let places =
            (0..self.size / size).map(|number| self.base + self.rva + u64::from(number * size));
        match self.machine {
            Machine::X86 => Vec::new(),
            Machine::X64 => places
                .map_while(|at| RuntimeFunction::read(memory, at).ok())
                .collect(),
            Machine::Arm64 => places
                .map_while(|at| {
                    let mut bytes = [0; 8];
                    memory.read(at, &mut bytes).ok()?;
                    Some((bytes.u32_at(0)?, bytes.u32_at(4)?))
                })
                .filter_map(|(begin, unwind)| self.arm64(memory, begin, unwind))
                .collect(),
        }
    }

    /// An entry of ARM64, whose length stands in it or in its unwind data, in instructions.
    fn arm64(&self, memory: &dyn Memory, begin: u32, unwind: u32) -> Option<RuntimeFunction> {
        let words = match unwind & 3 {
            0 => {
                let mut head = [0; 4];
                memory.read(self.base + Rva(unwind), &mut head).ok()?;
                head.u32_at(0)? & 0x3_ffff
            }
            _ => (unwind >> 2) & 0x7ff,
        };
        Some(RuntimeFunction {
            begin: Rva(begin),
            end: Rva(begin.checked_add(4 * words)?),
            unwind: Rva(unwind),
        })
    }

    /// The entry that covers a place of the image, looked for as in a sorted table of x64; `None` for functions that have none,
    /// which are leaf functions.
    ///
    /// # Errors
    /// Why the table cannot be read.
    pub fn find(&self, memory: &dyn Memory, at: Rva) -> Result<Option<RuntimeFunction>> {
        let (mut low, mut high) = (0, u64::from(self.size) / RuntimeFunction::SIZE as u64);
        while low < high {
            let middle = low + (high - low) / 2;
            let place = self.base + self.rva + middle * RuntimeFunction::SIZE as u64;
            let function = RuntimeFunction::read(memory, place)?;
            if function.contains(at) {
                return Ok(Some(function));
            }
            if at < function.begin {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(None)
    }
}
