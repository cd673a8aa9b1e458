//! The functions of the kernel, as far as drivers call them: where they lie, and their first bytes. And functions of its
//! own that allocate pool, because the kernel is the greatest user of its allocator.

use crate::code::{Code, Function};
use crate::plan::Plan;
use rkd_dump::addr::Rva;
use rkd_symbols::SymbolTable;
use std::collections::BTreeMap;

/// Functions that this kernel exports if its symbols know them.
pub(super) const OWN: [&str; 17] = [
    "ExAllocatePool",
    "ExAllocatePool2",
    "ExAllocatePool3",
    "ExAllocatePoolWithQuota",
    "ExAllocatePoolWithQuotaTag",
    "ExAllocatePoolWithTag",
    "ExAllocatePoolWithTagPriority",
    "ExFreePool",
    "ExFreePoolWithTag",
    "ExInitializeLookasideListEx",
    "ExInitializeNPagedLookasideList",
    "ExInitializePagedLookasideList",
    "KeBugCheck",
    "KeBugCheckEx",
    "MmSizeOfMdl",
    "MmMapIoSpace",
    "ZwClose",
];

/// Functions that drivers import besides.
pub(crate) const COMMON: [&str; 16] = [
    "DbgPrint",
    "IoCreateDevice",
    "IoCreateSymbolicLink",
    "IoDeleteDevice",
    "IoDeleteSymbolicLink",
    "IoGetCurrentProcess",
    "IofCompleteRequest",
    "KeDelayExecutionThread",
    "KeInitializeEvent",
    "KeSetEvent",
    "KeWaitForSingleObject",
    "MmBuildMdlForNonPagedPool",
    "MmGetSystemRoutineAddress",
    "ObfDereferenceObject",
    "PsCreateSystemThread",
    "RtlInitUnicodeString",
];

/// Tags under which the kernel itself allocates.
const TAGS: &[u8] = b"AlInALPCAtomCcBcCcScCM25CMNbEcphEtwBEtwGEtwREtwSEvenFileFSroGsemIoCmIoNmIrp Key MmCaMmSmMmStObDiObNmPfRLPoolProcPsInSeAtSeSdSeTdSemaThreTokeVad WmiR";

/// Functions that allocate, from `free` on; they call the allocator directly.
pub(super) fn allocating(plan: &Plan, free: Rva, allocator: Rva) -> (Vec<u8>, Vec<Function>) {
    let mut code = Code::new(free);
    for tag in TAGS
        .chunks_exact(4)
        .filter_map(|tag| <[u8; 4]>::try_from(tag).ok())
    {
        let value = u32::from_le_bytes(tag);
        let kind = if plan.is_paged(tag) { 1 } else { 0x200 };
        code.begin(0x28).mov_ecx(kind);
        match plan.request(tag) {
            Some(size) => code.mov_edx(size),
            // mov edx, r8d; nop: the size is an argument
            None => code.emit(&[0x41, 0x8b, 0xd0, 0x66, 0x90]),
        };
        code.mov_r8d(value);
        code.emit(&[0xe8]).relative(allocator).end();
    }
    code.finish()
}

/// Where each function lies: as the symbols say, and for the common ones that they do not know from `free` on.
pub(super) fn places(table: &SymbolTable, free: Rva) -> BTreeMap<&'static str, Rva> {
    let mut places = BTreeMap::new();
    let mut strangers = Vec::new();
    for name in OWN.into_iter().chain(COMMON) {
        match table.rva(name) {
            Some(rva) => {
                places.insert(name, rva);
            }
            None if name.starts_with("ExAllocatePool") => {}
            None => strangers.push(name),
        }
    }
    let mut at = free.0;
    for name in strangers {
        places.insert(name, Rva(at));
        at += 0x40;
    }
    places
}

/// Where `IofCompleteRequest` goes on when the callback returns.
pub(crate) const RETURN_FROM_CALLBACK: u64 = 6;

/// The entry of the function table for one of these functions; `None` for `KeBugCheckEx`, which pushes its flags as well.
pub(super) fn entry(name: &str, at: Rva) -> Option<Function> {
    (name != "KeBugCheckEx").then_some(Function {
        begin: at,
        end: Rva(at.0 + 11),
        frame: 0x28,
    })
}

/// The first bytes of a function.
pub(super) fn stub(name: &str) -> Vec<u8> {
    match name {
        // four arguments go to their home places, the flags to the stack, then 30h bytes are taken
        "KeBugCheckEx" => {
            b"\x48\x89\x4c\x24\x08\x48\x89\x54\x24\x10\x4c\x89\x44\x24\x18\x4c\x89\x4c\x24\x20\
            \x9c\x48\x83\xec\x30\xfa\x65\x48\x8b\x0c\x25\x20\x00\x00\x00\xcc"
                .to_vec()
        }
        // calls back whoever wants to know of it: call rax
        "IofCompleteRequest" => {
            b"\x48\x83\xec\x28\xff\xd0\x48\x83\xc4\x28\xc3\xcc\xcc\xcc\xcc\xcc".to_vec()
        }
        _ => b"\x48\x83\xec\x28\x33\xc0\x48\x83\xc4\x28\xc3\xcc\xcc\xcc\xcc\xcc".to_vec(),
    }
}
