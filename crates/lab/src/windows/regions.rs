//! Which part of the kernel's address space is for what.

use rkd_dump::addr::Virt;
use rkd_symbols::{SymbolTable, Type};

const TERABYTE: u64 = 1 << 40;
const TOP_ENTRY: u64 = 1 << 39;

/// The regions of the kernel half.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regions {
    /// The entry of the root table that maps the tables themselves.
    pub self_map: u64,
    /// Nonpaged pool.
    pub non_paged_pool: Virt,
    /// Paged pool.
    pub paged_pool: Virt,
    /// Kernel stacks.
    pub kernel_stacks: Virt,
    /// System PTEs: views, I/O space, MDLs.
    pub system_ptes: Virt,
    /// The PFN database.
    pub pfn_database: Virt,
    /// Session space.
    pub session: Virt,
    /// The system cache.
    pub system_cache: Virt,
    random: bool,
}

impl Regions {
    /// The layout of a kernel that places its regions at random, or the fixed one of older kernels.
    pub(crate) fn of(random: bool) -> Regions {
        if random {
            Regions {
                self_map: 0x149,
                paged_pool: Virt(0xffff_8080_0000_0000),
                non_paged_pool: Virt(0xffff_9100_0000_0000),
                pfn_database: Virt(0xffff_a100_0000_0000),
                kernel_stacks: Virt(0xffff_a500_0000_0000),
                system_ptes: Virt(0xffff_a600_0000_0000),
                session: Virt(0xffff_c200_0000_0000),
                system_cache: Virt(0xffff_c280_0000_0000),
                random,
            }
        } else {
            Regions {
                self_map: 0x1ed,
                paged_pool: Virt(0xffff_f8a0_0000_0000),
                non_paged_pool: Virt(0xffff_fa80_0000_0000),
                pfn_database: Virt(0xffff_fa00_0000_0000),
                kernel_stacks: Virt(0xffff_f880_0000_0000),
                system_ptes: Virt(0xffff_f890_0000_0000),
                session: Virt(0xffff_f900_0000_0000),
                system_cache: Virt(0xffff_f980_0000_0000),
                random,
            }
        }
    }

    /// Base and size of a region by the name that Windows gives it (`AssignedRegion...`, without that word).
    pub(crate) fn named(&self, name: &str) -> Option<(Virt, u64)> {
        if !self.random {
            return None;
        }
        Some(match name {
            "NonPagedPool" => (self.non_paged_pool, 16 * TERABYTE),
            "PagedPool" => (self.paged_pool, 16 * TERABYTE),
            "SystemCache" => (self.system_cache, 16 * TERABYTE),
            "SystemPtes" => (self.system_ptes, 16 * TERABYTE),
            "UltraZero" => (Virt(0xffff_d280_0000_0000), 16 * TERABYTE),
            "PfnDatabase" => (self.pfn_database, 7 * TOP_ENTRY),
            "Cfg" => (Virt(0xffff_e32a_1d48_9f30), 5 * TOP_ENTRY),
            "HyperSpace" => (Virt(0xffff_fa80_0000_0000), TERABYTE),
            "KernelStacks" => (self.kernel_stacks, TERABYTE),
            "PageTables" => (Virt(0xffff_0000_0000_0000 | self.self_map << 39), TOP_ENTRY),
            "Session" => (self.session, TOP_ENTRY),
            "SecureNonPagedPool" => (Virt(0xffff_e280_0000_0000), TOP_ENTRY),
            "SystemImages" => (Virt(0xffff_f800_0000_0000), TOP_ENTRY),
            _ => return None,
        })
    }
}

/// The orders in which kernels number their regions: the enumeration is missing from some tables, its length is not.
const ORDERS: [&[&str]; 5] = [
    &[
        "NonPagedPool",
        "PagedPool",
        "SystemCache",
        "SystemPtes",
        "UltraZero",
        "PfnDatabase",
        "Cfg",
        "HyperSpace",
        "PageTables",
        "SpecialPool",
        "Session",
        "WorkingSetPagedPool",
        "WorkingSetSystemCache",
        "SystemImages",
    ],
    &[
        "NonPagedPool",
        "PagedPool",
        "SystemCache",
        "SystemPtes",
        "UltraZero",
        "PfnDatabase",
        "Cfg",
        "HyperSpace",
        "KernelStacks",
        "PageTables",
        "SpecialPoolPaged",
        "SpecialPoolNonPaged",
        "Session",
        "SystemImages",
    ],
    &[
        "NonPagedPool",
        "PagedPool",
        "SystemCache",
        "SystemPtes",
        "UltraZero",
        "PfnDatabase",
        "Cfg",
        "HyperSpace",
        "KernelStacks",
        "PageTables",
        "Session",
        "SystemImages",
    ],
    &[
        "NonPagedPool",
        "PagedPool",
        "SystemCache",
        "SystemPtes",
        "UltraZero",
        "PfnDatabase",
        "Cfg",
        "HyperSpace",
        "KernelStacks",
        "PageTables",
        "Session",
        "SecureNonPagedPool",
        "SystemImages",
    ],
    &[
        "PfnDatabase",
        "NonPagedPool",
        "PagedPool",
        "SystemCache",
        "SystemPtes",
        "UltraZero",
        "Cfg",
        "HyperSpace",
        "KernelStacks",
        "PageTables",
        "Session",
        "SecureNonPagedPool",
        "KernelShadowStacks",
        "SystemImages",
    ],
];

/// The names of the regions in the order of this kernel's `SystemVaRegions`, empty when it has no such array.
pub(super) fn order(table: &SymbolTable) -> Vec<String> {
    let Ok(field) = table.field("_MI_VISIBLE_STATE", "SystemVaRegions") else {
        return Vec::new();
    };
    let Type::Array(_, count) = field.ty else {
        return Vec::new();
    };
    if let Some(names) = table.enumeration("_MI_ASSIGNED_REGION_TYPES") {
        let name_of = |value| {
            names
                .name_of(value)
                .and_then(|name| name.strip_prefix("AssignedRegion"))
        };
        return (0..*count as i64)
            .map(|value| name_of(value).unwrap_or_default().to_owned())
            .collect();
    }
    // Without the enumeration: what kinds of stack regions there are is told by another one.
    let kinds = table.enumeration("_MI_SYSTEM_VA_TYPE");
    let has = |kind: &str| kinds.is_some_and(|kinds| kinds.value_of(kind).is_some());
    let fits = |order: &&[&str]| {
        order.len() as u64 == *count
            && order.contains(&"KernelStacks") == has("MiVaKernelStacks")
            && order.contains(&"KernelShadowStacks") == has("MiVaKernelShadowStacks")
    };
    let found = ORDERS.into_iter().find(fits).unwrap_or_default();
    found.iter().map(|&name| name.to_owned()).collect()
}
