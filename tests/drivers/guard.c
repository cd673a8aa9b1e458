// What the loader fills in for control flow guard, as Microsoft's library for drivers has it.
#include "kernel.h"
static void nothing(void) {}
#ifdef _WIN64
__asm__(".section .text\n");
#endif
PVOID __guard_check_icall_fptr = nothing;
PVOID __guard_dispatch_icall_fptr = nothing;
extern char __guard_fids_table[], __guard_fids_count[], __guard_flags[];
typedef struct {
    ULONG Size, TimeDateStamp, Version, Flags[2], Timeout;
    SIZE_T Free, Total, LockPrefix, Maximum, Threshold;
#ifdef _WIN64
    SIZE_T Affinity; ULONG HeapFlags; USHORT CsdVersion, DependentLoad;
#else
    ULONG HeapFlags, Affinity; USHORT CsdVersion, DependentLoad;
#endif
    SIZE_T EditList;
    PVOID SecurityCookie;
    SIZE_T HandlerTable, HandlerCount;
    PVOID GuardCheck, GuardDispatch;
    PVOID GuardTable, GuardCount;
    ULONG GuardFlags;
} LOAD_CONFIG;
const LOAD_CONFIG _load_config_used = {
    sizeof(LOAD_CONFIG), 0, 0, {0}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    &__guard_check_icall_fptr, &__guard_dispatch_icall_fptr, __guard_fids_table, __guard_fids_count, 0x100,
};
