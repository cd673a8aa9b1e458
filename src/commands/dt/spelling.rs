//! How kd writes types: `Uint4B`, `Ptr64 Void`, `[8] Ptr64 _KTHREAD`, `Pos 3, 2 Bits`; and with `-v` everything about them.

use rkd_symbols::{Base, BaseKind, Signature, SymbolTable, Type, UdtKind};
use std::borrow::Cow;

/// The type of a field, in the short form.
pub fn short(table: &SymbolTable, ty: &Type) -> String {
    match ty {
        Type::Base(base) => word(base),
        Type::Pointer(to) => match &**to {
            Type::Function(signature) => format!("{}     {}", pointer(table), returns(signature)),
            to => format!("{} {}", pointer(table), short(table, to)),
        },
        Type::Array(of, count) => format!("[{count}] {}", short(table, of)),
        Type::Udt(name) | Type::Enum(name) => tag(name).to_string(),
        Type::Bitfield {
            position, length, ..
        } => format!("Pos {position}, {}", bits(*length)),
        Type::Function(_) => "function".into(),
        Type::Void => "Void".into(),
    }
}

/// The type of a field with `-v`. An enumeration is followed by an empty line, as in kd.
pub fn verbose(table: &SymbolTable, ty: &Type) -> String {
    match ty {
        Type::Pointer(to) => match &**to {
            Type::Function(signature) => {
                format!("{} to     {}", pointer(table), returns(signature))
            }
            to => format!("{} to {}", pointer(table), verbose(table, to)),
        },
        Type::Array(of, count) => format!("[{count}] {}", verbose(table, of)),
        Type::Udt(name) => structure(table, name),
        Type::Enum(name) => {
            let count = table.enumeration(name).map_or(0, |e| e.constants.len());
            format!("Enum {},  {count} total enums\n", tag(name))
        }
        Type::Bitfield { .. } => format!("Bitfield {}", short(table, ty)),
        Type::Base(_) | Type::Function(_) | Type::Void => short(table, ty),
    }
}

/// What kd writes of a pointer to a function: the type that it returns and a blank. ISF does not tell it.
pub fn returns(signature: &Option<Box<Signature>>) -> String {
    match signature {
        Some(signature) => format!("{} ", source(&signature.returns)),
        None => "function".into(),
    }
}

/// The type as the source has it, without `struct` in front: `unsigned long`, `_EPROCESS*`.
fn source(ty: &Type) -> String {
    match ty {
        Type::Base(base) if &*base.name == "wchar" => "wchar_t".into(),
        Type::Base(base) if &*base.name == "long long" => "int64".into(),
        Type::Base(base) if &*base.name == "unsigned long long" => "unsigned int64".into(),
        Type::Pointer(to) => format!("{}*", source(to)),
        Type::Udt(name) | Type::Enum(name) => tag(name).to_string(),
        ty => ty.to_string(),
    }
}

/// The type as `x` and `??` write it: `struct _UNICODE_STRING [42]`, `unsigned short *`, `struct WDFTIMER__ *`.
pub fn long(table: &SymbolTable, ty: &Type) -> String {
    match ty {
        Type::Pointer(to) => match &**to {
            Type::Function(signature) => match signature {
                Some(signature) => format!("{} <function> *", long(table, &signature.returns)),
                None => "<function> *".into(),
            },
            // Stars stand together.
            to @ Type::Pointer(_) => format!("{}*", long(table, to)),
            to => format!("{} *", long(table, to)),
        },
        Type::Array(..) => {
            let (mut element, mut counts) = (ty, String::new());
            while let Type::Array(of, count) = element {
                counts.push_str(&format!("[{count}]"));
                element = of;
            }
            match long(table, element) {
                text if text.ends_with('*') => format!("{text}{counts}"),
                text => format!("{text} {counts}"),
            }
        }
        Type::Udt(name) => {
            let kind = match table.udt(name).map(|udt| udt.kind) {
                Some(UdtKind::Union) => "union",
                _ => "struct",
            };
            format!("{kind} {}", tag(name))
        }
        Type::Enum(name) => format!("enum {}", tag(name)),
        Type::Bitfield { of, .. } => long(table, of),
        Type::Function(Some(signature)) => arguments(table, signature),
        Type::Function(None) => "<function>".into(),
        ty => source(ty),
    }
}

/// What a function takes: `(void *, unsigned long, ...)`, `(void)`.
fn arguments(table: &SymbolTable, signature: &Signature) -> String {
    let mut all: Vec<String> = signature
        .arguments
        .iter()
        .map(|ty| long(table, ty))
        .collect();
    if signature.variadic {
        all.push("...".into());
    }
    match all.is_empty() {
        true => "(void)".into(),
        false => format!("({})", all.join(", ")),
    }
}

/// `struct _POOL_HEADER, 9 elements, 0x10 bytes`. What is only mentioned in a PDB has no elements; the built-in facts hold
/// some types only.
pub fn structure(table: &SymbolTable, name: &str) -> String {
    let udt = table.udt(name);
    if udt.is_none() && super::find::is_facts(table) {
        return format!("struct {}", tag(name));
    }
    let kind = match udt.map(|udt| udt.kind) {
        Some(UdtKind::Union) => "union",
        _ => "struct",
    };
    let (elements, size) = udt.map_or((0, 0), |udt| (udt.fields.len(), udt.size));
    format!("{kind} {}, {elements} elements, {size:#x} bytes", tag(name))
}

/// kd's word for a type of the language.
fn word(base: &Base) -> String {
    let size = base.size;
    match (base.kind, &*base.name) {
        (_, "wchar" | "wchar_t") => "Wchar".into(),
        (_, "HRESULT") => "HRESULT".into(),
        (BaseKind::Bool, _) => "Bool".into(),
        (BaseKind::Float, _) => "Float".into(),
        (BaseKind::Char, _) if size == 1 => match base.signed {
            true => "Char".into(),
            false => "UChar".into(),
        },
        (BaseKind::Char | BaseKind::Int, _) => match base.signed {
            true => format!("Int{size}B"),
            false => format!("Uint{size}B"),
        },
    }
}

/// Types without a name of their own get one in a symbol table, so that they can be asked for; kd shows them as what they are.
pub fn tag(name: &str) -> Cow<'_, str> {
    let (outer, last) = match name.rfind("::") {
        Some(at) => name.split_at(at + 2),
        None => ("", name),
    };
    let numbered = |prefix: &str| {
        last.strip_prefix(prefix)
            .is_some_and(|number| number.chars().all(|c| c.is_ascii_hexdigit()))
    };
    if numbered("__anonymous_") {
        format!("{outer}<anonymous-tag>").into()
    } else if numbered("__unnamed_") {
        format!("{outer}<unnamed-tag>").into()
    } else {
        name.into()
    }
}

/// `1 Bit`, `13 Bits`.
fn bits(length: u8) -> String {
    match length {
        1 => "1 Bit".into(),
        length => format!("{length} Bits"),
    }
}

/// `Ptr64`, or `Ptr32` where pointers have four bytes.
fn pointer(table: &SymbolTable) -> String {
    format!("Ptr{}", u32::from(table.pointer_size()) * 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rkd_symbols::{Enum, Field, Source, TableBuilder, Udt};

    fn base(name: &str, size: u8, signed: bool, kind: BaseKind) -> Type {
        Type::Base(Base {
            name: name.into(),
            size,
            signed,
            kind,
        })
    }

    fn table() -> SymbolTable {
        let mut table = TableBuilder::new(Source::Exports);
        let field = Field {
            name: "A".into(),
            offset: 0,
            ty: Type::Void,
            anonymous: false,
        };
        table.udt(Udt::new("_U".into(), UdtKind::Union, 8, vec![field]));
        table.enumeration(Enum::new("_E".into(), 4, vec![("One".into(), 1)]));
        table.build()
    }

    #[test]
    fn every_kind_of_type() {
        let table = table();
        let pointer = |to: &Type| Type::Pointer(Box::new(to.clone()));
        let array = |of: &Type, count| Type::Array(Box::new(of.clone()), count);
        let long = base("unsigned long", 4, false, BaseKind::Int);
        let one = Type::Bitfield {
            position: 31,
            length: 1,
            of: Box::new(long.clone()),
        };
        let many = Type::Bitfield {
            position: 0,
            length: 12,
            of: Box::new(long.clone()),
        };
        let function = Type::Function(Some(Box::new(Signature {
            returns: pointer(&Type::Void),
            arguments: vec![],
            variadic: false,
        })));
        let (union, none) = (Type::Udt("_U".into()), Type::Udt("_NONE".into()));
        for (ty, expected, expected_verbose) in [
            (long.clone(), "Uint4B", "Uint4B"),
            (base("long long", 8, true, BaseKind::Int), "Int8B", "Int8B"),
            (
                base("unsigned char", 1, false, BaseKind::Char),
                "UChar",
                "UChar",
            ),
            (base("char", 1, true, BaseKind::Char), "Char", "Char"),
            (base("wchar", 2, true, BaseKind::Int), "Wchar", "Wchar"),
            (base("double", 8, true, BaseKind::Float), "Float", "Float"),
            (base("bool", 1, false, BaseKind::Bool), "Bool", "Bool"),
            (pointer(&Type::Void), "Ptr64 Void", "Ptr64 to Void"),
            (
                pointer(&pointer(&Type::Void)),
                "Ptr64 Ptr64 Void",
                "Ptr64 to Ptr64 to Void",
            ),
            (
                pointer(&Type::Function(None)),
                "Ptr64     function",
                "Ptr64 to     function",
            ),
            (
                pointer(&function),
                "Ptr64     void* ",
                "Ptr64 to     void* ",
            ),
            (
                array(&array(&long, 3), 2),
                "[2] [3] Uint4B",
                "[2] [3] Uint4B",
            ),
            (one, "Pos 31, 1 Bit", "Bitfield Pos 31, 1 Bit"),
            (many, "Pos 0, 12 Bits", "Bitfield Pos 0, 12 Bits"),
            (
                pointer(&union),
                "Ptr64 _U",
                "Ptr64 to union _U, 1 elements, 0x8 bytes",
            ),
            (none, "_NONE", "struct _NONE, 0 elements, 0x0 bytes"),
            (Type::Enum("_E".into()), "_E", "Enum _E,  1 total enums\n"),
            (
                Type::Udt("__anonymous_19c9".into()),
                "<anonymous-tag>",
                "struct <anonymous-tag>, 0 elements, 0x0 bytes",
            ),
            (
                Type::Udt("__unnamed_1".into()),
                "<unnamed-tag>",
                "struct <unnamed-tag>, 0 elements, 0x0 bytes",
            ),
        ] {
            assert_eq!(short(&table, &ty), expected, "{ty}");
            assert_eq!(verbose(&table, &ty), expected_verbose, "{ty}");
        }
    }

    #[test]
    fn types_as_x_writes_them() {
        let table = table();
        let pointer = |to: &Type| Type::Pointer(Box::new(to.clone()));
        let array = |of: &Type, count| Type::Array(Box::new(of.clone()), count);
        let short = base("unsigned short", 2, false, BaseKind::Int);
        let (object, union) = (Type::Udt("_OBJECT".into()), Type::Udt("_U".into()));
        let function = |arguments: Vec<Type>, variadic| {
            Type::Function(Some(Box::new(Signature {
                returns: Type::Void,
                arguments,
                variadic,
            })))
        };
        for (ty, expected) in [
            (array(&object, 42), "struct _OBJECT [42]"),
            (array(&pointer(&short), 42), "unsigned short *[42]"),
            (array(&array(&short, 5), 3), "unsigned short [3][5]"),
            (pointer(&pointer(&Type::Void)), "void **"),
            (union, "union _U"),
            (Type::Enum("_E".into()), "enum _E"),
            (function(vec![], false), "(void)"),
            (
                function(vec![pointer(&object), short.clone()], true),
                "(struct _OBJECT *, unsigned short, ...)",
            ),
            (pointer(&function(vec![], false)), "void <function> *"),
        ] {
            assert_eq!(long(&table, &ty), expected);
        }
    }
}
