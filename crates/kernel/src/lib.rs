#![doc = include_str!("../README.md")]
#![warn(unreachable_pub)]

pub mod blame;
pub mod bugcheck;
mod code;
pub mod context;
mod current;
pub mod debugger_data;
mod file_text;
pub mod found;
pub mod growth;
mod identify;
pub mod leak;
pub mod list;
pub mod modules;
pub mod names;
mod open;
pub mod owners;
pub mod pool;
pub mod processes;
pub mod stack;
pub mod target;
pub mod vm;

pub use debugger_data::DebuggerData;
pub use modules::{Module, Unloaded};
pub use open::Options;

use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_dump::memory::AddressSpace;
use rkd_dump::{Crash, Dump, Located};
use rkd_symbols::{How, PdbId, SymbolPath, SymbolTable, Type};
use std::sync::Arc;

/// An opened dump with everything that could be found out about its kernel.
///
/// Opening never fails for want of symbols: what needs them says so when it is asked.
pub struct Kernel {
    dump: Arc<Dump>,
    space: AddressSpace,
    located: Located,
    base: Option<Virt>,
    table: Option<Arc<SymbolTable>>,
    identity: Option<PdbId>,
    debugger_data: Option<DebuggerData>,
    modules: Vec<Module>,
    unloaded: Vec<Unloaded>,
    symbol_path: SymbolPath,
    how: How,
    names: names::Names,
    notes: Vec<String>,
}

impl Kernel {
    /// The dump.
    pub fn dump(&self) -> &Arc<Dump> {
        &self.dump
    }

    /// Where the machine is: what the dump says of it, completed by nt's symbols.
    pub fn located(&self) -> &Located {
        &self.located
    }

    /// How the machine ended.
    ///
    /// # Errors
    /// [`Error::NotInDump`] for an image of memory alone.
    pub fn crash(&self) -> Result<&Crash> {
        self.dump.crash().ok_or_else(|| {
            Error::NotInDump("an image of memory alone has no bug check and no registers: nobody wrote down how the machine ended".into())
        })
    }

    /// The kernel's address space, through the page tables that the dump names or that a search found.
    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    /// Where nt was loaded.
    ///
    /// # Errors
    /// [`Error::NotInDump`] when nothing in the dump says so.
    pub fn base(&self) -> Result<Virt> {
        self.base.ok_or_else(|| {
            Error::NotInDump("where the kernel was loaded cannot be told from this dump: it holds neither the module list nor the debugger data block".into())
        })
    }

    /// nt's symbols and types.
    ///
    /// # Errors
    /// [`Error::NotInDump`] when there are none, with what to do about it.
    pub fn table(&self) -> Result<&SymbolTable> {
        self.table.as_deref().ok_or_else(|| match self.base() {
            Ok(_) => Error::NeedsSymbols(
                "nt's symbols are missing, and this kernel is not among the built-in ones: give its PDB or \
                 symbol table with -y, or fetch it (.symfix, .reload)"
                    .into(),
            ),
            Err(why) => Error::NeedsSymbols(format!("nt's symbols are missing: {why}")),
        })
    }

    /// The same table, to open the dump with once more ([`Options::table`]).
    pub fn table_shared(&self) -> Option<Arc<SymbolTable>> {
        self.table.clone()
    }

    /// The debugger data block, decoded.
    pub fn debugger_data(&self) -> Option<&DebuggerData> {
        self.debugger_data.as_ref()
    }

    /// The loaded modules in the loader's order: nt is the first.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The same, for whoever has nothing to do without them.
    ///
    /// # Errors
    /// [`Error::NotInDump`] when their list is not in the dump: nt itself is always loaded.
    pub fn loaded_modules(&self) -> Result<&[Module]> {
        match self.modules.as_slice() {
            [] => Err(Error::NotInDump(
                "the list of modules is not in this dump".into(),
            )),
            modules => Ok(modules),
        }
    }

    /// The unloaded modules, newest first.
    pub fn unloaded(&self) -> &[Unloaded] {
        &self.unloaded
    }

    /// The loaded module that holds the address.
    pub fn module_at(&self, va: Virt) -> Option<&Module> {
        self.modules.iter().find(|module| module.contains(va))
    }

    /// The loaded module of that name, in any case.
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.modules
            .iter()
            .find(|module| module.name.eq_ignore_ascii_case(name))
    }

    /// What was odd or missing when the dump was opened.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The address of one of nt's symbols.
    ///
    /// # Errors
    /// [`Error::NoSymbol`], or [`Error::NotInDump`] without a symbol table.
    pub fn symbol(&self, name: &str) -> Result<Virt> {
        let base = self.base()?;
        match self.table() {
            Ok(table) => match table.rva(name) {
                Some(rva) => Ok(base + rva),
                None => Err(Error::NoSymbol(format!("nt!{name}"))),
            },
            Err(error) => self
                .debugger_data
                .as_ref()
                .and_then(|block| block.symbol(name))
                .ok_or(error),
        }
    }

    /// The 64-bit value of one of nt's variables.
    ///
    /// # Errors
    /// Those of [`Kernel::symbol`], or a fault.
    pub(crate) fn global_u64(&self, name: &str) -> Result<u64> {
        Ok(self.space.read_u64(self.symbol(name)?)?)
    }

    /// The 32-bit value of one of nt's variables.
    ///
    /// # Errors
    /// Those of [`Kernel::symbol`], or a fault.
    pub(crate) fn global_u32(&self, name: &str) -> Result<u32> {
        Ok(self.space.read_u32(self.symbol(name)?)?)
    }

    /// The pointer that one of nt's variables holds.
    ///
    /// # Errors
    /// Those of [`Kernel::symbol`], or a fault.
    pub fn global_virt(&self, name: &str) -> Result<Virt> {
        Ok(Virt(self.global_u64(name)?))
    }

    /// The address of a field of the structure `ty` at `at`; `path` may be dotted.
    ///
    /// # Errors
    /// [`Error::NoType`], [`Error::NoField`].
    pub fn field_address(&self, at: Virt, ty: &str, path: &str) -> Result<Virt> {
        Ok(at + self.table()?.field(ty, path)?.offset)
    }

    /// The unsigned value of a field, as wide as its type is.
    ///
    /// # Errors
    /// [`Error::NoType`], [`Error::NoField`], a fault.
    pub fn field_u64(&self, at: Virt, ty: &str, path: &str) -> Result<u64> {
        self.field_value(at, ty, path).map(|(value, _)| value)
    }

    /// The value of a signed field (`DriverCommit` is a LONG), sign-extended.
    ///
    /// # Errors
    /// [`Error::NoType`], [`Error::NoField`], a fault.
    pub(crate) fn field_i64(&self, at: Virt, ty: &str, path: &str) -> Result<i64> {
        let (value, bits) = self.field_value(at, ty, path)?;
        let unused = 64 - bits.clamp(1, 64);
        Ok((value << unused) as i64 >> unused)
    }

    fn field_value(&self, at: Virt, ty: &str, path: &str) -> Result<(u64, u32)> {
        let table = self.table()?;
        let field = table.field(ty, path)?;
        let size = table.size_of(field.ty).unwrap_or(8).clamp(1, 8);
        let mut bytes = [0; 8];
        self.space
            .read(at + field.offset, &mut bytes[..size as usize])?;
        let value = u64::from_le_bytes(bytes);
        Ok(match field.ty {
            Type::Bitfield {
                position, length, ..
            } => {
                let mask = u64::MAX >> (64 - u32::from(*length).clamp(1, 64));
                (value >> position & mask, u32::from(*length))
            }
            _ => (value, size as u32 * 8),
        })
    }

    /// Whether nt's types know the field.
    pub(crate) fn has_field(&self, ty: &str, path: &str) -> bool {
        self.table()
            .is_ok_and(|table| table.field(ty, path).is_ok())
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Kernel({}, {} modules)",
            self.dump.path().display(),
            self.modules.len()
        )
    }
}
