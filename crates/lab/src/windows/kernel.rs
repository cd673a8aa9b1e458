//! The kernel's own image: its export table, its debug record, a few bytes of code where functions are, and the pages
//! of its variables.

mod functions;
mod labels;
mod sections;

pub(super) use functions::{COMMON, RETURN_FROM_CALLBACK};

use super::Windows;
use crate::image::{Fate, Image};
use crate::plan::{Module, Plan};
use crate::version::{self, Version};
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::Result;
use std::collections::{BTreeMap, BTreeSet};

/// The exports of all modules: where an import of a name leads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exports {
    kernel: BTreeMap<String, Virt>,
    others: BTreeMap<String, Virt>,
}

impl Exports {
    /// The address of a function of the kernel.
    pub(crate) fn kernel(&self, name: &str) -> Option<Virt> {
        self.kernel.get(name).copied()
    }

    /// The address of a function of another driver.
    pub(crate) fn other(&self, name: &str) -> Option<Virt> {
        self.others.get(name).copied()
    }

    /// Notes that a driver exports a function.
    pub(crate) fn add(&mut self, name: &str, at: Virt) {
        self.others.insert(name.to_owned(), at);
    }
}

/// Loads the kernel and says what it exports.
pub(super) fn load(windows: &mut Windows<'_>, plan: &Plan, module: &Module) -> Result<Exports> {
    let table = windows.table;
    let mut image = Image::new(module.base, module.size);
    image.time_stamp = module.time_stamp;
    image.checksum = module.checksum;
    let tail = sections::place_sections(&mut image, table, module.size);
    let free = sections::free_code(&image, table);
    let places = functions::places(table, free);
    let names: Vec<(&str, Rva)> = places.iter().map(|(&name, &rva)| (name, rva)).collect();
    let used = image.exports(Rva(tail), "ntoskrnl.exe", &names);
    if let Some(id) = table.identity() {
        let mut guid = id.guid.0.to_be_bytes();
        guid[..4].reverse();
        guid[4..6].reverse();
        guid[6..8].reverse();
        let behind_exports = Rva((tail + used).next_multiple_of(16));
        let at = sections::quiet_place(table).unwrap_or(behind_exports);
        image.debug_record(at, guid, id.age, &id.name);
    }
    for (&name, &rva) in &places {
        image.put(rva, functions::stub(name));
    }
    if let Some(&allocator) = places.get("ExAllocatePoolWithTag") {
        let (code, mut list) = functions::allocating(plan, Rva(free.0 + 0x1000), allocator);
        image.put(Rva(free.0 + 0x1000), code);
        let entries = places
            .iter()
            .filter_map(|(name, &rva)| functions::entry(name, rva));
        list.extend(entries);
        list.sort_unstable_by_key(|function| function.begin);
        list.dedup_by_key(|function| function.begin);
        image.unwind(Rva(tail + 0x1_0000), Rva(tail + 0x1_8000), &list);
    }
    let version = kernel_version(windows);
    let resources = version::resources(&version, module.size - 0x2_6000);
    image.resources(Rva(module.size - 0x2_6000), resources);
    map_large_parts(windows, module)?;
    image.load(&mut windows.memory)?;
    page_out_the_rest(windows, &image)?;
    labels::write(windows, plan)?;
    let kernel = places
        .into_iter()
        .map(|(name, rva)| (name.to_owned(), module.base + rva))
        .collect();
    Ok(Exports {
        kernel,
        others: BTreeMap::new(),
    })
}

/// Maps by large pages, and wholly into memory, the parts of the kernel that hold its headers and its variables.
///
/// Windows maps nearly all of itself so. Its code is left out here, because there is none to speak of.
fn map_large_parts(windows: &mut Windows<'_>, module: &Module) -> Result<()> {
    const LARGE: u32 = 0x20_0000;
    let variables = windows
        .table
        .symbols()
        .filter(|(name, _)| sections::VARIABLES.contains(name));
    let mut parts: BTreeSet<u32> = variables.map(|(_, rva)| rva.0 / LARGE).collect();
    parts.insert(0);
    parts.retain(|part| (part + 1) * LARGE <= module.size);
    for part in parts {
        windows
            .memory
            .map_large(module.base + u64::from(part * LARGE))?;
    }
    Ok(())
}

/// What was never written to is code that nobody ran lately, in the page file.
fn page_out_the_rest(windows: &mut Windows<'_>, image: &Image) -> Result<()> {
    for section in image
        .sections()
        .iter()
        .filter(|section| section.fate == Fate::Sparse)
    {
        let pages = (section.size / 0x1000).into();
        for at in (0..pages).map(|page| image.base + section.rva + page * 0x1000) {
            if !windows.memory.is_present(at) {
                windows.memory.page_out(at)?;
            }
        }
    }
    Ok(())
}

fn kernel_version(windows: &Windows<'_>) -> Version {
    let [major, minor, build, revision] = windows.version.map(|part| part as u16);
    Version {
        company: "Microsoft Corporation".into(),
        description: "NT Kernel & System".into(),
        file: [major, minor, build, revision],
        product: "Microsoft\u{ae} Windows\u{ae} Operating System".into(),
        name: "ntkrnlmp.exe".into(),
        copyright: "\u{a9} Microsoft Corporation. All rights reserved.".into(),
    }
}
