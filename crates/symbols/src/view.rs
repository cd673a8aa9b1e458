//! The target's memory seen through a type: ask for a field by its name, and it is read with the width that the symbols say.

use super::types::{Type, Udt};
use super::{Enum, SymbolTable};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_dump::memory::AddressSpace;
use std::fmt;

/// A structure or union at an address. Nothing is read until a field's value is asked for.
#[derive(Clone, Copy)]
pub struct Struct<'a> {
    space: &'a AddressSpace,
    table: &'a SymbolTable,
    udt: &'a Udt,
    at: Virt,
}

/// A typed place in memory: a field, an element of an array, what a pointer points at.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    space: &'a AddressSpace,
    table: &'a SymbolTable,
    ty: &'a Type,
    at: Virt,
}

impl<'a> Struct<'a> {
    /// A structure of type `ty` at `at`.
    ///
    /// # Errors
    /// [`Error::NoType`].
    pub fn new(
        space: &'a AddressSpace,
        table: &'a SymbolTable,
        ty: &str,
        at: Virt,
    ) -> Result<Struct<'a>> {
        let udt = table.udt(ty).ok_or_else(|| Error::NoType(ty.to_owned()))?;
        Ok(Struct {
            space,
            table,
            udt,
            at,
        })
    }

    /// A field by its path, as [`SymbolTable::field`] understands it. Pointers are not followed.
    ///
    /// # Errors
    /// [`Error::NoField`], and [`Error::NoType`] for a type inside that is unknown.
    pub fn field(&self, path: &str) -> Result<Cell<'a>> {
        let field = self.table.field(&self.udt.name, path)?;
        Ok(Cell {
            space: self.space,
            table: self.table,
            ty: field.ty,
            at: self.at + field.offset,
        })
    }

    /// Whether this build's type has the field.
    pub fn has(&self, path: &str) -> bool {
        self.field(path).is_ok()
    }

    /// The type.
    pub fn ty(&self) -> &'a Udt {
        self.udt
    }

    /// Where the structure starts.
    pub fn address(&self) -> Virt {
        self.at
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.udt.size
    }

    /// The structure's bytes.
    ///
    /// # Errors
    /// [`Error::Fault`] if any of them cannot be read.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        read(self.space, self.at, self.udt.size)
    }
}

/// `_KPROCESS at fffff807'22600000`, with a back-tick.
impl fmt::Debug for Struct<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.udt.name, self.at)
    }
}

impl<'a> Cell<'a> {
    /// A place of any type; the type must be one of the table's.
    pub fn new(
        space: &'a AddressSpace,
        table: &'a SymbolTable,
        ty: &'a Type,
        at: Virt,
    ) -> Cell<'a> {
        Cell {
            space,
            table,
            ty,
            at,
        }
    }

    /// The type.
    pub fn ty(&self) -> &'a Type {
        self.ty
    }

    /// Where it lies; for a bit-field, the number that it is part of.
    pub fn address(&self) -> Virt {
        self.at
    }

    /// In bytes.
    ///
    /// # Errors
    /// [`Error::NoType`] if the symbols do not say it.
    pub fn size(&self) -> Result<u64> {
        self.table
            .size_of(self.ty)
            .ok_or_else(|| Error::NoType(self.ty.to_string()))
    }

    /// The bits as an unsigned number, as wide as the type says: numbers, bit-fields, enumerations, pointers, and unions and
    /// structures that are no larger than a number (`_LARGE_INTEGER`, `_EX_FAST_REF`).
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::WrongType`] for what is not a number.
    pub fn u64(&self) -> Result<u64> {
        let (value, bits) = self.raw()?;
        Ok(value & mask(bits))
    }

    /// As [`Cell::u64`], but a type with a sign keeps it. Enumerations have one.
    ///
    /// # Errors
    /// As [`Cell::u64`].
    pub fn i64(&self) -> Result<i64> {
        let (value, bits) = self.raw()?;
        if !is_signed(self.ty) || bits == 0 {
            return Ok((value & mask(bits)).cast_signed());
        }
        let unused = 64 - bits.min(64);
        Ok((value << unused).cast_signed() >> unused)
    }

    /// The pointer that lies there.
    ///
    /// # Errors
    /// As [`Cell::u64`].
    pub fn virt(&self) -> Result<Virt> {
        self.u64().map(Virt)
    }

    /// What the pointer that lies there points at. A null pointer is followed too: reading will say what it says.
    ///
    /// # Errors
    /// [`Error::Fault`]; [`Error::WrongType`] if it is not a pointer.
    pub fn target(&self) -> Result<Cell<'a>> {
        match self.ty {
            Type::Pointer(to) => Ok(Cell {
                ty: to,
                at: self.virt()?,
                ..*self
            }),
            _ => Err(self.is_not("a pointer")),
        }
    }

    /// The structure that lies there.
    ///
    /// # Errors
    /// [`Error::WrongType`] if it is not a structure or union, [`Error::NoType`] if it is an unknown one.
    pub(crate) fn as_struct(&self) -> Result<Struct<'a>> {
        match self.ty {
            Type::Udt(name) => Struct::new(self.space, self.table, name, self.at),
            _ => Err(self.is_not("a structure")),
        }
    }

    /// A member of the structure that lies there.
    ///
    /// # Errors
    /// [`Error::WrongType`] if it is no structure, and those of [`Struct::field`].
    pub fn field(&self, path: &str) -> Result<Cell<'a>> {
        self.as_struct()?.field(path)
    }

    /// An element of the array that lies there. An array declared with one element or none may have any number.
    ///
    /// # Errors
    /// [`Error::WrongType`] if it is not an array or does not have so many elements.
    pub fn index(&self, i: u64) -> Result<Cell<'a>> {
        match self.ty {
            Type::Array(of, count) if i < *count || *count <= 1 => {
                let size = Cell { ty: of, ..*self }.size()?;
                Ok(Cell {
                    ty: of,
                    at: self.at + i.wrapping_mul(size),
                    ..*self
                })
            }
            Type::Array(_, count) => Err(Error::NotFound(format!(
                "element {i} of {count} does not exist"
            ))),
            _ => Err(self.is_not("an array")),
        }
    }

    /// How many elements the array has by its declaration; `None` if it is not an array.
    pub fn count(&self) -> Option<u64> {
        match self.ty {
            Type::Array(_, count) => Some(*count),
            _ => None,
        }
    }

    /// The enumeration that lies there, if it is one that the table knows.
    pub fn enumeration(&self) -> Option<&'a Enum> {
        match self.ty {
            Type::Enum(name) => self.table.enumeration(name),
            Type::Bitfield { of, .. } => Cell { ty: of, ..*self }.enumeration(),
            _ => None,
        }
    }

    /// The bytes, as many as the type has.
    ///
    /// # Errors
    /// [`Error::Fault`] if any of them cannot be read, [`Error::NoType`] if their number is unknown.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        read(self.space, self.at, self.size()?)
    }

    fn is_not(&self, what: &str) -> Error {
        Error::WrongType(format!("{} at {} is not {what}", self.ty, self.at))
    }

    /// The bits, and how many of them belong to the value. Those above may be anything.
    fn raw(&self) -> Result<(u64, u32)> {
        let number = match self.ty {
            Type::Bitfield { of, .. } => Cell { ty: of, ..*self },
            _ => *self,
        };
        let size = match number.ty {
            Type::Array(..) | Type::Function(_) | Type::Void => return Err(self.is_not("a number")),
            _ => number.size()?,
        };
        let value = match size {
            1 => u64::from(self.space.read_u8(self.at)?),
            2 => u64::from(self.space.read_u16(self.at)?),
            4 => u64::from(self.space.read_u32(self.at)?),
            8 => self.space.read_u64(self.at)?,
            _ => return Err(self.is_not("a number")),
        };
        Ok(match *self.ty {
            Type::Bitfield {
                position, length, ..
            } => (
                value.checked_shr(u32::from(position)).unwrap_or(0),
                u32::from(length),
            ),
            _ => (value, 8 * size as u32),
        })
    }
}

/// `unsigned long at fffff807'22600000`, with a back-tick.
impl fmt::Debug for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.ty, self.at)
    }
}

fn mask(bits: u32) -> u64 {
    1u64.checked_shl(bits).unwrap_or(0).wrapping_sub(1)
}

fn is_signed(ty: &Type) -> bool {
    match ty {
        Type::Base(base) => base.signed,
        Type::Enum(_) => true,
        Type::Bitfield { of, .. } => is_signed(of),
        _ => false,
    }
}

fn read(space: &AddressSpace, at: Virt, size: u64) -> Result<Vec<u8>> {
    // Where a usize is narrower, no such number of bytes is in the dump either.
    Ok(space.read_vec(at, usize::try_from(size).unwrap_or(usize::MAX))?)
}

#[cfg(test)]
mod tests;
