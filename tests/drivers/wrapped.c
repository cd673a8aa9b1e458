// Functions of the driver between the tag and the interface.
#include "kernel.h"
PVOID volatile Kept;

// one level, the tag in each place that an argument can have
NOINLINE static PVOID one(ULONG tag) { return ExAllocatePoolWithTag(PagedPool, 128, tag); }
NOINLINE static PVOID second(SIZE_T size, ULONG tag) { return ExAllocatePoolWithTag(NonPagedPool, size + 8, tag); }
NOINLINE static PVOID fifth(int a, int b, int c, SIZE_T size, ULONG tag) {
    keep((PVOID)(SIZE_T)(a ^ b ^ c));
    return ExAllocatePoolWithTag(PagedPool, size, tag);
}
NOINLINE static PVOID ninth(int a, int b, int c, int d, int e, int f, int g, SIZE_T size, ULONG tag) {
    keep((PVOID)(SIZE_T)(a ^ b ^ c ^ d ^ e ^ f ^ g));
    return ExAllocatePoolWithTag(NonPagedPoolNx, size, tag);
}

// two, three and four levels
NOINLINE static PVOID two(ULONG tag, SIZE_T size) { PVOID p = second(size, tag); keep(p); return p; }
NOINLINE static PVOID three(SIZE_T size, ULONG tag) { keep((PVOID)size); return two(tag, size * 2); }
NOINLINE static PVOID four(ULONG tag, int x) { PVOID p = three((SIZE_T)x, tag); keep(p); return p; }

// around a lookaside list, whose tag is deep in the stack
UCHAR List[256];
NOINLINE static int list(ULONG tag, SIZE_T size) {
    return ExInitializeLookasideListEx(List, 0, 0, PagedPool, 0, size, tag, 0);
}

// behind a pointer to a structure
typedef struct { ULONG Magic, Tag; SIZE_T Size; } REQUEST;
NOINLINE static PVOID request(const REQUEST *r) { return ExAllocatePoolWithTag(PagedPool, r->Size, r->Tag); }

// a default for who gives none
NOINLINE static PVOID or_default(ULONG tag) { return ExAllocatePoolWithTag(PagedPool, 16, tag ? tag : TAG('W', 'D', 'e', 'f')); }

// operator new: the tag is fixed, only the size comes from the callers
NOINLINE static PVOID operator_new(SIZE_T size) { return ExAllocatePoolWithTag(NonPagedPoolNx, size, TAG('W', 'N', 'e', 'w')); }
NOINLINE static void operator_delete(PVOID p) { ExFreePoolWithTag(p, TAG('W', 'N', 'e', 'w')); }

// calls itself, and the two call each other
NOINLINE static PVOID retry(int n, ULONG tag) {
    PVOID p = ExAllocatePoolWithTag(PagedPool, 1000, tag);
    if (p || n <= 0) return p;
    keep(p);
    p = retry(n - 1, tag);
    keep(p);
    return p;
}
static PVOID pong(int n, ULONG tag);
NOINLINE static PVOID ping(int n, ULONG tag) {
    if (n > 3) { PVOID p = pong(n - 1, tag); keep(p); return p; }
    return ExAllocatePoolWithTag(PagedPool, 1016, tag);
}
NOINLINE static PVOID pong(int n, ULONG tag) { PVOID p = ping(n - 1, tag); keep(p); return p; }

// through a table of functions that cannot be written
typedef struct { PVOID (*Allocate)(SIZE_T, ULONG); void (*Free)(PVOID); } METHODS;
NOINLINE static PVOID by_table(SIZE_T size, ULONG tag) { return ExAllocatePoolWithTag(NonPagedPool, size, tag); }
static const METHODS Methods = {by_table, operator_delete};
const METHODS *volatile Current = &Methods;

// an export that other drivers allocate through: with their tags, and with its own
__declspec(dllexport) PVOID NTAPI WrapAllocate(SIZE_T size, ULONG tag) { return ExAllocatePoolWithTag(PagedPool, size, tag); }
__declspec(dllexport) PVOID NTAPI WrapAllocateOwn(SIZE_T size) { return ExAllocatePoolWithTag(PagedPool, size, TAG('W', 'O', 'w', 'n')); }

// the same driver frees under another tag than it allocates
NOINLINE static void odd_pair(void) {
    PVOID p = ExAllocatePoolWithTag(PagedPool, 88, TAG('W', 'O', 'd', 'A'));
    keep(p);
    ExFreePoolWithTag(p, TAG('W', 'O', 'd', 'F'));
}

NOINLINE static void with_structures(SIZE_T n) {
    REQUEST r = {1, TAG('W', 'R', 'e', '0'), 60};
    keep(request(&r));
    r.Tag = TAG('W', 'R', 'e', '1');
    r.Size = n;
    keep(request(&r));
}

int NTAPI DriverEntry(PVOID driver, PVOID path) {
    SIZE_T n = (SIZE_T)path;
    keep(one(TAG('W', 'O', 'n', 'e')));
    keep(second(n, TAG('W', 'S', 'e', 'c')));
    keep(fifth(1, 2, 3, 44, TAG('W', 'F', 'i', 'f')));
    keep(ninth(1, 2, 3, 4, 5, 6, 7, 48, TAG('W', 'N', 'i', 'n')));
    keep(two(TAG('W', 'T', 'w', 'o'), 10));
    keep(three(n, TAG('W', 'T', 'h', 'r')));
    keep(four(TAG('W', 'F', 'o', 'u'), 9));
    list(TAG('W', 'L', 's', 't'), 144);
    keep(or_default(0));
    keep(or_default(TAG('W', 'D', 'i', 'f')));
    keep(operator_new(n));
    keep(retry(5, TAG('W', 'R', 't', 'y')));
    keep(ping((int)n, TAG('W', 'P', 'p', 'g')));
    keep(Methods.Allocate(n, TAG('W', 'T', 'a', 'b')));
    keep((PVOID)Current);
    with_structures(n);
    odd_pair();
    operator_delete(driver);
    return 0;
}
