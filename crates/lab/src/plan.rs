//! What a machine is to look like, as data: a scenario makes a plan, and the builder makes it true.

use super::ram::FrameRun;
use super::version::Version;
use rkd_dump::addr::Virt;

/// A whole machine at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The frames that the firmware gave to Windows.
    pub frames: Vec<FrameRun>,
    /// How many processors.
    pub processors: u32,
    /// The one that crashed.
    pub current: u32,
    /// Loaded images, in load order; the kernel comes first.
    pub modules: Vec<Module>,
    /// Unloaded drivers, oldest first.
    pub gone: Vec<Gone>,
    /// Images that are not loaded, and of which there are files.
    pub files: Vec<Module>,
    /// What every tag holds.
    pub tags: Vec<Tag>,
    /// Allocations of a page and more.
    pub blocks: Vec<Block>,
    /// The processes, System first.
    pub processes: Vec<Process>,
    /// The sessions, with their committed pages.
    pub sessions: Vec<(u32, u64)>,
    /// The page files.
    pub page_files: Vec<PageFile>,
    /// What the memory manager counts.
    pub counters: Counters,
    /// When: `FILETIME`, UTC.
    pub time: u64,
    /// How long it had run, in 100 ns.
    pub up_time: u64,
    /// Minutes by which local time is ahead of UTC.
    pub minutes_east: i32,
    /// Why it stopped.
    pub bug_check: BugCheck,
}

impl Plan {
    /// Where the kernel is loaded.
    pub(crate) fn kernel_base(&self) -> Virt {
        self.modules.first().map_or(Virt(0), |module| module.base)
    }

    /// Whether what the tag holds is paged pool, for the most part.
    pub(crate) fn is_paged(&self, tag: [u8; 4]) -> bool {
        let held = self.tags.iter().find(|held| held.tag == tag);
        held.is_some_and(|held| held.paged.bytes > held.non_paged.bytes)
    }

    /// What a driver asks for to make the blocks of this tag, in bytes: a small block has a header of sixteen. `None` where the
    /// blocks differ in size, or where the tag holds nothing.
    pub(crate) fn request(&self, tag: [u8; 4]) -> Option<u32> {
        const HEADER: u64 = 16;
        let held = self.tags.iter().find(|held| held.tag == tag)?;
        let held = match self.is_paged(tag) {
            true => held.paged,
            false => held.non_paged,
        };
        if held.count == 0 || !held.bytes.is_multiple_of(held.count) {
            return None;
        }
        let block = held.bytes / held.count;
        let request = if block < 0x1000 {
            block.saturating_sub(HEADER)
        } else {
            block
        };
        u32::try_from(request).ok()
    }

    /// The tag under which an exported function allocates for its callers.
    pub(crate) fn tag_of_allocator(&self, function: &str) -> Option<[u8; 4]> {
        self.modules
            .iter()
            .find_map(|module| match &module.body {
                ModuleBody::Driver(driver) => {
                    driver.allocator.filter(|(name, _)| *name == function)
                }
                _ => None,
            })
            .map(|(_, tag)| tag)
    }

    /// The module of this file name.
    pub(crate) fn module(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|module| module.name == name)
    }
}

/// A loaded image.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// Its file name.
    pub name: String,
    /// What the loader's list calls it where that differs from the file name.
    pub alias: Option<String>,
    /// Its folder as the loader knows it, with the last backslash.
    pub folder: &'static str,
    /// Where.
    pub base: Virt,
    /// Bytes of address space.
    pub size: u32,
    /// `TimeDateStamp`.
    pub time_stamp: u32,
    /// `CheckSum`.
    pub checksum: u32,
    /// What is in it.
    pub body: ModuleBody,
}

/// What is in an image.
#[derive(Clone, Debug)]
pub(crate) enum ModuleBody {
    /// The kernel itself.
    Kernel,
    /// Code that is generated from a description.
    Driver(Box<Driver>),
    /// The one driver that the scenario is about, byte for byte.
    Culprit(fn(&Module, &super::windows::Exports) -> super::image::Image),
}

/// A driver like others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Driver {
    /// The tags that its code passes to the pool allocator.
    pub tags: Vec<[u8; 4]>,
    /// What its code looks like.
    pub style: Style,
    /// Functions that other drivers import from it.
    pub exports: &'static [&'static str],
    /// Its version resource, where the pages of it are in memory.
    pub version: Option<Version>,
    /// It can stop the machine: its first function calls `KeBugCheckEx`.
    pub stops: bool,
    /// Whether its sites allocate paged pool; otherwise they allocate the pool in which the tag holds most.
    pub paged: Option<bool>,
    /// Its code was written to the page file: all of it is pageable, and nobody ran it lately.
    pub away: bool,
    /// A function that it exports and that allocates for its callers, under this tag.
    pub allocator: Option<(&'static str, [u8; 4])>,
    /// Functions of another driver that it calls: the driver's file name, and theirs.
    pub uses: Option<(&'static str, &'static [&'static str])>,
    /// Code that has nothing to do with pool, in KiB.
    pub ballast_kib: u32,
    /// It leaves its tag to the driver framework (with [`Style::Framework`]).
    pub leaves_tag: bool,
}

/// What compilers and frameworks make of an allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// Calls through the import table.
    #[default]
    Classic,
    /// Calls that the kernel may patch, with the newer allocation functions where the kernel has them.
    Modern,
    /// Calls through the function table of the driver framework.
    Framework,
    /// Lookaside lists: the tag goes over the stack.
    Lookaside,
}

/// A driver that was unloaded.
#[derive(Clone, Debug)]
pub(crate) struct Gone {
    /// Its file name.
    pub name: &'static str,
    /// Where it was.
    pub start: Virt,
    /// One past its end.
    pub end: Virt,
    /// Seconds before the end of the machine at which it went.
    pub seconds_ago: u64,
}

/// What a tag holds in both pools at the end, and how often it was freed before that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tag {
    /// The four bytes as they lie in memory.
    pub tag: [u8; 4],
    /// Nonpaged: outstanding allocations, their bytes, and frees.
    pub non_paged: PoolUse,
    /// Paged: the same.
    pub paged: PoolUse,
}

/// A tag's use of one pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PoolUse {
    /// Allocations that are outstanding.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Allocations that came and went.
    pub freed: u64,
}

/// The pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Nonpaged, and code may run there.
    NonPaged,
    /// Nonpaged and never code. Old kernels do not know the difference.
    NonPagedNx,
    /// Paged.
    Paged,
}

/// An allocation of a page and more, as the table of big allocations lists it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Its tag.
    pub tag: [u8; 4],
    /// Bytes.
    pub bytes: u64,
    /// Of which pool.
    pub pool: Pool,
    /// Freed already: the entry is stale.
    pub stale: bool,
    /// What its first page begins with, where the dump has it: addresses.
    pub contents: Option<[Virt; 3]>,
}

/// A process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    /// The file name.
    pub name: &'static str,
    /// Its number.
    pub id: u32,
    /// Its parent's number.
    pub parent: u32,
    /// Its session; `None` for System and the like.
    pub session: Option<u32>,
    /// Private pages that are charged to it.
    pub commit: u64,
    /// Shared pages that are charged to it.
    pub shared_commit: u64,
    /// Threads.
    pub threads: u32,
    /// Handles.
    pub handles: u32,
    /// Seconds after the start of the machine at which it began.
    pub started: u64,
    /// Its command line; a process that has one has the pages of its address space that hold it.
    pub command_line: Option<&'static str>,
}

/// A page file; sizes in pages.
#[derive(Clone, Debug)]
pub(crate) struct PageFile {
    /// Its path, or nothing for the one that stands for compressed memory.
    pub path: Option<&'static str>,
    /// Its size.
    pub size: u64,
    /// How much of it is free.
    pub free: u64,
    /// The least it may be.
    pub minimum: u64,
    /// The most it may be.
    pub maximum: u64,
}

/// What the memory manager counts, in pages; in brackets the line of `!vm`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// All frames [Physical Memory].
    pub physical: u64,
    /// Frames that can be had at once [Available Pages].
    pub available: u64,
    /// Frames that can still be locked [ResAvail Pages].
    pub resident_available: u64,
    /// Frames that wait for the page file [Modified Pages].
    pub modified: u64,
    /// Frames that must not be written yet [Modified No Write Pages].
    pub modified_no_write: u64,
    /// Nonpaged pool that may be executed, all nonpaged pool before Windows 8 [NonPagedPool Usage].
    pub non_paged_pool: u64,
    /// The other nonpaged pool [NonPagedPoolNx Usage].
    pub non_paged_pool_nx: u64,
    /// How much nonpaged pool there may be [NonPagedPool Max].
    pub non_paged_pool_max: u64,
    /// Paged pool [PagedPool Usage, PagedPool Commit].
    pub paged_pool: u64,
    /// How much paged pool there may be [PagedPool Maximum].
    pub paged_pool_max: u64,
    /// Beyond the region that is not yet handed out [Free System PTEs].
    pub free_system_ptes: u64,
    /// [Processor Commit]
    pub process_commit: u64,
    /// [Pages For MDLs]
    pub mdl_pages: u64,
    /// [NonPagedPool Commit]
    pub non_paged_pool_commit: u64,
    /// [Driver Commit]
    pub driver_commit: u64,
    /// [Boot Commit]
    pub boot_commit: u64,
    /// [PFN Array Commit]
    pub pfn_array_commit: u64,
    /// [SmallNonPagedPtesCommit]
    pub small_pte_commit: u64,
    /// [System PageTables]
    pub page_table_commit: u64,
    /// [ProcessLockedFilePages]
    pub locked_file_pages: u64,
    /// All commitment of the system; shared commitment is what the other lines leave of it [Sum System Commit].
    pub system_commit: u64,
    /// [Committed pages]
    pub committed: u64,
    /// [Commit limit]
    pub commit_limit: u64,
}

/// Why the machine stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BugCheck {
    /// The code.
    pub code: u32,
    /// The parameters.
    pub parameters: [u64; 4],
    /// The driver whose code called `KeBugCheckEx`.
    pub caller: &'static str,
}
