//! An operand in memory: where it lies when the registers are known.

use rkd_dump::addr::Virt;

/// An operand in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operand {
    /// The segment that is used: `ds`, `ss`, `gs`.
    pub segment: &'static str,
    /// The register that the address begins with; `None` for an absolute address.
    pub base: Option<String>,
    /// The register that is added, and what it is multiplied by.
    pub index: Option<(String, u64)>,
    /// What is added last; the whole address where there are no registers.
    pub displacement: u64,
    /// Bytes of the operand; 0 when the instruction does not say.
    pub size: usize,
    /// Bits of an address.
    pub bits: u32,
}

impl Operand {
    /// The address inside the segment, with the registers' values; `None` when one is not known.
    pub fn offset(&self, register: &dyn Fn(&str) -> Option<u64>) -> Option<Virt> {
        let mut at = self.displacement;
        if let Some(base) = &self.base {
            at = at.wrapping_add(register(base)?);
        }
        if let Some((index, scale)) = &self.index {
            at = at.wrapping_add(register(index)?.wrapping_mul(*scale));
        }
        Some(Virt(match self.bits {
            32 => at & 0xffff_ffff,
            _ => at,
        }))
    }
}
