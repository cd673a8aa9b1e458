// A driver of the kernel-mode driver framework: its calls go through a table that no import names. WDF_MINOR chooses between a
// pointer to the table (11 and later) and the table itself.
#include "kernel.h"
PVOID volatile Kept;
typedef void (*WDFFUNC)(void);
PVOID WdfDriverGlobals;
#if WDF_MINOR >= 11
WDFFUNC *WdfFunctions;
#define FUNCTIONS WdfFunctions
#define TABLE &WdfFunctions
#else
WDFFUNC WdfFunctions[396];
#define FUNCTIONS WdfFunctions
#define TABLE WdfFunctions
#endif
typedef struct { ULONG Size; const unsigned short *Component; struct { ULONG Major, Minor, Build; } Version; ULONG FuncCount; PVOID FuncTable, Module; } BIND_INFO;
BIND_INFO BindInfo = {sizeof(BIND_INFO), (const unsigned short *)L"KmdfLibrary", {1, WDF_MINOR, 0}, 396, TABLE, 0};
IMPORT int NTAPI WdfVersionBind(PVOID, PVOID, BIND_INFO *, PVOID *);

typedef struct { ULONG Size; PVOID DeviceAdd, Unload; ULONG Flags, DriverPoolTag; } DRIVER_CONFIG;
typedef int(NTAPI *DRIVER_CREATE)(PVOID, PVOID, PVOID, PVOID, DRIVER_CONFIG *, PVOID *);
typedef int(NTAPI *MEMORY_CREATE)(PVOID, PVOID, int, ULONG, SIZE_T, PVOID *, PVOID *);
typedef int(NTAPI *LIST_CREATE)(PVOID, PVOID, SIZE_T, int, PVOID, ULONG, PVOID *);

static inline int create_driver(PVOID driver, PVOID path, DRIVER_CONFIG *config) {
    return ((DRIVER_CREATE)FUNCTIONS[116])(WdfDriverGlobals, driver, path, 0, config, 0);
}
static inline int create_memory(int pool, ULONG tag, SIZE_T size, PVOID *memory) {
    PVOID buffer;
    return ((MEMORY_CREATE)FUNCTIONS[192])(WdfDriverGlobals, 0, pool, tag, size, memory, &buffer);
}
static inline int create_list(SIZE_T size, int pool, ULONG tag, PVOID *list) {
    return ((LIST_CREATE)FUNCTIONS[198])(WdfDriverGlobals, 0, size, pool, 0, tag, list);
}

NOINLINE static void memory(SIZE_T n) {
    PVOID made;
    create_memory(NonPagedPoolNx, TAG('F', 'M', 'e', '0'), 42, &made);
    keep(made);
    create_memory(PagedPool, TAG('F', 'M', 'e', '1'), n, &made);
    keep(made);
    create_list(160, PagedPool, TAG('F', 'L', 'i', '0'), &made);
    keep(made);
    // another function of the table, with a number where the tag would be
    ((MEMORY_CREATE)FUNCTIONS[193])(WdfDriverGlobals, 0, 0, TAG('F', 'O', 't', '!'), 8, &made, &made);
}

NOINLINE static PVOID wrapped(ULONG tag, SIZE_T n) {
    PVOID made = 0;
    create_memory(NonPagedPoolNx, tag, n, &made);
    return made;
}

int NTAPI DriverEntry(PVOID driver, PVOID path) {
    WdfVersionBind(driver, path, &BindInfo, &WdfDriverGlobals);
    DRIVER_CONFIG config = {sizeof config, 0, 0, 0, TAG('F', 'D', 'r', '0')};
    create_driver(driver, path, &config);
    memset(&config, 0, sizeof config);
    config.Size = sizeof config;
    create_driver(driver, path, &config);
    memory((SIZE_T)path);
    keep(wrapped(TAG('F', 'W', 'r', '0'), 33));
    keep(wrapped(TAG('F', 'W', 'r', '1'), (SIZE_T)path));
    return 0;
}
