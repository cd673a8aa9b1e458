//! Functions of the driver that pass a tag on: they become interfaces themselves.

use super::{Draft, Engine, Source, Target};
use crate::flow::Function;
use crate::machine::Machine;
use crate::value::{Atom, Place, Value};

/// Ways to an interface that one function is followed for.
const MAX_TARGETS: usize = 16;

impl<M: Machine> Engine<'_, M> {
    /// A function whose own argument is the tag becomes an interface itself.
    pub(super) fn promote(&mut self, function: &Function, drafts: &[Draft]) {
        let mut new = false;
        for draft in drafts
            .iter()
            .filter(|d| d.depth < self.options.wrapper_depth)
        {
            let sources = draft
                .tag
                .facts()
                .iter()
                .filter_map(|f| passed_on(self.machine, f.atom));
            let sources: Vec<Source> = sources.collect();
            for tag in sources {
                let known = self.targets.entry(function.entry).or_default();
                let same = |t: &Target| t.interface == draft.interface && key(&t.tag) == key(&tag);
                if known.len() >= MAX_TARGETS || known.iter().any(same) {
                    continue;
                }
                let other =
                    |value: &Value| match value.only().and_then(|a| passed_on(self.machine, a)) {
                        Some(source) => source,
                        None => Source::Known(value.clone()),
                    };
                known.push(Target {
                    interface: draft.interface,
                    dynamic: draft.dynamic,
                    tag,
                    pool: other(&draft.pool),
                    size: other(&draft.size),
                    depth: draft.depth + 1,
                });
                new = true;
            }
        }
        if new {
            self.enqueue_callers(function.entry);
        }
    }

    /// Whether the function passes tags on, and its callers were analysed.
    pub(crate) fn passes_on(&self, function: u32) -> bool {
        self.targets.contains_key(&function)
    }

    /// Functions that pass tags on.
    pub(crate) fn wrappers(&self) -> impl Iterator<Item = u32> + '_ {
        self.targets.keys().copied()
    }
}

/// Where the callers of a function put what its body uses: only places that a calling convention knows.
fn passed_on<M: Machine>(machine: &M, atom: Atom) -> Option<Source> {
    let abi = machine.abi();
    let usual = |place: Place| match place {
        Place::Register(register) => {
            abi.arguments.contains(&register) || (abi.pointer == 4 && register != abi.stack_pointer)
        }
        Place::Stack(offset) => offset >= abi.first_on_stack,
    };
    match atom {
        Atom::Entry(place) if usual(place) => Some(Source::Place(place)),
        Atom::Field(place, offset) if usual(place) => Some(Source::Field(place, offset)),
        _ => None,
    }
}

fn key(source: &Source) -> Option<(Place, Option<i32>)> {
    match source {
        Source::Place(place) => Some((*place, None)),
        Source::Field(place, offset) => Some((*place, Some(*offset))),
        Source::None | Source::Known(_) => None,
    }
}
