//! Telling which kernel this is when its debug directory is not in the dump, and which processor wrote the dump.

use super::Kernel;
use super::debugger_data::{DebuggerData, SYMBOL_FIELDS};
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

/// The processor whose saved context has the stack pointer of the context in the dump.
pub(crate) fn current_processor(kernel: &Kernel) -> Option<u32> {
    const RSP: u64 = 0x98;
    let wanted = kernel.dump().crash()?.context.as_ref()?.u64_at(RSP)?;
    let blocks = kernel.symbol("KiProcessorBlock").ok()?;
    (0..kernel.processors()).find(|cpu| {
        let rsp = || {
            let prcb = kernel
                .space()
                .read_virt(blocks + u64::from(*cpu) * 8)
                .ok()?;
            let context = match kernel
                .debugger_data()
                .and_then(|block| block.u16(0x338))
                .filter(|offset| *offset != 0)
            {
                Some(offset) => kernel.space().read_virt(prcb + u64::from(offset)).ok()?,
                None => kernel
                    .field_address(prcb, "_KPRCB", "ProcessorState.ContextFrame")
                    .ok()?,
            };
            kernel.space().read_u64(context + RSP).ok()
        };
        rsp() == Some(wanted)
    })
}
