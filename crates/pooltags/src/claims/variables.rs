//! Numbers that come from variables of the driver.

use super::Writer;
use crate::lattice::{Atom, Value, mask};

/// The numbers that a variable may hold.
pub(super) struct Variable {
    /// Value and where it is stored, or where it lies in the image.
    pub numbers: Vec<(u64, u32)>,
    /// Whether something else may be stored, too.
    pub other: bool,
}

impl Writer<'_, '_> {
    /// The only number of a value; from a variable, the one that the driver stores there.
    pub(super) fn number(&self, value: &Value, what: &str, notes: &mut Vec<String>) -> Option<u64> {
        match value.only()? {
            Atom::Const(number) => Some(number),
            Atom::Global(rva, width) => {
                let variable = self.variable(rva, width);
                let (first, rest) = variable.numbers.split_first()?;
                let single = !variable.other && rest.iter().all(|(n, _)| *n == first.0);
                let number = single.then_some(first.0)?;
                notes.push(format!(
                    "{what} {number:#x} is what the driver stores in the variable at {rva:#x}"
                ));
                Some(number)
            }
            _ => None,
        }
    }

    /// What the module stores to a variable, or if it stores nothing, what it begins with.
    pub(super) fn variable(&self, rva: u32, width: u8) -> Variable {
        let width = u32::from(width);
        let mut numbers: Vec<(u64, u32)> = Vec::new();
        let mut other = false;
        let stores = self.analysis.stores.iter();
        let mut stores: Vec<_> = stores
            .filter(|(at, _)| **at <= rva && rva < at.saturating_add(16))
            .flat_map(|(_, s)| s)
            .collect();
        stores.sort_by_key(|s| s.at);
        for store in stores
            .iter()
            .filter(|s| s.rva < rva.saturating_add(width) && rva < s.rva.saturating_add(s.width))
        {
            let same = store.rva == rva && store.width >= width.min(4);
            other |= !same || store.value.other().is_some();
            for fact in store.value.facts().iter().filter(|_| same) {
                match fact.atom {
                    Atom::Const(number) => numbers.push((number & mask(width), fact.at)),
                    // copied onto itself through arithmetic or from another variable
                    _ => other = true,
                }
            }
        }
        if stores.is_empty() {
            let initial = self.analysis.memory.constant(rva, width);
            numbers.extend(initial.and_then(|v| v.constant()).map(|n| (n, rva)));
        }
        Variable { numbers, other }
    }
}
