//! The driver that clang and lld-link built from a source of ours (`tests/fixtures/driver`): what its PDB says is compared
//! with what the source says.

use rkd_dump::addr::Rva;
use rkd_symbols::{PdbId, SymbolKind, SymbolPath, SymbolTable, Type, UdtKind, isf, pdb};
use std::path::PathBuf;

pub fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/driver")
        .join(name)
}

pub fn table() -> SymbolTable {
    pdb::open(&file("driver.pdb"), None).unwrap()
}

/// The identity as the image has it, read by goblin.
pub fn identity() -> PdbId {
    let image = std::fs::read(file("driver.sys")).unwrap();
    let image = goblin::pe::PE::parse(&image).unwrap();
    let record = image.debug_data.unwrap().codeview_pdb70_debug_info.unwrap();
    let guid = rkd_symbols::Guid::from_memory(record.signature);
    let name = std::str::from_utf8(record.filename).unwrap();
    PdbId::new(guid, record.age, name.trim_end_matches('\0'))
}

/// `OFFSET NAME TYPE` for each member, in the declaration's order.
fn layout(table: &SymbolTable, name: &str) -> Vec<String> {
    let udt = table.udt(name).unwrap();
    let line = |field: &rkd_symbols::Field| {
        let bit = match field.ty {
            Type::Bitfield { position, .. } => format!(".{position}"),
            _ => String::new(),
        };
        format!("{:x}{bit} {} {}", field.offset, field.name, field.ty)
    };
    udt.fields.iter().map(line).collect()
}

#[test]
fn image_and_pdb_belong_together() {
    let table = table();
    assert_eq!(table.identity(), Some(&identity()));
    assert_eq!((table.machine(), table.pointer_size()), (Some(0x8664), 8));
    assert!(table.is_private());
}

#[test]
fn functions_and_variables_are_where_the_image_has_them() {
    let table = table();
    let image = std::fs::read(file("driver.sys")).unwrap();
    let image = goblin::pe::PE::parse(&image).unwrap();
    for export in &image.exports {
        let name = export.name.unwrap();
        assert_eq!(table.rva(name), Some(Rva(export.rva as u32)), "{name}");
    }
    let entry = image
        .header
        .optional_header
        .unwrap()
        .standard_fields
        .address_of_entry_point;
    assert_eq!(table.rva("DriverEntry"), Some(Rva(entry)));

    let one = |name| table.named(name).next().unwrap();
    let allocate = one("AllocateObject");
    assert_eq!(
        (allocate.info.kind, allocate.info.private),
        (SymbolKind::Function, true)
    );
    let next = table.next_above(allocate.rva).unwrap();
    let size = allocate.info.size.unwrap();
    assert!(size > 0x20 && size <= next.0 - allocate.rva.0, "{size:#x}");
    let Some(Type::Function(Some(signature))) = allocate.info.ty else {
        unreachable!("it has a signature")
    };
    assert_eq!(signature.returns.to_string(), "_OBJECT*");
    assert_eq!(signature.arguments[0].to_string(), "unsigned long");

    let table_of_eight = one("g_Table");
    assert_eq!(table_of_eight.info.kind, SymbolKind::Data);
    assert_eq!(
        table_of_eight.info.ty.unwrap().to_string(),
        "unsigned long[8]"
    );
    // Each module has one of its own.
    let counters: Vec<_> = table.named("s_Counter").map(|s| s.rva.0).collect();
    assert_eq!(counters.len(), 2);
    assert_eq!(counters[1] - counters[0], 4);
    assert_eq!(table.rva("s_Counter"), Some(Rva(counters[0])));
    assert_eq!(
        one("FreeObject::s_Freed").info.ty.unwrap().to_string(),
        "unsigned long"
    );
    // A public symbol and nothing else: the import's slot.
    let slot = one("__imp_ExAllocatePoolWithTag");
    assert_eq!((slot.info.private, slot.info.ty), (false, None));
    let near = table.nearest_symbol(Rva(allocate.rva.0 + 5)).unwrap();
    assert_eq!(near.name, "AllocateObject");
}

#[test]
fn structures_unions_bit_fields_and_arrays_are_those_of_the_source() {
    let table = table();
    let object = table.udt("_OBJECT").unwrap();
    assert_eq!((object.kind, object.size), (UdtKind::Struct, 0xf0));
    let lines = layout(&table, "_OBJECT");
    let u1 = table.field("_OBJECT", "u1").unwrap().ty.to_string();
    let expected = [
        "0 Type unsigned short",
        "2 Size unsigned short",
        "8 Next _OBJECT*",
        "10 Links _LIST",
        "20 Entries _ENTRY[4]",
        "40 Matrix unsigned long[3][5]",
        "7c Shape _SHAPE",
        "80 Other _SIGNED_SHAPE",
        "88 Routine function*",
        "90 Routines function*[2]",
        "a0 Unknown _NEVER_DEFINED*",
        "a8 Table _LIST**",
        &format!("b0 u1 {u1}"),
        "b8 Real f32",
        "b8 Precise double",
        "b8 Wide long long",
        "c0 Name unsigned short[16]",
        "e0 Text char*",
        "e8 Tail unsigned char[1]",
    ];
    assert_eq!(lines, expected);
    let bits = [
        "0.0 Valid unsigned long long:1",
        "0.1 Dirty unsigned long long:1",
        "0.4 Software unsigned long long:8",
        "0.12 PageFrameNumber unsigned long long:36",
        "0.48 Top unsigned long long:16",
    ];
    assert_eq!(layout(&table, "_BITS"), bits);
    let inner = [
        "0.0 Inner unsigned char:3",
        "0.3 Rest unsigned char:5",
        "0 Whole unsigned char",
    ];
    assert_eq!(layout(&table, &u1), inner);
    assert_eq!(table.udt("_ENTRY").unwrap().kind, UdtKind::Union);
    let at = |path| table.field("_OBJECT", path).unwrap();
    assert_eq!(at("Entries[2].Hard.Software").offset, 0x30);
    assert_eq!(at("Entries[1].Halves.Second").offset, 0x2a);
    assert_eq!(table.size_of(at("Matrix").ty), Some(60));
    let Type::Pointer(routine) = at("Routine").ty else {
        unreachable!("a pointer")
    };
    let Type::Function(Some(routine)) = &**routine else {
        unreachable!("a function")
    };
    assert_eq!(
        (routine.returns.to_string(), routine.variadic),
        ("long".into(), true)
    );
    assert_eq!(routine.arguments.len(), 2);
    assert_eq!(
        layout(&table, "_ONLY_HERE"),
        ["0 Bytes unsigned char[3]", "8 More _ONLY_HERE*[2]"]
    );
}

#[test]
fn enumerations_and_names_of_types_are_those_of_the_source() {
    let table = table();
    let shape = table.enumeration("_SHAPE").unwrap();
    assert_eq!(shape.value_of("ShapeLast"), Some(0x7fff_ffff));
    assert_eq!(
        (shape.name_of(2), shape.constants.len()),
        (Some("ShapeAlias"), 5)
    );
    let signed = table.enumeration("_SIGNED_SHAPE").unwrap();
    assert_eq!(
        (signed.value_of("Below"), signed.name_of(-2)),
        (Some(-2), Some("Below"))
    );
    let typedef = |name| table.typedef(name).map(ToString::to_string);
    assert_eq!(typedef("OBJECT").as_deref(), Some("_OBJECT"));
    assert_eq!(typedef("ULONG").as_deref(), Some("unsigned long"));
    assert_eq!(typedef("_OBJECT"), None);
}

#[test]
fn classes_have_the_members_of_their_bases() {
    let table = table();
    let square = [
        "0 shapes::Base shapes::Base",
        "10 Corners shapes::Square::Nested[2]",
        "28 Paint shapes::Square::Colour",
        "30 Where shapes::Point*",
        "38 Member pointer32",
        "3c IsLarge bool",
    ];
    assert_eq!(layout(&table, "shapes::Square"), square);
    assert_eq!(table.field("shapes::Square", "Id").unwrap().offset, 8);
    let nested = [
        "0 Corner shapes::Point",
        "8.0 Flags unsigned int:4",
        "8.4 More unsigned int:28",
    ];
    assert_eq!(layout(&table, "shapes::Square::Nested"), nested);
    let colour = table.enumeration("shapes::Square::Colour").unwrap();
    assert_eq!((colour.size, colour.name_of(-1)), (1, Some("Blue")));
    let area = table.named("shapes::Square::Area").next().unwrap();
    assert_eq!(table.rva("?Area@Square@shapes@@UEBAHXZ"), Some(area.rva));
}

#[test]
fn only_the_pdb_of_the_same_link_is_taken() {
    let folder = file("");
    let find = |id: &PdbId| SymbolPath::parse(&folder.display().to_string()).find(id);
    let id = identity();
    let found = find(&id).table.unwrap();
    assert_eq!(
        found.source().to_string(),
        file("driver.pdb").display().to_string()
    );
    let other = PdbId::new(id.guid, id.age + 1, "driver.pdb");
    let refused = find(&other);
    assert!(refused.table.is_none());
    assert_eq!(
        refused.tried[0].why,
        format!("it is for {id}, not for {other}")
    );
    assert!(pdb::open(&file("driver.pdb"), Some(&id)).is_ok());
}

/// What a table says of each type, in one form for PDB and ISF: ISF keeps neither the order of members nor signatures.
fn said(table: &SymbolTable) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for udt in table.udts() {
        let mut fields = layout(table, &udt.name);
        fields.sort();
        lines.push(format!(
            "{:?} {} {:x} {fields:?}",
            udt.kind, udt.name, udt.size
        ));
    }
    lines.extend(table.enumerations().map(|e| format!("{e:?}")));
    lines.sort();
    lines
}

#[test]
fn an_isf_file_made_of_the_pdb_says_the_same() {
    let table = table();
    let text = isf::write(&table).unwrap();
    let packed = isf::pack(&text).unwrap();
    let read = isf::parse(&file("driver.json.xz"), &packed).unwrap();
    assert_eq!(
        (read.identity(), read.machine()),
        (table.identity(), table.machine())
    );
    assert_eq!(said(&read), said(&table));
    let mut missing: Vec<_> = table
        .symbols()
        .filter(|(name, rva)| read.rva(name) != Some(*rva))
        .collect();
    // A name is a key there: the second static variable of one name has no place.
    assert_eq!(missing.pop().map(|(name, _)| name), Some("s_Counter"));
    assert_eq!(missing, []);
    let counter = read.named("s_Counter").next().unwrap();
    assert_eq!(counter.info.ty.unwrap().to_string(), "unsigned long");
    assert_eq!(
        isf::write(&read).unwrap().len(),
        text.len(),
        "nothing is lost the second time"
    );
}
