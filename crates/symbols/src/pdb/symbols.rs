//! The symbols of a PDB. Publics, one for each name that the linker saw, are in every PDB; types of variables, and the
//! functions of each module with their sizes, only in one that was not stripped for the public.

use super::Pdb;
use super::error::PdbError;
use super::guard;
use super::types::{Types, text};
use crate::TableBuilder;
use crate::table::{SymbolInfo, SymbolKind};
use crate::types::Type;
use pdb2::{
    AddressMap, DataSymbol, FallibleIterator, PdbInternalSectionOffset, ProcedureSymbol, Symbol,
    SymbolData, SymbolIter, TypeIndex,
};
use rkd_dump::addr::Rva;

// The records that are read; all others are stepped over unread. Those of thread-local variables tell a distance from the
// thread's block, and no place in the image.
const S_UDT: u16 = 0x1108;
const S_LDATA32: u16 = 0x110c;
const S_GDATA32: u16 = 0x110d;
const S_PUB32: u16 = 0x110e;
const S_LPROC32: u16 = 0x110f;
const S_GPROC32: u16 = 0x1110;
const S_THUNK32: u16 = 0x1102;
const S_LPROC32_ID: u16 = 0x1146;
const S_GPROC32_ID: u16 = 0x1147;
const S_LPROC32_DPC: u16 = 0x1155;
const S_LPROC32_DPC_ID: u16 = 0x1156;
/// The same records with names of the older kind, a length and the text.
const S_ST: [u16; 6] = [0x1003, 0x1007, 0x1008, 0x1009, 0x100a, 0x100b];

struct Reader<'a, 't> {
    map: AddressMap<'static>,
    types: &'a mut Types<'t>,
    table: &'a mut TableBuilder,
}

/// Puts all symbols into the table: the publics first, so that of two symbols of one name the one that other modules see
/// is the one that is found.
///
/// # Errors
/// When a stream cannot be read.
pub(super) fn read(
    pdb: &mut Pdb,
    types: &mut Types<'_>,
    table: &mut TableBuilder,
) -> Result<(), PdbError> {
    if !guard::has_sections(pdb)? {
        return Err(PdbError::NoSections);
    }
    let map = pdb.address_map()?;
    let globals = pdb.global_symbols()?;
    let mut reader = Reader { map, types, table };
    reader.all(&mut globals.iter())?;
    let debug = pdb.debug_information()?;
    let mut modules = debug.modules()?;
    let mut is_private = false;
    while let Some(module) = modules.next()? {
        if let Some(information) = pdb.module_info(&module)? {
            is_private |= reader.all(&mut information.symbols()?)?;
        }
    }
    reader.table.private(is_private && !debug.is_stripped());
    Ok(())
}

impl Reader<'_, '_> {
    /// Reads all records. Returns whether there are such as a public PDB has not.
    fn all(&mut self, symbols: &mut SymbolIter<'_>) -> Result<bool, PdbError> {
        let mut is_private = false;
        while let Some(symbol) = symbols.next()? {
            is_private |= self.one(&symbol)?;
        }
        Ok(is_private)
    }

    /// A record that cannot be read is left out.
    fn one(&mut self, symbol: &Symbol<'_>) -> Result<bool, PdbError> {
        let kind = symbol.raw_kind();
        let is_read = matches!(
            kind,
            S_UDT
                | S_LDATA32
                | S_GDATA32
                | S_PUB32
                | S_LPROC32
                | S_GPROC32
                | S_THUNK32
                | S_LPROC32_ID
                | S_GPROC32_ID
                | S_LPROC32_DPC
                | S_LPROC32_DPC_ID
        ) || S_ST.contains(&kind);
        if !is_read {
            return Ok(false);
        }
        match symbol.parse() {
            Ok(SymbolData::Public(public)) => {
                let kind = match public.function || public.code {
                    true => SymbolKind::Function,
                    false => SymbolKind::Data,
                };
                self.put(
                    public.name.as_bytes(),
                    public.offset,
                    SymbolInfo::public(kind),
                );
            }
            Ok(SymbolData::Data(data)) => {
                self.data(data.name.as_bytes(), data.offset, data.type_index)?;
                return Ok(is_of_module(&data));
            }
            Ok(SymbolData::Procedure(procedure)) => {
                let has_type = !matches!(kind, S_LPROC32_ID | S_GPROC32_ID | S_LPROC32_DPC_ID);
                self.procedure(&procedure, has_type)?;
                return Ok(true);
            }
            Ok(SymbolData::Thunk(thunk)) => {
                let info = SymbolInfo {
                    kind: SymbolKind::Function,
                    private: true,
                    size: Some(u32::from(thunk.len)),
                    ty: None,
                };
                self.put(thunk.name.as_bytes(), thunk.offset, info);
            }
            Ok(SymbolData::UserDefinedType(udt)) => {
                let name = text(udt.name.as_bytes());
                let ty = self.types.get(udt.type_index)?;
                self.table.typedef(&name, &ty);
            }
            _ => {}
        }
        Ok(false)
    }

    fn data(
        &mut self,
        name: &[u8],
        at: PdbInternalSectionOffset,
        ty: TypeIndex,
    ) -> Result<(), PdbError> {
        let info = SymbolInfo {
            kind: SymbolKind::Data,
            private: true,
            size: None,
            ty: self.ty(ty)?,
        };
        self.put(name, at, info);
        Ok(())
    }

    fn procedure(
        &mut self,
        procedure: &ProcedureSymbol<'_>,
        has_type: bool,
    ) -> Result<(), PdbError> {
        let info = SymbolInfo {
            kind: SymbolKind::Function,
            private: true,
            size: Some(procedure.len),
            ty: match has_type {
                true => self.ty(procedure.type_index)?,
                false => None,
            },
        };
        self.put(procedure.name.as_bytes(), procedure.offset, info);
        Ok(())
    }

    /// What an assembler wrote has no type.
    fn ty(&mut self, index: TypeIndex) -> Result<Option<Type>, PdbError> {
        match index {
            TypeIndex(0) => Ok(None),
            index => self.types.get(index).map(Some),
        }
    }

    /// An address outside all sections, or in a part that the image was relieved of afterwards, is no place in the image.
    fn put(&mut self, name: &[u8], at: PdbInternalSectionOffset, info: SymbolInfo) {
        let name = text(name);
        if let Some(rva) = at.to_rva(&self.map)
            && !name.is_empty()
        {
            self.table.symbol_with(&name, Rva(rva.0), &info);
        }
    }
}

fn is_of_module(data: &DataSymbol<'_>) -> bool {
    !data.global
}
