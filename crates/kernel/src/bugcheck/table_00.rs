//! Bug checks below 80.

use super::BugCheck;

/// By code.
pub(super) const TABLE: &[BugCheck] = &[
    BugCheck {
        code: 0x1,
        name: "APC_INDEX_MISMATCH",
        what: "A thread came back from a system call with its count of disabled APCs changed: somebody disabled them and did not enable them again, or the other way round.",
        arguments: [
            "address of the system call",
            "thread's ApcStateIndex",
            "its two counts of disabled APCs (special in the upper half)",
            "kind of call: 0 system call, 1 worker routine",
        ],
    },
    BugCheck {
        code: 0xA,
        name: "IRQL_NOT_LESS_OR_EQUAL",
        what: "Kernel code touched memory that is paged out or was never there while the IRQL was DISPATCH_LEVEL or above. Mostly a driver passed a bad pointer to the kernel.",
        arguments: [
            "address that was touched",
            "IRQL at that time",
            "kind of access: bit 0 write, bit 3 execute",
            "address of the instruction that touched it",
        ],
    },
    BugCheck {
        code: 0x18,
        name: "REFERENCE_BY_POINTER",
        what: "The reference count of an object is wrong: somebody dereferenced it more often than referenced it.",
        arguments: [
            "type of the object",
            "the object",
            "what was found (0: the count went below zero)",
            "reserved, or the count",
        ],
    },
    BugCheck {
        code: 0x19,
        name: "BAD_POOL_HEADER",
        what: "A pool header is damaged, most often because the owner of a neighbouring block wrote past its end.",
        arguments: [
            "what was found: 3 free list, 20 block sizes do not fit, 22 address without a block, 25 bad block",
            "pool entry that was looked at",
            "next entry, or what the first argument needs",
            "header's contents, or reserved",
        ],
    },
    BugCheck {
        code: 0x1A,
        name: "MEMORY_MANAGEMENT",
        what: "The memory manager found its structures damaged.",
        arguments: [
            "what was found: 41790 page table page in use, 41287 fault while holding a working set lock, 61940 PTE damaged ...",
            "depends on the first",
            "depends on the first",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x1E,
        name: "KMODE_EXCEPTION_NOT_HANDLED",
        what: "Kernel code raised an exception that nobody handled.",
        arguments: [
            "exception code",
            "address of the instruction that raised it",
            "first parameter of the exception (c0000005: 0 read, 1 write)",
            "second parameter of the exception (c0000005: address that was touched)",
        ],
    },
    BugCheck {
        code: 0x23,
        name: "FAT_FILE_SYSTEM",
        what: "The FAT file system found something that cannot be, or raised an exception.",
        arguments: [
            "source file and line",
            "exception record, if there is one",
            "context record, if there is one",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x24,
        name: "NTFS_FILE_SYSTEM",
        what: "NTFS found something that cannot be, or raised an exception.",
        arguments: [
            "source file and line",
            "exception record, if there is one",
            "context record, if there is one",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x2E,
        name: "DATA_BUS_ERROR",
        what: "The processor reported a memory error: mostly hardware, or a driver that touched an address which is none.",
        arguments: [
            "virtual address",
            "physical address",
            "processor status register",
            "fault instruction register",
        ],
    },
    BugCheck {
        code: 0x34,
        name: "CACHE_MANAGER",
        what: "The file cache found something that cannot be; exhausted nonpaged pool is one of the reasons.",
        arguments: [
            "source file and line",
            "exception record, if there is one",
            "context record, if there is one",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x35,
        name: "NO_MORE_IRP_STACK_LOCATIONS",
        what: "A request was passed down to more drivers than it has places for.",
        arguments: ["the request (IRP)", "reserved", "reserved", "reserved"],
    },
    BugCheck {
        code: 0x3B,
        name: "SYSTEM_SERVICE_EXCEPTION",
        what: "An exception was raised in a system call and nobody handled it.",
        arguments: [
            "exception code",
            "address of the instruction that raised it",
            "context record of that moment",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x3F,
        name: "NO_MORE_SYSTEM_PTES",
        what: "There were no system PTEs left: a driver maps memory and does not unmap it, or too much of it.",
        arguments: [
            "kind of PTE that was wanted",
            "how many",
            "how many are free",
            "how many there are altogether",
        ],
    },
    BugCheck {
        code: 0x41,
        name: "MUST_SUCCEED_POOL_EMPTY",
        what: "A thread needed must-succeed pool and there was none left (Windows 2000 and older).",
        arguments: [
            "bytes that were wanted",
            "pages in use",
            "blocks of that size",
            "pages that are available",
        ],
    },
    BugCheck {
        code: 0x44,
        name: "MULTIPLE_IRP_COMPLETE_REQUESTS",
        what: "A request was completed that had been completed before.",
        arguments: [
            "the request (IRP)",
            "reserved or source line",
            "reserved",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x4A,
        name: "IRQL_GT_ZERO_AT_SYSTEM_SERVICE",
        what: "A thread was about to return to user mode at an IRQL above PASSIVE_LEVEL.",
        arguments: ["address of the system call", "IRQL", "reserved", "reserved"],
    },
    BugCheck {
        code: 0x4D,
        name: "NO_PAGES_AVAILABLE",
        what: "There were no free pages left to go on: too many modified pages that cannot be written, or memory is locked by a driver.",
        arguments: [
            "number of modified pages, or why",
            "pages that can be written only to the paging file",
            "pages that can be written",
            "status of the last write",
        ],
    },
    BugCheck {
        code: 0x4E,
        name: "PFN_LIST_CORRUPT",
        what: "The list of page frames is damaged, mostly because a driver freed or unlocked pages (an MDL) that were not its own, or twice.",
        arguments: [
            "what was found: 7 unlocked too often, 99 freed while in use, 9a ...",
            "page frame number, or what the first needs",
            "state of the page, or what the first needs",
            "depends on the first",
        ],
    },
    BugCheck {
        code: 0x50,
        name: "PAGE_FAULT_IN_NONPAGED_AREA",
        what: "Memory was touched that is not there, at an address where nothing is ever paged: a bad pointer, or one to memory that was freed.",
        arguments: [
            "address that was touched",
            "kind of access: 0 read, 2 write (1 before 1607), 10 execute",
            "address of the instruction that touched it, if known",
            "kind of fault",
        ],
    },
    BugCheck {
        code: 0x51,
        name: "REGISTRY_ERROR",
        what: "The registry found something that cannot be: damaged files, or a failing disk.",
        arguments: [
            "reserved",
            "reserved",
            "address of the hive, or what the case needs",
            "return code of the check, if a hive is damaged",
        ],
    },
    BugCheck {
        code: 0x5D,
        name: "UNSUPPORTED_PROCESSOR",
        what: "The processor lacks what this Windows needs.",
        arguments: [
            "feature that is missing",
            "reserved",
            "reserved",
            "reserved",
        ],
    },
    BugCheck {
        code: 0x74,
        name: "BAD_SYSTEM_CONFIG_INFO",
        what: "The SYSTEM hive of the registry is damaged or lacks what is needed to start.",
        arguments: [
            "reserved",
            "reserved",
            "reserved",
            "NTSTATUS, if there is one",
        ],
    },
    BugCheck {
        code: 0x76,
        name: "PROCESS_HAS_LOCKED_PAGES",
        what: "A driver left pages locked after an I/O request of a process that has ended.",
        arguments: [
            "0",
            "the process",
            "number of locked pages",
            "driver's stacks, if tracking was on",
        ],
    },
    BugCheck {
        code: 0x77,
        name: "KERNEL_STACK_INPAGE_ERROR",
        what: "A page of a kernel stack could not be read back from the paging file: disk, controller or memory.",
        arguments: [
            "status code, or 0, 1, 2",
            "I/O status, or the value found in the stack",
            "paging file number, or 0",
            "offset in the paging file, or address of the signature",
        ],
    },
    BugCheck {
        code: 0x7A,
        name: "KERNEL_DATA_INPAGE_ERROR",
        what: "A page of kernel data could not be read from the paging file: disk, controller or memory.",
        arguments: [
            "kind of lock that was held, or address of the PTE",
            "error status (c000009a: no nonpaged pool, c000009c: bad block)",
            "current process, or contents of the PTE",
            "virtual address that could not be read",
        ],
    },
    BugCheck {
        code: 0x7B,
        name: "INACCESSIBLE_BOOT_DEVICE",
        what: "Windows lost access to its own partition while it started.",
        arguments: [
            "name of the device, or the device object",
            "0, or what the first needs",
            "0, or what the first needs",
            "0, or what the first needs",
        ],
    },
    BugCheck {
        code: 0x7E,
        name: "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED",
        what: "A system thread raised an exception that nobody handled.",
        arguments: [
            "exception code",
            "address of the instruction that raised it",
            "exception record",
            "context record",
        ],
    },
    BugCheck {
        code: 0x7F,
        name: "UNEXPECTED_KERNEL_MODE_TRAP",
        what: "The processor raised a trap that the kernel cannot catch; 8 is a double fault, mostly an overflowed kernel stack.",
        arguments: [
            "trap number: 0 division, 4 overflow, 6 invalid instruction, 8 double fault",
            "address or state, depends on the trap",
            "depends on the trap",
            "depends on the trap (8: instruction)",
        ],
    },
];
