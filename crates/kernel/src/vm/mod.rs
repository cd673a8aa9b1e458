//! The memory manager's counters: what `!vm` shows, line by line, each by the name of its field.
//!
//! Until 8.1 the counters are variables of their own (`nt!MmAvailablePages`); since 14393 they are fields of
//! `nt!MiState` and `nt!MiSystemPartition`, and they move between the two from build to build. So each line names all
//! the places where any kernel keeps it, and the first one that the symbols know is read.

mod computed;
mod lines;
mod pagefiles;
mod pools;
mod view;

pub use pagefiles::PageFile;
pub use pools::NodeUse;

use super::Kernel;
use super::processes::{Process, kernel_stack_pages, processes};
use lines::{LINES, Shown};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use view::View;

/// A counter, in pages.
#[derive(Clone, Debug)]
pub struct Counter {
    /// The field's name in rows: snake_case, ending in the unit where it is not pages.
    pub key: &'static str,
    /// kd's label, with its colon.
    pub label: &'static str,
    /// The value in pages, or why there is none.
    pub pages: Result<u64>,
    /// Whether it is part of `Sum System Commit`.
    pub summed: bool,
    /// Whether the kernel keeps such a counter at all: one that it keeps and that is not in the dump makes the sum unknown.
    pub kept: bool,
}

/// Everything that `!vm` shows.
#[derive(Debug)]
pub struct Vm {
    /// The paging files.
    pub page_files: Result<Vec<PageFile>>,
    /// The counters in kd's order, from `Physical Memory:` to `Pagefile Hash Pages:`.
    pub counters: Vec<Counter>,
    /// The nodes' shares of the nonpaged pool: kd lists them when there is more than one node.
    pub nodes: Vec<NodeUse>,
    /// How often PTEs for a kernel stack were refused.
    pub stack_pte_failures: Option<u64>,
    /// How often a kernel stack could not grow.
    pub stack_growth_failures: Option<u64>,
    /// How often pool could not be allocated; `None` where the symbols do not name the counter.
    pub pool_failures: Option<u64>,
    /// The processes, by commit charge, the largest first.
    pub processes: Vec<Process>,
    /// The sum of the processes' commit charges.
    pub private: Result<u64>,
    /// `Committed pages:`.
    pub committed: Result<u64>,
    /// `Commit limit:`.
    pub limit: Result<u64>,
    /// What is uncertain, and why.
    pub notes: Vec<String>,
}

impl Vm {
    /// `Sum System Commit:` – every line from `Processor Commit:` to `Pagefile Hash Pages:`, wrapping at 64 bits.
    ///
    /// Checked to the page on five published transcripts from Windows 7 to 10. Where the line `Partition Pages:` exists,
    /// three of three transcripts show `SlabAllocatorPages:` but leave it out of the sum.
    ///
    /// Lines that a kernel has no counter for are left out of it.
    ///
    /// # Errors
    /// When a counter that belongs to the sum is not in the dump.
    pub fn sum_system_commit(&self) -> Result<u64> {
        let mut sum = 0u64;
        for counter in self.counters.iter().filter(|counter| counter.summed) {
            match &counter.pages {
                Ok(pages) => sum = sum.wrapping_add(*pages),
                Err(_) if !counter.kept => {}
                Err(_) => return Err(Error::NotInDump("parts of it are not in the dump".into())),
            }
        }
        Ok(sum)
    }

    /// Whether so much nonpaged pool is in use that kd calls it excessive: more than four fifths of what there may be. Public
    /// transcripts show the line where the use is above the maximum, and none where it is far below; where between them kd begins
    /// is not proven.
    pub fn has_excessive_nonpaged(&self) -> bool {
        let pages = |key: &str| self.counter(key)?.pages.clone().ok();
        let nx = pages("nonpaged_pool_nx_pages").unwrap_or(0);
        let used = pages("nonpaged_pool_pages").map(|pages| pages.saturating_add(nx));
        used.zip(pages("nonpaged_pool_max_pages"))
            .is_some_and(|(used, most)| most > 0 && used > most / 5 * 4)
    }

    /// The same for paged pool: more than 95 % of what there may be, which no transcript proves.
    pub fn has_excessive_paged(&self) -> bool {
        let pages = |key: &str| self.counter(key)?.pages.clone().ok();
        pages("paged_pool_pages")
            .zip(pages("paged_pool_max_pages"))
            .is_some_and(|(used, most)| most > 0 && used > most / 100 * 95)
    }

    /// The counter of that key.
    pub fn counter(&self, key: &str) -> Option<&Counter> {
        self.counters.iter().find(|counter| counter.key == key)
    }
}

/// Reads all counters of the kernel.
///
/// # Errors
/// Without nt's symbols. A counter that cannot be read carries its reason.
pub fn vm(kernel: &Kernel) -> Result<Vm> {
    kernel.table()?;
    kernel.base()?;
    let view = View::new(kernel);
    let mut notes = view.notes.clone();
    let (mut listed, walk_error) = all_processes(kernel);
    let private = match &walk_error {
        None => Ok(listed
            .iter()
            .fold(0u64, |sum, process| sum.wrapping_add(process.commit))),
        Some(error) => Err(Error::NotInDump(format!(
            "the list of processes is incomplete after {} processes: {error}",
            listed.len()
        ))),
    };
    let pools = pools::pools(&view);
    let stacks = kernel_stacks(&view, &listed, walk_error.is_some());
    let derived = |key: &str| match key {
        "nonpaged_pool_pages" => Some(pools.nonpaged.clone()),
        "nonpaged_pool_nx_pages" => pools.nonpaged_nx.clone(),
        "kernel_stack_pages" => Some(stacks.clone()),
        _ => None,
    };
    let counters = LINES
        .iter()
        .filter_map(|line| {
            let value = view.first(line.places).or_else(|| derived(line.key));
            let shown = match line.shown {
                Shown::Always => true,
                Shown::IfKept => value.is_some(),
                Shown::If(condition) => condition(&view),
            };
            let kept = value.is_some();
            let pages = value.unwrap_or_else(|| Err(no_counter()));
            let summed = line.summed
                && !(line.key == "slab_allocator_pages" && lines::has_partition_line(&view));
            shown.then_some(Counter {
                key: line.key,
                label: line.label,
                pages,
                summed,
                kept,
            })
        })
        .collect();
    notes.extend(pools.notes);
    listed.sort_by_key(|process| std::cmp::Reverse(process.commit));
    let required = |places| view.first(places).unwrap_or_else(|| Err(no_counter()));
    Ok(Vm {
        page_files: pagefiles::page_files(&view),
        counters,
        nodes: pools.nodes,
        stack_pte_failures: view.first(lines::STACK_PTE_FAILURES).and_then(Result::ok),
        stack_growth_failures: view
            .first(lines::STACK_GROWTH_FAILURES)
            .and_then(Result::ok),
        pool_failures: view.first(lines::POOL_FAILURES).and_then(Result::ok),
        processes: listed,
        private,
        committed: required(lines::COMMITTED),
        limit: required(lines::LIMIT),
        notes,
    })
}

/// Kernels differ in what they count.
pub(crate) fn no_counter() -> Error {
    Error::NotInDump("this kernel keeps no such counter".into())
}

fn all_processes(kernel: &Kernel) -> (Vec<Process>, Option<Error>) {
    let walk = match processes(kernel) {
        Ok(walk) => walk,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let (mut listed, mut broken) = (Vec::new(), None);
    for process in walk {
        match process {
            Ok(process) => listed.push(process),
            Err(error) => broken = broken.or(Some(error)),
        }
    }
    (listed, broken)
}

/// `Kernel Stacks:` thread by thread, on kernels that do not count them.
fn kernel_stacks(view: &View, processes: &[Process], incomplete: bool) -> Result<u64> {
    if incomplete {
        return Err(Error::NotInDump(
            "it is added up thread by thread, and the list of processes is incomplete".into(),
        ));
    }
    let mut pages = 0u64;
    for process in processes {
        let own = kernel_stack_pages(view.kernel, process.at);
        pages = pages.wrapping_add(own.map_err(|e| {
            Error::NotInDump(format!(
                "it is added up thread by thread: process {:x}: {e}",
                process.pid
            ))
        })?);
    }
    Ok(pages)
}

/// The address of `_MI_VISIBLE_STATE`, which `nt!MiVisibleState` points at.
///
/// # Errors
/// On kernels before 14393, which have no such structure, and without nt's symbols.
pub fn visible_state(kernel: &Kernel) -> Result<Virt> {
    View::new(kernel).vs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rkd_dump::error::Error;

    fn vm_of(pages: &[(&'static str, u64)]) -> Vm {
        let absent = || Err(Error::NotInDump(String::new()));
        let counters = pages.iter().map(|(key, pages)| Counter {
            key,
            label: "",
            pages: Ok(*pages),
            summed: false,
            kept: true,
        });
        Vm {
            page_files: Ok(Vec::new()),
            counters: counters.collect(),
            nodes: Vec::new(),
            stack_pte_failures: None,
            stack_growth_failures: None,
            pool_failures: None,
            processes: Vec::new(),
            private: absent(),
            committed: absent(),
            limit: absent(),
            notes: Vec::new(),
        }
    }

    /// Figures of public transcripts: use above the maximum, of which kd says so, and use far below it, of which it does not.
    #[test]
    fn excessive_is_what_comes_near_the_maximum() {
        let nonpaged = |used, nx, most| {
            vm_of(&[
                ("nonpaged_pool_pages", used),
                ("nonpaged_pool_nx_pages", nx),
                ("nonpaged_pool_max_pages", most),
            ])
            .has_excessive_nonpaged()
        };
        assert!(nonpaged(29_559_056, 32_908, 1_561_080));
        assert!(!nonpaged(1_219_892, 24_512, 1 << 32));
        assert!(!nonpaged(1, 0, 0));
        let paged = |used, most| {
            vm_of(&[("paged_pool_pages", used), ("paged_pool_max_pages", most)])
                .has_excessive_paged()
        };
        assert!(paged(96, 100) && !paged(86_954, 33_554_432));
        assert!(!vm_of(&[]).has_excessive_paged());
    }
}
