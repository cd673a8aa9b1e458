//! Telling which kernel this is when its debug directory is not in the dump, and which processor wrote the dump.

use super::Kernel;
use super::debugger_data::{DebuggerData, SYMBOL_FIELDS};
use rkd_code::Machine;
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::bytes::ReadAt;
use rkd_symbols::{PdbId, facts};

/// A block that agrees in fewer addresses than this proves nothing.
const ENOUGH: usize = 6;

/// The one known kernel whose symbols lie exactly where the debugger data block says.
///
/// A triage dump holds a copy of the block, but seldom the header page of nt. Symbols move with every update, so that the
/// addresses of the block are as good as a fingerprint: of 213 kernels one agrees in all of them, the next best in half.
pub(crate) fn by_debugger_data(
    block: Option<&DebuggerData>,
    base: Virt,
    notes: &mut Vec<String>,
) -> Option<PdbId> {
    let block = block?;
    let stated: Vec<(&str, Rva)> = SYMBOL_FIELDS
        .iter()
        .filter_map(|(name, offset)| {
            Some((*name, Rva(u32::try_from(block.virt(*offset)? - base).ok()?)))
        })
        .collect();
    let mut agreeing = facts::matching(&stated);
    agreeing.retain(|(agree, _)| *agree >= ENOUGH);
    match agreeing.as_slice() {
        [(agree, id)] => {
            notes.push(format!(
                "nt's debug directory is not in the dump; {agree} addresses of the debugger data block are those of {id}, and of no other known kernel"
            ));
            Some((*id).clone())
        }
        _ => None,
    }
}

/// The processor whose saved context has the stack pointer of the context in the dump, or else the one whose control block the
/// dump has a copy of.
pub(crate) fn current_processor(kernel: &Kernel) -> Option<u32> {
    let written = kernel.written_context().ok()??;
    let (wanted, field) = (written.stack_pointer(), stack_pointer_at(written.machine()));
    let by_stack = (0..kernel.processors()).find(|processor| {
        let stack = kernel
            .saved_context(*processor)
            .and_then(|at| Ok(kernel.space().read_virt(at + field)?));
        stack.is_ok_and(|stack| stack == wanted)
    });
    by_stack.or_else(|| {
        let number = kernel.debugger_data()?.u16(PRCB_NUMBER)?;
        let copy = kernel.dump().triage()?.prcb()?;
        let number = copy.u16_at(u64::from(number)).map(u32::from)?;
        (number < kernel.processors()).then_some(number)
    })
}

/// The offset of `_KPRCB.Number` in the debugger data block.
const PRCB_NUMBER: usize = 0x2be;

/// Where a `CONTEXT` record has the stack pointer.
fn stack_pointer_at(machine: Machine) -> u64 {
    match machine {
        Machine::X64 | Machine::X86 => 0x98,
        Machine::Arm64 => 0x100,
    }
}
