// The interfaces that the drivers use, from the prototypes in Microsoft's documentation. No header of Microsoft's is needed.
typedef unsigned char UCHAR;
typedef unsigned short USHORT;
typedef unsigned int ULONG;
typedef unsigned long long ULONG64;
typedef unsigned __int64 POOL_FLAGS;
typedef void *PVOID;
#ifdef _WIN64
typedef unsigned long long SIZE_T;
#else
typedef unsigned int SIZE_T;
#endif
#define NTAPI __stdcall
#define IMPORT __declspec(dllimport)
#define NOINLINE __attribute__((noinline))
// The optimiser cannot see through this, and no instruction comes of it.
#define OPAQUE(x) __asm__ volatile("" : "+r"(x))
// A tag as its bytes lie in memory.
#define TAG(a, b, c, d) ((ULONG)(a) | (ULONG)(b) << 8 | (ULONG)(c) << 16 | (ULONG)(d) << 24)
enum { NonPagedPool = 0, PagedPool = 1, NonPagedPoolNx = 0x200 };
enum { POOL_FLAG_NON_PAGED = 0x40, POOL_FLAG_PAGED = 0x100 };

typedef struct { USHORT Length, MaximumLength; const unsigned short *Buffer; } UNICODE_STRING;

IMPORT PVOID NTAPI ExAllocatePool(int, SIZE_T);
IMPORT PVOID NTAPI ExAllocatePoolWithTag(int, SIZE_T, ULONG);
IMPORT PVOID NTAPI ExAllocatePoolWithQuotaTag(int, SIZE_T, ULONG);
IMPORT PVOID NTAPI ExAllocatePoolWithTagPriority(int, SIZE_T, ULONG, int);
IMPORT PVOID NTAPI ExAllocatePool2(POOL_FLAGS, SIZE_T, ULONG);
IMPORT PVOID NTAPI ExAllocatePool3(POOL_FLAGS, SIZE_T, ULONG, PVOID, ULONG);
IMPORT void NTAPI ExFreePool(PVOID);
IMPORT void NTAPI ExFreePoolWithTag(PVOID, ULONG);
IMPORT void NTAPI ExFreePool2(PVOID, ULONG, PVOID, ULONG);
IMPORT PVOID NTAPI FsRtlAllocatePoolWithTag(int, SIZE_T, ULONG);
IMPORT void NTAPI ExInitializeNPagedLookasideList(PVOID, PVOID, PVOID, ULONG, SIZE_T, ULONG, USHORT);
IMPORT void NTAPI ExInitializePagedLookasideList(PVOID, PVOID, PVOID, ULONG, SIZE_T, ULONG, USHORT);
IMPORT int NTAPI ExInitializeLookasideListEx(PVOID, PVOID, PVOID, int, ULONG, SIZE_T, ULONG, USHORT);
IMPORT PVOID NTAPI MmAllocateMappingAddress(SIZE_T, ULONG);
IMPORT void NTAPI IoInitializeRemoveLockEx(PVOID, ULONG, ULONG, ULONG, ULONG);
IMPORT PVOID NTAPI MmGetSystemRoutineAddress(UNICODE_STRING *);
IMPORT void NTAPI RtlInitUnicodeString(UNICODE_STRING *, const unsigned short *);
IMPORT long NTAPI ObfReferenceObjectWithTag(PVOID, ULONG);
IMPORT long NTAPI KeSetEvent(PVOID, long, UCHAR);
IMPORT ULONG NTAPI KeQueryTimeIncrement(void);
IMPORT ULONG DbgPrint(const char *, ...);
#ifndef _M_ARM64
void *memcpy(void *, const void *, SIZE_T);
void *memset(void *, int, SIZE_T);
#endif

// Everything that the driver keeps, so that nothing is optimised away.
extern PVOID volatile Kept;
static inline void keep(PVOID p) { Kept = p; }
