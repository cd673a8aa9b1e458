//! How types are described: structures and unions, enumerations, and what a field can be.

use std::fmt;
use std::sync::Arc;

/// A name that is shared by everything that mentions it: a kernel's table says `unsigned long long` ten thousand times.
pub type Name = Arc<str>;

/// The type of a field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A number, a character, a truth value.
    Base(Base),
    /// A pointer; its width is the table's.
    Pointer(Box<Type>),
    /// So many of them, one after the other.
    Array(Box<Type>, u64),
    /// A structure or union, by name.
    Udt(Name),
    /// An enumeration, by name.
    Enum(Name),
    /// Some bits of a number.
    Bitfield {
        /// The lowest bit, counted from the least significant one.
        position: u8,
        /// How many bits.
        length: u8,
        /// The number that the bits are part of; its size is how much is read.
        of: Box<Type>,
    },
    /// Code: of a function symbol, or behind a pointer. ISF files do not say what it takes and returns.
    Function(Option<Box<Signature>>),
    /// Nothing is known but the place.
    Void,
}

/// As in C: `unsigned long`, `_EPROCESS*`, `unsigned char[15]`, `unsigned long:12`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Base(base) => f.write_str(&base.name),
            Type::Pointer(to) => write!(f, "{to}*"),
            Type::Array(..) => {
                // The outermost count is said first: `ULONG Matrix[3][5]` is three arrays of five.
                let (mut element, mut counts) = (self, String::new());
                while let Type::Array(of, count) = element {
                    counts += &format!("[{count}]");
                    element = of;
                }
                write!(f, "{element}{counts}")
            }
            Type::Udt(name) | Type::Enum(name) => f.write_str(name),
            Type::Bitfield { length, of, .. } => write!(f, "{of}:{length}"),
            Type::Function(_) => f.write_str("function"),
            Type::Void => f.write_str("void"),
        }
    }
}

/// What a function takes and returns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// [`Type::Void`] for a function that returns nothing.
    pub returns: Type,
    /// In their order.
    pub arguments: Vec<Type>,
    /// Whether any number of further arguments may follow: `...`.
    pub variadic: bool,
}

/// A type of the language itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Base {
    /// `unsigned long`, `wchar` ...
    pub name: Name,
    /// In bytes.
    pub size: u8,
    /// Whether the top bit is a sign.
    pub signed: bool,
    /// What the bits mean.
    pub kind: BaseKind,
}

/// What the bits of a [`Base`] mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BaseKind {
    /// A number.
    Int,
    /// A small number that is often a character.
    Char,
    /// Zero or not.
    Bool,
    /// IEEE 754.
    Float,
}

/// A structure or a union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udt {
    /// With its leading underscore: `_EPROCESS`.
    pub name: Name,
    /// Whether the fields follow or cover one another.
    pub kind: UdtKind,
    /// In bytes.
    pub size: u64,
    /// In the declaration's order where the source keeps it, as PDBs do; else in ascending order of offset, then of the
    /// lowest bit, then of the name.
    pub fields: Vec<Field>,
}

/// Structure or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UdtKind {
    /// `struct` or `class`.
    Struct,
    /// `union`.
    Union,
}

/// A member of a [`Udt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Unique in its type.
    pub name: Name,
    /// In bytes from the start of the type.
    pub offset: u64,
    /// What lies there.
    pub ty: Type,
    /// Whether the member has no name in the source, so that its own members are reached without it.
    pub anonymous: bool,
}

impl Field {
    fn order(&self) -> (u64, u8, &str) {
        let bit = match self.ty {
            Type::Bitfield { position, .. } => position,
            _ => 0,
        };
        (self.offset, bit, &self.name)
    }
}

impl Udt {
    /// A type with its fields brought into the order of their offsets; of two fields of one name the first in that order stays.
    pub fn new(name: Name, kind: UdtKind, size: u64, mut fields: Vec<Field>) -> Udt {
        fields.sort_by(|a, b| a.order().cmp(&b.order()));
        Udt::declared(name, kind, size, fields)
    }

    /// A type whose fields are in the declaration's order; of two fields of one name the first stays.
    pub(crate) fn declared(name: Name, kind: UdtKind, size: u64, mut fields: Vec<Field>) -> Udt {
        let mut seen = std::collections::HashSet::with_capacity(fields.len());
        fields.retain(|field| seen.insert(field.name.clone()));
        fields.shrink_to_fit();
        Udt {
            name,
            kind,
            size,
            fields,
        }
    }

    /// The member of this name; members of anonymous members are not looked at.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| &*field.name == name)
    }
}

/// An enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// With its leading underscore: `_POOL_TYPE`.
    pub name: Name,
    /// In bytes.
    pub size: u64,
    /// In ascending order of value, then of name. Several names may share a value.
    pub constants: Vec<(Name, i64)>,
}

impl Enum {
    /// An enumeration with its constants brought into order.
    pub fn new(name: Name, size: u64, mut constants: Vec<(Name, i64)>) -> Enum {
        constants.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        constants.dedup();
        constants.shrink_to_fit();
        Enum {
            name,
            size,
            constants,
        }
    }

    /// The value of a constant.
    pub fn value_of(&self, name: &str) -> Option<i64> {
        self.constants
            .iter()
            .find(|(n, _)| &**n == name)
            .map(|&(_, value)| value)
    }

    /// The first name of a value. The value may be read with a sign or without one, whichever way the constants are kept.
    pub fn name_of(&self, value: i64) -> Option<&str> {
        let unused = 64u64.saturating_sub(self.size.saturating_mul(8)) as u32;
        let bits = value.cast_unsigned().checked_shl(unused).unwrap_or(0);
        let signed = bits.cast_signed().checked_shr(unused).unwrap_or(0);
        let unsigned = bits.checked_shr(unused).unwrap_or(0).cast_signed();
        [value, signed, unsigned].iter().find_map(|&value| {
            let at = self.constants.partition_point(|&(_, v)| v < value);
            let found = self.constants.get(at).filter(|&&(_, v)| v == value);
            found.map(|(name, _)| &**name)
        })
    }
}

/// Hands out one [`Name`] per text.
#[derive(Debug, Default)]
pub(crate) struct Names(std::collections::HashSet<Name>);

impl Names {
    pub(crate) fn get(&mut self, text: &str) -> Name {
        if let Some(name) = self.0.get(text) {
            return name.clone();
        }
        let name: Name = text.into();
        self.0.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(name: &str, offset: u64, position: u8) -> Field {
        let base = Base {
            name: "unsigned long".into(),
            size: 4,
            signed: false,
            kind: BaseKind::Int,
        };
        let ty = Type::Bitfield {
            position,
            length: 1,
            of: Box::new(Type::Base(base)),
        };
        Field {
            name: name.into(),
            offset,
            ty,
            anonymous: false,
        }
    }

    #[test]
    fn fields_stand_in_the_order_of_offset_bit_and_name() {
        let fields = vec![
            bits("d", 8, 0),
            bits("b", 0, 9),
            bits("a", 0, 10),
            bits("c", 0, 9),
            bits("c", 4, 0),
        ];
        let udt = Udt::new("_T".into(), UdtKind::Struct, 12, fields);
        let names: Vec<_> = udt.fields.iter().map(|f| (&*f.name, f.offset)).collect();
        assert_eq!(names, [("b", 0), ("c", 0), ("a", 0), ("d", 8)]);
        assert_eq!(udt.field("a").map(|f| f.offset), Some(0));
        assert_eq!(udt.field("e"), None);
    }

    #[test]
    fn an_enumeration_is_read_both_ways() {
        let constants = vec![
            ("Last".into(), 2),
            ("Paged".into(), 1),
            ("Alias".into(), 1),
            ("Minus".into(), -1),
        ];
        let e = Enum::new("_E".into(), 4, constants);
        assert_eq!(
            [-2, -1, 1, 2, 3].map(|v| e.name_of(v)),
            [None, Some("Minus"), Some("Alias"), Some("Last"), None]
        );
        assert_eq!(e.name_of(0xffff_ffff), Some("Minus"));
        assert_eq!(e.name_of(0x1_0000_0001), Some("Alias"));
        let wide = Enum::new("_B".into(), 1, vec![("Blue".into(), 255)]);
        assert_eq!(
            [-1, 255, 254].map(|v| wide.name_of(v)),
            [Some("Blue"), Some("Blue"), None]
        );
        assert_eq!((e.value_of("Paged"), e.value_of("paged")), (Some(1), None));
    }
}
