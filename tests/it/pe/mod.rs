//! PE images: one that is made here, whole, with pages missing and with its bytes turned, and real ones against goblin.

mod build;
mod hostile;
mod real;

use build::{BASE, STRINGS};
use rkd_dump::addr::Rva;
use rkd_dump::error::Error;
use rkd_symbols::pe::{Export, FixedInfo, Image, Import, Imported, Target};
use rkd_symbols::{PdbId, Source};

fn export(name: Option<&str>, ordinal: u32, target: Target) -> Export {
    Export {
        name: name.map(str::to_owned),
        ordinal,
        target,
    }
}

fn check_whole(image: &Image) {
    let headers = image.headers();
    assert_eq!(
        (headers.machine, headers.time_stamp, headers.checksum),
        (0x8664, 0x98f9_eee3, 0x1b_29bf)
    );
    assert_eq!(
        (
            headers.entry_point,
            headers.size_of_image,
            headers.size_of_headers
        ),
        (Rva(0x1040), 0x5000, 0x400)
    );
    assert_eq!(
        (headers.is_64, headers.subsystem, headers.characteristics),
        (true, 1, 0x22)
    );
    assert_eq!(
        (headers.image_version, headers.linker_version),
        ((10, 7), (14, 29))
    );
    assert_eq!(headers.image_base, BASE.0);
    let sections: Vec<_> = headers
        .sections
        .iter()
        .map(|s| (&*s.name, s.rva.0, s.virtual_size, s.raw_offset, s.raw_size))
        .collect();
    assert_eq!(sections, build::SECTIONS);
    assert_eq!(headers.sections_missing, None);
    assert_eq!(
        headers.section_of(Rva(0x27ef)).map(|s| &*s.name),
        Some(".rdata")
    );
    assert_eq!(headers.section_of(Rva(0x27f0)), None);

    let debug = image.debug();
    assert!(debug.missing.is_none(), "{:?}", debug.missing);
    let id = PdbId::new(
        "606FF669409B00F7FC8C61A9C1670129".parse().unwrap(),
        3,
        "myfault.pdb",
    );
    assert_eq!(debug.value.pdb, Some(id));
    assert_eq!(
        debug.value.pdb_path.as_deref(),
        Some(r"C:\build\myfault.pdb")
    );
    assert!(debug.value.reproducible);

    let exports = image.exports();
    assert!(exports.missing.is_none(), "{:?}", exports.missing);
    assert_eq!(exports.value.module.as_deref(), Some("myfault.sys"));
    let rva = |rva| Target::Rva(Rva(rva));
    let expected = [
        export(Some("Alias"), 7, rva(0x1010)),
        export(Some("DriverEntry"), 11, rva(0x1030)),
        export(
            Some("Elsewhere"),
            8,
            Target::Forwarder("NTOSKRNL.ExFreePool".into()),
        ),
        export(Some("Leak"), 7, rva(0x1010)),
        export(None, 10, rva(0x1020)),
    ];
    assert_eq!(exports.value.list, expected);

    let imports = image.imports();
    assert!(imports.missing.is_none(), "{:?}", imports.missing);
    let import = |module: &str, what, slot| Import {
        module: module.into(),
        what,
        slot: Rva(slot),
    };
    let expected = [
        import(
            "ntoskrnl.exe",
            Imported::Name("ExAllocatePoolWithTag".into()),
            0x2180,
        ),
        import(
            "ntoskrnl.exe",
            Imported::Name("ExFreePoolWithTag".into()),
            0x2188,
        ),
        import("HAL.dll", Imported::Ordinal(0x2a), 0x2198),
    ];
    assert_eq!(imports.value, expected);

    let version = image.version_resource();
    assert!(version.missing.is_none(), "{:?}", version.missing);
    let version = version.value.unwrap();
    let expected = FixedInfo {
        file_version: [10, 0, 19041, 3570].map(|n: u16| n),
        product_version: [4, 1, 2, 3],
        flags_mask: 0x3f,
        flags: 2,
        os: 0x40004,
        file_type: 3,
        file_subtype: 7,
        date: 1 << 32 | 2,
    };
    assert_eq!(version.fixed, Some(expected));
    assert_eq!(version.translations, [(0x409, 0x4b0), (0x407, 0x4e4)]);
    assert_eq!(version.strings.len(), 1);
    assert_eq!(version.strings[0].language, "040904B0");
    let entries: Vec<_> = version.strings[0]
        .entries
        .iter()
        .map(|(k, v)| (&**k, &**v))
        .collect();
    assert_eq!(entries, STRINGS);
    assert_eq!(
        (version.string("FileVersion"), version.string("Nothing")),
        (Some("4.0"), None)
    );

    let table = image.export_symbols();
    let symbols: Vec<_> = table.symbols().map(|(name, rva)| (name, rva.0)).collect();
    assert_eq!(
        symbols,
        [("Alias", 0x1010), ("DriverEntry", 0x1030), ("Leak", 0x1010)]
    );
    assert_eq!(
        (table.source(), table.machine()),
        (&Source::Exports, Some(0x8664))
    );
    assert_eq!(table.identity().map(|id| id.age), Some(3));
}

#[test]
fn an_image_in_memory_is_read_whole() {
    let space = build::memory(&build::mapped(), &[]);
    check_whole(&Image::read(&space, BASE).unwrap());
}

#[test]
fn an_image_in_a_file_is_read_whole() {
    check_whole(&Image::parse_file(&build::file()).unwrap());
}

#[test]
fn an_image_without_directories_has_nothing_and_misses_nothing() {
    let mut file = build::file();
    build::put32(&mut file, 0x104, &[0]);
    let image = Image::parse_file(&file).unwrap();
    assert_eq!(image.codeview(), None);
    assert!(image.debug().missing.is_none());
    assert!(image.exports().missing.is_none() && image.exports().value.list.is_empty());
    assert!(image.imports().missing.is_none() && image.imports().value.is_empty());
    assert!(image.version_resource().missing.is_none() && image.version_resource().value.is_none());
}

#[test]
fn a_missing_page_is_said_and_the_rest_is_read() {
    let image = build::mapped();
    let fault_at = |missing: Option<Error>| match missing {
        Some(Error::Fault(fault)) => fault.at.0 - BASE.0,
        other => panic!("{other:?}"),
    };
    let space = build::memory(&image, &[0]);
    assert!(matches!(Image::read(&space, BASE), Err(Error::Fault(fault)) if fault.at == BASE));

    let space = build::memory(&image, &[0x4000]);
    let here = Image::read(&space, BASE).unwrap();
    assert_eq!(here.exports().value.list.len(), 5);
    assert!(here.version_resource().value.is_none());
    assert_eq!(fault_at(here.version_resource().missing), 0x4000);

    let space = build::memory(&image, &[0x2000]);
    let here = Image::read(&space, BASE).unwrap();
    assert_eq!(fault_at(here.debug().missing), 0x2300);
    assert_eq!(fault_at(here.exports().missing), 0x2000);
    assert_eq!(fault_at(here.imports().missing), 0x2100);
    assert_eq!(
        here.version_resource().value.unwrap().string("CompanyName"),
        Some("Sysinternals")
    );
}

#[test]
fn a_list_that_runs_into_a_missing_page_is_read_up_to_it() {
    // The names of the imports, the record of the PDB and the end of the version move to the last page, which is not there.
    let mut image = build::mapped();
    image.resize(0x6000, 0);
    build::put32(&mut image, 0x80 + 0x50, &[0x6000]);
    build::put32(&mut image, 0x2148, &[0x5000]);
    build::put32(&mut image, 0x231c + 20, &[0x5ffc]);
    build::put32(&mut image, 0x2044, &[0x5000]);
    let version: Vec<u8> = image[0x40a0..0x4400].to_vec();
    image[0x4f00..0x5000].copy_from_slice(&version[..0x100]);
    build::put32(&mut image, 0x4060, &[0x4f00]);
    let space = build::memory(&image, &[0x5000]);
    let here = Image::read(&space, BASE).unwrap();
    assert!(
        matches!(here.imports().missing, Some(Error::Fault(fault)) if fault.at == BASE + 0x5002)
    );
    assert_eq!(here.imports().value.len(), 2);
    assert!(matches!(here.debug().missing, Some(Error::Fault(fault)) if fault.at == BASE + 0x5ffc));
    assert!(here.debug().value.reproducible);
    assert!(
        matches!(here.exports().missing, Some(Error::Fault(fault)) if fault.at == BASE + 0x5000)
    );
    let named = here
        .exports()
        .value
        .list
        .iter()
        .filter(|e| e.name.is_some())
        .count();
    assert_eq!(named, 3);
    let version = here.version_resource();
    assert!(matches!(version.missing, Some(Error::Fault(fault)) if fault.at == BASE + 0x5000));
    let version = version.value.unwrap();
    assert_eq!(
        version.fixed.map(|f| f.file_version),
        Some([10, 0, 19041, 3570])
    );
    assert_eq!(version.string("CompanyName"), Some("Sysinternals"));
}

#[test]
fn what_is_no_image_is_said() {
    let mut file = build::file();
    assert_eq!(Image::parse_file(&[]).err().unwrap().to_string(), {
        "the image is corrupt: not a PE image (Malformed entity: cannot parse DOS signature (offset 0x0))"
    });
    assert!(Image::parse_file(&file[..0x100]).is_err());
    file[0x80] = b'p';
    assert!(Image::parse_file(&file).is_err());
}
