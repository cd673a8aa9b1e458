//! All thresholds of the verdict, with their reasons. A script that shows a verdict has none of its own.

/// Nonpaged pool that is more than this part of the memory is too large. A healthy Windows keeps a few hundred megabytes in each
/// pool, some five percent of the memory of a usual machine.
pub const NONPAGED_SHARE: f64 = 0.10;
/// The same for paged pool, which is allowed more, since it gives way.
pub const PAGED_SHARE: f64 = 0.20;
/// The same in bytes, for a dump that does not say how much memory there was.
pub const POOL_BYTES: u64 = 2 << 30;
/// Where less than this part of a pool's pages is in the tags, pages are partly used.
pub const WELL_USED: f64 = 0.85;
/// A tag, or a group of tags, that holds at least this part of its pool stands out.
pub const DOMINANT: f64 = 0.4;
/// Where less than this part of all allocations was freed, they pile up.
pub const PILING_UP: f64 = 0.5;
/// Fewer allocations than these say nothing: neither about frees, nor about sizes, which may be even by chance.
pub const FEW_ALLOCATIONS: u64 = 8;
/// Pages of pool that are looked through for headers of one tag: 256 MiB, a fraction of a second.
pub const MAX_HEADER_PAGES: u64 = 0x1_0000;
/// Counts that differ by at most this part are in step.
pub const IN_STEP: f64 = 0.005;
/// Fewer allocations than these are in step by chance: a machine has hundreds of tags, and few of them hold so many.
pub const FEW_IN_STEP: u64 = 10_000;
/// Tags that must have the same count to be a group. Two may have it by chance.
pub const GROUP_MEMBERS: usize = 3;
/// Tags of a group that are asked about, those that hold most.
pub const MAX_GROUP_MEMBERS: usize = 12;
