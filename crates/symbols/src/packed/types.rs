//! How a type is spelled. Names and base types are indices into pools that whoever writes and reads must have.

use super::code::{Reader, Writer, corrupt};
use crate::types::{Base, Enum, Field, Name, Signature, Type, Udt, UdtKind};
use rkd_dump::error::Result;

/// How deep a type may be nested; the deepest in a Windows kernel is four.
const MAX_DEPTH: u32 = 40;

mod tag {
    pub(super) const POINTER: u8 = 0;
    pub(super) const ARRAY: u8 = 1;
    pub(super) const UDT: u8 = 2;
    pub(super) const ENUM: u8 = 3;
    pub(super) const BITFIELD: u8 = 4;
    pub(super) const FUNCTION: u8 = 5;
    pub(super) const VOID: u8 = 6;
    /// Before the tag of an anonymous member's type.
    pub(super) const ANONYMOUS: u8 = 7;
    /// Base types by their index from here on.
    pub(super) const BASE: u8 = 8;
}

mod definition {
    pub(super) const STRUCT: u8 = 0;
    pub(super) const UNION: u8 = 1;
    pub(super) const ENUM: u8 = 2;
}

/// What names and base types become when they are written.
pub(crate) trait Indices {
    /// Whether functions are written with what they take and return.
    const SIGNATURES: bool;
    /// The number of a name.
    fn name(&mut self, name: &str) -> u64;
    /// The number of a base type.
    fn base(&mut self, base: &Base) -> usize;
}

/// What numbers stand for when they are read.
pub(crate) trait Pool {
    /// As [`Indices::SIGNATURES`].
    const SIGNATURES: bool;
    /// The name of a number.
    fn name(&self, index: u64) -> Result<Name>;
    /// The base type of a number.
    fn base(&self, index: usize) -> Option<&Base>;
}

/// A type with a name.
pub(crate) enum Definition {
    Udt(Udt),
    Enum(Enum),
}

/// Writes a structure or union, without its own name.
///
/// # Errors
/// When there are more than 247 base types.
pub(crate) fn write_udt(udt: &Udt, pool: &mut impl Indices, out: &mut Writer) -> Result<()> {
    out.0.push(match udt.kind {
        UdtKind::Struct => definition::STRUCT,
        UdtKind::Union => definition::UNION,
    });
    out.number(udt.size).number(udt.fields.len() as u64);
    let mut offset = 0;
    for field in &udt.fields {
        out.number(pool.name(&field.name))
            .number(field.offset.wrapping_sub(offset));
        offset = field.offset;
        if field.anonymous {
            out.0.push(tag::ANONYMOUS);
        }
        write_type(&field.ty, pool, out)?;
    }
    Ok(())
}

/// Writes an enumeration, without its own name.
pub(crate) fn write_enum(e: &Enum, pool: &mut impl Indices, out: &mut Writer) {
    out.0.push(definition::ENUM);
    out.number(e.size).number(e.constants.len() as u64);
    for (name, value) in &e.constants {
        out.number(pool.name(name)).signed(*value);
    }
}

/// Writes what a field can be.
///
/// # Errors
/// As [`write_udt`].
pub(crate) fn write_type<P: Indices>(ty: &Type, pool: &mut P, out: &mut Writer) -> Result<()> {
    match ty {
        Type::Pointer(to) => {
            out.0.push(tag::POINTER);
            write_type(to, pool, out)?;
        }
        Type::Array(of, count) => {
            out.0.push(tag::ARRAY);
            out.number(*count);
            write_type(of, pool, out)?;
        }
        Type::Udt(name) => {
            out.0.push(tag::UDT);
            out.number(pool.name(name));
        }
        Type::Enum(name) => {
            out.0.push(tag::ENUM);
            out.number(pool.name(name));
        }
        Type::Bitfield {
            position,
            length,
            of,
        } => {
            out.0.extend([tag::BITFIELD, *position, *length]);
            write_type(of, pool, out)?;
        }
        Type::Function(signature) => {
            out.0.push(tag::FUNCTION);
            if P::SIGNATURES {
                write_signature(signature.as_deref(), pool, out)?;
            }
        }
        Type::Void => out.0.push(tag::VOID),
        Type::Base(base) => {
            let byte = u8::try_from(pool.base(base))
                .ok()
                .and_then(|index| index.checked_add(tag::BASE));
            out.0
                .push(byte.ok_or_else(|| corrupt("there are too many base types"))?);
        }
    }
    Ok(())
}

fn write_signature(
    signature: Option<&Signature>,
    pool: &mut impl Indices,
    out: &mut Writer,
) -> Result<()> {
    let Some(signature) = signature else {
        out.0.push(0);
        return Ok(());
    };
    out.0.push(1 + u8::from(signature.variadic));
    write_type(&signature.returns, pool, out)?;
    out.number(signature.arguments.len() as u64);
    for argument in &signature.arguments {
        write_type(argument, pool, out)?;
    }
    Ok(())
}

/// Reads what [`write_udt`] or [`write_enum`] wrote.
///
/// # Errors
/// [`Error::Corrupt`](rkd_dump::error::Error::Corrupt) for anything else.
pub(crate) fn read_definition(name: &Name, pool: &impl Pool, r: &mut Reader) -> Result<Definition> {
    let kind = match r.byte()? {
        definition::STRUCT => UdtKind::Struct,
        definition::UNION => UdtKind::Union,
        definition::ENUM => {
            let size = r.number()?;
            let constants = r.list(|r| Ok((pool.name(r.number()?)?, r.signed()?)))?;
            return Ok(Definition::Enum(Enum::new(name.clone(), size, constants)));
        }
        _ => return Err(corrupt("a definition is of an unknown kind")),
    };
    let size = r.number()?;
    let mut offset = 0u64;
    let fields = r.list(|r| {
        let name = pool.name(r.number()?)?;
        offset = offset.wrapping_add(r.number()?);
        let anonymous = r.0.first() == Some(&tag::ANONYMOUS);
        if anonymous {
            r.byte()?;
        }
        Ok(Field {
            name,
            offset,
            ty: read_type(pool, r)?,
            anonymous,
        })
    })?;
    Ok(Definition::Udt(Udt::declared(
        name.clone(),
        kind,
        size,
        fields,
    )))
}

/// Reads what [`write_type`] wrote.
///
/// # Errors
/// As [`read_definition`].
pub(crate) fn read_type(pool: &impl Pool, r: &mut Reader) -> Result<Type> {
    nested(pool, r, MAX_DEPTH)
}

fn nested<P: Pool>(pool: &P, r: &mut Reader, depth: u32) -> Result<Type> {
    let depth = depth
        .checked_sub(1)
        .ok_or_else(|| corrupt("a type is nested too deep"))?;
    Ok(match r.byte()? {
        tag::POINTER => Type::Pointer(Box::new(nested(pool, r, depth)?)),
        tag::ARRAY => {
            let count = r.number()?;
            Type::Array(Box::new(nested(pool, r, depth)?), count)
        }
        tag::UDT => Type::Udt(pool.name(r.number()?)?),
        tag::ENUM => Type::Enum(pool.name(r.number()?)?),
        tag::BITFIELD => {
            let (position, length) = (r.byte()?, r.byte()?);
            Type::Bitfield {
                position,
                length,
                of: Box::new(nested(pool, r, depth)?),
            }
        }
        tag::FUNCTION if P::SIGNATURES => match r.byte()? {
            0 => Type::Function(None),
            form => Type::Function(Some(Box::new(Signature {
                variadic: form == 2,
                returns: nested(pool, r, depth)?,
                arguments: r.list(|r| nested(pool, r, depth))?,
            }))),
        },
        tag::FUNCTION => Type::Function(None),
        tag::VOID => Type::Void,
        other => {
            let base = other
                .checked_sub(tag::BASE)
                .and_then(|index| pool.base(usize::from(index)));
            Type::Base(
                base.cloned()
                    .ok_or_else(|| corrupt("a base type does not exist"))?,
            )
        }
    })
}
