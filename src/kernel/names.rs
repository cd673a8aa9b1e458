//! Names for addresses and addresses for names, over all modules: nt from its symbol table, every other module from the
//! exports of its image, read when they are first needed.

use super::Kernel;
use crate::addr::{Rva, Virt};
use crate::error::{Error, Result};
use crate::symbols::SymbolTable;
use crate::symbols::pe::Image;
use std::sync::OnceLock;

/// The exports of each module, in the order of the modules; empty where a module's export directory is not in the dump.
#[derive(Debug, Default)]
pub struct Names {
    exports: Vec<OnceLock<Option<SymbolTable>>>,
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
    /// Room for the exports of `modules` modules.
    pub fn new(modules: usize) -> Names {
        Names {
            exports: std::iter::repeat_with(OnceLock::new)
                .take(modules)
                .collect(),
        }
    }
}

impl Kernel {
    fn exports(&self, index: usize) -> Option<&SymbolTable> {
        let (slot, module) = (self.names.exports.get(index)?, self.modules.get(index)?);
        let read = || {
            Image::read(&self.space, module.base)
                .ok()
                .map(|image| image.export_symbols())
        };
        slot.get_or_init(read).as_ref()
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
        self.exports(index)
            .and_then(|exports| exports.rva(name))
            .map(|rva| base + rva)
            .ok_or_else(missing)
    }

    /// What the address is called; `None` outside all modules.
    pub fn nearest(&self, va: Virt) -> Option<Near<'_>> {
        let index = self.modules.iter().position(|module| module.contains(va))?;
        let module = &self.modules[index];
        let offset = va - module.base;
        let rva = Rva(u32::try_from(offset).ok()?);
        let from_table = match &self.table {
            Some(table) if self.is_nt(module.base) => table.nearest(rva),
            _ => None,
        };
        let from_exports = || self.exports(index).and_then(|exports| exports.nearest(rva));
        let near = from_table.or_else(from_exports);
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
