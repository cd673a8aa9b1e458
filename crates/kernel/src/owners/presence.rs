//! How much of a module's code is in the dump. Windows throws `INIT` away after the driver's start and writes `PAGE` to the
//! page file when memory is short – which it is, when a driver leaks.

use crate::{Kernel, Module};
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_symbols::pe::Image;

/// Pages of code that are looked at; more than the largest kernel has.
const MAX_PAGES: u64 = 0x1_0000;
const EXECUTE: u32 = 0x2000_0020;
const DISCARDABLE: u32 = 0x0200_0000;

/// Bytes of code, and what is missing of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Bytes of code that the headers name.
    pub code: u64,
    /// Bytes that are missing and belong to sections which Windows discards after the start.
    pub discarded: u64,
    /// Other bytes that are missing.
    pub missing: u64,
    /// The first sections of those, by name.
    pub sections: Vec<String>,
    /// Why nothing can be said: the headers are not there, or are none.
    pub headerless: Option<String>,
    /// Whether its code is that of a processor whose tags lie in one piece in the code: not on ARM64.
    pub searchable: bool,
}

impl Presence {
    /// Looks at a module.
    pub fn of(kernel: &Kernel, module: &Module) -> Presence {
        let space = kernel.space();
        let image = match Image::read(space, module.base) {
            Ok(image) => image,
            Err(why) => {
                return Presence {
                    headerless: Some(why.to_string()),
                    searchable: true,
                    ..Presence::default()
                };
            }
        };
        let header = image.headers();
        let mut presence = Presence {
            searchable: matches!(header.machine, 0x8664 | 0x014c),
            ..Presence::default()
        };
        for section in header.sections.iter().filter(|s| s.flags & EXECUTE != 0) {
            let size = u64::from(match section.virtual_size {
                0 => section.raw_size,
                size => size,
            });
            let size = size.min(module.size.saturating_sub(u64::from(section.rva.0)));
            presence.code += size;
            let missing = missing(kernel, module.base + section.rva, size);
            match section.flags & DISCARDABLE {
                0 => presence.missing += missing,
                _ => presence.discarded += missing,
            }
            let is_new = !presence.sections.contains(&section.name);
            if missing > 0 && section.flags & DISCARDABLE == 0 && is_new {
                presence.sections.push(section.name.clone());
            }
        }
        presence
    }

    /// Whether every byte of code is there.
    pub fn is_whole(&self) -> bool {
        self.headerless.is_none() && self.discarded == 0 && self.missing == 0
    }
}

fn missing(kernel: &Kernel, start: Virt, size: u64) -> u64 {
    let mut missing = 0;
    let mut at = 0;
    let most = size.min(MAX_PAGES * PAGE_SIZE);
    while at < most {
        let va = start + at;
        let step = (PAGE_SIZE - va.page_offset()).min(most - at);
        if kernel.space().slice(va, 1).is_err() {
            missing += step;
        }
        at += step;
    }
    missing + (size - most)
}
