//! Tables that are made by hand.

use super::super::TableBuilder;
use super::super::types::{Base, BaseKind, UdtKind};
use super::*;

fn table() -> SymbolTable {
    let mut table = TableBuilder::new(Source::Exports);
    for (name, rva) in [
        ("memmove", 0x30),
        ("?f@@YAXXZ", 0x30),
        ("memcpy", 0x30),
        ("?Sm@@3U_SM@@A", 0x40),
        ("_chkstk", 0x20),
        ("Zeta", 0x10),
        ("Zeta", 0x11),
        ("?Same@@YAXXZ", 0x50),
        ("Same", 0x60),
    ] {
        table.symbol(name, Rva(rva));
    }
    let u32_type = Type::Base(Base {
        name: "u32".into(),
        size: 4,
        signed: false,
        kind: BaseKind::Int,
    });
    let udt = |name: &str| Type::Udt(name.into());
    let field = |name: &str, offset, ty: &Type| Field {
        name: name.into(),
        offset,
        ty: ty.clone(),
        anonymous: false,
    };
    let hidden = |offset, ty: &Type| Field {
        anonymous: true,
        ..field("u1", offset, ty)
    };
    let array = |of: &Type, count| Type::Array(Box::new(of.clone()), count);
    for (name, fields) in [
        (
            "_OUTER",
            vec![
                field("In", 0x10, &array(&udt("_INNER"), 4)),
                field("Any", 0x90, &array(&u32_type, 1)),
            ],
        ),
        (
            "_INNER",
            vec![
                field("A", 4, &array(&array(&u32_type, 3), 2)),
                hidden(0x1c, &udt("_HIDDEN")),
            ],
        ),
        (
            "_HIDDEN",
            vec![field("H", 0, &u32_type), hidden(0, &udt("_HIDDEN"))],
        ),
        ("_LOOP", vec![hidden(1, &udt("_LOOP2"))]),
        (
            "_LOOP2",
            vec![hidden(1, &udt("_LOOP")), field("Lost", 2, &udt("_LOST"))],
        ),
    ] {
        table.udt(Udt::new(name.into(), UdtKind::Struct, 0x20, fields));
    }
    table.build()
}

#[test]
fn a_symbol_is_found_by_its_plain_name() {
    let table = table();
    let rva = |name| table.rva(name).map(|rva| rva.0);
    assert_eq!(rva("memcpy"), Some(0x30));
    assert_eq!((rva("Sm"), rva("?Sm@@3U_SM@@A")), (Some(0x40), Some(0x40)));
    assert_eq!((rva("chkstk"), rva("_chkstk")), (Some(0x20), Some(0x20)));
    assert_eq!(rva("Same"), Some(0x60), "the exact name goes first");
    assert_eq!(rva("Zeta"), Some(0x10), "the first address of a name stays");
    assert_eq!((rva("S"), rva(""), rva("memcpyx")), (None, None, None));
    assert_eq!(table.len(), 9, "both places of a name are kept");
}

#[test]
fn the_nearest_symbol_is_the_last_below_and_plain_if_possible() {
    let table = table();
    let nearest = |rva| table.nearest(Rva(rva));
    assert_eq!(nearest(0xf), None);
    assert_eq!(nearest(0x10), Some(("Zeta", 0)));
    assert_eq!(nearest(0x2f), Some(("_chkstk", 0xf)));
    assert_eq!(nearest(0x33), Some(("memcpy", 3)));
    assert_eq!(nearest(u32::MAX), Some(("Same", u32::MAX - 0x60)));
    assert_eq!(
        (table.next_above(Rva(0x30)), table.next_above(Rva(0x60))),
        (Some(Rva(0x40)), None)
    );
    assert_eq!(
        TableBuilder::new(Source::Facts).build().nearest(Rva(1)),
        None
    );
}

#[test]
fn a_path_goes_through_arrays_and_anonymous_members() {
    let table = table();
    let at = |path| {
        table
            .field("_OUTER", path)
            .map(|f| f.offset)
            .map_err(|e| e.to_string())
    };
    assert_eq!(at("In[2].A[1][2]"), Ok(0x10 + 0x40 + 4 + 12 + 8));
    assert_eq!(at("In[3].H"), Ok(0x10 + 0x60 + 0x1c));
    assert_eq!(
        at("Any[7]"),
        Ok(0x90 + 28),
        "an array of one is an array of any length"
    );
    for path in [
        "",
        ".",
        "In[4].H",
        "In[x].H",
        "In[1",
        "In.H",
        "Any.x",
        "in",
        "In[1].H[0]",
        "In[1].B",
    ] {
        assert_eq!(at(path), Err(format!("_OUTER has no field {path}")));
    }
    let error = |ty, path| table.field(ty, path).unwrap_err().to_string();
    assert_eq!(error("_NONE", "a"), "no type _NONE");
    assert_eq!(error("_LOOP", "a"), "_LOOP has no field a");
    assert_eq!(error("_LOOP", "Lost.x"), "no type _LOST");
}
