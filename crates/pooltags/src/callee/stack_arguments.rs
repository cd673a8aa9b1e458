//! How many words the callee takes off an x86 stack, for imported functions that drivers call often. Import names do not
//! say; without the number the analysis loses the stack pointer, never more.

/// Name and words. Functions with a variable number of arguments leave the stack to their caller.
static STACK_WORDS: &[(&str, u8)] = &[
    ("DbgPrint", 0),
    ("DbgPrintEx", 0),
    ("ExAcquireFastMutex", 0),
    ("ExAcquireResourceExclusiveLite", 2),
    ("ExAcquireResourceSharedLite", 2),
    ("ExDeleteNPagedLookasideList", 1),
    ("ExDeleteResourceLite", 1),
    ("ExFreePool", 1),
    ("ExInitializeResourceLite", 1),
    ("ExReleaseFastMutex", 0),
    ("ExReleaseResourceLite", 1),
    ("IoAllocateIrp", 2),
    ("IoAllocateMdl", 5),
    ("IoAllocateWorkItem", 1),
    ("IoAttachDeviceToDeviceStack", 2),
    ("IoBuildDeviceIoControlRequest", 9),
    ("IoCreateDevice", 7),
    ("IoCreateSymbolicLink", 2),
    ("IoDeleteDevice", 1),
    ("IoDeleteSymbolicLink", 1),
    ("IoFreeIrp", 1),
    ("IoFreeMdl", 1),
    ("IoFreeWorkItem", 1),
    ("IoQueueWorkItem", 4),
    ("IofCallDriver", 0),
    ("IofCompleteRequest", 0),
    ("KeAcquireSpinLockAtDpcLevel", 1),
    ("KeBugCheckEx", 5),
    ("KeCancelTimer", 1),
    ("KeClearEvent", 1),
    ("KeDelayExecutionThread", 3),
    ("KeGetCurrentIrql", 0),
    ("KeInitializeDpc", 3),
    ("KeInitializeEvent", 3),
    ("KeInitializeMutex", 2),
    ("KeInitializeSemaphore", 3),
    ("KeInitializeSpinLock", 1),
    ("KeInitializeTimer", 1),
    ("KeReleaseMutex", 2),
    ("KeReleaseSemaphore", 4),
    ("KeReleaseSpinLockFromDpcLevel", 1),
    ("KeResetEvent", 1),
    ("KeSetEvent", 3),
    ("KeSetPriorityThread", 2),
    ("KeSetTimer", 4),
    ("KeWaitForSingleObject", 5),
    ("KfAcquireSpinLock", 0),
    ("KfReleaseSpinLock", 0),
    ("MmGetSystemRoutineAddress", 1),
    ("MmMapLockedPagesSpecifyCache", 6),
    ("MmProbeAndLockPages", 3),
    ("MmUnlockPages", 1),
    ("ObReferenceObjectByHandle", 6),
    ("ObfDereferenceObject", 0),
    ("ObfReferenceObject", 0),
    ("PsCreateSystemThread", 7),
    ("PsTerminateSystemThread", 1),
    ("RtlAppendUnicodeStringToString", 2),
    ("RtlAppendUnicodeToString", 2),
    ("RtlCompareUnicodeString", 3),
    ("RtlCopyUnicodeString", 2),
    ("RtlEqualUnicodeString", 3),
    ("RtlFreeUnicodeString", 1),
    ("RtlInitAnsiString", 2),
    ("RtlInitUnicodeString", 2),
    ("ZwClose", 1),
    ("ZwCreateFile", 11),
    ("ZwCreateKey", 7),
    ("ZwOpenKey", 3),
    ("ZwQueryValueKey", 6),
    ("ZwReadFile", 9),
    ("ZwSetValueKey", 6),
    ("ZwWriteFile", 9),
    ("memcpy", 0),
    ("memmove", 0),
    ("memset", 0),
    ("sprintf", 0),
    ("swprintf", 0),
];

/// Words that the function takes off the stack; `None` if that is not known.
pub(super) fn words_of(name: &str) -> Option<u8> {
    let at = STACK_WORDS
        .binary_search_by_key(&name, |(name, _)| name)
        .ok()?;
    STACK_WORDS.get(at).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_can_be_searched() {
        assert!(STACK_WORDS.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(words_of("ZwClose"), Some(1));
        assert_eq!(words_of("ZwClosed"), None);
    }
}
