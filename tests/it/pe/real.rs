//! Real images, named by the variable `RKD_PE_SAMPLES` (a directory of .exe, .dll, .sys and .pyd files), against goblin.

use super::build::{BASE, memory};
use super::hostile::{ask_everything, mutate};
use crate::support::data::lacking;
use crate::support::random::{Random, rounds};
use goblin::pe::PE;
use rkd_symbols::Guid;
use rkd_symbols::pe::{Image, Imported, Target};
use std::path::PathBuf;

fn samples() -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(directory) = std::env::var("RKD_PE_SAMPLES") else {
        lacking::<()>("samples (RKD_PE_SAMPLES names a folder of PE files)");
        return Vec::new();
    };
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// The file as the loader maps it, by goblin's section table.
fn load(pe: &PE, file: &[u8]) -> Vec<u8> {
    let windows = pe.header.optional_header.unwrap().windows_fields;
    let mut image = vec![0; windows.size_of_image as usize];
    let headers = (windows.size_of_headers as usize).min(file.len());
    image[..headers].copy_from_slice(&file[..headers]);
    for section in &pe.sections {
        let size = section.size_of_raw_data.min(section.virtual_size) as usize;
        let from = section.pointer_to_raw_data as usize;
        let to = section.virtual_address as usize;
        image[to..to + size].copy_from_slice(&file[from..from + size]);
    }
    image
}

fn check(image: &Image, pe: &PE, name: &str) {
    let headers = image.headers();
    let optional = pe.header.optional_header.unwrap();
    assert_eq!(headers.machine, pe.header.coff_header.machine, "{name}");
    assert_eq!(headers.time_stamp, pe.header.coff_header.time_date_stamp);
    assert_eq!(headers.size_of_image, optional.windows_fields.size_of_image);
    assert_eq!(headers.checksum, optional.windows_fields.check_sum);
    assert_eq!(headers.entry_point.0 as usize, pe.entry as usize);
    assert_eq!(headers.is_64, pe.is_64);
    let ours: Vec<_> = headers
        .sections
        .iter()
        .map(|s| (s.name.clone(), s.rva.0, s.virtual_size, s.flags))
        .collect();
    let theirs = pe.sections.iter().map(|s| {
        (
            s.name().unwrap().to_owned(),
            s.virtual_address,
            s.virtual_size,
            s.characteristics,
        )
    });
    assert_eq!(ours, theirs.collect::<Vec<_>>(), "{name}");

    let debug = image.debug();
    assert!(debug.missing.is_none(), "{name}: {:?}", debug.missing);
    let theirs = pe.debug_data.as_ref();
    let codeview = theirs.and_then(|d| d.codeview_pdb70_debug_info.as_ref());
    let path = codeview.map(|c| {
        String::from_utf8_lossy(c.filename)
            .trim_end_matches('\0')
            .to_owned()
    });
    assert_eq!(
        debug.value.pdb.as_ref().map(|id| (id.guid, id.age)),
        codeview.map(|c| (Guid::from_memory(c.signature), c.age))
    );
    assert_eq!(debug.value.pdb_path, path, "{name}");
    assert_eq!(
        debug.value.reproducible,
        theirs.is_some_and(|d| d.repro_info.is_some()),
        "{name}"
    );

    let exports = image.exports();
    assert!(exports.missing.is_none(), "{name}: {:?}", exports.missing);
    let ours = exports
        .value
        .list
        .iter()
        .filter_map(|e| match (&e.name, &e.target) {
            (Some(name), Target::Rva(rva)) => Some((name.as_str(), rva.0 as usize)),
            _ => None,
        });
    let theirs = pe
        .exports
        .iter()
        .filter(|e| e.reexport.is_none())
        .filter_map(|e| Some((e.name?, e.rva)));
    assert_eq!(
        ours.collect::<Vec<_>>(),
        theirs.collect::<Vec<_>>(),
        "{name}"
    );

    let imports = image.imports();
    assert!(imports.missing.is_none(), "{name}: {:?}", imports.missing);
    let ours = imports.value.iter().map(|i| match &i.what {
        Imported::Name(function) => (i.module.clone(), function.clone(), i.slot.0 as usize),
        Imported::Ordinal(n) => (i.module.clone(), format!("ORDINAL {n}"), i.slot.0 as usize),
    });
    let theirs = pe
        .imports
        .iter()
        .map(|i| (i.dll.to_owned(), i.name.to_string(), i.offset));
    assert_eq!(
        ours.collect::<Vec<_>>(),
        theirs.collect::<Vec<_>>(),
        "{name}"
    );

    let version = image.version_resource();
    assert!(version.missing.is_none(), "{name}: {:?}", version.missing);
    let theirs = pe
        .resource_data
        .as_ref()
        .and_then(|r| r.version_info.as_ref());
    assert_eq!(version.value.is_some(), theirs.is_some(), "{name}");
    let (Some(ours), Some(theirs)) = (version.value, theirs) else {
        return;
    };
    let numbers = |f: goblin::pe::resource::VsFixedFileInfo| {
        [f.file_version_ms, f.file_version_ls].map(|n| [(n >> 16) as u16, n as u16])
    };
    let [high, low] = numbers(theirs.fixed_info.unwrap());
    assert_eq!(
        ours.fixed.unwrap().file_version,
        [high[0], high[1], low[0], low[1]],
        "{name}"
    );
    let texts = [
        ("CompanyName", theirs.string_info.company_name()),
        ("FileDescription", theirs.string_info.file_description()),
        ("FileVersion", theirs.string_info.file_version()),
        ("OriginalFilename", theirs.string_info.original_filename()),
    ];
    for (key, text) in texts {
        assert_eq!(ours.string(key).map(str::to_owned), text, "{name} {key}");
    }
}

#[test]
fn real_images_are_read_as_goblin_reads_them() {
    for (path, file) in samples() {
        let name = path.display().to_string();
        let pe = PE::parse(&file).unwrap();
        check(&Image::parse_file(&file).unwrap(), &pe, &name);
        let space = memory(&load(&pe, &file), &[]);
        check(&Image::read(&space, BASE).unwrap(), &pe, &name);
    }
}

#[test]
fn real_images_with_turned_bytes_are_no_danger() {
    let mut random = Random(0x5eed_0002);
    for (_, file) in samples() {
        for _ in 0..rounds(3) {
            let mut bytes = file.clone();
            mutate(&mut bytes, &mut random);
            let _ = Image::parse_file(&bytes).map(|image| ask_everything(&image));
        }
    }
}
