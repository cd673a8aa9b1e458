//! A made-up type with one field of every kind, and two real ones.

use super::*;
use crate::types::{Base, BaseKind, Field, UdtKind};
use crate::{Source, TableBuilder, builtin_facts};

const AT: Virt = Virt(0xffff_f807_2260_0000);

fn base(name: &str, size: u8, signed: bool) -> Type {
    Type::Base(Base {
        name: name.into(),
        size,
        signed,
        kind: BaseKind::Int,
    })
}

fn bits(of: Type, position: u8, length: u8) -> Type {
    Type::Bitfield {
        position,
        length,
        of: Box::new(of),
    }
}

/// One field of every kind.
fn table() -> SymbolTable {
    let int = || base("int", 4, true);
    let fields = [
        ("Byte", 0, base("unsigned char", 1, false)),
        ("Key", 4, base("long", 4, true)),
        ("Low", 4, bits(base("unsigned long", 4, false), 0, 12)),
        ("Top", 4, bits(int(), 28, 4)),
        ("Past", 4, bits(int(), 70, 4)),
        ("None", 4, bits(int(), 4, 0)),
        (
            "Whole",
            8,
            bits(base("unsigned long long", 8, false), 0, 64),
        ),
        ("Kind", 4, Type::Enum("_KIND".into())),
        ("Quad", 8, base("unsigned long long", 8, false)),
        ("Self", 8, Type::Pointer(Box::new(Type::Udt("_ALL".into())))),
        ("Inner", 16, Type::Udt("_INNER".into())),
        (
            "Words",
            16,
            Type::Array(Box::new(base("unsigned short", 2, false)), 4),
        ),
        ("Lost", 16, Type::Udt("_LOST".into())),
        ("Far", 24, base("int", 4, true)),
        ("Odd", 0, base("odd", 3, false)),
    ];
    let field = |(name, offset, ty): (&str, u64, Type)| Field {
        name: name.into(),
        offset,
        ty,
        anonymous: false,
    };
    let mut table = TableBuilder::new(Source::Facts);
    table.udt(Udt::new(
        "_ALL".into(),
        UdtKind::Struct,
        32,
        fields.map(field).into(),
    ));
    let inner = vec![field(("Word", 0, base("unsigned short", 2, false)))];
    table.udt(Udt::new("_INNER".into(), UdtKind::Union, 8, inner));
    table.enumeration(Enum::new(
        "_KIND".into(),
        4,
        vec![("Bad".into(), -1_985_229_329)],
    ));
    table.build()
}

fn space() -> AddressSpace {
    let mut bytes = vec![0xa5, 0, 0, 0, 0xef, 0xcd, 0xab, 0x89];
    bytes.extend(AT.0.to_le_bytes());
    bytes.extend([1, 0, 2, 0, 3, 0, 0, 0x80]);
    AddressSpace::of_blocks(vec![(AT, bytes), (AT + 0x1000, vec![0; 64])])
}

#[test]
fn a_number_is_as_wide_as_its_type() {
    let (table, space) = (table(), space());
    let all = Struct::new(&space, &table, "_ALL", AT).unwrap();
    let values = [
        "Byte", "Key", "Low", "Top", "Past", "None", "Whole", "Kind", "Quad", "Inner",
    ]
    .map(|name| {
        let cell = all.field(name).unwrap();
        (name, cell.u64().unwrap(), cell.i64().unwrap())
    });
    let expected = [
        ("Byte", 0xa5, 0xa5),
        ("Key", 0x89ab_cdef, -1_985_229_329),
        ("Low", 0xdef, 0xdef),
        ("Top", 8, -8),
        ("Past", 0, 0),
        ("None", 0, 0),
        ("Whole", AT.0, AT.0.cast_signed()),
        ("Kind", 0x89ab_cdef, -1_985_229_329),
        ("Quad", AT.0, AT.0.cast_signed()),
        (
            "Inner",
            0x8000_0003_0002_0001,
            0x8000_0003_0002_0001_u64.cast_signed(),
        ),
    ];
    assert_eq!(values, expected);
    let kind = all.field("Kind").unwrap();
    let name = kind.enumeration().and_then(|e| e.name_of(kind.i64().ok()?));
    assert_eq!(name, Some("Bad"));
    assert_eq!(
        (all.size(), all.has("Inner.Word"), all.has("Inner.Wort")),
        (32, true, false)
    );
}

#[test]
fn structures_arrays_and_pointers_are_walked() {
    let (table, space) = (table(), space());
    let all = Struct::new(&space, &table, "_ALL", AT).unwrap();
    let words = all.field("Words").unwrap();
    let values: Vec<_> = (0..words.count().unwrap())
        .map(|i| words.index(i).unwrap().u64().unwrap())
        .collect();
    assert_eq!(values, [1, 2, 3, 0x8000]);
    assert_eq!(words.bytes().unwrap(), [1, 0, 2, 0, 3, 0, 0, 0x80]);
    assert_eq!(all.field("Words[2]").unwrap().address(), AT + 20);
    let same = all.field("Self").unwrap().target().unwrap();
    assert_eq!(same.address(), AT);
    assert_eq!(same.field("Inner.Word").unwrap().u64().unwrap(), 1);
    assert_eq!(format!("{same:?} {:?}", all.field("Self").unwrap()), {
        "_ALL at fffff807`22600000 _ALL* at fffff807`22600008"
    });
}

#[test]
fn what_is_missing_is_told_apart() {
    let (table, space) = (table(), space());
    let all = Struct::new(&space, &table, "_ALL", AT).unwrap();
    let text = |result: Result<u64>| result.unwrap_err().to_string();
    let get = |path: &str| all.field(path).and_then(|cell| cell.u64());
    assert!(matches!(get("Far"), Err(Error::Fault(fault)) if fault.at == AT + 24));
    assert!(matches!(all.bytes(), Err(Error::Fault(fault)) if fault.at == AT + 24));
    assert_eq!(text(get("Nothing")), "_ALL has no field Nothing");
    assert_eq!(text(get("Lost.x")), "no type _LOST");
    assert_eq!(text(get("Lost")), "no type _LOST");
    let missing = Struct::new(&space, &table, "_NONE", AT)
        .unwrap_err()
        .to_string();
    assert_eq!(missing, "no type _NONE");
    let words = all.field("Words").unwrap();
    assert_eq!(
        text(words.u64()),
        "unsigned short[4] at fffff807`22600010 is not a number"
    );
    assert_eq!(text(get("Odd")), "odd at fffff807`22600000 is not a number");
    assert_eq!(
        words.index(4).unwrap_err().to_string(),
        "element 4 of 4 does not exist"
    );
    let byte = all.field("Byte").unwrap();
    assert_eq!(
        [
            byte.index(0).err(),
            byte.target().err(),
            byte.as_struct().err()
        ]
        .map(|e| e.unwrap().to_string()),
        ["an array", "a pointer", "a structure"]
            .map(|what| format!("unsigned char at fffff807`22600000 is not {what}"))
    );
}

#[test]
fn a_real_type_is_read_by_its_own_layout() {
    // The same bytes mean different things to two kernels: counts moved behind the bytes between 14393 and 17763.
    let row: Vec<u8> = (0..10u64)
        .flat_map(|i| (i << 32 | (i + 100)).to_le_bytes())
        .collect();
    let space = AddressSpace::of_blocks(vec![(AT, row)]);
    let read = |version| {
        let table = builtin_facts().by_version(version).unwrap();
        let row = Struct::new(&space, &table, "_POOL_TRACKER_TABLE", AT).unwrap();
        ["NonPagedBytes", "NonPagedFrees", "PagedAllocs"]
            .map(|f| row.field(f).unwrap().u64().unwrap())
    };
    assert_eq!(read("14393.4583"), [2 << 32 | 102, 101, 103]);
    assert_eq!(
        read("19041.3570"),
        [1 << 32 | 101, 3 << 32 | 103, 5 << 32 | 105]
    );
}
