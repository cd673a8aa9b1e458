//! PDBs made by Microsoft's compiler and linker, which `tests/symbols/fetch` brings, against their images and against what
//! `llvm-pdbutil dump -types -publics -symbols` counts in them.

use super::driver;
use crate::support::data;
use rkd_dump::addr::Rva;
use rkd_symbols::{Guid, PdbId, Type, file, isf};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The names that llvm-pdbutil 14 finds in a file: of public symbols with an address, of procedures and thunks, of structures and
/// unions that have a name, the sizes of the first ones of each name together, and of enumerations.
const COUNTED: [(&str, [usize; 5]); 14] = [
    ("debugpy/attach_amd64", [414, 131, 419, 19842, 63]),
    ("debugpy/attach_x86", [424, 141, 414, 12454, 63]),
    ("debugpy/inject_dll_amd64", [2166, 997, 1006, 110_270, 246]),
    ("debugpy/inject_dll_x86", [2294, 1033, 1014, 94519, 246]),
    (
        "node-pty-win32-arm64/conpty",
        [2411, 1188, 1264, 111_522, 255],
    ),
    (
        "node-pty-win32-arm64/conpty_console_list",
        [1369, 534, 976, 97181, 218],
    ),
    ("node-pty-win32-arm64/pty", [2336, 1132, 1239, 109_891, 259]),
    (
        "node-pty-win32-arm64/winpty-agent",
        [2203, 1100, 1132, 296_090, 224],
    ),
    ("node-pty-win32-arm64/winpty", [1807, 968, 994, 94697, 209]),
    (
        "node-pty-win32-x64/conpty",
        [2463, 1221, 1401, 118_496, 264],
    ),
    (
        "node-pty-win32-x64/conpty_console_list",
        [1402, 563, 993, 93798, 224],
    ),
    ("node-pty-win32-x64/pty", [2382, 1162, 1375, 116_857, 267]),
    (
        "node-pty-win32-x64/winpty-agent",
        [2283, 1127, 1268, 303_048, 233],
    ),
    ("node-pty-win32-x64/winpty", [1858, 991, 1130, 101_663, 218]),
];

fn sample(name: &str) -> Option<PathBuf> {
    data::sample(
        "RKD_PDB_SAMPLES",
        "pdb-samples",
        name,
        "tests/symbols/fetch",
    )
}

#[test]
fn microsofts_pdbs_are_read_without_a_loss() {
    for (name, [publics, procedures, types, bytes, enumerations]) in COUNTED {
        let Some(path) = sample(&format!("{name}.pdb")) else {
            return;
        };
        let table = file::open(&path, None).unwrap();
        assert!(table.is_private(), "{name}");
        let names = |is: &dyn Fn(&rkd_symbols::Symbol) -> bool| {
            let symbols = table.all().filter(|symbol| is(symbol));
            symbols
                .map(|symbol| symbol.name.to_owned())
                .collect::<BTreeSet<_>>()
        };
        // What an assembler wrote has a size, and no type.
        let sized = |symbol: &rkd_symbols::Symbol| {
            let info = &symbol.info;
            let ty = info.ty.as_ref();
            assert!(
                info.size.is_none() || ty.is_none_or(|ty| matches!(ty, Type::Function(Some(_))))
            );
            info.private && info.size.is_some()
        };
        assert_eq!(names(&sized).len(), procedures, "{name}");
        // A public symbol at the place of a private one of its name is the same; so these are at least as many.
        assert!(names(&|_| true).len() >= publics, "{name}");
        let named: Vec<_> = table
            .udts()
            .filter(|udt| !udt.name.contains("__unnamed_"))
            .collect();
        assert_eq!(named.len(), types, "{name}");
        assert_eq!(
            named.iter().map(|udt| udt.size).sum::<u64>(),
            bytes as u64,
            "{name}"
        );
        let enums = table
            .enumerations()
            .filter(|e| !e.name.contains("__unnamed_"));
        assert_eq!(enums.count(), enumerations, "{name}");
        // Every member lies inside its type, and what it is made of is known.
        for udt in table.udts() {
            for field in &udt.fields {
                let size = table.size_of(&field.ty);
                // A base without members has a size of one and may lie at the end.
                let is_empty = field.anonymous && size == Some(1);
                let end = field.offset + size.filter(|_| !is_empty).unwrap_or(0);
                assert!(
                    end <= udt.size || udt.size == 0,
                    "{name}: {}.{}",
                    udt.name,
                    field.name
                );
                let is_embedded = !matches!(field.ty, Type::Void | Type::Function(_));
                assert!(
                    size.is_some() || !is_embedded,
                    "{name}: {}.{}",
                    udt.name,
                    field.name
                );
            }
        }
        let again = isf::parse(&path, isf::write(&table).unwrap().as_bytes()).unwrap();
        assert_eq!(again.udt_names().count(), table.udt_names().count());
    }
}

#[test]
fn each_belongs_to_its_image_and_has_its_exports() {
    let mut exports = 0;
    for (name, _) in COUNTED {
        let image = ["dll", "exe", "node"].iter().find_map(|end| {
            let path = sample(&format!("{name}.pdb"))?.with_extension(end);
            path.exists().then_some(path)
        });
        let Some(image) = image else { continue };
        let bytes = std::fs::read(&image).unwrap();
        let pe = goblin::pe::PE::parse(&bytes).unwrap();
        let record = pe.debug_data.unwrap().codeview_pdb70_debug_info.unwrap();
        let id = PdbId::new(Guid::from_memory(record.signature), record.age, "");
        let table = file::open(&image.with_extension("pdb"), Some(&id)).unwrap();
        assert_eq!(
            table.machine(),
            Some(pe.header.coff_header.machine),
            "{name}"
        );
        for export in pe.exports.iter().filter(|export| export.reexport.is_none()) {
            let at = Rva(export.rva as u32);
            let there: Vec<_> = table
                .symbols_by_rva()
                .filter(|(_, rva)| *rva == at)
                .collect();
            let exported = export.name.unwrap();
            let is_named = there.iter().any(|(known, _)| known.contains(exported));
            // Functions that are alike are folded into one, which has one of their names only.
            assert!(is_named || !there.is_empty(), "{name}: {exported} at {at}");
            exports += usize::from(is_named);
        }
        let entry = pe
            .header
            .optional_header
            .unwrap()
            .standard_fields
            .address_of_entry_point;
        let (near, distance) = table.nearest(Rva(entry)).unwrap();
        assert!(distance == 0 && near.contains("Startup"), "{name}: {near}");
    }
    assert!(
        exports > 20 || sample("debugpy").is_none(),
        "{exports} exports were compared"
    );
}

#[test]
fn two_drivers_of_one_name_are_told_apart() {
    let Some(path) = sample("debugpy/attach_x86.pdb") else {
        return;
    };
    let refused = file::open(&path, Some(&driver::identity()))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("attach_x86.pdb: it is for attach_x86.pdb "),
        "{refused}"
    );
}
