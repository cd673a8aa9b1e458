//! The interfaces that take a pool tag: one table, from the prototypes in Microsoft's documentation.
//!
//! What is not here is not forgotten: functions whose tag only counts references (`ObReferenceObjectWithTag`) or names a
//! signature (`IoAcquireRemoveLockEx`) own no pool.

use rkd_code::Machine;

/// What a call does with the tag. The first five kinds allocate pool under it, now or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Allocates.
    Allocate,
    /// Prepares a list whose entries are allocated under the tag.
    Lookaside,
    /// Prepares a pool of network buffers or a timer, from a structure that holds the tag.
    Structure,
    /// Allocates through the driver framework.
    Framework,
    /// Registers a table of contexts that the filter manager allocates.
    Registration,
    /// Frees.
    Free,
    /// Reserves or uses address space, not pool.
    Mapping,
    /// Prepares a remove lock, which allocates on checked builds only.
    RemoveLock,
}

impl Kind {
    /// Whether pool is allocated under the tag.
    pub fn allocates(self) -> bool {
        !matches!(self, Kind::Free | Kind::Mapping | Kind::RemoveLock)
    }
}

/// Where a call carries a number: arguments count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arg {
    /// Nowhere.
    None,
    /// In this argument.
    At(u8),
    /// In the structure that this argument points to, so many bytes in: on 64-bit machines, on x86.
    In(u8, i32, i32),
}

/// How to read the number that chooses the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// `POOL_TYPE`: bit 0 is paged.
    Type,
    /// `POOL_FLAG_*`.
    Flags,
    /// Always this pool.
    Always(Pool),
    /// Not known from the call.
    Unknown,
}

/// The two pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Nonpaged pool, executable or not.
    Nonpaged,
    /// Paged pool, of the session too.
    Paged,
}

impl Choice {
    /// The pool that a number chooses.
    pub(crate) fn pool(self, number: Option<u64>) -> Option<Pool> {
        let number = match self {
            Choice::Always(pool) => return Some(pool),
            Choice::Unknown => return None,
            Choice::Type | Choice::Flags => number?,
        };
        match self {
            // POOL_FLAG_PAGED is 0x100, POOL_FLAG_NON_PAGED 0x40, POOL_FLAG_NON_PAGED_EXECUTE 0x80
            Choice::Flags if number & 0x1c0 == 0x100 => Some(Pool::Paged),
            Choice::Flags if number & 0x1c0 != 0 && number & 0x100 == 0 => Some(Pool::Nonpaged),
            Choice::Flags => None,
            _ if number & 1 == 1 => Some(Pool::Paged),
            _ => Some(Pool::Nonpaged),
        }
    }
}

/// An interface that takes a tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interface {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// The tag; [`Arg::None`] for the interfaces that Windows files under `None`.
    pub tag: Arg,
    /// The number that chooses the pool.
    pub pool: Arg,
    /// How to read it.
    pub choice: Choice,
    /// Bytes of one allocation.
    pub size: Arg,
    /// Arguments of 64 bits, as a mask: each takes two places of an x86 stack.
    pub wide: u16,
    /// Places of an x86 stack that the callee takes off (0 for a caller that does it itself).
    pub words: u8,
    /// An argument that must be this number; anything else is another service that takes no tag.
    pub only_if: Option<(u8, u64)>,
}

const fn plain(
    name: &'static str,
    kind: Kind,
    tag: Arg,
    pool: Arg,
    size: Arg,
    words: u8,
) -> Interface {
    let choice = match (kind, pool) {
        (Kind::Free | Kind::Mapping | Kind::RemoveLock, _) | (_, Arg::None) => Choice::Unknown,
        _ => Choice::Type,
    };
    Interface {
        name,
        kind,
        tag,
        pool,
        choice,
        size,
        wide: 0,
        words,
        only_if: None,
    }
}

const fn fixed(interface: Interface, pool: Pool) -> Interface {
    Interface {
        choice: Choice::Always(pool),
        ..interface
    }
}

const fn flags(interface: Interface, wide: u16) -> Interface {
    Interface {
        choice: Choice::Flags,
        wide,
        ..interface
    }
}

use Arg::{At, In, None as No};
use Kind::{Allocate, Framework, Free, Lookaside, Mapping, Registration, RemoveLock, Structure};
use Pool::{Nonpaged, Paged};

/// All of them, one a line.
#[rustfmt::skip]
pub(crate) static INTERFACES: &[Interface] = &[
    // ntoskrnl: pool
    plain("ExAllocatePoolWithTag", Allocate, At(2), At(0), At(1), 3),
    plain("ExAllocatePoolWithQuotaTag", Allocate, At(2), At(0), At(1), 3),
    plain("ExAllocatePoolWithTagPriority", Allocate, At(2), At(0), At(1), 4),
    flags(plain("ExAllocatePool2", Allocate, At(2), At(0), At(1), 4), 1),
    flags(plain("ExAllocatePool3", Allocate, At(2), At(0), At(1), 6), 1),
    plain("ExAllocatePool", Allocate, No, At(0), At(1), 2),
    plain("ExAllocatePoolWithQuota", Allocate, No, At(0), At(1), 2),
    plain("ExFreePoolWithTag", Free, At(1), No, No, 2),
    plain("ExFreePool2", Free, At(1), No, No, 4),
    plain("ExAllocateCacheAwareRundownProtection", Allocate, At(1), At(0), No, 2),
    plain("FsRtlAllocatePoolWithTag", Allocate, At(2), At(0), At(1), 3),
    plain("FsRtlAllocatePoolWithQuotaTag", Allocate, At(2), At(0), At(1), 3),
    plain("FsRtlAllocateExtraCreateParameter", Allocate, At(4), No, At(1), 6),
    // ntoskrnl: lookaside lists
    fixed(plain("ExInitializeNPagedLookasideList", Lookaside, At(5), No, At(4), 7), Nonpaged),
    fixed(plain("ExInitializePagedLookasideList", Lookaside, At(5), No, At(4), 7), Paged),
    plain("ExInitializeLookasideListEx", Lookaside, At(6), At(3), At(5), 8),
    plain("FsRtlInitExtraCreateParameterLookasideList", Lookaside, At(3), No, At(2), 4),
    // ntoskrnl: address space and locks
    Interface { wide: 0b1110, ..plain("MmAllocateContiguousMemoryEx", Mapping, At(7), No, No, 13) },
    plain("MmAllocateMappingAddress", Mapping, At(1), No, At(0), 2),
    plain("MmAllocateMappingAddressEx", Mapping, At(1), No, At(0), 3),
    plain("MmFreeMappingAddress", Mapping, At(1), No, No, 2),
    plain("MmMapLockedPagesWithReservedMapping", Mapping, At(1), No, No, 4),
    plain("MmUnmapReservedMapping", Mapping, At(1), No, No, 3),
    plain("IoInitializeRemoveLockEx", RemoveLock, At(1), No, No, 5),
    // ndis
    fixed(plain("NdisAllocateMemoryWithTag", Allocate, At(2), No, At(1), 3), Nonpaged),
    fixed(plain("NdisAllocateMemoryWithTagPriority", Allocate, At(2), No, At(1), 4), Nonpaged),
    plain("NdisFreeMemoryWithTagPriority", Free, At(2), No, No, 3),
    fixed(plain("NdisAllocateGenericObject", Allocate, At(1), No, At(2), 3), Nonpaged),
    fixed(plain("NdisInitializeNPagedLookasideList", Lookaside, At(5), No, At(4), 7), Nonpaged),
    // NET_BUFFER_LIST_POOL_PARAMETERS, NET_BUFFER_POOL_PARAMETERS: PoolTag and DataSize; NDIS_TIMER_CHARACTERISTICS: AllocationTag
    fixed(plain("NdisAllocateNetBufferListPool", Structure, In(1, 8, 8), No, In(1, 12, 12), 2), Nonpaged),
    fixed(plain("NdisAllocateNetBufferPool", Structure, In(1, 4, 4), No, In(1, 8, 8), 2), Nonpaged),
    fixed(plain("NdisAllocateTimerObject", Structure, In(1, 4, 4), No, No, 3), Nonpaged),
    // filter manager
    plain("FltAllocatePoolAlignedWithTag", Allocate, At(3), At(1), At(2), 4),
    plain("FltFreePoolAlignedWithTag", Free, At(2), No, No, 3),
    plain("FltAllocateExtraCreateParameter", Allocate, At(5), No, At(2), 7),
    plain("FltInitExtraCreateParameterLookasideList", Lookaside, At(4), No, At(3), 5),
    // FLT_REGISTRATION.ContextRegistration; the tags stand in the array behind it
    plain("FltRegisterFilter", Registration, In(1, 8, 8), No, No, 3),
    // storport: only service 0, ExtFunctionAllocatePool, takes a tag
    Interface { only_if: Some((0, 0)), ..fixed(plain("StorPortExtendedFunction", Allocate, At(3), No, At(2), 0), Nonpaged) },
    // video and graphics
    Interface { choice: Choice::Unknown, ..plain("VideoPortAllocatePool", Allocate, At(3), At(1), At(2), 4) },
    Interface { choice: Choice::Unknown, ..plain("EngAllocMem", Allocate, At(2), At(0), At(1), 3) },
    plain("EngAllocUserMem", Mapping, At(1), No, At(0), 2),
    plain("EngAllocPrivateUserMem", Mapping, At(2), No, At(1), 3),
    // kernel-mode driver framework, by the index in its function table; argument 0 is the driver's globals
    plain("WdfDriverCreate", Framework, In(4, 0x1c, 0x10), No, No, 6),
    plain("WdfMemoryCreate", Framework, At(3), At(2), At(4), 7),
    plain("WdfLookasideListCreate", Framework, At(5), At(3), At(2), 7),
];

/// The interface of this name.
pub fn by_name(name: &str) -> Option<u16> {
    INTERFACES
        .iter()
        .position(|i| i.name == name)
        .map(|i| i as u16)
}

/// The interface behind an index of the kernel-mode framework's table. The indices never change: new functions go to the end.
pub(crate) fn by_framework_index(index: u32) -> Option<u16> {
    match index {
        116 => by_name("WdfDriverCreate"),
        192 => by_name("WdfMemoryCreate"),
        198 => by_name("WdfLookasideListCreate"),
        _ => None,
    }
}

/// The interface with this number.
pub(crate) fn get(number: u16) -> Option<&'static Interface> {
    INTERFACES.get(usize::from(number))
}

impl Interface {
    /// The place of an argument on an x86 stack, counted in words from the return address.
    pub(crate) fn x86_word(&self, argument: u8) -> u8 {
        let before = (1u16 << argument.min(15)) - 1;
        argument + (self.wide & before).count_ones() as u8
    }

    /// Bytes between the start of the structure and the number.
    pub(crate) fn offset(machine: Machine, wide: i32, narrow: i32) -> i32 {
        if machine == Machine::X86 {
            narrow
        } else {
            wide
        }
    }
}

/// A context that a file system filter registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContextTable {
    /// Bytes of one entry.
    pub entry: u32,
    /// Bytes from its beginning to the size of the context.
    pub size: u32,
    /// Bytes from its beginning to the tag.
    pub tag: u32,
}

/// `FLT_CONTEXT_REGISTRATION` of a machine.
pub(crate) fn context_table(machine: Machine) -> ContextTable {
    match machine {
        Machine::X86 => ContextTable {
            entry: 0x1c,
            size: 8,
            tag: 12,
        },
        _ => ContextTable {
            entry: 0x38,
            size: 0x10,
            tag: 0x18,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once_and_takes_a_sensible_number_of_words() {
        for (i, interface) in INTERFACES.iter().enumerate() {
            assert_eq!(
                by_name(interface.name),
                Some(i as u16),
                "{}",
                interface.name
            );
            for arg in [interface.tag, interface.pool, interface.size] {
                if let At(n) | In(n, ..) = arg {
                    assert!(
                        interface.words == 0 || interface.x86_word(n) < interface.words,
                        "{}",
                        interface.name
                    );
                }
            }
        }
    }

    #[test]
    fn wide_arguments_move_the_others_on_x86() {
        let pool2 = get(by_name("ExAllocatePool2").unwrap()).unwrap();
        assert_eq!([0, 1, 2].map(|a| pool2.x86_word(a)), [0, 2, 3]);
        let contiguous = get(by_name("MmAllocateContiguousMemoryEx").unwrap()).unwrap();
        assert_eq!(contiguous.x86_word(7), 10);
    }

    #[test]
    fn numbers_choose_a_pool() {
        assert_eq!(Choice::Type.pool(Some(0x200)), Some(Nonpaged));
        assert_eq!(Choice::Type.pool(Some(0x21)), Some(Paged));
        assert_eq!(Choice::Flags.pool(Some(0x40)), Some(Nonpaged));
        assert_eq!(Choice::Flags.pool(Some(0x102)), Some(Paged));
        assert_eq!(Choice::Flags.pool(Some(0)), None);
        assert_eq!(Choice::Type.pool(None), None);
    }
}
