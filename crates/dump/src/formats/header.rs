//! `DUMP_HEADER64`: the first 0x2000 bytes of a 64-bit crash dump, in which Windows says what it knows about the machine,
//! the crash and the file.
//!
//! The writer fills the page with the text `PAGE` over and over before it sets the fields, so a field that reads
//! `PAGE` was never set.

use crate::addr::{Pfn, Virt};
use crate::bytes::ReadAt;
use crate::located::{Crash, Exception, Fact, Located, Missing};

/// Bytes of the header; the second header of the dump's own kind follows.
pub(crate) const HEADER_SIZE: u64 = 0x2000;

const FILLER_32: u32 = u32::from_le_bytes(*b"PAGE");
const FILLER_64: u64 = u64::from_le_bytes(*b"PAGEPAGE");
/// As many runs as fit into the 700 bytes that the header has for them.
const MAX_RUNS: u32 = 42;

/// The fields that a reader has a use for.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// What the header says about the machine.
    pub(crate) located: Located,
    /// What it says about the crash.
    pub(crate) crash: Crash,
    /// Text of the writer, such as `.dump /c`'s.
    pub(crate) comment: Option<String>,
    /// The memory of the machine (not of the dump, except in a full dump): first frame and number of pages.
    pub(crate) physical_runs: Vec<(u64, u64)>,
    /// How many runs the header claims; more than `physical_runs` holds when it does not fit.
    pub(crate) physical_run_count: u32,
    /// How many pages the machine had.
    pub(crate) physical_pages: Option<u64>,
}

/// The header's `DumpType`, if the file is a 64-bit crash dump that holds its whole header.
pub(crate) fn dump_type(bytes: &[u8]) -> Option<u32> {
    let header = bytes.slice_at(0, HEADER_SIZE)?;
    header.starts_with(b"PAGEDU64").then_some(())?;
    header.u32_at(0xf98)
}

impl Header {
    /// Reads the header; `None` if the file is shorter. The signature is not looked at.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Header> {
        let bytes = bytes.slice_at(0, HEADER_SIZE)?;
        let (dword, qword) = (|at| bytes.u32_at(at), |at| bytes.u64_at(at));
        let set_dword = |at| dword(at).filter(|value| *value != FILLER_32);
        let set_qword = |at| qword(at).filter(|value| *value != FILLER_64);
        let address = |at| Fact::header(set_qword(at).filter(|at| *at != 0).map(Virt));
        let run_count = set_dword(0x88).unwrap_or_default();
        let physical_runs: Vec<(u64, u64)> = bytes
            .records_at(0x98, run_count.min(MAX_RUNS), 16)
            .map_while(|run| Some((run.u64_at(0)?, run.u64_at(8)?)))
            .collect();
        let ends = physical_runs
            .iter()
            .map(|(first, pages)| Pfn(first.saturating_add(*pages)));
        let is_complete = physical_runs.len() == run_count as usize;
        Some(Header {
            located: Located {
                machine: Fact::header(dword(0x30)),
                page_table_root: Fact::header(qword(0x10)),
                kernel_base: Fact::Missing(Missing::NotWritten),
                module_list: address(0x20),
                debugger_block: address(0x80),
                build: Fact::header(dword(0xc)),
                // 15 is a free build of Windows, 12 a checked one.
                is_checked: Fact::header(dword(0x8).map(|major| major == 12)),
                processors: Fact::header(dword(0x34)),
                product_type: Fact::header(set_dword(0x1040)),
                suite_mask: Fact::header(set_dword(0x1044)),
                system_time: Fact::header(set_qword(0xfa8)),
                up_time: Fact::header(set_qword(0x1030)),
                memory_end: Fact::header(ends.max().filter(|_| is_complete)),
            },
            crash: Crash {
                code: dword(0x38)?,
                parameters: [qword(0x40)?, qword(0x48)?, qword(0x50)?, qword(0x58)?],
                context: bytes
                    .slice_at(0x348, 3000)
                    .filter(|context| !context.starts_with(b"PAGEPAGE"))
                    .map(<[u8]>::to_vec),
                exception: exception(bytes, 0xf00),
            },
            comment: text(bytes.slice_at(0xfb0, 128)?),
            physical_runs,
            physical_run_count: run_count,
            physical_pages: set_qword(0x90),
        })
    }
}

/// The exception at `at`, unless nothing was written there.
fn exception(bytes: &[u8], at: u64) -> Option<Exception> {
    let code = bytes.u32_at(at).filter(|code| *code != FILLER_32)?;
    let count = bytes.u32_at(at + 0x18)?.min(15);
    Some(Exception {
        code,
        flags: bytes.u32_at(at + 4)?,
        record: Virt(bytes.u64_at(at + 8)?),
        address: Virt(bytes.u64_at(at + 0x10)?),
        parameters: bytes
            .records_at(at + 0x20, count, 8)
            .map_while(|number| number.u64_at(0))
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
        assert!(header.physical_runs.is_empty() && header.crash.context.is_none());
        assert!(header.crash.exception.is_none() && header.comment.is_none());
        let located = header.located;
        assert_eq!(located.debugger_block.known(), Err(Missing::NotWritten));
        assert_eq!(
            (
                located.system_time.get(),
                located.up_time.get(),
                located.product_type.get()
            ),
            (None, None, None)
        );
        assert!(Header::parse(&bytes[1..]).is_none());
    }
}
