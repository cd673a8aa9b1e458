//! `!vm`: how much memory there is, who holds it, and whether the sums agree.

use crate::command::signature::{Item, Kind, Signature};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::processes::Process;
use rkd_kernel::vm::{Counter, NodeUse, Vm, vm};
use std::collections::BTreeMap;

/// `!vm`: memory counters, commit charges and who holds them.
pub static COMMAND: Command = Command {
    name: "!vm",
    aliases: &[],
    rhai: "vm",
    topic: Topic::Pool,
    summary: "memory counters, commit charges and who holds them",
    grammar: Grammar::Signature(Signature {
        wants: "takes one argument",
        ..Signature::of(&[Item::optional("Flags", Kind::Flags(u32::MAX), "hexadecimal: 0 shows everything (the default), 1 leaves the list of processes out")])
    }),
    help: "\
Shows the memory manager's counters: page files, physical memory, both pools, every part of the commit charge, and the
processes by what they commit.

Each figure is read by the name of its field in nt's symbols. A figure that this kernel does not keep, or that is not in the
dump, shows as ?? and a note says why; Sum System Commit then leaves it out. Kernel Stacks is added up thread by thread on
kernels that have no counter for it, and Free System PTEs is the whole region plus a signed counter, as kd prints it.
kd's other flags (terminal sessions, thread stacks, page file log) are not shown.",
    examples: &[Example {
        line: "!vm 1",
        shows: "the counters without the processes",
        output: "\
Page File: \\??\\C:\\pagefile.sys
  Current:   8388608 Kb  Free Space:   8317648 Kb
  Minimum:   8388608 Kb  Maximum:     24833052 Kb
Page File: \\??\\C:\\swapfile.sys
  Current:     16384 Kb  Free Space:     16376 Kb
  Minimum:     16384 Kb  Maximum:     12416524 Kb
No Name for Paging File
  Current:  16666292 Kb  Free Space:  16644880 Kb
  Minimum:  16666292 Kb  Maximum:     16666292 Kb

Physical Memory:          2069421 (    8277684 Kb)
Available Pages:           445015 (    1780060 Kb)
ResAvail Pages:            707292 (    2829168 Kb)
Locked IO Pages:                0 (          0 Kb)
Free System PTEs:      4295052431 (17180209724 Kb)
Modified Pages:             11479 (      45916 Kb)
Modified PF Pages:          11479 (      45916 Kb)
Modified No Write Pages:        0 (          0 Kb)
NonPagedPool Usage:       1219892 (    4879568 Kb)
NonPagedPoolNx Usage:       24512 (      98048 Kb)
NonPagedPool Max:      4294967296 (17179869184 Kb)
PagedPool Usage:            32907 (     131628 Kb)
...",
    }],
    rows: &[PageFileRow::SCHEMA, CounterRow::SCHEMA, ProcessRow::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let flags = args.number("Flags").unwrap_or(0);
    let kernel = session.target.kernel.clone();
    let vm = vm(&kernel)?;
    page_files(&vm, out)?;
    for counter in &vm.counters {
        before(
            &vm,
            counter,
            kernel.symbol("MiSystemPartition").is_ok(),
            out,
        )?;
        out.row(&CounterRow::new(
            counter.key,
            counter.label,
            counter.pages.as_ref().copied(),
        ))?;
        if counter.key == "free_system_ptes" {
            failures(&vm, out)?;
        }
        trouble(&vm, counter.key, out)?;
    }
    commit(&vm, out)?;
    if flags & 1 == 0 {
        processes(&vm, out)?;
    }
    notes(&vm, flags, out)
}

/// kd's column rule: the count ends at column 33, after a label of at least 19 columns; a longer number makes the line longer.
fn line(label: &str, pages: Result<u64, &Error>) -> String {
    let label = format!("{label:<19}");
    let width = 33usize.saturating_sub(label.len());
    match pages {
        Ok(pages) => format!("{label}{pages:>width$} ({:>11} Kb)", kilobytes(pages)),
        Err(_) => format!("{label}{:>width$} ({:>11} Kb)", "??", "??"),
    }
}

/// Pages in kilobytes, wrapping at 64 bits as kd's do.
fn kilobytes(pages: u64) -> u64 {
    pages.wrapping_mul(4)
}

fn page_files(vm: &Vm, out: &mut dyn Sink) -> Result<()> {
    let Ok(files) = &vm.page_files else {
        return Ok(());
    };
    for file in files {
        out.row(&PageFileRow {
            name: file.name.as_deref(),
            size_pages: file.size,
            free_pages: file.free,
            minimum_pages: file.minimum,
            maximum_pages: file.maximum,
        })?;
    }
    if files.is_empty() {
        Ok(())
    } else {
        out.text("")
    }
}

/// A page file.
#[derive(Row)]
#[row(kind = "page_file")]
struct PageFileRow<'a> {
    /// Its path.
    #[row(absent = "the virtual page file has no name")]
    name: Option<&'a str>,
    /// Its size now.
    size_pages: u64,
    /// How much of it is free.
    free_pages: u64,
    /// Its smallest size.
    minimum_pages: u64,
    /// Its largest size.
    maximum_pages: u64,
}

impl KdLine for PageFileRow<'_> {
    fn line(&self) -> String {
        let title = match self.name {
            Some(name) => format!("Page File: {name}"),
            None => "No Name for Paging File".into(),
        };
        let [size, free, minimum, maximum] = [
            self.size_pages,
            self.free_pages,
            self.minimum_pages,
            self.maximum_pages,
        ]
        .map(kilobytes);
        format!(
            "{title}\n  Current: {size:>9} Kb  Free Space: {free:>9} Kb\n  Minimum: {minimum:>9} Kb  Maximum:    {maximum:>9} Kb"
        )
    }
}

/// A counter of the memory manager.
#[derive(Row)]
#[row(kind = "counter")]
struct CounterRow<'a> {
    /// Its name for programs.
    name: &'static str,
    /// kd's label.
    label: &'a str,
    /// Its value.
    pages: Result<u64, &'a Error>,
    /// The same in kilobytes.
    kilobytes: Result<u64, &'a Error>,
    #[row(skip)]
    title: &'a str,
}

impl<'a> CounterRow<'a> {
    fn new(name: &'static str, title: &'a str, pages: Result<u64, &'a Error>) -> CounterRow<'a> {
        CounterRow {
            name,
            label: title.trim_end_matches(':'),
            pages,
            kilobytes: pages.map(kilobytes),
            title,
        }
    }
}

impl KdLine for CounterRow<'_> {
    fn line(&self) -> String {
        line(self.title, self.pages)
    }
}

/// The lines that stand in front of some counters: the nodes' shares, and Windows 7's bare line.
fn before(vm: &Vm, counter: &Counter, has_partitions: bool, out: &mut dyn Sink) -> Result<()> {
    let several = vm.nodes.len() > 1;
    match counter.key {
        "nonpaged_pool_pages" if several => {
            vm.nodes.iter().enumerate().try_for_each(|(index, node)| {
                let NodeUse {
                    nonpaged,
                    nonpaged_nx,
                    ..
                } = *node;
                out.text(&line(&format!("NonPagedPool {index:>4}:"), Ok(nonpaged)))?;
                out.text(&line(
                    &format!("NonPagedPoolNx {index:>2}:"),
                    Ok(nonpaged_nx),
                ))
            })
        }
        "paged_pool_pages" if several => {
            vm.nodes.iter().enumerate().try_for_each(|(index, node)| {
                out.text(&line(&format!("PagedPool {index:>2}:"), Ok(node.paged)))
            })
        }
        "shared_commit_pages" if !has_partitions => out.text("Syspart SharedCommit 0"),
        _ => Ok(()),
    }
}

fn failures(vm: &Vm, out: &mut dyn Sink) -> Result<()> {
    let kinds = [
        (
            vm.stack_pte_failures,
            "kernel stack PTE allocations have failed",
        ),
        (
            vm.stack_growth_failures,
            "kernel stack growth attempts have failed",
        ),
    ];
    for (count, what) in kinds {
        if let Some(count) = count.filter(|count| *count != 0) {
            out.text(&format!("\n******* {count} {what} ******\n"))?;
        }
    }
    Ok(())
}

/// What kd says of a pool in trouble. The texts stand in public transcripts of Windows 7 and 8.1: the first behind the maximum of
/// nonpaged pool; that of paged pool, and that about failed allocations, behind the maximum of paged pool, where their place is
/// not proven.
fn trouble(vm: &Vm, key: &str, out: &mut dyn Sink) -> Result<()> {
    match key {
        "nonpaged_pool_max_pages" if vm.has_excessive_nonpaged() => {
            out.text("********** Excessive NonPaged Pool Usage *****")
        }
        "paged_pool_max_pages" => {
            if vm.has_excessive_paged() {
                out.text("********** Excessive Paged Pool Usage *****")?;
            }
            match vm.pool_failures {
                Some(count) if count > 0 => out.text(&format!(
                    "\n********** {count} pool allocations have failed **********\n"
                )),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn commit(vm: &Vm, out: &mut dyn Sink) -> Result<()> {
    let sum = vm.sum_system_commit();
    let [sum, private, committed, limit] =
        [&sum, &vm.private, &vm.committed, &vm.limit].map(|v| v.as_ref().copied());
    out.row(&CounterRow::new(
        "sum_system_commit_pages",
        "Sum System Commit:",
        sum,
    ))?;
    out.row(&CounterRow::new(
        "total_private_pages",
        "Total Private:",
        private,
    ))?;
    match (sum, private, committed) {
        (Ok(sum), Ok(private), Ok(committed)) => {
            let parts = sum.wrapping_add(private);
            let misc = committed.wrapping_sub(parts);
            if committed >= parts {
                out.row(&CounterRow::new(
                    "misc_commit_pages",
                    "Misc/Transient Commit:",
                    Ok(misc),
                ))?;
            } else {
                out.text(&format!(
                    "\n********** Sum of individual system commit + Process commit exceeds overall commit by {} Kb ? ********",
                    kilobytes(parts - committed)
                ))?;
            }
        }
        (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => out.row(&CounterRow::new(
            "misc_commit_pages",
            "Misc/Transient Commit:",
            Err(why),
        ))?,
    }
    out.row(&CounterRow::new(
        "committed_pages",
        "Committed pages:",
        committed,
    ))?;
    out.row(&CounterRow::new(
        "commit_limit_pages",
        "Commit limit:",
        limit,
    ))
}

fn processes(vm: &Vm, out: &mut dyn Sink) -> Result<()> {
    if vm.processes.is_empty() {
        return Ok(());
    }
    out.text("\n  Pid ImageName                        Commit   SharedCommit        Debt\n")?;
    vm.processes
        .iter()
        .try_for_each(|process| out.row(&ProcessRow::of(process)))
}

/// A process, by what it commits.
#[derive(Row)]
#[row(kind = "process")]
struct ProcessRow<'a> {
    /// Where its `_EPROCESS` lies.
    eprocess: Virt,
    /// Its number.
    pid: u64,
    /// The name of its image.
    image: &'a str,
    /// Its commit charge.
    commit_pages: u64,
    /// Its share of shared commit.
    shared_commit_pages: u64,
    /// What it is charged for and has not got yet.
    debt_pages: u64,
}

impl<'a> ProcessRow<'a> {
    fn of(process: &'a Process) -> ProcessRow<'a> {
        ProcessRow {
            eprocess: process.at,
            pid: process.pid,
            image: &process.image,
            commit_pages: process.commit,
            shared_commit_pages: process.shared_commit,
            debt_pages: process.debt,
        }
    }
}

impl KdLine for ProcessRow<'_> {
    fn line(&self) -> String {
        let [commit, shared, debt] =
            [self.commit_pages, self.shared_commit_pages, self.debt_pages].map(kilobytes);
        format!(
            " {:>4x} {:<24} {commit:>11} Kb {shared:>11} Kb {debt:>8} Kb",
            self.pid, self.image
        )
    }
}

/// One note for each reason, with all the lines that it concerns.
fn notes(vm: &Vm, flags: u64, out: &mut dyn Sink) -> Result<()> {
    let mut unknown: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut left_out = Vec::new();
    for counter in &vm.counters {
        if let Err(why) = &counter.pages {
            let label = counter.label.trim_end_matches(':');
            unknown.entry(why.reason()).or_default().push(label);
            if counter.summed && !counter.kept {
                left_out.push(label);
            }
        }
    }
    let totals = [
        ("Total Private", &vm.private),
        ("Committed pages", &vm.committed),
        ("Commit limit", &vm.limit),
    ];
    for (label, value) in totals {
        if let Err(why) = value {
            unknown.entry(why.reason()).or_default().push(label);
        }
    }
    if let Err(why) = &vm.page_files {
        unknown
            .entry(why.reason())
            .or_default()
            .push("the page files");
    }
    for (why, labels) in unknown {
        out.note(&format!("?? for {}: {why}", labels.join(", ")))?;
    }
    if !left_out.is_empty() {
        out.note(&format!(
            "Sum System Commit leaves out {}",
            left_out.join(", ")
        ))?;
    }
    vm.notes.iter().try_for_each(|note| out.note(note))?;
    if flags & !1 != 0 {
        out.note(&format!(
            "the flags {:#x} of kd's !vm are not shown",
            flags & !1
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of published transcripts.
    #[test]
    fn columns_are_kds() {
        assert_eq!(
            line("Physical Memory:", Ok(2_069_421)),
            "Physical Memory:          2069421 (    8277684 Kb)"
        );
        assert_eq!(
            line("Free System PTEs:", Ok(4_295_052_431)),
            "Free System PTEs:      4295052431 (17180209724 Kb)"
        );
        assert_eq!(
            line("SkPagesInUnchargedSlabs:", Ok(0)),
            "SkPagesInUnchargedSlabs:        0 (          0 Kb)"
        );
        assert_eq!(
            line("PagedPool Commit:", Ok(18_446_735_296_008_579_352)),
            "PagedPool Commit:  18446735296008579352 (18446708962905662560 Kb)"
        );
        assert_eq!(
            line("NonPagedPoolNx  0:", Ok(17_887)),
            "NonPagedPoolNx  0:          17887 (      71548 Kb)"
        );
    }

    #[test]
    fn a_process_line_is_kds() {
        let process = Process {
            at: Virt(0),
            pid: 0x6b4,
            image: "chrome.exe".into(),
            commit: 22135,
            shared_commit: 0,
            debt: 0,
        };
        assert_eq!(
            ProcessRow::of(&process).line(),
            "  6b4 chrome.exe                     88540 Kb           0 Kb        0 Kb"
        );
    }
}
