// What makes a reader of instructions guess wrong. Every tag is named in `expected`; those with an exclamation mark reach no
// interface that allocates, or only perhaps.
#include "kernel.h"
PVOID volatile Kept;
volatile ULONG Variable = TAG('H', 'V', 'a', 'r');
volatile ULONG Unknown;
const volatile ULONG Fixed = TAG('H', 'F', 'i', 'x');
PVOID Mystery(PVOID);

// arithmetic that the compiler did not do
NOINLINE static void sums(void) {
    ULONG a = 0x48530000, b = 0x306d75;
    OPAQUE(a); OPAQUE(b);
    ULONG t = TAG('H', 'A', 'd', '0') - 5; OPAQUE(t);
    keep(ExAllocatePoolWithTag(PagedPool, 1, t + 5));
    ULONG low = 'H' | 'O' << 8; OPAQUE(low);
    keep(ExAllocatePoolWithTag(PagedPool, 1, low | 'r' << 16 | (ULONG)'0' << 24));
    ULONG x = TAG('H', 'X', 'o', '0') ^ 0x5a5a5a5a; OPAQUE(x);
    keep(ExAllocatePoolWithTag(PagedPool, 1, x ^ 0x5a5a5a5a));
    ULONG s = TAG('H', 'S', 'h', '0') >> 3 << 3; OPAQUE(s);
    keep(ExAllocatePoolWithTag(PagedPool, 1, (s >> 3 << 3) | (TAG('H', 'S', 'h', '0') & 7)));
    ULONG swapped = (ULONG)'H' << 24 | 'S' << 16 | 'w' << 8 | '0'; OPAQUE(swapped);
    keep(ExAllocatePoolWithTag(PagedPool, 1, __builtin_bswap32(swapped)));
    ULONG n = ~TAG('H', 'N', 'o', '0'); OPAQUE(n);
    keep(ExAllocatePoolWithTag(PagedPool, 1, ~n));
    keep((PVOID)(SIZE_T)(a + b));
}

// what cannot be known must not be claimed
NOINLINE static void mixed_with_the_unknown(ULONG u) {
    keep(ExAllocatePoolWithTag(PagedPool, 2, TAG('H', 'U', 'x', '!') ^ u));
    keep(ExAllocatePoolWithTag(PagedPool, 2, TAG('H', 'U', 'a', '!') + Unknown));
    keep(ExAllocatePoolWithTag(PagedPool, 2, (TAG('H', 'U', 'o', '!') & 0xffffff) | u << 24));
}

// both sides of a branch, one side of it, a conditional move
NOINLINE static void sides(int c, ULONG u) {
    ULONG t = c ? TAG('H', 'B', 'r', '0') : TAG('H', 'B', 'r', '1');
    keep(ExAllocatePoolWithTag(PagedPool, 3, t));
    if (c > 5) { keep((PVOID)1); t = TAG('H', 'B', 'r', '2'); DbgPrint("a"); } else { t = TAG('H', 'B', 'r', '3'); }
    keep(ExAllocatePoolWithTag(PagedPool, 4, t));
    ULONG v = u;
    if (c == 7) v = TAG('H', 'B', 'r', '!');
    keep(ExAllocatePoolWithTag(PagedPool, 5, v));
}

// one of many
NOINLINE static void choice(int c) {
    ULONG t;
    switch (c) {
    case 0: DbgPrint("0"); t = TAG('H', 'C', 'h', '0'); break;
    case 1: keep(0); t = TAG('H', 'C', 'h', '1'); break;
    case 2: DbgPrint("2"); t = TAG('H', 'C', 'h', '2'); break;
    case 3: KeSetEvent(Kept, 0, 0); t = TAG('H', 'C', 'h', '3'); break;
    case 4: DbgPrint("4"); t = TAG('H', 'C', 'h', '4'); break;
    default: return;
    }
    keep(ExAllocatePoolWithTag(PagedPool, 6, t));
}
// a call in every case
NOINLINE static void cases(int c) {
    switch (c) {
    case 10: keep(ExAllocatePoolWithTag(PagedPool, 7, TAG('H', 'C', 'a', '0'))); break;
    case 11: keep(ExAllocatePoolWithTag(PagedPool, 7, TAG('H', 'C', 'a', '1'))); DbgPrint("1"); break;
    case 12: KeSetEvent(Kept, 0, 0); keep(ExAllocatePoolWithTag(PagedPool, 7, TAG('H', 'C', 'a', '2'))); break;
    case 13: DbgPrint("3"); keep(ExAllocatePoolWithTag(PagedPool, 7, TAG('H', 'C', 'a', '3'))); break;
    case 15: keep(ExAllocatePoolWithTag(PagedPool, 7, TAG('H', 'C', 'a', '4'))); keep(0); break;
    }
}

// bit 31
NOINLINE static void protected(PVOID p) {
    keep(ExAllocatePoolWithTag(PagedPool, 8, TAG('H', 'P', 'r', '0') | 0x80000000));
    ULONG t = TAG('H', 'P', 'r', '1'); OPAQUE(t);
    keep(ExAllocatePoolWithTag(PagedPool, 8, t | 0x80000000));
    ExFreePoolWithTag(p, TAG('H', 'P', 'r', '2') | 0x80000000);
}

// structures: built in halves, copied with vectors, with memcpy, filled and then written over
typedef struct { UCHAR Type, Revision; USHORT Size; ULONG PoolTag, DataSize; } BUFFER_POOL;
typedef struct { BUFFER_POOL Pool; ULONG64 More[3]; } LARGE;
IMPORT PVOID NTAPI NdisAllocateNetBufferPool(PVOID, BUFFER_POOL *);
static const LARGE Model = {{0x80, 1, sizeof(BUFFER_POOL), TAG('H', 'M', 'o', '0'), 77}, {1, 2, 3}};
static const LARGE Model2 = {{0x80, 1, sizeof(BUFFER_POOL), TAG('H', 'M', 'o', '1'), 78}, {1, 2, 3}};
NOINLINE static void structures(PVOID handle) {
    LARGE copy = Model;
    keep(NdisAllocateNetBufferPool(handle, &copy.Pool));
    LARGE again;
    memcpy(&again, &Model2, sizeof again);
    LARGE third = again;
    keep(NdisAllocateNetBufferPool(handle, &third.Pool));
    BUFFER_POOL zeroed;
    memset(&zeroed, 0, sizeof zeroed);
    zeroed.PoolTag = TAG('H', 'Z', 'e', '0');
    zeroed.Type = 0x80;
    keep(NdisAllocateNetBufferPool(handle, &zeroed));
    union { BUFFER_POOL Pool; USHORT Halves[6]; UCHAR Bytes[12]; } parts;
    memset(&parts, 0x11, sizeof parts);
    parts.Halves[2] = 'H' | 'H' << 8;
    parts.Halves[3] = 'a' | '0' << 8;
    keep(NdisAllocateNetBufferPool(handle, &parts.Pool));
    parts.Bytes[4] = 'H'; parts.Bytes[5] = 'B'; parts.Bytes[6] = 'y'; parts.Bytes[7] = '0';
    keep(NdisAllocateNetBufferPool(handle, &parts.Pool));
}

// written over before it is used; and a variable that somebody else could have changed
NOINLINE static void written_over(PVOID p) {
    volatile ULONG t = TAG('H', 'O', 'l', '!');
    t = TAG('H', 'O', 'v', '0');
    keep(ExAllocatePoolWithTag(PagedPool, 9, t));
    ULONG u = TAG('H', 'E', 's', '!');
    KeSetEvent(&u, 0, 0);
    keep(ExAllocatePoolWithTag(PagedPool, 9, u));
}

// held over other calls, and set before a branch that skips an earlier call of the same interface
NOINLINE static void held(int c, PVOID p) {
    ULONG t = TAG('H', 'H', 'e', '0'); OPAQUE(t);
    DbgPrint("%p", p);
    KeSetEvent(p, 0, 0);
    ExFreePoolWithTag(p, TAG('H', 'H', 'e', 'f'));
    if (c) keep(ExAllocatePoolWithTag(PagedPool, 10, TAG('H', 'H', 'e', '1')));
    DbgPrint("%d", c);
    keep(ExAllocatePoolWithTag(PagedPool, 11, t));
}

// variables of the driver
NOINLINE static void variables(void) {
    keep(ExAllocatePoolWithTag(PagedPool, 12, Variable));
    keep(ExAllocatePoolWithTag(PagedPool, 12, Fixed));
}

// tail calls
NOINLINE static PVOID tail(SIZE_T n) { return ExAllocatePoolWithTag(PagedPool, n, TAG('H', 'T', 'a', '0')); }
NOINLINE static void tail_free(PVOID p) { ExFreePoolWithTag(p, TAG('H', 'T', 'a', 'f')); }

// numbers that are no tags of this driver, however much they look like it
NOINLINE static void false_friends(ULONG *p, PVOID object) {
    if (p[0] == TAG('H', 'C', 'm', '!')) p[1] = TAG('H', 'S', 't', '!');
    ObfReferenceObjectWithTag(object, TAG('H', 'R', 'f', '!'));
    DbgPrint("%x", TAG('H', 'D', 'b', '!'));
    for (int i = 0; i < 4; i++)
        if (p[i] == TAG('H', 'L', 'o', '!')) KeSetEvent(object, (long)TAG('H', 'E', 'v', '!'), 0);
    // in the register of the tag, but for another function
    ((void (*)(PVOID, PVOID, ULONG))object)(p, p, TAG('H', 'R', 'g', '!'));
}

// a pointer to the interface in a variable of the function
NOINLINE static void pointer(int c) {
    PVOID(NTAPI * allocate)(int, SIZE_T, ULONG) = ExAllocatePoolWithTag;
    OPAQUE(allocate);
    keep(allocate(PagedPool, 13, TAG('H', 'P', 't', '0')));
    PVOID(NTAPI * either)(int, SIZE_T, ULONG) = c ? ExAllocatePoolWithTag : ExAllocatePoolWithQuotaTag;
    OPAQUE(either);
    keep(either(PagedPool, 13, TAG('H', 'P', 't', '1')));
}

// counts: no tag of a loop may be claimed as the only one
NOINLINE static void loop(int n) {
    ULONG t = TAG('H', 'L', 'p', '0');
    for (int i = 0; i < n; i++, t += 0x01000000) keep(ExAllocatePoolWithTag(PagedPool, 14, t));
}

// room on the stack of a size that is not known, above it the structure
NOINLINE static void variable_frame(int n, PVOID handle) {
    BUFFER_POOL pool = {0x80, 1, sizeof(BUFFER_POOL), TAG('H', 'D', 'y', '0'), 5};
    volatile UCHAR *room = __builtin_alloca((SIZE_T)n);
    room[n - 1] = 1;
    keep(NdisAllocateNetBufferPool(handle, &pool));
    keep((PVOID)room);
}

int NTAPI DriverEntry(PVOID driver, PVOID path) {
    int c = (int)(SIZE_T)path;
    sums();
    mixed_with_the_unknown((ULONG)c);
    sides(c, KeQueryTimeIncrement());
    choice(c);
    cases(c);
    protected(driver);
    structures(driver);
    written_over(driver);
    held(c, driver);
    variables();
    keep(tail((SIZE_T)path));
    tail_free(path);
    false_friends(driver, path);
    pointer(c);
    loop(c);
    variable_frame(c, driver);
    Unknown = (ULONG)c;
    Variable = TAG('H', 'V', 'a', '2');
    return 0;
}
