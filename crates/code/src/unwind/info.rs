//! The unwind data of a function, decoded.

use super::{Memory, RuntimeFunction};
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Error, Result};

/// What an instruction of the prologue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Pushes a register.
    Push(u8),
    /// Takes bytes of the stack.
    Allocate(u32),
    /// Sets the frame register from rsp.
    SetFrame,
    /// Stores a register at a distance from the frame.
    Save(u8, u32),
    /// Stores a floating point register.
    SaveXmm,
    /// The processor pushed ss, rsp, flags, cs and rip, and for some exceptions an error code.
    MachineFrame {
        /// Whether there is an error code.
        has_error_code: bool,
    },
    /// Says where an epilogue begins (version 2, since Windows 8).
    Epilogue,
}

/// An operation, and the offset behind its instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnwindCode {
    /// Bytes from the function's start to the end of the instruction.
    pub offset: u8,
    /// What it does.
    pub operation: Operation,
}

/// `UNWIND_INFO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnwindInfo {
    /// Bytes of the prologue.
    pub(crate) prologue: u8,
    /// The frame register, and how many bytes above rsp it points.
    pub(crate) frame: Option<(u8, u32)>,
    /// The operations, the last one first.
    pub(crate) codes: Vec<UnwindCode>,
    /// The entry whose operations come after these, for a function of several pieces.
    pub(crate) chained: Option<RuntimeFunction>,
}

impl UnwindInfo {
    /// Reads the unwind data at `rva` of the image at `base`.
    ///
    /// # Errors
    /// [`Error::Fault`] when it is not there, [`Error::Corrupt`] when it is no unwind data.
    pub fn read(memory: &dyn Memory, base: Virt, rva: Rva) -> Result<UnwindInfo> {
        let mut rva = rva;
        // An odd value leads to another entry of .pdata: once, because nobody needs more.
        if rva.0 & 1 == 1 {
            rva = RuntimeFunction::read(memory, base + Rva(rva.0 & !1))?.unwind;
        }
        let head = Head::read(memory, base + rva)?;
        let mut slots = vec![0; usize::from(head.count) * 2];
        memory.read(head.at + 4, &mut slots)?;
        let frame = (head.frame & 15, u32::from(head.frame >> 4) * 16);
        let codes = codes(&slots, frame)
            .ok_or_else(|| corrupt(head.at, "its operations are none".into()))?;
        Ok(UnwindInfo {
            prologue: head.prologue,
            frame: Some(frame).filter(|(register, _)| *register != 0),
            codes,
            chained: head.chained(memory)?,
        })
    }
}

/// The first four bytes of `UNWIND_INFO`.
pub(super) struct Head {
    at: Virt,
    flags: u8,
    prologue: u8,
    count: u8,
    frame: u8,
}

impl Head {
    pub(super) fn read(memory: &dyn Memory, at: Virt) -> Result<Head> {
        let mut head = [0; 4];
        memory.read(at, &mut head)?;
        let [first, prologue, count, frame] = head;
        let (version, flags) = (first & 7, first >> 3);
        if !(1..=2).contains(&version) {
            return Err(corrupt(at, format!("version {version} is not known")));
        }
        Ok(Head {
            at,
            flags,
            prologue,
            count,
            frame,
        })
    }

    /// The entry of `.pdata` that lies behind the operations where the unwind data is chained.
    pub(super) fn chained(&self, memory: &dyn Memory) -> Result<Option<RuntimeFunction>> {
        if self.flags & 4 == 0 {
            return Ok(None);
        }
        // The list of operations is padded to an even number.
        let behind = 4 + u64::from(self.count).next_multiple_of(2) * 2;
        RuntimeFunction::read(memory, self.at + behind).map(Some)
    }
}

fn corrupt(at: Virt, why: String) -> Error {
    Error::Corrupt {
        what: format!("the unwind data at {at}"),
        why,
    }
}

fn codes(slots: &[u8], frame: (u8, u32)) -> Option<Vec<UnwindCode>> {
    let mut codes = Vec::new();
    let (pairs, _) = slots.as_chunks::<2>();
    let mut rest = pairs.iter();
    while let Some([offset, operation]) = rest.next() {
        let (operation, detail) = (operation & 15, operation >> 4);
        let mut word = || rest.next().map(|word| u32::from(u16::from_le_bytes(*word)));
        let operation = match (operation, detail) {
            (0, register) => Operation::Push(register),
            (1, 0) => Operation::Allocate(word()? * 8),
            (1, 1) => Operation::Allocate(word()? | word()? << 16),
            (2, units) => Operation::Allocate(u32::from(units) * 8 + 8),
            (3, _) if frame.0 != 0 => Operation::SetFrame,
            (4, register) => Operation::Save(register, word()? * 8),
            (5, register) => Operation::Save(register, word()? | word()? << 16),
            // Version 2; in version 1 the numbers 6 and 7 stood for what nobody used.
            (6, _) => {
                word()?;
                Operation::Epilogue
            }
            (8, _) => {
                word()?;
                Operation::SaveXmm
            }
            (9, _) => {
                word()?;
                word()?;
                Operation::SaveXmm
            }
            (10, 0 | 1) => Operation::MachineFrame {
                has_error_code: detail == 1,
            },
            _ => return None,
        };
        codes.push(UnwindCode {
            offset: *offset,
            operation,
        });
    }
    Some(codes)
}
