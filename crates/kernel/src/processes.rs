//! The active processes, as far as `!vm` needs them.

use super::Kernel;
use super::list::List;
use super::modules::harmless;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The address of its `_EPROCESS`.
    pub at: Virt,
    /// The process ID.
    pub pid: u64,
    /// `ImageFileName`: the kernel keeps at most 14 characters of it (`fontdrvhost.ex`).
    pub image: String,
    /// `CommitCharge`: private committed memory, in pages.
    pub commit: u64,
    /// `SharedCommitCharge`, in pages; kernels before 14393 do not count it.
    pub shared_commit: u64,
    /// `Vm.Shared.ReleasedCommitDebt`, in pages; since 14393.
    pub debt: u64,
}

/// Walks `nt!PsActiveProcessHead`. Each process may fail alone; the walk ends where the list breaks.
///
/// # Errors
/// Without nt's symbols.
pub fn processes(kernel: &Kernel) -> Result<impl Iterator<Item = Result<Process>> + '_> {
    let head = kernel.symbol("PsActiveProcessHead")?;
    let links = kernel
        .table()?
        .field("_EPROCESS", "ActiveProcessLinks")?
        .offset;
    Ok(List::new(kernel.space(), head, "PsActiveProcessHead")
        .map(move |entry| process_at(kernel, entry? - links)))
}

/// Reads the `_EPROCESS` at `at`.
///
/// # Errors
/// A fault in the process ID, its name or its charge; the fields that some kernels lack count as zero there.
pub fn process_at(kernel: &Kernel, at: Virt) -> Result<Process> {
    const TYPE: &str = "_EPROCESS";
    let optional = |path: &str| {
        if kernel.has_field(TYPE, path) {
            kernel.field_u64(at, TYPE, path)
        } else {
            Ok(0)
        }
    };
    let mut name = [0; 15];
    kernel
        .space()
        .read(kernel.field_address(at, TYPE, "ImageFileName")?, &mut name)?;
    Ok(Process {
        at,
        pid: kernel.field_u64(at, TYPE, "UniqueProcessId")?,
        image: harmless(
            &name
                .iter()
                .take_while(|&&b| b != 0)
                .map(|&b| char::from(b))
                .collect::<String>(),
        ),
        commit: kernel.field_u64(at, TYPE, "CommitCharge")?,
        shared_commit: optional("SharedCommitCharge")?,
        debt: optional("Vm.Shared.ReleasedCommitDebt")?,
    })
}

/// The pages that the resident kernel stacks of a process' threads take.
///
/// No kernel since 14393 has a public counter for kernel stacks, so they are added up thread by thread.
///
/// # Errors
/// The first thread that cannot be read.
pub fn kernel_stack_pages(kernel: &Kernel, process: Virt) -> Result<u64> {
    let head = kernel.field_address(process, "_EPROCESS", "ThreadListHead")?;
    let links = kernel.table()?.field("_ETHREAD", "ThreadListEntry")?.offset;
    let mut pages = 0u64;
    for entry in List::new(kernel.space(), head, "ThreadListHead") {
        let thread = entry? - links;
        if kernel.field_u64(thread, "_KTHREAD", "KernelStackResident")? == 0 {
            continue;
        }
        let base = kernel.field_u64(thread, "_KTHREAD", "StackBase")?;
        let limit = kernel.field_u64(thread, "_KTHREAD", "StackLimit")?;
        pages = pages.wrapping_add(base.wrapping_sub(limit) / rkd_dump::addr::PAGE_SIZE);
    }
    Ok(pages)
}
