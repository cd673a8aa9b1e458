// A file system filter: the tags of its contexts stand in a table, and no call names them.
#include "kernel.h"
PVOID volatile Kept;
typedef struct { USHORT ContextType, Flags; PVOID Cleanup; SIZE_T Size; ULONG PoolTag; PVOID Allocate, Free, Reserved; } CONTEXT;
typedef struct { USHORT Size, Version; ULONG Flags; const CONTEXT *Contexts; const void *Operations; PVOID Callbacks[14]; } REGISTRATION;
IMPORT int NTAPI FltRegisterFilter(PVOID, const REGISTRATION *, PVOID *);
IMPORT int NTAPI FltAllocateContext(PVOID, USHORT, SIZE_T, int, PVOID *);

static PVOID NTAPI own_allocation(int pool, SIZE_T size, USHORT type) { return ExAllocatePoolWithTag(pool, size, TAG('C', 'O', 'w', 'n')); }
static const CONTEXT Contexts[] = {
    {1, 0, 0, 24, TAG('C', 'V', 'o', 'l'), 0, 0, 0},
    {2, 0, 0, 64, TAG('C', 'I', 'n', 's'), 0, 0, 0},
    {8, 0, 0, 0, 0, own_allocation, 0, 0},
    {16, 0, 0, (SIZE_T)-1, TAG('C', 'S', 't', 'h'), 0, 0, 0},
    {0xffff, 0, 0, 0, TAG('C', 'E', 'n', '!'), 0, 0, 0},
};
// behind the end of the table
const CONTEXT After = {4, 0, 0, 24, TAG('C', 'A', 'f', '!'), 0, 0, 0};
static const REGISTRATION Registration = {sizeof(REGISTRATION), 0x203, 0, Contexts, 0, {0}};

int NTAPI DriverEntry(PVOID driver, PVOID path) {
    PVOID filter;
    FltRegisterFilter(driver, &Registration, &filter);
    keep((PVOID)&After);
    PVOID context;
    FltAllocateContext(filter, 1, 24, PagedPool, &context);
    keep(context);
    return 0;
}
