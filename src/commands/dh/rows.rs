//! The rows of `!dh`, in kd's layout.

use super::words;
use crate::command::{Record, Row, Value};
use crate::commands::lmi::{guid, machine};
use rkd_dump::addr::Virt;
use rkd_symbols::PdbId;
use rkd_symbols::pe::{DebugEntry, Export, Headers, Import, Imported, Section, Target};

/// The file header and the optional header.
pub(super) struct HeaderRow<'a> {
    /// Where the image lies.
    pub base: Virt,
    /// The headers.
    pub headers: &'a Headers,
    /// The time stamp in words.
    pub time: String,
}

impl Row for HeaderRow<'_> {
    fn kind(&self) -> &'static str {
        "image_header"
    }

    fn record(&self) -> Record {
        let (headers, details) = (self.headers, &self.headers.details);
        let version = |(major, minor): (u16, u16)| Value::Str(format!("{major}.{minor:02}"));
        vec![
            ("base", self.base.into()),
            (
                "file_type",
                words::file_type(headers.characteristics).into(),
            ),
            ("machine", machine(headers.machine).into()),
            ("sections", headers.sections.len().into()),
            ("time_stamp", headers.time_stamp.into()),
            ("characteristics", headers.characteristics.into()),
            ("magic", details.magic.into()),
            ("code_bytes", details.code_size.into()),
            ("data_bytes", details.data_size.into()),
            ("zeroed_bytes", details.zeroes_size.into()),
            ("entry_point", headers.entry_point.0.into()),
            ("image_base", Virt(headers.image_base).into()),
            ("section_alignment", details.section_alignment.into()),
            ("file_alignment", headers.file_alignment.into()),
            ("subsystem", words::subsystem(headers.subsystem).into()),
            ("os_version", version(details.os_version)),
            ("image_version", version(headers.image_version)),
            ("size_bytes", headers.size_of_image.into()),
            ("header_bytes", headers.size_of_headers.into()),
            ("checksum", headers.checksum.into()),
            ("dll_characteristics", details.dll_characteristics.into()),
        ]
    }

    fn text(&self) -> String {
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
pub(super) struct DirectoryRow {
    /// What it is.
    pub name: &'static str,
    /// Where it is mapped.
    pub rva: u32,
    /// In bytes.
    pub size: u32,
}

impl Row for DirectoryRow {
    fn kind(&self) -> &'static str {
        "data_directory"
    }

    fn record(&self) -> Record {
        vec![
            ("name", self.name.into()),
            ("rva", self.rva.into()),
            ("size_bytes", self.size.into()),
        ]
    }

    fn text(&self) -> String {
        format!(
            "{:>8X} [{:>8X}] address [size] of {} Directory",
            self.rva, self.size, self.name
        )
    }
}

/// A section.
pub(super) struct SectionRow<'a> {
    /// From 1.
    pub number: usize,
    /// The section.
    pub section: &'a Section,
}

impl Row for SectionRow<'_> {
    fn kind(&self) -> &'static str {
        "section"
    }

    fn record(&self) -> Record {
        let section = self.section;
        let flags = words::section(section.flags);
        vec![
            ("number", self.number.into()),
            ("name", section.name.as_str().into()),
            ("rva", section.rva.0.into()),
            ("size_bytes", section.virtual_size.into()),
            ("file_offset", section.raw_offset.into()),
            ("file_bytes", section.raw_size.into()),
            ("flags", section.flags.into()),
            (
                "words",
                Value::List(flags.into_iter().map(Value::Str).collect()),
            ),
        ]
    }

    fn text(&self) -> String {
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
        let words = words::section(section.flags);
        lines.extend(words.iter().map(|word| format!("         {word}")));
        lines.join("\n")
    }
}

/// An entry of the debug directory.
pub(super) struct DebugRow<'a> {
    /// The entry.
    pub entry: DebugEntry,
    /// The PDB that it names, with the path that the linker wrote.
    pub pdb: Option<(&'a PdbId, &'a str)>,
}

impl Row for DebugRow<'_> {
    fn kind(&self) -> &'static str {
        "debug_directory"
    }

    fn record(&self) -> Record {
        let absent = || Value::Absent("the record names no PDB, or is not in the dump".into());
        vec![
            ("type", self.entry.kind.into()),
            ("size_bytes", self.entry.size.into()),
            ("rva", self.entry.rva.0.into()),
            ("file_offset", self.entry.pointer.into()),
            (
                "pdb_guid",
                self.pdb
                    .map_or_else(absent, |(pdb, _)| guid(&pdb.guid.to_string()).into()),
            ),
            (
                "pdb_age",
                self.pdb.map_or_else(absent, |(pdb, _)| pdb.age.into()),
            ),
            ("pdb", self.pdb.map_or_else(absent, |(_, path)| path.into())),
        ]
    }

    fn text(&self) -> String {
        let DebugEntry {
            kind,
            size,
            rva,
            pointer,
        } = self.entry;
        let line = format!(
            "\t{}{size:>8x}{:>12x} {pointer:>8x}",
            words::debug_type(kind),
            rva.0
        );
        match self.pdb {
            // kd writes the word itself.
            Some((pdb, path)) => format!("{line}\tFormat: RSDS, guid, {:x}, {path}", pdb.age),
            None => line,
        }
    }
}

/// An export.
pub(super) struct ExportRow<'a>(pub &'a Export);

impl Row for ExportRow<'_> {
    fn kind(&self) -> &'static str {
        "export"
    }

    fn record(&self) -> Record {
        let absent = |why: &str| Value::Absent(why.into());
        let (rva, forwarder) = match &self.0.target {
            Target::Rva(rva) => (rva.0.into(), absent("it is this image's own")),
            Target::Forwarder(to) => (absent("it is another module's"), to.as_str().into()),
        };
        vec![
            ("ordinal", self.0.ordinal.into()),
            (
                "name",
                self.0
                    .name
                    .clone()
                    .map_or_else(|| absent("it has a number only"), Value::Str),
            ),
            ("rva", rva),
            ("forwarder", forwarder),
        ]
    }

    fn text(&self) -> String {
        let name = self.0.name.as_deref().unwrap_or("[NONAME]");
        match &self.0.target {
            Target::Rva(rva) => format!("{:>8} {:>8X} {name}", self.0.ordinal, rva.0),
            Target::Forwarder(to) => {
                format!("{:>8}          {name} (forwarded to {to})", self.0.ordinal)
            }
        }
    }
}

/// An import.
pub(super) struct ImportRow<'a>(pub &'a Import);

impl Row for ImportRow<'_> {
    fn kind(&self) -> &'static str {
        "import"
    }

    fn record(&self) -> Record {
        let absent = |why: &str| Value::Absent(why.into());
        let (name, ordinal) = match &self.0.what {
            Imported::Name(name) => (name.as_str().into(), absent("it is asked for by name")),
            Imported::Ordinal(number) => (absent("it is asked for by number"), (*number).into()),
        };
        vec![
            ("module", self.0.module.as_str().into()),
            ("name", name),
            ("ordinal", ordinal),
            ("slot_rva", self.0.slot.0.into()),
        ]
    }

    fn text(&self) -> String {
        let what = match &self.0.what {
            Imported::Name(name) => name.clone(),
            Imported::Ordinal(number) => format!("#{number}"),
        };
        format!("{:>8X} {}!{what}", self.0.slot.0, self.0.module)
    }
}
