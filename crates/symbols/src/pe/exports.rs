//! The export table: names and numbers of what an image offers.

use super::bytes::{Bytes, MAX_TEXT};
use super::{Headers, Partly, corrupt};
use rkd_dump::addr::Rva;
use rkd_dump::bytes::ReadAt;

/// The number of the export directory.
const DIRECTORY: usize = 0;

/// Ordinals have sixteen bits: more functions cannot be imported.
const MAX_EXPORTS: u32 = 1 << 16;

/// What an image exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exports {
    /// The name that the image gives itself.
    pub module: Option<String>,
    /// First those with a name, in the table's order (the alphabet's), then the rest by ordinal.
    pub list: Vec<Export>,
}

/// One exported function or variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name; a function may have several, and then there are several exports.
    pub name: Option<String>,
    /// Its number, with the base added.
    pub ordinal: u32,
    /// What it stands for.
    pub target: Target,
}

/// What an export stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A place in the image.
    Rva(Rva),
    /// Another module's export: `NTDLL.RtlAllocateHeap`.
    Forwarder(String),
}

pub(super) fn read(bytes: &Bytes, headers: &Headers) -> Partly<Exports> {
    let mut exports = Partly::new(Exports::default());
    let Some((rva, size)) = headers.directory(DIRECTORY) else {
        return exports;
    };
    let mut directory = [0; 40];
    if let Err(why) = bytes.exact(rva, &mut directory) {
        exports.miss(why);
        return exports;
    }
    let field = |at| directory.u32_at(at).unwrap_or_default();
    let mut text = MAX_TEXT;
    match bytes.string(field(12), &mut text) {
        Ok(module) => exports.value.module = Some(module),
        Err(why) => exports.miss(why),
    }
    let (base, functions, names) = (field(16), field(20), field(24));
    if functions > MAX_EXPORTS || names > MAX_EXPORTS {
        exports.miss(corrupt(format!(
            "it claims {functions} exports with {names} names"
        )));
    }
    let (functions, missing) = bytes.list::<4>(field(28), functions.min(MAX_EXPORTS));
    let (name_rvas, no_names) = bytes.list::<4>(field(32), names.min(MAX_EXPORTS));
    let (ordinals, no_ordinals) = bytes.list::<2>(field(36), names.min(MAX_EXPORTS));
    [missing, no_names, no_ordinals]
        .into_iter()
        .flatten()
        .for_each(|why| exports.miss(why));

    let target = |index: usize, text: &mut usize| {
        let rva_of = u32::from_le_bytes(*functions.get(index)?);
        // What points into the directory itself is the name of a function elsewhere.
        Some(if rva_of.checked_sub(rva).is_some_and(|at| at < size) {
            bytes.string(rva_of, text).map(Target::Forwarder)
        } else {
            Ok(Target::Rva(Rva(rva_of)))
        })
    };
    let mut named = vec![false; functions.len()];
    for (name_rva, index) in name_rvas.into_iter().zip(ordinals) {
        let index = usize::from(u16::from_le_bytes(index));
        let Some(target) = target(index, &mut text) else {
            exports.miss(corrupt(format!(
                "a name is for function {index} of {}",
                functions.len()
            )));
            continue;
        };
        match bytes
            .string(u32::from_le_bytes(name_rva), &mut text)
            .and_then(|name| Ok((name, target?)))
        {
            Ok((name, target)) => {
                if let Some(named) = named.get_mut(index) {
                    *named = true;
                }
                let ordinal = base.wrapping_add(index as u32);
                exports.value.list.push(Export {
                    name: Some(name),
                    ordinal,
                    target,
                });
            }
            Err(why) => exports.miss(why),
        }
    }
    for index in (0..functions.len()).filter(|&index| !named.get(index).copied().unwrap_or(true)) {
        match target(index, &mut text) {
            // A hole in the numbers.
            None | Some(Ok(Target::Rva(Rva(0)))) => {}
            Some(Ok(target)) => {
                let ordinal = base.wrapping_add(index as u32);
                exports.value.list.push(Export {
                    name: None,
                    ordinal,
                    target,
                });
            }
            Some(Err(why)) => exports.miss(why),
        }
    }
    exports
}
