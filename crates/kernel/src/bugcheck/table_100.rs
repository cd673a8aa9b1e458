//! Bug checks from 100 on.

use super::BugCheck;

/// By code.
pub(super) const TABLE: &[BugCheck] = &[
    BugCheck {
        code: 0x101,
        name: "CLOCK_WATCHDOG_TIMEOUT",
        what: "A processor did not answer clock interrupts for too long.",
        arguments: [
            "time-out, in clock ticks",
            "0",
            "address of the processor block (PRCB) that hangs",
            "its number",
        ],
    },
    BugCheck {
        code: 0x109,
        name: "CRITICAL_STRUCTURE_CORRUPTION",
        what: "Kernel code or data was changed: by a driver that must not, or by failing memory.",
        arguments: [
            "reserved",
            "reserved",
            "what was changed, if known",
            "kind of structure: 0 data, 1 function, 2 processor structures, 101 and more ...",
        ],
    },
    BugCheck {
        code: 0x10D,
        name: "WDF_VIOLATION",
        what: "A driver used the driver framework (KMDF) in a way that cannot be.",
        arguments: [
            "what was found: 5 null or bad handle, 6 request in the wrong state, 7 and d bad verifier calls ...",
            "depends on the first",
            "depends on the first",
            "reserved, or driver's globals",
        ],
    },
    BugCheck {
        code: 0x10E,
        name: "VIDEO_MEMORY_MANAGEMENT_INTERNAL",
        what: "The video memory manager met an error that it cannot handle.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x113,
        name: "VIDEO_DXGKRNL_FATAL_ERROR",
        what: "The graphics kernel met an error that it cannot handle.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x116,
        name: "VIDEO_TDR_ERROR",
        what: "The display driver hung, and resetting it failed.",
        arguments: [
            "internal record of the reset (TDR_RECOVERY_CONTEXT)",
            "address in the display driver",
            "NTSTATUS of the last operation",
            "what the case needs",
        ],
    },
    BugCheck {
        code: 0x117,
        name: "VIDEO_TDR_TIMEOUT_DETECTED",
        what: "The display driver hung and was reset.",
        arguments: [
            "internal record of the reset (TDR_RECOVERY_CONTEXT)",
            "address in the display driver",
            "reserved",
            "what the case needs",
        ],
    },
    BugCheck {
        code: 0x119,
        name: "VIDEO_SCHEDULER_INTERNAL_ERROR",
        what: "The graphics scheduler met an error that it cannot handle.",
        arguments: [
            "what was found: 1 bad fence, 2 error of the driver in a submission ...",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x124,
        name: "WHEA_UNCORRECTABLE_ERROR",
        what: "The hardware reported an error that cannot be corrected.",
        arguments: [
            "source: 0 machine check, 3 NMI, 4 PCI Express, 10 device driver ...",
            "address of the error record (WHEA_ERROR_RECORD)",
            "upper half of MCi_STATUS (0)",
            "lower half of MCi_STATUS (0)",
        ],
    },
    BugCheck {
        code: 0x12B,
        name: "FAULTY_HARDWARE_CORRUPTED_PAGE",
        what: "A page that Windows compressed came back damaged: failing memory.",
        arguments: [
            "virtual address",
            "physical address",
            "reserved",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x133,
        name: "DPC_WATCHDOG_VIOLATION",
        what: "A processor spent too long at DISPATCH_LEVEL or above, or in one DPC.",
        arguments: [
            "0: one DPC took too long, 1: all of them together",
            "ticks that it took",
            "ticks that are allowed",
            "address of nt!DPC_WATCHDOG_GLOBAL_TRIAGE_BLOCK, or 0",
        ],
    },
    BugCheck {
        code: 0x139,
        name: "KERNEL_SECURITY_CHECK_FAILURE",
        what: "A check against damaged memory failed.",
        arguments: [
            "the check: 0 or 2 stack cookie, 3 damaged LIST_ENTRY, 4 stack pointer, 5 bad parameter, 1d red-black tree ...",
            "trap frame",
            "exception record",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x13A,
        name: "KERNEL_MODE_HEAP_CORRUPTION",
        what: "The kernel's heap, which pool comes from since 1809, found itself damaged.",
        arguments: [
            "what was found: 3 damaged block, 6 bad free, 8 overrun, 11 list, 12 unknown block, 14 pages ...",
            "heap",
            "address of the block",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x13B,
        name: "PASSIVE_INTERRUPT_ERROR",
        what: "An interrupt that is handled at PASSIVE_LEVEL was used in a way that cannot be.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x13C,
        name: "INVALID_IO_BOOST_STATE",
        what: "A thread ended with its I/O boosts out of balance.",
        arguments: ["the thread", "throttles", "reserved", "reserved"],
    },
    BugCheck {
        code: 0x144,
        name: "BUGCODE_USB3_DRIVER",
        what: "The USB 3 drivers met an error that they cannot handle.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x149,
        name: "REFS_FILE_SYSTEM",
        what: "ReFS met an error that it cannot handle.",
        arguments: [
            "source file and line",
            "exception record, if there is one",
            "context record, if there is one",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x14F,
        name: "PDC_WATCHDOG_TIMEOUT",
        what: "A part of Windows did not answer in time on the way into or out of standby.",
        arguments: [
            "client that did not answer",
            "kind of notification",
            "address of the list of clients",
            "depends on the case",
        ],
    },
    BugCheck {
        code: 0x154,
        name: "UNEXPECTED_STORE_EXCEPTION",
        what: "The store of compressed memory raised an exception: mostly a failing disk.",
        arguments: ["store", "exception record", "reserved", "reserved"],
    },
    BugCheck {
        code: 0x15F,
        name: "CONNECTED_STANDBY_WATCHDOG_TIMEOUT_LIVEDUMP",
        what: "A part of Windows stayed active for too long in standby; this is a report, nothing was stopped.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x161,
        name: "LIVE_SYSTEM_DUMP",
        what: "Somebody asked for a dump of the running machine. Nothing went wrong, and nothing was stopped.",
        arguments: ["reserved", "reserved", "reserved", "reserved"],
    },
    BugCheck {
        code: 0x18B,
        name: "SECURE_KERNEL_ERROR",
        what: "The secure kernel met an error that it cannot handle.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x19C,
        name: "WIN32K_POWER_WATCHDOG_TIMEOUT",
        what: "The window manager did not finish a change of power state in time.",
        arguments: [
            "what it was about",
            "the thread",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x1A1,
        name: "WIN32K_CALLOUT_WATCHDOG_LIVEDUMP",
        what: "A call of the window manager took too long; this is a report, nothing was stopped.",
        arguments: ["the thread", "reserved", "reserved", "reserved"],
    },
    BugCheck {
        code: 0x1CA,
        name: "SYNTHETIC_WATCHDOG_TIMEOUT",
        what: "All processors together made no progress for too long; under a hypervisor it may be the host's fault.",
        arguments: [
            "time without a clock interrupt, in nanoseconds",
            "now, in units of 100 ns",
            "last time of progress",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x1D3,
        name: "WIN32K_CRITICAL_FAILURE",
        what: "The window manager met an error that it cannot handle.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0xC000021A,
        name: "WINLOGON_FATAL_ERROR",
        what: "A process of user mode ended that Windows cannot live without: winlogon or csrss.",
        arguments: [
            "text that says which",
            "error status",
            "reserved",
            "reserved",
        ],
    },
    BugCheck {
        code: 0xDEADDEAD,
        name: "MANUALLY_INITIATED_CRASH1",
        what: "Somebody stopped the machine on purpose, from a debugger or by the crash button. What was running has nothing to do with it.",
        arguments: ["not used", "not used", "not used", "not used"],
    },
];
