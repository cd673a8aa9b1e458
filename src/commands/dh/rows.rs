//! The rows of `!dh`, in kd's layout.

use super::words;
use crate::command::{KdLine, Row};
use crate::commands::lmi::{guid, machine};
use rkd_dump::addr::{Rva, Virt};
use rkd_symbols::PdbId;
use rkd_symbols::pe::{DebugEntry, Export, Headers, Import, Imported, Section, Target};

/// The file header and the optional header of an image.
#[derive(Row)]
#[row(kind = "image_header")]
pub(super) struct HeaderRow<'a> {
    /// Where the image lies.
    base: Virt,
    /// What kind of file it is.
    file_type: &'static str,
    /// The kind of processor that it is for.
    machine: &'static str,
    /// How many sections it has.
    sections: usize,
    /// When it was linked, or a hash of its contents.
    #[row(unit = "s since 1970")]
    time_stamp: u32,
    /// The flags of the file header.
    characteristics: u16,
    /// Which optional header it has: 0x20b with 64 bits, 0x10b with 32.
    magic: u16,
    /// The size of its code.
    code_bytes: u64,
    /// The size of its initialized data.
    data_bytes: u64,
    /// The size of its data that begin as zeroes.
    zeroed_bytes: u64,
    /// Where it is entered.
    #[row(unit = "bytes from the image's base")]
    entry_point: Rva,
    /// Where it was linked to lie, or was moved to.
    image_base: Virt,
    /// What the addresses of its sections are multiples of.
    #[row(unit = "bytes")]
    section_alignment: u32,
    /// What the places of its sections in the file are multiples of.
    #[row(unit = "bytes")]
    file_alignment: u32,
    /// What it runs under.
    subsystem: &'static str,
    /// The oldest Windows that it is for.
    os_version: String,
    /// Its own version.
    image_version: String,
    /// Its size in memory.
    size_bytes: u32,
    /// The size of its headers.
    header_bytes: u32,
    /// The checksum of its file.
    checksum: u32,
    /// The flags of the optional header.
    dll_characteristics: u16,
    #[row(skip)]
    headers: &'a Headers,
    #[row(skip)]
    time: String,
}

impl<'a> HeaderRow<'a> {
    /// The headers of the image at `base`, and their time stamp in words.
    pub(super) fn new(base: Virt, headers: &'a Headers, time: String) -> HeaderRow<'a> {
        let details = &headers.details;
        let version = |(major, minor): (u16, u16)| format!("{major}.{minor:02}");
        HeaderRow {
            base,
            file_type: words::file_type(headers.characteristics),
            machine: machine(headers.machine),
            sections: headers.sections.len(),
            time_stamp: headers.time_stamp,
            characteristics: headers.characteristics,
            magic: details.magic,
            code_bytes: details.code_size,
            data_bytes: details.data_size,
            zeroed_bytes: details.zeroes_size,
            entry_point: headers.entry_point,
            image_base: Virt(headers.image_base),
            section_alignment: details.section_alignment,
            file_alignment: headers.file_alignment,
            subsystem: words::subsystem(headers.subsystem),
            os_version: version(details.os_version),
            image_version: version(headers.image_version),
            size_bytes: headers.size_of_image,
            header_bytes: headers.size_of_headers,
            checksum: headers.checksum,
            dll_characteristics: details.dll_characteristics,
            headers,
            time,
        }
    }
}

impl KdLine for HeaderRow<'_> {
    fn line(&self) -> String {
        let (headers, details) = (self.headers, &self.headers.details);
        let mut lines = vec![
            String::new(),
            format!("File Type: {}", words::file_type(headers.characteristics)),
            "FILE HEADER VALUES".into(),
        ];
        let number = |value: u64, what: &str| format!("{value:>8X} {what}");
        let version =
            |(major, minor): (u16, u16), what: &str| format!("{major:>5}.{minor:02} {what}");
        let wide = |value: u64, what: &str| match headers.is_64 {
            true => format!("{value:016x} {what}"),
            false => format!("{value:08x} {what}"),
        };
        let mark = |word: &str| format!("            {word}");
        lines.extend([
            number(
                headers.machine.into(),
                &format!("machine ({})", machine_word(headers.machine)),
            ),
            number(headers.sections.len() as u64, "number of sections"),
            format!("{:>8X} time date stamp {}", headers.time_stamp, self.time),
            String::new(),
            number(details.symbol_table.into(), "file pointer to symbol table"),
            number(details.symbols.into(), "number of symbols"),
            number(
                details.optional_header_size.into(),
                "size of optional header",
            ),
            number(headers.characteristics.into(), "characteristics"),
        ]);
        lines.extend(
            words::characteristics(headers.characteristics)
                .into_iter()
                .map(mark),
        );
        let linker = (
            u16::from(headers.linker_version.0),
            u16::from(headers.linker_version.1),
        );
        lines.extend([
            String::new(),
            "OPTIONAL HEADER VALUES".into(),
            number(details.magic.into(), "magic #"),
            version(linker, "linker version"),
            number(details.code_size, "size of code"),
            number(details.data_size, "size of initialized data"),
            number(details.zeroes_size, "size of uninitialized data"),
            number(headers.entry_point.0.into(), "address of entry point"),
            number(details.base_of_code.0.into(), "base of code"),
            "         ----- new -----".into(),
            wide(headers.image_base, "image base"),
            number(details.section_alignment.into(), "section alignment"),
            number(headers.file_alignment.into(), "file alignment"),
            number(
                headers.subsystem.into(),
                &format!("subsystem ({})", words::subsystem(headers.subsystem)),
            ),
            version(details.os_version, "operating system version"),
            version(headers.image_version, "image version"),
            version(details.subsystem_version, "subsystem version"),
            number(headers.size_of_image.into(), "size of image"),
            number(headers.size_of_headers.into(), "size of headers"),
            number(headers.checksum.into(), "checksum"),
            wide(details.stack.0, "size of stack reserve"),
            wide(details.stack.1, "size of stack commit"),
            wide(details.heap.0, "size of heap reserve"),
            wide(details.heap.1, "size of heap commit"),
            number(details.dll_characteristics.into(), " DLL characteristics"),
        ]);
        lines.extend(
            words::dll_characteristics(details.dll_characteristics)
                .into_iter()
                .map(mark),
        );
        lines.join("\n")
    }
}

/// kd writes one of the machines in small letters here.
fn machine_word(number: u16) -> &'static str {
    match number {
        0x14c => "i386",
        number => machine(number),
    }
}

/// A data directory.
#[derive(Row)]
#[row(kind = "data_directory")]
pub(super) struct DirectoryRow {
    /// What it is.
    pub name: &'static str,
    /// Where it is mapped.
    pub rva: u32,
    /// Its size.
    pub size_bytes: u32,
}

impl KdLine for DirectoryRow {
    fn line(&self) -> String {
        format!(
            "{:>8X} [{:>8X}] address [size] of {} Directory",
            self.rva, self.size_bytes, self.name
        )
    }
}

/// A section of an image.
#[derive(Row)]
#[row(kind = "section")]
pub(super) struct SectionRow<'a> {
    /// From 1.
    number: usize,
    /// Its name.
    name: &'a str,
    /// Where it is mapped.
    rva: Rva,
    /// Its size in memory.
    size_bytes: u32,
    /// Where it begins in the file.
    #[row(unit = "bytes")]
    file_offset: u32,
    /// Its size in the file.
    file_bytes: u32,
    /// Its flags.
    flags: u32,
    /// The flags in words.
    words: Vec<String>,
    #[row(skip)]
    section: &'a Section,
}

impl<'a> SectionRow<'a> {
    /// The section of this number, from 1.
    pub(super) fn new(number: usize, section: &'a Section) -> SectionRow<'a> {
        SectionRow {
            number,
            name: &section.name,
            rva: section.rva,
            size_bytes: section.virtual_size,
            file_offset: section.raw_offset,
            file_bytes: section.raw_size,
            flags: section.flags,
            words: words::section(section.flags),
            section,
        }
    }
}

impl KdLine for SectionRow<'_> {
    fn line(&self) -> String {
        let section = self.section;
        let number = |value: u32, what: &str| format!("{value:>8X} {what}");
        let mut lines = vec![
            String::new(),
            format!("SECTION HEADER #{:X}", self.number),
            format!("{:>8} name", section.name),
            number(section.virtual_size, "virtual size"),
            number(section.rva.0, "virtual address"),
            number(section.raw_size, "size of raw data"),
            number(section.raw_offset, "file pointer to raw data"),
            number(section.tables.0, "file pointer to relocation table"),
            number(section.tables.1, "file pointer to line numbers"),
            number(section.table_counts.0.into(), "number of relocations"),
            number(section.table_counts.1.into(), "number of line numbers"),
            number(section.flags, "flags"),
        ];
        lines.extend(self.words.iter().map(|word| format!("         {word}")));
        lines.join("\n")
    }
}

/// An entry of the debug directory.
#[derive(Row)]
#[row(
    kind = "debug_directory",
    absent = "the record names no PDB, or is not in the dump"
)]
pub(super) struct DebugRow<'a> {
    /// The number of the kind of record.
    #[row(name = "type")]
    kind: u32,
    /// The size of the record.
    size_bytes: u32,
    /// Where it is mapped.
    rva: Rva,
    /// Where it begins in the file.
    #[row(unit = "bytes")]
    file_offset: u32,
    /// The GUID of the PDB.
    pdb_guid: Option<String>,
    /// The age of the PDB.
    pdb_age: Option<u32>,
    /// The path of the PDB, as the linker wrote it.
    pdb: Option<&'a str>,
}

impl<'a> DebugRow<'a> {
    /// The entry, and the PDB that it names, with the path that the linker wrote.
    pub(super) fn new(entry: &DebugEntry, pdb: Option<(&PdbId, &'a str)>) -> DebugRow<'a> {
        DebugRow {
            kind: entry.kind,
            size_bytes: entry.size,
            rva: entry.rva,
            file_offset: entry.pointer,
            pdb_guid: pdb.map(|(pdb, _)| guid(&pdb.guid.to_string())),
            pdb_age: pdb.map(|(pdb, _)| pdb.age),
            pdb: pdb.map(|(_, path)| path),
        }
    }
}

impl KdLine for DebugRow<'_> {
    fn line(&self) -> String {
        let line = format!(
            "\t{}{:>8x}{:>12x} {:>8x}",
            words::debug_type(self.kind),
            self.size_bytes,
            self.rva.0,
            self.file_offset
        );
        match (self.pdb_age, self.pdb) {
            // kd writes the word itself.
            (Some(age), Some(path)) => format!("{line}\tFormat: RSDS, guid, {age:x}, {path}"),
            _ => line,
        }
    }
}

/// A function or a variable that an image exports.
#[derive(Row)]
#[row(kind = "export")]
pub(super) struct ExportRow<'a> {
    /// Its number.
    ordinal: u32,
    /// Its name.
    #[row(absent = "it has a number only")]
    name: Option<&'a str>,
    /// Where it is mapped.
    #[row(absent = "it is another module's")]
    rva: Option<Rva>,
    /// The export of another module that it stands for.
    #[row(absent = "it is this image's own")]
    forwarder: Option<&'a str>,
}

impl<'a> From<&'a Export> for ExportRow<'a> {
    fn from(export: &'a Export) -> ExportRow<'a> {
        let (rva, forwarder) = match &export.target {
            Target::Rva(rva) => (Some(*rva), None),
            Target::Forwarder(to) => (None, Some(to.as_str())),
        };
        ExportRow {
            ordinal: export.ordinal,
            name: export.name.as_deref(),
            rva,
            forwarder,
        }
    }
}

impl KdLine for ExportRow<'_> {
    fn line(&self) -> String {
        let name = self.name.unwrap_or("[NONAME]");
        let rva = self.rva.map_or(String::new(), |rva| format!("{:X}", rva.0));
        let line = format!("{:>8} {rva:>8} {name}", self.ordinal);
        match self.forwarder {
            Some(to) => format!("{line} (forwarded to {to})"),
            None => line,
        }
    }
}

/// What an image imports.
#[derive(Row)]
#[row(kind = "import")]
pub(super) struct ImportRow<'a> {
    /// The module that it is imported from.
    module: &'a str,
    /// Its name.
    #[row(absent = "it is asked for by number")]
    name: Option<&'a str>,
    /// Its number.
    #[row(absent = "it is asked for by name")]
    ordinal: Option<u16>,
    /// Where its address is put.
    slot_rva: Rva,
}

impl<'a> From<&'a Import> for ImportRow<'a> {
    fn from(import: &'a Import) -> ImportRow<'a> {
        let (name, ordinal) = match &import.what {
            Imported::Name(name) => (Some(name.as_str()), None),
            Imported::Ordinal(number) => (None, Some(*number)),
        };
        ImportRow {
            module: &import.module,
            name,
            ordinal,
            slot_rva: import.slot,
        }
    }
}

impl KdLine for ImportRow<'_> {
    fn line(&self) -> String {
        let number = || format!("#{}", self.ordinal.unwrap_or_default());
        let what = self.name.map_or_else(number, str::to_string);
        format!("{:>8X} {}!{what}", self.slot_rva.0, self.module)
    }
}
