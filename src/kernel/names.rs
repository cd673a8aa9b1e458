//! Names for addresses and addresses for names, over all modules. A module's symbols are read when they are first needed,
//! as kd defers them: nt's are known since the dump was opened, every other module's come from a file on the symbol path
//! with exactly the image's GUID and age, or else from the exports of its image.

use super::{Kernel, Module};
use crate::addr::{Rva, Virt};
use crate::error::{Error, Result};
use crate::symbols::pe::Image;
use crate::symbols::{Source, SymbolTable, Tried};
use std::sync::OnceLock;

/// The symbols of each module, in the order of the modules.
#[derive(Debug, Default)]
pub struct Names {
    loaded: Vec<OnceLock<Loaded>>,
}

/// What came of reading a module's symbols.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The symbols; `None` where neither a symbol file nor the image's export directory is to be had.
    pub table: Option<SymbolTable>,
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
            loaded: std::iter::repeat_with(OnceLock::new)
                .take(modules)
                .collect(),
        }
    }
}

impl Kernel {
    /// The symbols of a module, read now unless they have been already.
    pub fn symbols_of(&self, module: &Module) -> Option<&SymbolTable> {
        self.symbols_at(self.index_of(module)?)
    }

    /// What came of reading a module's symbols; `None` as long as nobody has asked for them, which kd calls deferred.
    pub fn loaded_symbols(&self, module: &Module) -> Option<&Loaded> {
        self.names.loaded.get(self.index_of(module)?)?.get()
    }

    fn index_of(&self, module: &Module) -> Option<usize> {
        self.modules.iter().position(|m| m.base == module.base)
    }

    fn symbols_at(&self, index: usize) -> Option<&SymbolTable> {
        match self.table.as_deref() {
            Some(table) if self.is_nt(self.modules.get(index)?.base) => Some(table),
            _ => self.load(index),
        }
    }

    /// The symbols by which addresses of a module may go: the built-in facts know only some of nt's functions, and behind
    /// them nt's exports tell more.
    fn tables_at(&self, index: usize) -> impl Iterator<Item = &SymbolTable> {
        let first = self.symbols_at(index);
        let is_whole = first.is_none_or(|table| *table.source() != Source::Facts);
        let second = if is_whole { None } else { self.load(index) };
        first.into_iter().chain(second)
    }

    fn load(&self, index: usize) -> Option<&SymbolTable> {
        let (slot, module) = (self.names.loaded.get(index)?, self.modules.get(index)?);
        slot.get_or_init(|| self.read_symbols(module))
            .table
            .as_ref()
    }

    fn read_symbols(&self, module: &Module) -> Loaded {
        let Ok(image) = Image::read(&self.space, module.base) else {
            return Loaded::default();
        };
        let lookup = image.codeview().map(|id| self.symbol_path.find(&id));
        let (table, tried) = lookup.map_or((None, Vec::new()), |found| (found.table, found.tried));
        Loaded {
            table: table.or_else(|| Some(image.export_symbols())),
            tried,
        }
    }

    fn is_nt(&self, base: Virt) -> bool {
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
        let near = self
            .tables_at(index)
            .filter_map(|table| table.nearest(rva))
            .min_by_key(|(_, distance)| *distance);
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
