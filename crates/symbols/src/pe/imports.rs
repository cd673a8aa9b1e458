//! The import table: what an image wants of others, and where the loader puts the addresses.

use super::bytes::{Bytes, MAX_TEXT};
use super::{Headers, Partly, corrupt};
use rkd_dump::addr::Rva;
use rkd_dump::bytes::ReadAt;
use rkd_dump::error::Error;

/// The number of the import directory.
const DIRECTORY: usize = 1;

/// More modules, and more functions of one module, than any linker wrote.
const MODULES: u32 = 4096;
const FUNCTIONS: u32 = 1 << 16;
/// All functions together: what a table of loops can make us do.
const ALL: usize = 1 << 17;

/// One imported function or variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The module's file name, as it is written: `ntoskrnl.exe`.
    pub module: String,
    /// What is wanted.
    pub what: Imported,
    /// The slot of the import address table, to which the loader writes the address.
    pub slot: Rva,
}

/// How an import is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// By its name.
    Name(String),
    /// By its number.
    Ordinal(u16),
}

pub(super) fn read(bytes: &Bytes, headers: &Headers) -> Partly<Vec<Import>> {
    let mut imports = Partly::new(Vec::new());
    let Some((rva, _)) = headers.directory(DIRECTORY) else {
        return imports;
    };
    let mut text = MAX_TEXT;
    for number in 0..MODULES {
        // Some linkers give a size that is too small: only the entry of zeroes ends the list.
        let mut descriptor = [0; 20];
        if let Err(why) = bytes.exact(rva.saturating_add(number * 20), &mut descriptor) {
            imports.miss(why);
            return imports;
        }
        let field = |at| descriptor.u32_at(at).unwrap_or_default();
        let (lookup, name, slots) = (field(0), field(12), field(16));
        if name == 0 || slots == 0 {
            return imports;
        }
        let module = match bytes.string(name, &mut text) {
            Ok(module) => module,
            Err(why) => {
                imports.miss(why);
                continue;
            }
        };
        // The loader overwrites the slots with addresses; without the other list the names are gone.
        let names = match lookup {
            0 if bytes.is_mapped() => {
                imports.miss(Error::NotInDump(format!(
                    "the names imported from {module} were overwritten by the loader"
                )));
                continue;
            }
            0 => slots,
            lookup => lookup,
        };
        if headers.is_64 {
            functions::<8>(bytes, &module, names, slots, &mut text, &mut imports);
        } else {
            functions::<4>(bytes, &module, names, slots, &mut text, &mut imports);
        }
        if imports.value.len() >= ALL || text == 0 {
            break;
        }
    }
    imports.miss(corrupt("its import table does not end"));
    imports
}

/// The list of one module; `N` is the width of a pointer.
fn functions<const N: usize>(
    bytes: &Bytes,
    module: &str,
    names: u32,
    slots: u32,
    text: &mut usize,
    imports: &mut Partly<Vec<Import>>,
) {
    let mut index = 0;
    while index < FUNCTIONS && imports.value.len() < ALL && *text > 0 {
        // As much as is left of a page is read at once; the list ends in it or goes on in the next.
        let at = names.saturating_add(index * N as u32);
        let (thunks, missing) = bytes.list::<N>(at, (0x1000 - at % 0x1000).div_ceil(N as u32));
        let whole = thunks.len();
        for thunk in thunks {
            let mut wide = [0; 8];
            wide.iter_mut().zip(thunk).for_each(|(to, from)| *to = from);
            let thunk = u64::from_le_bytes(wide);
            if thunk == 0 {
                return;
            }
            let slot = Rva(slots.saturating_add(index * N as u32));
            index += 1;
            let what = if thunk >> (8 * N - 1) == 1 {
                Ok(Imported::Ordinal(thunk as u16))
            } else {
                // The hint before the name is of no use to anybody.
                let name = u32::try_from(thunk & 0x7fff_ffff)
                    .unwrap_or_default()
                    .saturating_add(2);
                bytes.string(name, text).map(Imported::Name)
            };
            match what {
                Ok(what) => imports.value.push(Import {
                    module: module.to_owned(),
                    what,
                    slot,
                }),
                Err(why) => imports.miss(why),
            }
            if *text == 0 || imports.value.len() >= ALL {
                return;
            }
        }
        if let Some(why) = missing {
            imports.miss(why);
            return;
        }
        if whole == 0 {
            return;
        }
    }
}
