//! The tags in a file system filter's table of contexts.

use super::{Writer, with_note};
use crate::analysis::CallSite;
use crate::api::{self, Interface};
use crate::lattice::Atom;
use crate::report::{Class, Reason, Site};

/// Entries of a filter's table of contexts; Windows knows eight kinds.
const MAX_CONTEXTS: u32 = 32;
/// The end of that table.
const CONTEXT_END: u16 = 0xffff;

impl Writer<'_, '_> {
    /// The tags in a filter's table of contexts.
    pub(super) fn contexts(
        &self,
        call_site: &CallSite,
        interface: &'static Interface,
        sites: &mut Vec<Site>,
    ) {
        let image = self.analysis.image;
        let base = self.site(call_site, interface);
        let memory = &self.analysis.memory;
        let table = match call_site.tag.only() {
            Some(Atom::Image(rva)) => Some((rva, false)),
            Some(Atom::Global(rva, width)) => match memory
                .constant(rva, u32::from(width))
                .and_then(|v| v.only())
            {
                Some(Atom::Image(table)) => Some((table, true)),
                Some(Atom::Const(0)) => return,
                _ => None,
            },
            // a filter without contexts
            Some(Atom::Const(0)) => return,
            _ => None,
        };
        let Some((table, changeable)) = table else {
            let what = "the table of contexts is not known".to_owned();
            sites.push(with_note(base, what, Some(Reason::RunTime)));
            return;
        };
        let layout = api::context_table(image.machine);
        for i in 0..MAX_CONTEXTS {
            let entry = table.saturating_add(i * layout.entry);
            let Some(kind) = image.u16(entry) else {
                let what = "the table of contexts is not all there".to_owned();
                sites.push(with_note(base, what, Some(Reason::NotSeen)));
                return;
            };
            if kind == CONTEXT_END {
                return;
            }
            let at = entry.saturating_add(layout.tag);
            // a context with its own allocation routine has no tag
            let Some(tag) = image.u32(at).filter(|&t| t != 0) else {
                continue;
            };
            let written = image.section(at).is_none_or(|s| s.is_writable());
            let size = image.pointer(entry.saturating_add(layout.size));
            let class = if changeable || written {
                Class::E4
            } else {
                Class::E2
            };
            let mut note = format!("entry {i} of the table of contexts at {table:#x}");
            if class == Class::E4 {
                note.push_str(", which can be written");
            }
            sites.push(Site {
                tag: Some(tag),
                class: Some(class),
                constant_rvas: vec![at],
                // FLT_VARIABLE_SIZED_CONTEXTS is -1
                size: size.filter(|&s| s < u64::from(u16::MAX)),
                note,
                ..base.clone()
            });
        }
    }
}
