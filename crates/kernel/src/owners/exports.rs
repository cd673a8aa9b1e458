//! The names of imported functions. A driver's import table often lies in `INIT`, which is gone: then only the pointer in the
//! slot is left, and the name is that of the export it points to.

use crate::Kernel;
use rkd_dump::addr::{Rva, Virt};
use rkd_pooltags::api;
use rkd_symbols::pe::{Image, Target};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The exports of every module, each read when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct ExportNames {
    modules: Vec<OnceLock<HashMap<u32, String>>>,
}

impl ExportNames {
    pub(super) fn new(modules: usize) -> ExportNames {
        ExportNames {
            modules: std::iter::repeat_with(OnceLock::new)
                .take(modules)
                .collect(),
        }
    }

    /// The exported name of the function that begins at the address.
    pub(super) fn name_of(&self, kernel: &Kernel, va: Virt) -> Option<String> {
        let index = kernel.modules().iter().position(|m| m.contains(va))?;
        let module = kernel.modules().get(index)?;
        let rva = u32::try_from(va - module.base).ok()?;
        let names = self
            .modules
            .get(index)?
            .get_or_init(|| read(kernel, module.base));
        if !names.is_empty() {
            return names.get(&rva).cloned();
        }
        // An export table that was paged out: the symbols know it, too.
        let table = kernel.symbols_of(module)?;
        let (name, distance) = table.nearest(Rva(rva))?;
        (distance == 0).then(|| name.to_owned())
    }
}

/// A function can have several names: the one that is known to take a tag is kept.
fn read(kernel: &Kernel, base: Virt) -> HashMap<u32, String> {
    let mut names: HashMap<u32, String> = HashMap::new();
    let Ok(image) = Image::read(kernel.space(), base) else {
        return names;
    };
    for export in image.exports().value.list {
        let (Some(name), Target::Rva(Rva(rva))) = (export.name, export.target) else {
            continue;
        };
        match names.get(&rva) {
            Some(known) if api::by_name(known).is_some() || api::by_name(&name).is_none() => {}
            _ => {
                names.insert(rva, name);
            }
        }
    }
    names
}
