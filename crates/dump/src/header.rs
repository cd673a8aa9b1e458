//! The first 0x2000 bytes of a 64-bit dump: what Windows says about the machine, the crash and the file.
//!
//! The writer fills the page with the text `PAGE` over and over before it sets the fields, so a field that reads
//! `PAGE` was never set. Such a field is `None` here, or zero where zero cannot be a value (addresses).

use crate::addr::{Pfn, Virt};
use crate::bytes::ReadAt;

/// Bytes of the header; the second header of the dump's own kind follows.
pub const HEADER_SIZE: u64 = 0x2000;

/// `IMAGE_FILE_MACHINE_AMD64`.
pub const MACHINE_X64: u32 = 0x8664;
/// `IMAGE_FILE_MACHINE_ARM64`.
pub const MACHINE_ARM64: u32 = 0xaa64;

const FILLER_32: u32 = u32::from_le_bytes(*b"PAGE");
const FILLER_64: u64 = u64::from_le_bytes(*b"PAGEPAGE");
/// As many runs as fit into the 700 bytes that the header has for them.
const MOST_RUNS: u32 = 42;

/// `DUMP_HEADER64`.
#[derive(Clone, Debug)]
pub struct Header {
    /// 15 for a free build of Windows, 12 for a checked one; not the version of Windows.
    pub major_version: u32,
    /// The build number.
    pub minor_version: u32,
    /// CR3 (x64) or TTBR (ARM64) of the crash, as stored: flags in the low bits.
    pub directory_table_base: u64,
    /// The address of the variable `MmPfnDatabase`, not of the database.
    pub pfn_database: Virt,
    /// The address of `PsLoadedModuleList`.
    pub ps_loaded_module_list: Virt,
    /// The address of `PsActiveProcessHead`.
    pub ps_active_process_head: Virt,
    /// The `IMAGE_FILE_MACHINE_*` number: [`MACHINE_X64`] or [`MACHINE_ARM64`].
    pub machine: u32,
    /// How many processors the machine had.
    pub processors: u32,
    /// The bug check code; for live dumps the one their maker chose.
    pub bugcheck_code: u32,
    /// The bug check's four parameters.
    pub bugcheck_parameters: [u64; 4],
    /// Text of the writer.
    pub version_user: Option<String>,
    /// The address of `KdDebuggerDataBlock`; zero when the writer did not know it.
    pub kd_debugger_data_block: Virt,
    /// The memory of the machine (not of the dump, except in a full dump).
    pub physical_runs: Vec<PhysicalRun>,
    /// How many runs the header claims; more than `physical_runs` holds when it does not fit.
    pub physical_run_count: u32,
    /// How many pages the machine had.
    pub physical_pages: Option<u64>,
    /// The `CONTEXT` of the crash, in the machine's own layout (3000 bytes).
    pub context: Option<Vec<u8>>,
    /// The exception of the crash.
    pub exception: Option<Exception>,
    /// 1 full, 4 triage, 5 bitmap full, 6 bitmap kernel, 8, 9 and 0xA ranges.
    pub dump_type: u32,
    /// Bytes that Windows wanted for the dump.
    pub required_dump_space: Option<u64>,
    /// When the machine crashed: a FILETIME, in units of 100 ns since 1601, UTC.
    pub system_time: Option<u64>,
    /// Text of the writer, such as `.dump /c`'s.
    pub comment: Option<String>,
    /// How long the machine had been up, in units of 100 ns.
    pub system_up_time: Option<u64>,
    /// What a triage dump holds, as flags.
    pub mini_dump_fields: Option<u32>,
    /// How the writing of the secondary data ended.
    pub secondary_data_state: Option<u32>,
    /// 1 workstation, 2 domain controller, 3 server.
    pub product_type: Option<u32>,
    /// The `VER_SUITE_*` flags.
    pub suite_mask: Option<u32>,
    /// 0 when the writer finished, else an NTSTATUS.
    pub writer_status: Option<u32>,
    /// Flags of the dump itself, such as "made by a hypervisor".
    pub attributes: Option<u32>,
    /// Counts the starts of the machine.
    pub boot_id: Option<u32>,
}

/// A run of the machine's physical memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhysicalRun {
    /// The first frame.
    pub first: Pfn,
    /// How many.
    pub pages: u64,
}

/// `EXCEPTION_RECORD64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// An NTSTATUS, such as 0xC0000005.
    pub code: u32,
    /// Bit 0: cannot be continued.
    pub flags: u32,
    /// Another record, of which this one is the consequence.
    pub record: Virt,
    /// The instruction.
    pub address: Virt,
    /// At most 15 numbers which depend on the code.
    pub parameters: Vec<u64>,
}

impl Header {
    /// Reads the header; `None` if the file is shorter. The signature is not looked at.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Header> {
        let bytes = bytes.slice_at(0, HEADER_SIZE)?;
        let (dword, qword) = (|at| bytes.u32_at(at), |at| bytes.u64_at(at));
        let set_dword = |at| dword(at).filter(|value| *value != FILLER_32);
        let set_qword = |at| qword(at).filter(|value| *value != FILLER_64);
        let address = |at| Virt(set_qword(at).unwrap_or_default());
        let run_count = set_dword(0x88).unwrap_or_default();
        Some(Header {
            major_version: dword(0x8)?,
            minor_version: dword(0xc)?,
            directory_table_base: qword(0x10)?,
            pfn_database: address(0x18),
            ps_loaded_module_list: address(0x20),
            ps_active_process_head: address(0x28),
            machine: dword(0x30)?,
            processors: dword(0x34)?,
            bugcheck_code: dword(0x38)?,
            bugcheck_parameters: [qword(0x40)?, qword(0x48)?, qword(0x50)?, qword(0x58)?],
            version_user: text(bytes.slice_at(0x60, 32)?),
            kd_debugger_data_block: address(0x80),
            physical_runs: (0..u64::from(run_count.min(MOST_RUNS)))
                .map_while(|index| {
                    let at = 0x98 + index * 16;
                    Some(PhysicalRun {
                        first: Pfn(qword(at)?),
                        pages: qword(at + 8)?,
                    })
                })
                .collect(),
            physical_run_count: run_count,
            physical_pages: set_qword(0x90),
            context: bytes
                .slice_at(0x348, 3000)
                .filter(|context| !context.starts_with(b"PAGEPAGE"))
                .map(<[u8]>::to_vec),
            exception: exception(bytes, 0xf00),
            dump_type: dword(0xf98)?,
            required_dump_space: set_qword(0xfa0),
            system_time: set_qword(0xfa8),
            comment: text(bytes.slice_at(0xfb0, 128)?),
            system_up_time: set_qword(0x1030),
            mini_dump_fields: set_dword(0x1038),
            secondary_data_state: set_dword(0x103c),
            product_type: set_dword(0x1040),
            suite_mask: set_dword(0x1044),
            writer_status: set_dword(0x1048),
            attributes: set_dword(0x1050),
            boot_id: set_dword(0x1054),
        })
    }

    /// Whether the machine was an x64 one.
    pub fn is_x64(&self) -> bool {
        self.machine == MACHINE_X64
    }
}

/// The exception at `at`, unless nothing was written there.
fn exception(bytes: &[u8], at: u64) -> Option<Exception> {
    let code = bytes.u32_at(at).filter(|code| *code != FILLER_32)?;
    let count = u64::from(bytes.u32_at(at + 0x18)?.min(15));
    Some(Exception {
        code,
        flags: bytes.u32_at(at + 4)?,
        record: Virt(bytes.u64_at(at + 8)?),
        address: Virt(bytes.u64_at(at + 0x10)?),
        parameters: (0..count)
            .map_while(|index| bytes.u64_at(at + 0x20 + index * 8))
            .collect(),
    })
}

/// A text field: up to its NUL, unless it is empty or was never set.
fn text(field: &[u8]) -> Option<String> {
    if field.starts_with(b"PAGE") && field.u16_at(4) != Some(0) {
        return None;
    }
    field
        .text_at(0, field.len())
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_was_never_set_is_absent() {
        let mut field = *b"PAGEPAGEPAGEPAGE";
        assert_eq!(text(&field), None);
        field[0] = 0; // the writers put an empty string over the filler
        assert_eq!(text(&field), None);
        assert_eq!(text(b"Livekd 5.63\0PAGE"), Some("Livekd 5.63".to_string()));
        assert_eq!(text(b"PAGE\0\0\0\0"), Some("PAGE".to_string()));
        assert_eq!(text(b"no end"), Some("no end".to_string()));
    }

    #[test]
    fn a_header_of_filler_holds_nothing() {
        let bytes = b"PAGE".repeat(0x800);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!(header.kd_debugger_data_block, Virt(0));
        assert!(
            header.physical_runs.is_empty()
                && header.context.is_none()
                && header.exception.is_none()
        );
        assert_eq!(
            (
                header.system_time,
                header.system_up_time,
                header.product_type
            ),
            (None, None, None)
        );
        assert!(Header::parse(&bytes[1..]).is_none());
    }
}
