//! Functions of the driver that pass a tag on: they become interfaces themselves.

use super::{Analysis, CallSite, Source, Summary};
use crate::abi::Abi;
use crate::functions::Bounds;
use crate::lattice::{Atom, Location, Value};

/// Ways to an interface that one function is followed for.
const MAX_SUMMARIES: usize = 16;

impl Analysis<'_> {
    /// A function whose own argument is the tag becomes an interface itself.
    pub(super) fn promote(&mut self, function: &Bounds, call_sites: &[CallSite]) {
        let abi = Abi::of(self.image.machine);
        let mut new = false;
        for call_site in call_sites
            .iter()
            .filter(|d| d.depth < self.options.wrapper_depth)
        {
            let sources = call_site
                .tag
                .facts()
                .iter()
                .filter_map(|f| passed_on(abi, f.atom));
            let sources: Vec<Source> = sources.collect();
            for tag in sources {
                let known = self.summaries.entry(function.entry).or_default();
                let same =
                    |t: &Summary| t.interface == call_site.interface && key(&t.tag) == key(&tag);
                if known.len() >= MAX_SUMMARIES || known.iter().any(same) {
                    continue;
                }
                let other = |value: &Value| match value.only().and_then(|a| passed_on(abi, a)) {
                    Some(source) => source,
                    None => Source::Known(value.clone()),
                };
                known.push(Summary {
                    interface: call_site.interface,
                    dynamic: call_site.dynamic,
                    tag,
                    pool: other(&call_site.pool),
                    size: other(&call_site.size),
                    depth: call_site.depth + 1,
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
        self.summaries.contains_key(&function)
    }

    /// Functions that pass tags on.
    pub(crate) fn wrappers(&self) -> impl Iterator<Item = u32> + '_ {
        self.summaries.keys().copied()
    }
}

/// Where the callers of a function put what its body uses: only places that a calling convention knows.
fn passed_on(abi: &Abi, atom: Atom) -> Option<Source> {
    let usual = |location: Location| match location {
        Location::Register(register) => {
            abi.arguments.contains(&register) || (abi.pointer == 4 && register != abi.stack_pointer)
        }
        Location::Stack(offset) => offset >= abi.first_on_stack,
    };
    match atom {
        Atom::Initial(location) if usual(location) => Some(Source::Location(location)),
        Atom::Field(location, offset) if usual(location) => Some(Source::Field(location, offset)),
        _ => None,
    }
}

fn key(source: &Source) -> Option<(Location, Option<i32>)> {
    match source {
        Source::Location(location) => Some((*location, None)),
        Source::Field(location, offset) => Some((*location, Some(*offset))),
        Source::None | Source::Known(_) => None,
    }
}
