//! The headers of an image and its sections.

use super::bytes::Bytes;
use super::corrupt;
use goblin::pe::header::{CoffHeader, DosHeader, SIZEOF_COFF_HEADER, SIZEOF_PE_MAGIC};
use goblin::pe::optional_header::{
    MAGIC_32, MAGIC_64, SIZEOF_STANDARD_FIELDS_32, SIZEOF_STANDARD_FIELDS_64,
    SIZEOF_WINDOWS_FIELDS_32, SIZEOF_WINDOWS_FIELDS_64, StandardFields, StandardFields32,
    StandardFields64, WindowsFields, WindowsFields32,
};
use rkd_dump::addr::Rva;
use rkd_dump::bytes::ReadAt;
use rkd_dump::error::{Error, Result};
use scroll::{LE, Pread};

/// The most that headers can take, in bytes. One page is usual.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// Bytes of a section's header.
const SECTION: usize = 40;

/// What the headers say. The names are those of the PE specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// `0x8664` x64, `0xaa64` ARM64, `0x14c` x86.
    pub machine: u16,
    /// Seconds since 1970, or a hash of the content where the image was built reproducibly ([`super::Debug::reproducible`]).
    pub time_stamp: u32,
    /// Whether addresses are 64 bits wide.
    pub is_64: bool,
    /// Flags of the file header: `0x2000` is a DLL.
    pub characteristics: u16,
    /// Where execution starts; 0 if it does not.
    pub entry_point: Rva,
    /// Where the linker wanted it to be loaded. In memory it says where it was loaded.
    pub image_base: u64,
    /// In bytes, mapped.
    pub size_of_image: u32,
    /// In bytes.
    pub size_of_headers: u32,
    /// What sections in the file are aligned to, in bytes.
    pub file_alignment: u32,
    /// As it is stored; 0 if the linker did not make one.
    pub checksum: u32,
    /// 1 is a driver or the kernel, 2 a program with windows, 3 a program of the console.
    pub subsystem: u16,
    /// `MajorImageVersion.MinorImageVersion`.
    pub image_version: (u16, u16),
    /// `MajorLinkerVersion.MinorLinkerVersion`.
    pub linker_version: (u8, u8),
    /// In the order of the headers.
    pub sections: Vec<Section>,
    /// Whether section headers are missing, because they are not in the dump or because there are not so many.
    pub sections_missing: Option<String>,
    /// What nobody needs but who reads the headers themselves.
    pub details: Details,
    /// Address and size in bytes of the data directories, by their number.
    directories: Vec<(u32, u32)>,
}

/// The rest of the headers, by the names of the PE specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// `PointerToSymbolTable`, an offset in the file.
    pub symbol_table: u32,
    /// `NumberOfSymbols`.
    pub symbols: u32,
    /// `SizeOfOptionalHeader`, in bytes.
    pub optional_header_size: u16,
    /// `0x20b` for 64 bits, `0x10b` for 32.
    pub magic: u16,
    /// `SizeOfCode`, in bytes.
    pub code_size: u64,
    /// `SizeOfInitializedData`, in bytes.
    pub data_size: u64,
    /// `SizeOfUninitializedData`, in bytes.
    pub zeroes_size: u64,
    /// Where the code starts.
    pub base_of_code: Rva,
    /// What sections are aligned to in memory, in bytes.
    pub section_alignment: u32,
    /// `MajorOperatingSystemVersion.MinorOperatingSystemVersion`.
    pub os_version: (u16, u16),
    /// `MajorSubsystemVersion.MinorSubsystemVersion`.
    pub subsystem_version: (u16, u16),
    /// `0x40` may be moved, `0x100` no code in data, `0x4000` Control Flow Guard.
    pub dll_characteristics: u16,
    /// Bytes reserved for a stack, and of them committed.
    pub stack: (u64, u64),
    /// Bytes reserved for a heap, and of them committed.
    pub heap: (u64, u64),
}

/// A section of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// At most eight characters.
    pub name: String,
    /// Where it is mapped.
    pub rva: Rva,
    /// In bytes, mapped.
    pub virtual_size: u32,
    /// Where it starts in the file.
    pub raw_offset: u32,
    /// In bytes, in the file.
    pub raw_size: u32,
    /// `0x20` code, `0x02000000` discardable, `0x20000000` executable, `0x40000000` readable, `0x80000000` writable.
    pub flags: u32,
    /// Where in the file its relocations and line numbers start; 0 in images.
    pub tables: (u32, u32),
    /// How many of each there are.
    pub table_counts: (u16, u16),
}

impl Headers {
    pub(super) fn read(bytes: &Bytes) -> Result<Headers> {
        let mut page = vec![0; 0x1000];
        let (read, mut missing) = bytes.prefix(0, &mut page);
        page.truncate(read);
        let no_image = |e: goblin::error::Error| corrupt(format!("not a PE image ({e})"));
        // A page that is missing is not an image that is damaged.
        let give_up = |e, missing: Option<Error>| match missing {
            Some(Error::Fault(fault)) => Error::Fault(fault),
            _ => e,
        };
        let dos = match DosHeader::parse(&page) {
            Ok(dos) => dos,
            Err(e) => return Err(give_up(no_image(e), missing)),
        };
        let coff_at = (dos.pe_pointer as usize).saturating_add(SIZEOF_PE_MAGIC);
        let parse_coff = |page: &[u8]| {
            let mut at = coff_at;
            CoffHeader::parse(page, &mut at)
        };
        let coff = match parse_coff(&page) {
            Ok(coff) => coff,
            Err(e) => return Err(give_up(no_image(e), missing)),
        };
        let optional_at = coff_at + SIZEOF_COFF_HEADER;
        let sections_at = optional_at + usize::from(coff.size_of_optional_header);
        let end = sections_at + SECTION * usize::from(coff.number_of_sections);
        if end > page.len() && page.len() == 0x1000 {
            page.resize(end.min(MAX_HEADER_BYTES), 0);
            let (read, why) = bytes.prefix(0, &mut page);
            page.truncate(read);
            missing = why;
        }
        let optional = page.get(optional_at..).unwrap_or_default();
        let (standard, windows, directories_at) = match optional_header(optional) {
            Ok(fields) => fields,
            Err(e) => return Err(give_up(no_image(e), missing)),
        };
        let count = (windows.number_of_rva_and_sizes as usize).min(16);
        let room = usize::from(coff.size_of_optional_header).saturating_sub(directories_at) / 8;
        let directories = optional.get(directories_at..).unwrap_or_default();
        let directories = directories.as_chunks::<8>().0.iter().take(count.min(room));
        let directories = directories.map(|directory| {
            let [a, b, c, d, e, f, g, h] = *directory;
            (
                u32::from_le_bytes([a, b, c, d]),
                u32::from_le_bytes([e, f, g, h]),
            )
        });
        let sections = page.get(sections_at..).unwrap_or_default().as_chunks().0;
        let sections: Vec<_> = sections
            .iter()
            .take(usize::from(coff.number_of_sections))
            .map(section)
            .collect();
        let sections_missing = (sections.len() < usize::from(coff.number_of_sections)).then(|| {
            let why = missing.map_or_else(
                || "the headers end before".to_owned(),
                |why| why.to_string(),
            );
            format!(
                "{} of {} sections: {why}",
                sections.len(),
                coff.number_of_sections
            )
        });
        Ok(Headers {
            machine: coff.machine,
            time_stamp: coff.time_date_stamp,
            is_64: standard.magic == MAGIC_64,
            characteristics: coff.characteristics,
            entry_point: Rva(standard.address_of_entry_point),
            image_base: windows.image_base,
            size_of_image: windows.size_of_image,
            size_of_headers: windows.size_of_headers,
            file_alignment: windows.file_alignment,
            checksum: windows.check_sum,
            subsystem: windows.subsystem,
            image_version: (windows.major_image_version, windows.minor_image_version),
            linker_version: (standard.major_linker_version, standard.minor_linker_version),
            sections,
            sections_missing,
            details: Details {
                symbol_table: coff.pointer_to_symbol_table,
                symbols: coff.number_of_symbol_table,
                optional_header_size: coff.size_of_optional_header,
                magic: standard.magic,
                code_size: standard.size_of_code,
                data_size: standard.size_of_initialized_data,
                zeroes_size: standard.size_of_uninitialized_data,
                base_of_code: Rva(u32::try_from(standard.base_of_code).unwrap_or_default()),
                section_alignment: windows.section_alignment,
                os_version: (
                    windows.major_operating_system_version,
                    windows.minor_operating_system_version,
                ),
                subsystem_version: (
                    windows.major_subsystem_version,
                    windows.minor_subsystem_version,
                ),
                dll_characteristics: windows.dll_characteristics,
                stack: (windows.size_of_stack_reserve, windows.size_of_stack_commit),
                heap: (windows.size_of_heap_reserve, windows.size_of_heap_commit),
            },
            directories: directories.collect(),
        })
    }

    /// Address and size of a data directory, if the image has it.
    pub fn directory(&self, number: usize) -> Option<(u32, u32)> {
        self.directories
            .get(number)
            .copied()
            .filter(|&(rva, size)| rva != 0 && size != 0)
    }

    /// Address and size in bytes of each data directory, as they are stored; at most sixteen.
    pub fn directories(&self) -> &[(u32, u32)] {
        &self.directories
    }

    /// The section that an address lies in.
    pub fn section_of(&self, rva: Rva) -> Option<&Section> {
        let inside = |section: &&Section| {
            let at = rva.0.checked_sub(section.rva.0);
            at.is_some_and(|at| at < section.virtual_size)
        };
        self.sections.iter().find(inside)
    }
}

/// The fields of either width, and where the data directories begin.
fn optional_header(
    bytes: &[u8],
) -> Result<(StandardFields, WindowsFields, usize), goblin::error::Error> {
    match bytes.pread_with::<u16>(0, LE)? {
        MAGIC_32 => {
            let standard: StandardFields32 = bytes.pread_with(0, LE)?;
            let windows: WindowsFields32 = bytes.pread_with(SIZEOF_STANDARD_FIELDS_32, LE)?;
            Ok((
                standard.into(),
                windows.into(),
                SIZEOF_STANDARD_FIELDS_32 + SIZEOF_WINDOWS_FIELDS_32,
            ))
        }
        MAGIC_64 => {
            let standard: StandardFields64 = bytes.pread_with(0, LE)?;
            let windows = bytes.pread_with(SIZEOF_STANDARD_FIELDS_64, LE)?;
            Ok((
                standard.into(),
                windows,
                SIZEOF_STANDARD_FIELDS_64 + SIZEOF_WINDOWS_FIELDS_64,
            ))
        }
        magic => Err(goblin::error::Error::BadMagic(u64::from(magic))),
    }
}

fn section(header: &[u8; SECTION]) -> Section {
    let name = header.first_chunk::<8>().copied().unwrap_or_default();
    let length = name
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(name.len());
    let number = |at| header.u32_at(at).unwrap_or_default();
    let count = |at| header.u16_at(at).unwrap_or_default();
    Section {
        name: String::from_utf8_lossy(name.get(..length).unwrap_or_default()).into_owned(),
        rva: Rva(number(12)),
        virtual_size: number(8),
        raw_offset: number(20),
        raw_size: number(16),
        flags: number(36),
        tables: (number(24), number(28)),
        table_counts: (count(32), count(34)),
    }
}
