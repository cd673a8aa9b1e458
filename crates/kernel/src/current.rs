//! What a processor was doing: its thread and its process. Where nt's types are not known, the debugger data block says where
//! the fields are that lead there, and a triage dump has copies of the three structures.

use super::Kernel;
use super::debugger_data::DebuggerData;
use rkd_dump::Triage;
use rkd_dump::addr::Virt;
use rkd_dump::bytes::ReadAt;
use rkd_dump::error::{Error, Result};

/// Offsets in the debugger data block: of the offset of `_KPRCB.CurrentThread`, of `_KTHREAD.ApcState.Process` and of
/// `_EPROCESS.Peb`, and of the size of `_EPROCESS`.
const PRCB_CURRENT_THREAD: usize = 0x2b4;
const THREAD_PROCESS: usize = 0x2a0;
const PROCESS_PEB: usize = 0x2aa;
const PROCESS_SIZE: usize = 0x2a8;

/// Where the name lies in `_EPROCESS` (`ImageFileName`), by the offset of `Peb` and the sizes of the structure in kernels with
/// that offset: it has always been a member shortly behind. An empty list of sizes is all others.
const NAMES: [(u16, &[u16], u16); 7] = [
    // Windows 7.
    (0x338, &[0x4f8], 0x2e0),
    // Windows 8.1.
    (0x3e8, &[], 0x438),
    // 10240 with its updates, and 10586 to 18362.
    (0x3f8, &[0x798, 0x7a8, 0x7b0], 0x448),
    (0x3f8, &[], 0x450),
    // 19041 to 22631, on x64 and on ARM64.
    (0x550, &[], 0x5a8),
    (0x508, &[0xc80], 0x560),
    // 26100.
    (0x2e0, &[], 0x338),
];

/// Bytes of `ImageFileName`.
const NAME: usize = 15;

/// The offset of `ImageFileName`, by what the debugger data block says of `_EPROCESS`.
fn name_offset(block: &DebuggerData) -> Option<u16> {
    let (peb, size) = (block.u16(PROCESS_PEB)?, block.u16(PROCESS_SIZE)?);
    let is_right = |(at, sizes, _): &&(u16, &[u16], u16)| {
        *at == peb && (sizes.is_empty() || sizes.contains(&size))
    };
    NAMES.iter().find(is_right).map(|(_, _, name)| *name)
}

impl Kernel {
    /// The thread (`_KTHREAD`) that a processor was running.
    ///
    /// # Errors
    /// Those of [`Kernel::processor_block`] and of reading its fields.
    pub fn current_thread(&self, processor: u32) -> Result<Virt> {
        let field = self.own_offset("_KPRCB", "CurrentThread", PRCB_CURRENT_THREAD)?;
        let copy = |triage: &Triage| Some(Virt(triage.prcb()?.u64_at(field)?));
        self.processor_block(processor)
            .and_then(|block| Ok(self.space().read_virt(block + field)?))
            .or_else(|why| self.of_copy(processor, copy).ok_or(why))
    }

    /// The process (`_KPROCESS`) whose address space a processor was in.
    ///
    /// # Errors
    /// Those of [`Kernel::current_thread`] and of reading its fields.
    pub fn current_process(&self, processor: u32) -> Result<Virt> {
        let field = self.own_offset("_KTHREAD", "ApcState.Process", THREAD_PROCESS)?;
        let copy = |triage: &Triage| Some(Virt(triage.thread()?.u64_at(field)?));
        self.current_thread(processor)
            .and_then(|thread| Ok(self.space().read_virt(thread + field)?))
            .or_else(|why| self.of_copy(processor, copy).ok_or(why))
    }

    /// The name of the process whose address space a processor was in: the kernel keeps at most 14 characters of it.
    ///
    /// # Errors
    /// Those of [`Kernel::current_process`] and of reading it; [`Error::NeedsSymbols`] where nobody knows where the name lies.
    pub fn current_process_name(&self, processor: u32) -> Result<String> {
        let field = match self.field_address(Virt(0), "_EPROCESS", "ImageFileName") {
            Ok(offset) => offset.0,
            Err(why) => u64::from(self.debugger_data().and_then(name_offset).ok_or(why)?),
        };
        let mut name = [0; NAME];
        let read = self
            .current_process(processor)
            .and_then(|process| Ok(self.space().read(process + field, &mut name)?));
        if let Err(why) = read {
            let copy = |triage: &Triage| {
                let bytes = triage.process()?.slice_at(field, NAME as u64)?;
                bytes.try_into().ok()
            };
            name = self.of_copy(processor, copy).ok_or(why)?;
        }
        let text = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let is_name = !text.is_empty() && text.iter().all(|byte| (0x20..0x7f).contains(byte));
        match std::str::from_utf8(text) {
            Ok(text) if is_name => Ok(text.to_string()),
            _ => Err(Error::NotFound("there is no name in the process".into())),
        }
    }

    /// The offset of a field, by nt's types or by the debugger data block.
    fn own_offset(&self, ty: &str, path: &str, in_block: usize) -> Result<u64> {
        self.field_address(Virt(0), ty, path)
            .map(|offset| offset.0)
            .or_else(|why| {
                let block = self.debugger_data().and_then(|block| block.u16(in_block));
                block
                    .filter(|offset| *offset != 0)
                    .map(u64::from)
                    .ok_or(why)
            })
    }

    /// What a copy in a triage dump says, which it has of the processor that wrote it.
    fn of_copy<T>(&self, processor: u32, copy: impl Fn(&Triage) -> Option<T>) -> Option<T> {
        let is_writer = processor == self.current_processor();
        self.dump().triage().filter(|_| is_writer).and_then(copy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_processes_by_the_debugger_data_block() {
        for (peb, size, name) in [
            (0x338, 0x4f8, Some(0x2e0)),
            (0x3f8, 0x7a8, Some(0x448)),
            (0x3f8, 0x788, Some(0x450)),
            (0x550, 0xb80, Some(0x5a8)),
            (0x2e0, 0x840, Some(0x338)),
            (0x508, 0xc80, Some(0x560)),
            (0x123, 0x840, None),
        ] {
            let mut bytes = vec![0; 0x380];
            bytes[0x10..0x18].copy_from_slice(b"KDBG\x80\x03\0\0");
            bytes[PROCESS_PEB..][..2].copy_from_slice(&u16::to_le_bytes(peb));
            bytes[PROCESS_SIZE..][..2].copy_from_slice(&u16::to_le_bytes(size));
            let block = DebuggerData::parse(&bytes).unwrap();
            assert_eq!(name_offset(&block), name, "{peb:x} {size:x}");
        }
    }
}
