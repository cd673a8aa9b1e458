//! Bug checks from 80 to CF.

use super::BugCheck;

/// By code.
pub(super) const TABLE: &[BugCheck] = &[
    BugCheck {
        code: 0x80,
        name: "NMI_HARDWARE_FAILURE",
        what: "The hardware raised a non-maskable interrupt.",
        arguments: ["reserved", "reserved", "reserved", "reserved"],
    },
    BugCheck {
        code: 0x8E,
        name: "KERNEL_MODE_EXCEPTION_NOT_HANDLED",
        what: "Kernel code raised an exception that nobody handled.",
        arguments: [
            "exception code",
            "address of the instruction that raised it",
            "trap frame",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x93,
        name: "INVALID_KERNEL_HANDLE",
        what: "A kernel handle was closed that is not open, or must not be closed.",
        arguments: [
            "the handle",
            "0: protected handle, 1: not open",
            "reserved",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x9C,
        name: "MACHINE_CHECK_EXCEPTION",
        what: "The processor reported a hardware error that nothing can be done about.",
        arguments: [
            "bank number, or 80000001 and more",
            "address of the MCA information",
            "upper half of MCi_STATUS",
            "lower half of MCi_STATUS",
        ],
    },
    BugCheck {
        code: 0x9F,
        name: "DRIVER_POWER_STATE_FAILURE",
        what: "A driver did not finish a power request in time, or did it in a wrong way.",
        arguments: [
            "what was found: 3 a device has kept a request too long, 4 the transition waits for PnP",
            "physical device object (3), or what the first needs",
            "functional device object or _TRIAGE_9F_POWER (3)",
            "the request (IRP) that is blocked (3)",
        ],
    },
    BugCheck {
        code: 0xA0,
        name: "INTERNAL_POWER_ERROR",
        what: "The power manager met an error that it cannot handle.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0xA5,
        name: "ACPI_BIOS_ERROR",
        what: "The firmware's ACPI tables are not what the specification demands.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0xBE,
        name: "ATTEMPTED_WRITE_TO_READONLY_MEMORY",
        what: "Somebody wrote to memory that may only be read.",
        arguments: [
            "address that was written to",
            "contents of the PTE",
            "reserved",
            "reserved",
        ],
    },
    BugCheck {
        code: 0xC1,
        name: "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION",
        what: "A driver wrote outside of its block of special pool.",
        arguments: [
            "address that the driver tried to free, or the block",
            "damaged byte, or what the fourth needs",
            "size of the block in bytes",
            "what was found: 20 freed in the wrong pool, 22 address is none, 23 and 24 written past the end or before the start",
        ],
    },
    BugCheck {
        code: 0xC2,
        name: "BAD_POOL_CALLER",
        what: "Somebody called the pool's functions in a way that cannot be: freed twice, at a wrong IRQL, at an address that is no block.",
        arguments: [
            "what was found: 7 freed before, 8 allocated at a wrong IRQL, 9 freed at a wrong IRQL, 41 to 43, 46 address is no block, 99 address is none, 9b tag of zero ...",
            "depends on the first (7: reserved; 8, 9: IRQL)",
            "depends on the first (7: contents of the header)",
            "depends on the first (7: address of the block)",
        ],
    },
    BugCheck {
        code: 0xC4,
        name: "DRIVER_VERIFIER_DETECTED_VIOLATION",
        what: "Driver Verifier caught a driver that breaks a rule.",
        arguments: [
            "the rule: 0 to f3 pool and I/O, 62 pool not freed at unload, 1000 and more deadlocks, 2000 code integrity, 20000 and more DDI rules",
            "depends on the rule (62: name of the driver)",
            "depends on the rule",
            "depends on the rule (62: number of blocks that were not freed)",
        ],
    },
    BugCheck {
        code: 0xC5,
        name: "DRIVER_CORRUPTED_EXPOOL",
        what: "The kernel met damaged pool at a high IRQL: a driver wrote past its block, or used one that was freed.",
        arguments: [
            "address that was touched",
            "IRQL at that time",
            "kind of access: 0 read, 1 write",
            "address of the instruction that touched it",
        ],
    },
    BugCheck {
        code: 0xC6,
        name: "DRIVER_CAUGHT_MODIFYING_FREED_POOL",
        what: "A driver used pool that it had freed.",
        arguments: [
            "address that was touched",
            "kind of access: 0 read, 1 write",
            "mode: 0 kernel, 1 user",
            "reserved",
        ],
    },
    BugCheck {
        code: 0xC7,
        name: "TIMER_OR_DPC_INVALID",
        what: "A timer or DPC lies in memory that was freed.",
        arguments: [
            "what was found: 0 timer, 1 DPC, 2 DPC routine ...",
            "address of the object",
            "start of the memory",
            "end of the memory",
        ],
    },
    BugCheck {
        code: 0xC8,
        name: "IRQL_UNEXPECTED_VALUE",
        what: "The IRQL is not what it has to be at this place.",
        arguments: [
            "IRQLs: current and expected",
            "depends on the case",
            "depends on the case",
            "depends on the case",
        ],
    },
    BugCheck {
        code: 0xC9,
        name: "DRIVER_VERIFIER_IOMANAGER_VIOLATION",
        what: "Driver Verifier's I/O checks caught a driver.",
        arguments: [
            "the rule",
            "address of the driver's routine, or what the rule needs",
            "the request (IRP)",
            "depends on the rule",
        ],
    },
    BugCheck {
        code: 0xCA,
        name: "PNP_DETECTED_FATAL_ERROR",
        what: "Plug and Play found a driver's device object or answer that cannot be.",
        arguments: [
            "what was found: 1 two devices of one name, 2 no such device object ...",
            "physical device object",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0xCB,
        name: "DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS",
        what: "A driver did not unlock pages before the process ended.",
        arguments: [
            "address of the caller that locked them, if known",
            "address of the caller's caller",
            "MDL with the pages",
            "number of pages",
        ],
    },
    BugCheck {
        code: 0xCC,
        name: "PAGE_FAULT_IN_FREED_SPECIAL_POOL",
        what: "Memory was touched that had been freed to special pool.",
        arguments: [
            "address that was touched",
            "kind of access: 0 read, 1 write",
            "address of the instruction that touched it, if known",
            "reserved",
        ],
    },
    BugCheck {
        code: 0xCD,
        name: "PAGE_FAULT_BEYOND_END_OF_ALLOCATION",
        what: "A driver touched memory past the end of its block of special pool.",
        arguments: [
            "address that was touched",
            "kind of access: 0 read, 1 write",
            "address of the instruction that touched it, if known",
            "reserved",
        ],
    },
    BugCheck {
        code: 0xCE,
        name: "DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS",
        what: "A driver was unloaded while its timers, DPCs, threads or other work were still due, and its code was called.",
        arguments: [
            "address that was touched",
            "kind of access: 0 read, 1 write",
            "address of the instruction that touched it, if known",
            "reserved",
        ],
    },
];
