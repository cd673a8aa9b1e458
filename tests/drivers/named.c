// Interfaces that the driver asks the system for by name, because old systems lack them.
#include "kernel.h"
PVOID volatile Kept;
typedef PVOID(NTAPI *ALLOCATE)(POOL_FLAGS, SIZE_T, ULONG);
typedef PVOID(NTAPI *ALLOCATE_OLD)(int, SIZE_T, ULONG);
static ALLOCATE Allocate;
static PVOID Other;

NOINLINE static void here(void) {
    UNICODE_STRING name;
    RtlInitUnicodeString(&name, (const unsigned short *)L"ExAllocatePoolWithTag");
    ALLOCATE_OLD allocate = (ALLOCATE_OLD)MmGetSystemRoutineAddress(&name);
    if (allocate) keep(allocate(PagedPool, 21, TAG('N', 'H', 'e', '0')));
}

NOINLINE static void find(void) {
    UNICODE_STRING name;
    RtlInitUnicodeString(&name, (const unsigned short *)L"ExAllocatePool2");
    Allocate = (ALLOCATE)MmGetSystemRoutineAddress(&name);
    RtlInitUnicodeString(&name, (const unsigned short *)L"EtwRegisterClassicProvider");
    Other = MmGetSystemRoutineAddress(&name);
}

NOINLINE static void use(SIZE_T n) {
    if (Allocate) keep(Allocate(POOL_FLAG_PAGED, 22, TAG('N', 'P', '2', '0')));
    if (Other) keep(((ALLOCATE)Other)(POOL_FLAG_PAGED, n, TAG('N', 'O', 't', '!')));
}

int NTAPI DriverEntry(PVOID driver, PVOID path) {
    here();
    find();
    use((SIZE_T)path);
    return 0;
}
