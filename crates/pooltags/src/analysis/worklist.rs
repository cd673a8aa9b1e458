//! What goes to the worklist: the functions that name an interface, and their callers. Afterwards, which references led to no call.

use super::{Analysis, UncalledReference};
use crate::api::{self, INTERFACES};
use crate::image::TagImage;
use std::collections::HashSet;

impl Analysis<'_> {
    pub(super) fn enqueue_references(&mut self, test: impl Fn(u32) -> bool) {
        let operands: Vec<u32> = self
            .references
            .operands
            .iter()
            .filter(|(_, t)| test(*t))
            .map(|(at, _)| *at)
            .collect();
        for at in operands {
            if let Some(function) = self.functions.containing(at) {
                self.worklist.insert(function.entry);
            }
        }
    }

    pub(super) fn enqueue_callers(&mut self, callee: u32) {
        let mut open = vec![callee];
        let mut seen = HashSet::new();
        while let Some(callee) = open.pop() {
            if !seen.insert(callee) {
                continue;
            }
            let callers: Vec<u32> = self.references.callers(callee).collect();
            for at in callers {
                if let Some(function) = self.functions.containing(at) {
                    if self.callees.is_thunk(function.entry) {
                        open.push(function.entry);
                    } else {
                        self.worklist.insert(function.entry);
                    }
                }
            }
        }
    }

    /// References that lead to no call.
    pub(crate) fn uncalled_references(&mut self) -> Vec<UncalledReference> {
        let slots: HashSet<u32> = self
            .callees
            .interface_slots()
            .map(|(slot, _)| slot)
            .collect();
        let mut uncalled = Vec::new();
        for &(at, slot) in self
            .references
            .operands
            .iter()
            .filter(|(_, t)| slots.contains(t))
        {
            let instruction = self.covered.get(&at).copied();
            if instruction == Some(None) {
                continue;
            }
            self.coverage.references += 1;
            if instruction
                .flatten()
                .is_some_and(|i| self.called.contains(&i))
            {
                self.coverage.followed += 1;
                continue;
            }
            let function = self.functions.containing(at).map(|f| f.entry);
            uncalled.push(UncalledReference {
                at,
                slot,
                function,
                seen: instruction.is_some(),
            });
        }
        uncalled
    }
}

/// The pointer to the framework's table, or the entries of it that matter.
pub(super) fn framework_slots(image: &TagImage) -> Vec<u32> {
    match image.wdf {
        None => Vec::new(),
        Some(wdf) if !wdf.inline => vec![wdf.table],
        Some(wdf) => (0..wdf.functions)
            .filter(|&i| api::by_framework_index(i).is_some())
            .filter_map(|i| wdf.table.checked_add(i * image.machine.pointer()))
            // code that is not optimised adds the index to the table's beginning
            .chain([wdf.table])
            .collect(),
    }
}

/// The slot of `MmGetSystemRoutineAddress`, if the image also holds the name of an interface that it could ask for.
pub(super) fn by_name_slot(image: &TagImage) -> Option<u32> {
    let slot = image
        .imports
        .iter()
        .find(|i| i.name == "MmGetSystemRoutineAddress")?
        .slot;
    INTERFACES
        .iter()
        .any(|i| image.holds_wide_text(i.name))
        .then_some(slot)
}
