//! Telling which kernel this is when its debug directory is not in the dump, and which processor wrote the dump.

use super::Kernel;
use super::debugger_data::{DebuggerData, SYMBOL_FIELDS};
use crate::addr::Virt;
use crate::symbols::{PdbId, builtin_facts};

/// A block that agrees in fewer addresses than this proves nothing.
const ENOUGH: usize = 6;

/// The one known kernel whose symbols lie exactly where the debugger data block says.
///
/// A triage dump holds a copy of the block, but seldom the header page of nt. Symbols move with every update, so that the
/// addresses of the block are as good as a fingerprint: of 213 kernels one agrees in all of them, the next best in half.
pub fn by_debugger_data(
    block: Option<&DebuggerData>,
    base: Virt,
    notes: &mut Vec<String>,
) -> Option<PdbId> {
    let block = block?;
    let stated: Vec<(&str, u64)> = SYMBOL_FIELDS
        .iter()
        .filter_map(|(name, offset)| Some((*name, block.virt(*offset)? - base)))
        .collect();
    let mut best: Vec<(usize, usize, PdbId)> = Vec::new();
    for table in builtin_facts().tables() {
        let agree =
            |(name, offset): &(&str, u64)| table.rva(name).map(|rva| u64::from(rva.0) == *offset);
        let known: Vec<bool> = stated.iter().filter_map(agree).collect();
        let same = known.iter().filter(|same| **same).count();
        if let Some(id) = table
            .identity()
            .filter(|_| same == known.len() && same >= ENOUGH)
        {
            best.push((same, known.len(), id.clone()));
        }
    }
    match best.as_slice() {
        [(agree, of, id)] => {
            notes.push(format!(
                "nt's debug directory is not in the dump; {agree} of {of} addresses of the debugger data block are those of {id}, and of no other known kernel"
            ));
            Some(id.clone())
        }
        _ => None,
    }
}

/// The processor whose saved context has the stack pointer of the header's context.
pub fn current_processor(kernel: &Kernel) -> Option<u32> {
    const RSP: u64 = 0x98;
    let context = kernel.dump().header().context.as_deref()?;
    let wanted = u64::from_le_bytes(
        context
            .get(RSP as usize..RSP as usize + 8)?
            .try_into()
            .ok()?,
    );
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
