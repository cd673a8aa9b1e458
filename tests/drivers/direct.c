// Every interface, called in the plain way.
#include "kernel.h"
PVOID volatile Kept;
UCHAR Lists[8][256];

typedef struct { UCHAR Type, Revision; USHORT Size; } OBJECT_HEADER;
typedef struct { OBJECT_HEADER Header; UCHAR ProtocolId, AllocateNetBuffer; USHORT ContextSize; ULONG PoolTag, DataSize; PVOID Flags; } LIST_POOL;
typedef struct { OBJECT_HEADER Header; ULONG PoolTag, DataSize; } BUFFER_POOL;
typedef struct { OBJECT_HEADER Header; ULONG AllocationTag; PVOID Function, Context; } TIMER;
IMPORT PVOID NTAPI NdisAllocateNetBufferListPool(PVOID, LIST_POOL *);
IMPORT PVOID NTAPI NdisAllocateNetBufferPool(PVOID, BUFFER_POOL *);
IMPORT int NTAPI NdisAllocateTimerObject(PVOID, TIMER *, PVOID *);
IMPORT int NTAPI NdisAllocateMemoryWithTag(PVOID *, ULONG, ULONG);
IMPORT PVOID NTAPI NdisAllocateMemoryWithTagPriority(PVOID, ULONG, ULONG, int);
IMPORT void NTAPI NdisFreeMemoryWithTagPriority(PVOID, PVOID, ULONG);
IMPORT void NTAPI NdisInitializeNPagedLookasideList(PVOID, PVOID, PVOID, ULONG, ULONG, ULONG, USHORT);
IMPORT PVOID NTAPI FltAllocatePoolAlignedWithTag(PVOID, int, SIZE_T, ULONG);
IMPORT void NTAPI FltFreePoolAlignedWithTag(PVOID, PVOID, ULONG);
ULONG IMPORT StorPortExtendedFunction(int, PVOID, ...);

NOINLINE static void tagged(SIZE_T n) {
    keep(ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG('D', 'W', 'T', '0')));
    keep(ExAllocatePoolWithTag(PagedPool, n, TAG('D', 'W', 'T', '1')));
    keep(ExAllocatePoolWithQuotaTag(PagedPool, 24, TAG('D', 'Q', 'T', '0')));
    keep(ExAllocatePoolWithTagPriority(NonPagedPool, 4096, TAG('D', 'P', 'r', '0'), 16));
    keep(FsRtlAllocatePoolWithTag(PagedPool, 56, TAG('D', 'F', 's', '0')));
}

NOINLINE static void flags(SIZE_T n) {
    keep(ExAllocatePool2(POOL_FLAG_NON_PAGED, 72, TAG('D', 'P', '2', 'n')));
    keep(ExAllocatePool2(POOL_FLAG_PAGED, n, TAG('D', 'P', '2', 'p')));
    keep(ExAllocatePool3(POOL_FLAG_PAGED, 320, TAG('D', 'P', '3', 'p'), 0, 0));
}

NOINLINE static void frees(PVOID p) {
    ExFreePoolWithTag(p, TAG('D', 'F', 'r', '1'));
    ExFreePool2(p, TAG('D', 'F', 'r', '2'), 0, 0);
    ExFreePoolWithTag(p, 0);
}

NOINLINE static void lists(void) {
    ExInitializeNPagedLookasideList(Lists[0], 0, 0, 0, 80, TAG('D', 'L', 'n', '0'), 0);
    ExInitializePagedLookasideList(Lists[1], 0, 0, 0, 96, TAG('D', 'L', 'p', '0'), 0);
    ExInitializeLookasideListEx(Lists[2], 0, 0, NonPagedPoolNx, 0, 112, TAG('D', 'L', 'x', '0'), 0);
    NdisInitializeNPagedLookasideList(Lists[3], 0, 0, 0, 48, TAG('D', 'L', 'd', '0'), 0);
}

NOINLINE static void network(PVOID handle) {
    LIST_POOL list = {{0x80, 1, sizeof(LIST_POOL)}, 2, 1, 0, TAG('D', 'N', 'l', '0'), 1500, 0};
    keep(NdisAllocateNetBufferListPool(handle, &list));
    BUFFER_POOL buffer = {{0x80, 1, sizeof(BUFFER_POOL)}, TAG('D', 'N', 'b', '0'), 64};
    keep(NdisAllocateNetBufferPool(handle, &buffer));
    TIMER timer = {{0x97, 1, sizeof(TIMER)}, TAG('D', 'N', 't', '0'), 0, 0};
    PVOID object;
    keep((PVOID)(SIZE_T)NdisAllocateTimerObject(handle, &timer, &object));
    PVOID memory;
    NdisAllocateMemoryWithTag(&memory, 200, TAG('D', 'N', 'm', '0'));
    keep(memory);
    keep(NdisAllocateMemoryWithTagPriority(handle, 208, TAG('D', 'N', 'p', '0'), 0));
    NdisFreeMemoryWithTagPriority(handle, memory, TAG('D', 'N', 'f', '0'));
}

NOINLINE static void files_and_disks(PVOID instance) {
    keep(FltAllocatePoolAlignedWithTag(instance, NonPagedPoolNx, 512, TAG('D', 'A', 'l', '0')));
    FltFreePoolAlignedWithTag(instance, Kept, TAG('D', 'A', 'l', 'f'));
    PVOID memory = 0;
    // service 0 allocates; service 1 frees, and what stands where the tag was is none
    StorPortExtendedFunction(0, instance, (ULONG)640, TAG('D', 'S', 't', '0'), &memory);
    StorPortExtendedFunction(1, instance, memory, TAG('D', 'S', 't', '!'));
    keep(memory);
}

NOINLINE static void no_pool(PVOID object) {
    keep(MmAllocateMappingAddress(8192, TAG('D', 'M', 'a', '0')));
    IoInitializeRemoveLockEx(object, TAG('D', 'R', 'l', '0'), 0, 0, 32);
    ObfReferenceObjectWithTag(object, TAG('D', 'R', 'f', '!'));
    keep(ExAllocatePool(PagedPool, 40));
}

int NTAPI DriverEntry(PVOID driver, PVOID path) {
    tagged((SIZE_T)path);
    flags((SIZE_T)path);
    frees(driver);
    lists();
    network(driver);
    files_and_disks(driver);
    no_pool(driver);
    return 0;
}
