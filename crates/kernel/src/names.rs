//! Names for addresses and addresses for names, over all modules. A module's symbols are read when they are first needed,
//! as kd defers them: nt's are known since the dump was opened, every other module's come from a file on the symbol path
//! with exactly the image's GUID and age – here, or on a server – or else from the exports of its image.

use super::{Kernel, Module};
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Error, Result};
use rkd_symbols::pe::Image;
use rkd_symbols::{Lookup, PdbId, Source, SymbolTable, Tried};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The symbols of each module, in the order of the modules.
#[derive(Debug, Default)]
pub struct Names {
    slots: Vec<Slot>,
}

/// A module's symbols. While one thread reads them, others wait for it.
#[derive(Debug, Default)]
struct Slot {
    loaded: OnceLock<Loaded>,
    reading: Mutex<()>,
}

/// What came of reading a module's symbols.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The symbols; `None` where neither a symbol file nor the image's export directory is to be had.
    pub table: Option<Arc<SymbolTable>>,
    /// Whether the symbols are those of another build, taken because the user insisted.
    pub is_mismatched: bool,
    /// The places on the symbol path that did not give them.
    pub tried: Vec<Tried>,
}

/// What an address is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near<'a> {
    /// kd's name of the module.
    pub module: &'a str,
    /// The nearest symbol at or below the address; `None` when the module has none there.
    pub symbol: Option<&'a str>,
    /// Bytes from the symbol, or from the module's base when there is no symbol.
    pub offset: u64,
}

/// kd's spelling: `nt!KeBugCheckEx`, `nt!KiPageFault+0x41e`, `myfault+0x1553`.
impl std::fmt::Display for Near<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.module)?;
        if let Some(symbol) = self.symbol {
            write!(f, "!{symbol}")?;
        }
        if self.offset != 0 {
            write!(f, "+{:#x}", self.offset)?;
        }
        Ok(())
    }
}

impl Names {
    /// Room for the symbols of `modules` modules.
    pub fn new(modules: usize) -> Names {
        Names {
            slots: std::iter::repeat_with(Slot::default)
                .take(modules)
                .collect(),
        }
    }
}

/// The better of the table with which the dump was opened and of what was read later. What rkd knows of nt itself is more
/// than its exports tell, and less than a file.
fn better<'a>(
    own: Option<&'a SymbolTable>,
    read: Option<&'a SymbolTable>,
) -> Option<&'a SymbolTable> {
    match own {
        Some(own) if !own.source().is_partial() => Some(own),
        Some(own) => read
            .filter(|table| !table.source().is_partial())
            .or(Some(own)),
        None => read,
    }
}

impl Kernel {
    /// The symbols of a module, the best that are to be had, read now unless they have been already.
    pub fn symbols_of(&self, module: &Module) -> Option<&SymbolTable> {
        let index = self.index_of(module)?;
        let own = self.own_table(index);
        let is_whole = own.is_some_and(|table| !table.source().is_partial());
        let read = if is_whole { None } else { self.load(index) };
        better(own, read)
    }

    /// The best symbols of a module that have been read already; nothing is read now.
    pub fn known_symbols(&self, module: &Module) -> Option<&SymbolTable> {
        let own = self.own_table(self.index_of(module)?);
        let read = self.loaded_symbols(module);
        better(own, read.and_then(|loaded| loaded.table.as_deref()))
    }

    /// All tables by which the symbols of a module may go, the best first: behind the built-in facts, which know only some of
    /// nt's symbols, nt's exports tell more. They are read now unless they have been already.
    pub fn tables_of(&self, module: &Module) -> Vec<&SymbolTable> {
        self.index_of(module)
            .map(|index| self.tables_at(index).collect())
            .unwrap_or_default()
    }

    /// What came of reading a module's symbols; `None` as long as nobody has asked for them, which kd calls deferred.
    pub fn loaded_symbols(&self, module: &Module) -> Option<&Loaded> {
        self.names.slots.get(self.index_of(module)?)?.loaded.get()
    }

    /// Takes over the symbols that another kernel of the same dump has read, for the modules that `keeps` names.
    pub fn keep_symbols(&self, of: &Kernel, keeps: impl Fn(&Module) -> bool) {
        for (module, slot) in self.modules.iter().zip(&self.names.slots) {
            if keeps(module)
                && let Some(loaded) = of.loaded_symbols(module)
            {
                let _ = slot.loaded.set(loaded.clone());
            }
        }
    }

    /// Which build of which PDB belongs to a module.
    ///
    /// # Errors
    /// Why it cannot be told: the image's headers or its debug directory are not in the dump, or name none.
    pub fn pdb_of(&self, module: &Module) -> Result<PdbId> {
        if self.is_nt(module.base)
            && let Some(id) = &self.identity
        {
            return Ok(id.clone());
        }
        let debug = Image::read(&self.space, module.base)?.debug();
        match (debug.value.pdb, debug.missing) {
            (Some(id), _) => Ok(id),
            (None, Some(why)) => Err(why),
            (None, None) => Err(Error::NotFound("the image names no PDB".into())),
        }
    }

    fn index_of(&self, module: &Module) -> Option<usize> {
        self.modules.iter().position(|m| m.base == module.base)
    }

    /// The table with which the dump was opened, where the module is nt.
    fn own_table(&self, index: usize) -> Option<&SymbolTable> {
        let table = self.table.as_deref()?;
        self.is_nt(self.modules.get(index)?.base).then_some(table)
    }

    /// The symbols by which addresses of a module may go: the built-in facts know only some of nt's functions, and behind
    /// them a file or nt's exports tell more.
    fn tables_at(&self, index: usize) -> impl Iterator<Item = &SymbolTable> {
        let first = self.own_table(index);
        let is_partial = first.is_none_or(|table| table.source().is_partial());
        let second = if is_partial { self.load(index) } else { None };
        first.into_iter().chain(second)
    }

    fn load(&self, index: usize) -> Option<&SymbolTable> {
        let (slot, module) = (self.names.slots.get(index)?, self.modules.get(index)?);
        if slot.loaded.get().is_none() {
            let _reading = slot.reading.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever was stopped has no answer to keep: the next one asks again.
            if slot.loaded.get().is_none()
                && let Some(loaded) = self.read_symbols(module)
            {
                let _ = slot.loaded.set(loaded);
            }
        }
        slot.loaded.get()?.table.as_deref()
    }

    fn read_symbols(&self, module: &Module) -> Option<Loaded> {
        let lookup = match self.pdb_of(module) {
            Ok(id) => self.symbol_path.search(&id, &self.how),
            Err(_) => Lookup::default(),
        };
        let journal = self.how.servers.journal();
        if lookup.is_stopped {
            return None;
        }
        for refused in lookup.tried.iter().filter(|tried| tried.is_refused) {
            journal.remark(format!(
                "symbols of {} not taken from {refused}",
                module.name
            ));
        }
        let exports = || Some(Image::read(&self.space, module.base).ok()?.export_symbols());
        let table = lookup.table.or_else(exports);
        journal.noise(|| match table.as_ref().map(SymbolTable::source) {
            Some(Source::Exports) => format!("DBGHELP: {} - export symbols", module.name),
            Some(source) => format!(
                "DBGHELP: {} - symbols loaded\n         {source}",
                module.name
            ),
            None => format!("DBGHELP: {} - no symbols loaded", module.name),
        });
        Some(Loaded {
            table: table.map(Arc::new),
            is_mismatched: lookup.is_mismatched,
            tried: lookup.tried,
        })
    }

    pub(crate) fn is_nt(&self, base: Virt) -> bool {
        self.base == Some(base)
    }

    /// The address of `module!name`.
    ///
    /// # Errors
    /// [`Error::NoSymbol`] when the module is not loaded or has no such symbol.
    pub fn resolve(&self, module: &str, name: &str) -> Result<Virt> {
        let missing = || Error::NoSymbol(format!("{module}!{name}"));
        let index = self
            .modules
            .iter()
            .position(|m| m.name.eq_ignore_ascii_case(module))
            .ok_or_else(missing)?;
        let base = self.modules[index].base;
        if self.is_nt(base)
            && let Ok(at) = self.symbol(name)
        {
            return Ok(at);
        }
        self.tables_at(index)
            .find_map(|table| table.rva(name))
            .map(|rva| base + rva)
            .ok_or_else(missing)
    }

    /// What the address is called; `None` outside all modules.
    pub fn nearest(&self, va: Virt) -> Option<Near<'_>> {
        let index = self.modules.iter().position(|module| module.contains(va))?;
        let module = &self.modules[index];
        let offset = va - module.base;
        let rva = Rva(u32::try_from(offset).ok()?);
        // Where rkd's own facts have a name for this very place, no file can know it better.
        let exact = self.own_table(index).and_then(|table| table.nearest(rva));
        let near = exact.filter(|(_, distance)| *distance == 0).or_else(|| {
            self.tables_at(index)
                .filter_map(|table| table.nearest(rva))
                .min_by_key(|(_, distance)| *distance)
        });
        let (symbol, offset) = near.map_or((None, offset), |(symbol, offset)| {
            (Some(symbol), u64::from(offset))
        });
        Some(Near {
            module: &module.name,
            symbol,
            offset,
        })
    }
}
