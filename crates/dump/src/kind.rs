//! The kinds of kernel dumps: what the header's `DumpType` means, and what kd's banner says of each.

/// A kind of dump that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `DumpType` 1: all physical memory, in runs.
    Full,
    /// `DumpType` 5: all physical memory that was in use, found by a bitmap.
    BitmapFull,
    /// `DumpType` 6: kernel, active and live dumps, found by a bitmap.
    BitmapKernel,
    /// `DumpType` 8: what a debugger's `.dump /k` writes, in ranges.
    RangeKernel,
    /// `DumpType` 9: what a debugger's `.dump /ka` writes, in ranges.
    RangeKernelActive,
    /// `DumpType` 0xA: what a debugger's `.dump /f` writes, in ranges.
    RangeFull,
    /// `DumpType` 4: a small dump of selected blocks of virtual memory.
    Triage,
}

impl Kind {
    /// The kind that the header's `DumpType` names, if it is one that can be opened.
    ///
    /// 7 ("automatic") is a setting of Windows: what it writes carries 5 or 6, but readers list the number, so a file
    /// that has it is taken for what its second header says it is, a bitmap.
    pub fn of(dump_type: u32) -> Option<Kind> {
        Some(match dump_type {
            1 => Kind::Full,
            4 => Kind::Triage,
            5 => Kind::BitmapFull,
            6 | 7 => Kind::BitmapKernel,
            8 => Kind::RangeKernel,
            9 => Kind::RangeKernelActive,
            0xa => Kind::RangeFull,
            _ => return None,
        })
    }

    /// The sentence of kd's banner.
    pub fn description(self) -> &'static str {
        match self {
            Kind::Full => "Kernel Complete Dump File: Full address space is available",
            Kind::BitmapFull | Kind::RangeKernelActive | Kind::RangeFull => {
                "Kernel Bitmap Dump File: Full address space is available"
            }
            Kind::BitmapKernel | Kind::RangeKernel => {
                "Kernel Bitmap Dump File: Kernel address space is available, User address space may not be available."
            }
            Kind::Triage => "Mini Kernel Dump File: Only registers and stack trace are available",
        }
    }
}
