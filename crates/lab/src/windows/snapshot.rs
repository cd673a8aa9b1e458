//! The moment at which the machine stops: everything is written, and a dump can be made of it.

use super::{
    Windows, big_pages, counters, debugger, heaps, loader, pool, processes, processors, shared,
};
use crate::files::{Driver, Facts, Minidump, Snapshot, Unloaded};
use crate::make::Options;
use crate::payload::PayloadRange;
use crate::plan::{ModuleBody, Plan};
use rkd_dump::addr::{PAGE_SIZE, Phys, Virt};
use rkd_dump::error::Result;
use rkd_symbols::SymbolTable;

/// A machine that stands still.
pub(crate) struct Stopped {
    /// What a dump is made of.
    pub snapshot: Snapshot,
    /// In words, the figures of the plan for which this kernel has no place.
    pub homeless: Vec<String>,
    /// Where the payload lies.
    pub payload: Option<PayloadRange>,
    /// Files of the drivers that the case is about: name and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Builds the machine of a plan and stops it.
///
/// # Errors
/// When the table lacks a type or a symbol that every kernel has, or the machine is too small.
pub(crate) fn stop(
    plan: &Plan,
    table: &SymbolTable,
    version: [u32; 4],
    options: &Options,
) -> Result<Stopped> {
    let mut windows = Windows::new(plan, table, version)?;
    let windows = &mut windows;
    let exports = loader::load(windows, plan)?;
    pool::write(windows, plan)?;
    big_pages::write(windows, plan)?;
    shared::write(windows, plan)?;
    let payload = options
        .payload
        .as_ref()
        .map(|payload| payload.lay(windows))
        .transpose()?;
    let debugger_data = debugger::write(windows, options.encoded_debugger_data)?;
    let running = processes::write(windows, plan)?;
    let crash = processors::write(windows, plan, &running, &exports)?;
    counters::write(windows, plan, running.stack_pages)?;
    heaps::write(windows, plan)?;
    loader::bind_framework(windows)?;

    let mut minidump = minidump(windows, plan, debugger_data)?;
    let size = |ty: &str| windows.table.udt(ty).map_or(0, |udt| udt.size as usize);
    minidump.processor = windows.memory.read(crash.block, size("_KPRCB"));
    minidump.process = windows.memory.read(running.system, size("_EPROCESS"));
    minidump.thread = windows.memory.read(running.thread, size("_ETHREAD"));
    let stack_bytes = (running.stack_base - crash.stack) as usize;
    minidump.stack = (crash.stack, windows.memory.read(crash.stack, stack_bytes));
    minidump
        .blocks
        .push((crash.block, minidump.processor.clone()));
    minidump
        .blocks
        .push((running.thread, minidump.thread.clone()));
    minidump
        .blocks
        .push((running.system, minidump.process.clone()));

    let facts = Facts {
        build: version[2],
        root: Phys(running.root),
        pfn_database: windows.try_symbol("MmPfnDatabase").unwrap_or_default(),
        module_list: windows.symbol("PsLoadedModuleList")?,
        process_head: windows.symbol("PsActiveProcessHead")?,
        debugger_data: windows.symbol("KdDebuggerDataBlock")?,
        processors: plan.processors,
        code: plan.bug_check.code,
        parameters: plan.bug_check.parameters,
        context: crash.context,
        exception: crash.exception,
        system_time: plan.time,
        up_time: plan.up_time,
        product_type: 1,
        suite_mask: 0x110,
        comment: options.comment.clone(),
    };
    let homeless = std::mem::take(&mut windows.homeless);
    // the tables and frames move out; what is left of the builder is no longer needed
    let ram = std::mem::replace(&mut windows.memory.ram, crate::ram::Ram::new(Vec::new()));
    Ok(Stopped {
        snapshot: Snapshot {
            facts,
            ram,
            user_frames: std::mem::take(&mut windows.user_frames),
            minidump,
        },
        homeless,
        payload,
        files: std::mem::take(&mut windows.files),
    })
}

/// The lists of a triage dump, and the memory that Windows puts into one besides.
fn minidump(windows: &Windows<'_>, plan: &Plan, debugger_data: Vec<u8>) -> Result<Minidump> {
    let drivers = plan
        .modules
        .iter()
        .map(|module| Driver {
            // the dump lists the kernel by its path, the others too
            name: format!("{}{}", module.folder, module.name),
            base: module.base,
            size: module.size,
            entry: match module.body {
                ModuleBody::Kernel => Virt(0),
                _ => module.base + 0x1000,
            },
            checksum: module.checksum,
            time_stamp: module.time_stamp,
        })
        .collect();
    let unloaded = plan
        .gone
        .iter()
        .rev()
        .map(|gone| Unloaded {
            name: gone.name.to_owned(),
            start: gone.start,
            end: gone.end,
            time: plan.time - gone.seconds_ago * 10_000_000,
        })
        .collect();
    let mut blocks = Vec::new();
    for (name, size) in [
        ("PsActiveProcessHead", 16),
        ("KiProcessorBlock", u64::from(plan.processors) * 8),
    ] {
        let at = windows.symbol(name)?;
        blocks.push((at, windows.memory.read(at, size as usize)));
    }
    if let Some(shared) =
        Some(Virt(0xffff_f780_0000_0000)).filter(|&at| windows.memory.is_present(at))
    {
        blocks.push((shared, windows.memory.read(shared, PAGE_SIZE as usize)));
    }
    // of the partition's counters Windows takes two pieces along, around those that it names to debuggers
    if let (Some(partition), Ok(field)) = (
        windows.try_symbol("MiSystemPartition"),
        windows.table.field("_MI_PARTITION", "Vp"),
    ) {
        for (from, to) in [(0, 0xc8), (0x158, 0x258)] {
            let at = partition + field.offset + from;
            blocks.push((at, windows.memory.read(at, to - from as usize)));
        }
    }
    Ok(Minidump {
        drivers,
        unloaded,
        debugger_data,
        blocks,
        ..Minidump::default()
    })
}
