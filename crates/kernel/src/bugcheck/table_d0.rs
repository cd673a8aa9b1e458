//! Bug checks from D0 to FF.

use super::BugCheck;

/// By code.
pub(super) const TABLE: &[BugCheck] = &[
    BugCheck {
        code: 0xD0,
        name: "DRIVER_CORRUPTED_MMPOOL",
        what: "The kernel met damaged pool at a high IRQL: a driver wrote past its block, or used one that was freed.",
        arguments: [
            "address that was touched",
            "IRQL at that time",
            "kind of access: 0 read, 1 write",
            "address of the instruction that touched it",
        ],
    },
    BugCheck {
        code: 0xD1,
        name: "DRIVER_IRQL_NOT_LESS_OR_EQUAL",
        what: "A driver touched memory that is paged out or was never there while the IRQL was DISPATCH_LEVEL or above.",
        arguments: [
            "address that was touched",
            "IRQL at that time",
            "kind of access: 0 read, 1 write, 2 or 8 execute",
            "address of the instruction that touched it",
        ],
    },
    BugCheck {
        code: 0xD3,
        name: "DRIVER_PORTION_MUST_BE_NONPAGED",
        what: "A driver marked code or data as pageable that it uses at a high IRQL.",
        arguments: [
            "address that was touched",
            "IRQL at that time",
            "kind of access: 0 read, 1 write",
            "address of the instruction that touched it",
        ],
    },
    BugCheck {
        code: 0xD5,
        name: "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL",
        what: "A driver touched memory that it had freed to special pool.",
        arguments: [
            "address that was touched",
            "kind of access: 0 read, 1 write",
            "address of the instruction that touched it, if known",
            "reserved",
        ],
    },
    BugCheck {
        code: 0xD6,
        name: "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION",
        what: "A driver touched memory past the end of its block of special pool.",
        arguments: [
            "address that was touched",
            "kind of access: 0 read, 1 write",
            "address of the instruction that touched it, if known",
            "reserved",
        ],
    },
    BugCheck {
        code: 0xD8,
        name: "DRIVER_USED_EXCESSIVE_PTES",
        what: "A driver took so many system PTEs that none were left.",
        arguments: [
            "name of the driver, if known",
            "PTEs that the driver uses",
            "free system PTEs",
            "all system PTEs",
        ],
    },
    BugCheck {
        code: 0xDA,
        name: "SYSTEM_PTE_MISUSE",
        what: "A driver freed or used system PTEs in a way that cannot be, for example unmapped an MDL twice.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0xDE,
        name: "POOL_CORRUPTION_IN_FILE_AREA",
        what: "A driver wrote into pool that held pages of a file about to be written.",
        arguments: ["reserved", "reserved", "reserved", "reserved"],
    },
    BugCheck {
        code: 0xE2,
        name: "MANUALLY_INITIATED_CRASH",
        what: "Somebody stopped the machine on purpose, by the keyboard or a debugger. What was running has nothing to do with it.",
        arguments: ["not used", "not used", "not used", "not used"],
    },
    BugCheck {
        code: 0xE6,
        name: "DRIVER_VERIFIER_DMA_VIOLATION",
        what: "Driver Verifier caught a driver or device that breaks a rule of DMA.",
        arguments: [
            "the rule: 26 the IOMMU caught a device ...",
            "depends on the rule",
            "depends on the rule",
            "depends on the rule",
        ],
    },
    BugCheck {
        code: 0xEA,
        name: "THREAD_STUCK_IN_DEVICE_DRIVER",
        what: "A display driver waits for its hardware without an end.",
        arguments: [
            "the thread",
            "deferred watchdog",
            "name of the driver",
            "how often it was seen",
        ],
    },
    BugCheck {
        code: 0xED,
        name: "UNMOUNTABLE_BOOT_VOLUME",
        what: "The volume that Windows starts from could not be mounted.",
        arguments: [
            "device object of the volume",
            "status of the file system",
            "reserved",
            "reserved",
        ],
    },
    BugCheck {
        code: 0xEF,
        name: "CRITICAL_PROCESS_DIED",
        what: "A process ended that Windows cannot live without.",
        arguments: [
            "the process object",
            "0: a process ended, 1: a thread ended",
            "reserved",
            "reserved",
        ],
    },
    BugCheck {
        code: 0xF4,
        name: "CRITICAL_OBJECT_TERMINATION",
        what: "A process or thread ended that Windows cannot live without.",
        arguments: [
            "3: process, 6: thread",
            "the object",
            "its name",
            "why, as text",
        ],
    },
    BugCheck {
        code: 0xF7,
        name: "DRIVER_OVERRAN_STACK_BUFFER",
        what: "A driver wrote past the end of a buffer on the stack: the security cookie is damaged.",
        arguments: [
            "cookie that was found",
            "cookie that was expected",
            "complement of the expected one",
            "0",
        ],
    },
    BugCheck {
        code: 0xFC,
        name: "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY",
        what: "Somebody jumped to memory that holds no code.",
        arguments: [
            "address that was to be executed",
            "contents of the PTE",
            "trap frame",
            "reserved, or kind of fault",
        ],
    },
    BugCheck {
        code: 0xFE,
        name: "BUGCODE_USB_DRIVER",
        what: "The USB drivers met an error that they cannot handle.",
        arguments: [
            "what was found",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
];
