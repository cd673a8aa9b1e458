//! The types of the language itself. Their names are Volatility's, so that a PDB and the ISF file made of it read alike.

use crate::types::{Base, BaseKind};
use pdb2::PrimitiveKind as P;

/// The base type; `None` for `void` and for what has no size.
pub(super) fn base(kind: P) -> Option<Base> {
    let (name, size, signed, kind) = match kind {
        P::Char | P::RChar => ("char", 1, true, BaseKind::Char),
        P::UChar => ("unsigned char", 1, false, BaseKind::Char),
        P::Char8 => ("char8", 1, false, BaseKind::Char),
        P::I8 => ("int8", 1, true, BaseKind::Int),
        P::U8 => ("uint8", 1, false, BaseKind::Int),
        P::WChar => ("wchar", 2, true, BaseKind::Int),
        P::RChar16 => ("char16", 2, false, BaseKind::Int),
        P::RChar32 => ("char32", 4, false, BaseKind::Int),
        P::Short | P::I16 => ("short", 2, true, BaseKind::Int),
        P::UShort | P::U16 => ("unsigned short", 2, false, BaseKind::Int),
        P::Long => ("long", 4, true, BaseKind::Int),
        P::ULong => ("unsigned long", 4, false, BaseKind::Int),
        P::I32 => ("int", 4, true, BaseKind::Int),
        P::U32 => ("unsigned int", 4, false, BaseKind::Int),
        P::Quad | P::I64 => ("long long", 8, true, BaseKind::Int),
        P::UQuad | P::U64 => ("unsigned long long", 8, false, BaseKind::Int),
        P::Octa | P::I128 => ("int128", 16, true, BaseKind::Int),
        P::UOcta | P::U128 => ("uint128", 16, false, BaseKind::Int),
        P::F16 => ("f16", 2, true, BaseKind::Float),
        P::F32 => ("f32", 4, true, BaseKind::Float),
        P::F32PP => ("f32pp", 4, true, BaseKind::Float),
        P::F48 => ("f48", 6, true, BaseKind::Float),
        P::F64 => ("double", 8, true, BaseKind::Float),
        P::F80 => ("f80", 10, true, BaseKind::Float),
        P::F128 => ("f128", 16, true, BaseKind::Float),
        P::Complex32 => ("complex32", 8, true, BaseKind::Float),
        P::Complex64 => ("complex64", 16, true, BaseKind::Float),
        P::Complex80 => ("complex80", 20, true, BaseKind::Float),
        P::Complex128 => ("complex128", 32, true, BaseKind::Float),
        P::Bool8 => ("bool", 1, false, BaseKind::Bool),
        P::Bool16 => ("bool16", 2, false, BaseKind::Bool),
        P::Bool32 => ("bool32", 4, false, BaseKind::Bool),
        P::Bool64 => ("bool64", 8, false, BaseKind::Bool),
        P::HRESULT => ("HRESULT", 4, false, BaseKind::Int),
        _ => return None,
    };
    Some(Base {
        name: name.into(),
        size,
        signed,
        kind,
    })
}

/// A pointer that is not as wide as the others: `__ptr32` on a 64-bit machine, or a pointer to a C++ member.
pub(super) fn odd_pointer(size: u8) -> Base {
    Base {
        name: format!("pointer{}", u32::from(size) * 8).into(),
        size,
        signed: false,
        kind: BaseKind::Int,
    }
}
