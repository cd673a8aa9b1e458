//! A Windows structure of zeroes, filled in by field name: where a field lies is the symbol table's business.

use rkd_dump::error::{Error, Result};
use rkd_symbols::{SymbolTable, Type};

/// A structure that is being filled in. All of it is zero at first.
#[derive(Clone, Debug)]
pub(crate) struct StructBuilder<'t> {
    table: &'t SymbolTable,
    ty: &'t str,
    bytes: Vec<u8>,
}

impl<'t> StructBuilder<'t> {
    /// A blank of this type.
    ///
    /// # Errors
    /// [`Error::NoType`] when the table does not have the type.
    pub(crate) fn new(table: &'t SymbolTable, ty: &'t str) -> Result<StructBuilder<'t>> {
        let size = table
            .udt(ty)
            .ok_or_else(|| Error::NoType(ty.to_owned()))?
            .size;
        Ok(StructBuilder {
            table,
            ty,
            bytes: vec![0; size as usize],
        })
    }

    /// Where the field lies, in bytes.
    ///
    /// # Errors
    /// [`Error::NoField`].
    pub(crate) fn offset(&self, path: &str) -> Result<u64> {
        Ok(self.table.field(self.ty, path)?.offset)
    }

    /// Writes a number in the width of the field; of a number that is too wide the low part stays.
    ///
    /// # Errors
    /// [`Error::NoField`].
    pub(crate) fn set(&mut self, path: &str, value: u64) -> Result<&mut StructBuilder<'t>> {
        let field = self.table.field(self.ty, path)?;
        let width = self.table.size_of(field.ty).unwrap_or(8).min(8) as usize;
        let at = field.offset as usize;
        let Some(place) = self.bytes.get_mut(at..at + width) else {
            return Err(Error::NoField {
                ty: self.ty.to_owned(),
                field: path.to_owned(),
            });
        };
        let mut old = [0; 8];
        if let Some(low) = old.get_mut(..width) {
            low.copy_from_slice(place);
        }
        let new = match field.ty {
            Type::Bitfield {
                position, length, ..
            } => {
                let mask = (u64::MAX >> (64 - u32::from((*length).clamp(1, 64)))) << position;
                u64::from_le_bytes(old) & !mask | value << position & mask
            }
            _ => value,
        };
        place.copy_from_slice(new.to_le_bytes().get(..width).unwrap_or_default());
        Ok(self)
    }

    /// The same where the type has the field; says whether it has.
    pub(crate) fn set_if(&mut self, path: &str, value: u64) -> bool {
        self.set(path, value).is_ok()
    }

    /// Copies bytes to the field's place; they may reach beyond it, as open arrays do.
    ///
    /// # Errors
    /// [`Error::NoField`].
    pub(crate) fn put(&mut self, path: &str, bytes: &[u8]) -> Result<&mut StructBuilder<'t>> {
        let at = self.offset(path)? as usize;
        if self.bytes.len() < at + bytes.len() {
            self.bytes.resize(at + bytes.len(), 0);
        }
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        Ok(self)
    }

    /// The filled structure.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
