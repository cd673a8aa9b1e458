//! What a C++ expression comes to: a number, or a place in the target with its type.

use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_symbols::{Base, BaseKind, SymbolTable, Type};

/// What an expression comes to.
#[derive(Clone)]
pub(super) struct Typed<'a> {
    /// `None` for a number that no type of the target stands behind.
    pub ty: Option<Type>,
    /// The symbols that describe the type.
    pub table: Option<&'a SymbolTable>,
    /// Where it lies, when it lies anywhere.
    pub at: Option<Virt>,
    /// The number, of what does not lie anywhere.
    pub bits: u64,
}

impl<'a> Typed<'a> {
    /// A number of no type.
    pub(super) fn number(bits: u64) -> Typed<'a> {
        Typed {
            ty: None,
            table: None,
            at: None,
            bits,
        }
    }

    /// The number that it is, or that lies there.
    ///
    /// # Errors
    /// What cannot be read, and what is no number.
    pub(super) fn load(&self, kernel: &Kernel) -> Result<u64> {
        let (Some(ty), Some(table), Some(at)) = (&self.ty, self.table, self.at) else {
            return Ok(self.bits);
        };
        let is_signed = |ty: &Type| matches!(ty, Type::Base(base) if base.signed);
        let read = |size: Option<u64>| -> Result<u64> {
            let size = size.filter(|size| (1..=8).contains(size));
            let size =
                size.ok_or_else(|| Error::WrongType(format!("{ty} at {at} is no number")))?;
            let mut bytes = [0; 8];
            let part = bytes.get_mut(..size as usize).unwrap_or_default();
            kernel.space().read(at, part)?;
            Ok(u64::from_le_bytes(bytes))
        };
        match ty {
            // An array is where it begins.
            Type::Array(..) => Ok(at.0),
            Type::Bitfield {
                position,
                length,
                of,
            } => {
                let length = u32::from(*length).clamp(1, 64);
                let bits = read(table.size_of(of))?;
                Ok(bits.checked_shr(u32::from(*position)).unwrap_or(0)
                    & (u64::MAX >> (64 - length)))
            }
            ty => {
                let size = table.size_of(ty);
                let bits = read(size)?;
                let unused = 64 - 8 * size.unwrap_or(8).clamp(1, 8) as u32;
                Ok(match is_signed(ty) {
                    true => (((bits << unused) as i64) >> unused) as u64,
                    false => bits,
                })
            }
        }
    }
}

/// A number under another type, cut to its width.
pub(super) fn cast<'a>(ty: Type, table: &'a SymbolTable, bits: u64) -> Typed<'a> {
    let bits = match table.size_of(&ty) {
        Some(size @ 1..=7) => bits & (u64::MAX >> (64 - 8 * size)),
        _ => bits,
    };
    Typed {
        ty: Some(ty),
        table: Some(table),
        at: None,
        bits,
    }
}

/// The type of a sum, as C++ has it: what is smaller than an int becomes one, and the larger type wins.
pub(super) fn wider<'a>(left: &Typed<'a>, right: &Typed<'a>) -> Option<(Type, &'a SymbolTable)> {
    let number = |value: &Typed<'a>| match &value.ty {
        Some(ty @ Type::Base(base)) if base.kind == BaseKind::Int && base.size >= 4 => {
            let rank = (base.size, !base.signed);
            (rank > (4, false)).then_some((rank, ty.clone(), value.table?))
        }
        _ => None,
    };
    let (left, right) = (number(left), number(right));
    let larger = match (left, right) {
        (Some(left), Some(right)) => Some(if right.0 > left.0 { right } else { left }),
        (left, right) => left.or(right),
    };
    larger.map(|(_, ty, table)| (ty, table))
}

/// What `sizeof` gives.
pub(super) fn size_type() -> Type {
    whole("unsigned long long", 8, false)
}

/// What `#FIELD_OFFSET` gives.
pub(super) fn offset_type() -> Type {
    whole("long", 4, true)
}

fn whole(name: &str, size: u8, signed: bool) -> Type {
    Type::Base(Base {
        name: name.into(),
        size,
        signed,
        kind: BaseKind::Int,
    })
}

/// What a pointer points at, or an array is made of.
pub(super) fn pointee<'a>(value: &Typed<'a>) -> Option<(Type, &'a SymbolTable)> {
    match value.ty.as_ref()? {
        Type::Pointer(to) | Type::Array(to, _) => Some(((**to).clone(), value.table?)),
        _ => None,
    }
}
