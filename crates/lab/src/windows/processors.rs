//! The processors: one control region each, with the registers that were saved when the machine stopped.

use super::Windows;
use super::driver::{RETURN_FROM_COMPLETION, RETURN_FROM_KEYS, RETURN_FROM_STOP};
use super::kernel::{Exports, RETURN_FROM_CALLBACK};
use super::processes::Running;
use crate::plan::Plan;
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::error::Result;

/// Bytes of `CONTEXT` on x64.
const CONTEXT_SIZE: usize = 0x4d0;

/// The processor that crashed, as the dump's header tells of it.
pub(super) struct Crash {
    /// `CONTEXT`.
    pub context: Vec<u8>,
    /// `EXCEPTION_RECORD64`.
    pub exception: Vec<u8>,
    /// Its processor block.
    pub block: Virt,
    /// Its stack pointer.
    pub stack: Virt,
}

/// Writes all processors.
pub(super) fn write(
    windows: &mut Windows<'_>,
    plan: &Plan,
    running: &Running,
    exports: &Exports,
) -> Result<Crash> {
    let stop = windows.try_symbol("KeBugCheckEx").unwrap_or(windows.base);
    let idle_at = windows.try_symbol("MmSizeOfMdl").unwrap_or(windows.base) + 4;
    let array = windows.symbol("KiProcessorBlock")?;
    let stack = write_stack(windows, plan, running, exports)?;
    let mut crash_context = context(stop, stack);
    // the arguments of KeBugCheckEx: rcx, rdx, r8, r9
    let arguments = [u64::from(plan.bug_check.code)]
        .into_iter()
        .chain(plan.bug_check.parameters);
    for (at, value) in [0x80, 0x88, 0xb8, 0xc0].into_iter().zip(arguments) {
        if let Some(place) = crash_context.get_mut(at..at + 8) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }
    let mut block = Virt(0);
    for cpu in 0..plan.processors {
        let is_current = cpu == plan.current;
        let idle = running.idle.get(cpu as usize).copied().unwrap_or(Virt(0));
        let saved = if is_current {
            crash_context.clone()
        } else {
            context(idle_at, Virt(stack.0 & !0xfff))
        };
        let mut structure = windows.structure("_KPCR")?;
        let at = windows.pool.take(structure.bytes().len() as u64, PAGE_SIZE);
        let prcb = at + structure.offset("Prcb")?;
        structure.set("Self", at.0)?;
        structure.set("CurrentPrcb", prcb.0)?;
        structure.set_if("MajorVersion", 1);
        structure.set_if("MinorVersion", 1);
        structure.set("Prcb.Number", u64::from(cpu))?;
        structure.set(
            "Prcb.CurrentThread",
            if is_current { running.thread.0 } else { idle.0 },
        )?;
        structure.set("Prcb.IdleThread", idle.0)?;
        structure.set_if("Prcb.MHz", 2_904);
        structure.set_if("Prcb.CpuType", 6);
        structure.set_if("Prcb.CpuStep", 0x9e0a);
        structure.put("Prcb.VendorString", b"GenuineIntel\0")?;
        structure.put("Prcb.ProcessorState.ContextFrame", &saved)?;
        structure.set("Prcb.ProcessorState.SpecialRegisters.Cr3", running.root)?;
        structure.set("Prcb.ProcessorState.SpecialRegisters.Cr0", 0x8005_0033)?;
        structure.set("Prcb.ProcessorState.SpecialRegisters.Cr4", 0x35_06f8)?;
        structure.set(
            "Prcb.ProcessorState.SpecialRegisters.Cr8",
            if is_current { 0xf } else { 0 },
        )?;
        let frame = structure.offset("Prcb.ProcessorState.ContextFrame")?;
        structure.set_if("Prcb.Context", (at + frame).0);
        windows.memory.write(at, structure.bytes())?;
        windows
            .memory
            .write_u64(array + u64::from(cpu) * 8, prcb.0)?;
        if is_current {
            block = prcb;
        }
    }
    if let Some(at) = windows.try_symbol("KiBugCheckData") {
        windows
            .memory
            .write_u64(at, u64::from(plan.bug_check.code))?;
        for (index, parameter) in plan.bug_check.parameters.into_iter().enumerate() {
            windows
                .memory
                .write_u64(at + 8 + index as u64 * 8, parameter)?;
        }
    }
    windows.set_u32("KiBugCheckActive", plan.current << 4 | 3)?;
    let mut exception = vec![0; 0x98];
    exception[..4].copy_from_slice(&0x8000_0003_u32.to_le_bytes());
    exception[0x10..0x18].copy_from_slice(&stop.0.to_le_bytes());
    Ok(Crash {
        context: crash_context,
        exception,
        block,
        stack,
    })
}

/// The stack of the thread that ran: `KeBugCheckEx` returns to the driver that called it, which was called when a request was
/// completed. Each of the functions in between took 28h bytes.
fn write_stack(
    windows: &mut Windows<'_>,
    plan: &Plan,
    running: &Running,
    exports: &Exports,
) -> Result<Virt> {
    let stack = running.stack_base - 0x2c8;
    windows
        .memory
        .write(running.stack_base - PAGE_SIZE, &[0; PAGE_SIZE as usize])?;
    let caller = plan
        .module(plan.bug_check.caller)
        .map_or(windows.base, |module| module.base);
    let complete = exports.kernel("IofCompleteRequest").unwrap_or(windows.base);
    let returns = [
        caller + RETURN_FROM_STOP,
        caller + RETURN_FROM_KEYS,
        complete + RETURN_FROM_CALLBACK,
        caller + RETURN_FROM_COMPLETION,
    ];
    for (index, to) in (0..).zip(returns) {
        windows.memory.write_u64(stack + 0x30 * index, to.0)?;
    }
    // the home places, where the function keeps its arguments
    let arguments = [u64::from(plan.bug_check.code)]
        .into_iter()
        .chain(plan.bug_check.parameters);
    for (index, value) in arguments.enumerate() {
        windows
            .memory
            .write_u64(stack + 8 + index as u64 * 8, value)?;
    }
    Ok(stack)
}

/// A `CONTEXT` as `RtlCaptureContext` leaves it.
fn context(instruction: Virt, stack: Virt) -> Vec<u8> {
    let mut out = vec![0; CONTEXT_SIZE];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = out.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0x30, &0x10_001f_u32.to_le_bytes());
    put(0x34, &0x1f80_u32.to_le_bytes());
    // cs, ds, es, fs, gs, ss
    for (index, selector) in [0x10_u16, 0x2b, 0x2b, 0x53, 0x2b, 0x18]
        .into_iter()
        .enumerate()
    {
        put(0x38 + index * 2, &selector.to_le_bytes());
    }
    put(0x44, &0x246_u32.to_le_bytes());
    put(0x98, &stack.0.to_le_bytes());
    put(0xf8, &instruction.0.to_le_bytes());
    out
}
