//! The loaded and the unloaded modules.

use super::list::List;
use rkd_dump::Dump;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Fault, Result};
use rkd_dump::memory::AddressSpace;
use rkd_symbols::SymbolTable;

/// Windows keeps this many unloaded drivers, in a ring (`MI_UNLOADED_DRIVERS`).
const UNLOADED_KEPT: u64 = 50;
/// A driver whose image is larger than this (2 GiB) is a broken list entry.
const LARGEST_IMAGE: u64 = 1 << 31;
/// Names longer than this are cut by nobody: the entry is broken.
const LONGEST_NAME: u16 = 0x1000;

/// A loaded module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// kd's name for it: the file name without its extension, `nt` for the kernel.
    pub name: String,
    /// The first address.
    pub base: Virt,
    /// `SizeOfImage`, in bytes.
    pub size: u64,
    /// The file name with its extension.
    pub image_name: String,
    /// The path as the loader noted it (`\SystemRoot\system32\drivers\x.sys`).
    pub image_path: String,
    /// The PE time stamp, from the loader's entry; a hash on images built with /Brepro.
    pub time_stamp: Option<u32>,
    /// The PE checksum, from the loader's entry.
    pub checksum: Option<u32>,
}

impl Module {
    /// A module that somebody says is there.
    pub fn placed(image: &str, base: Virt, size: u64) -> Module {
        named(harmless(image), base, size.min(LARGEST_IMAGE), None, None)
    }

    /// The first address behind the module.
    pub fn end(&self) -> Virt {
        self.base + self.size
    }

    /// Whether the address lies in the module.
    pub fn contains(&self, va: Virt) -> bool {
        va - self.base < self.size
    }
}

/// A module that was unloaded before the dump was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unloaded {
    /// The file name, cut to what the kernel stored.
    pub name: String,
    /// The first address.
    pub start: Virt,
    /// The first address behind it.
    pub end: Virt,
    /// When it was unloaded, as a FILETIME in UTC; triage dumps do not say.
    pub time: Option<u64>,
}

/// What a walk found, and what it could not read.
#[derive(Debug)]
pub struct Found<T> {
    /// The items, in the order of the walk.
    pub items: Vec<T>,
    /// Why the walk, or an item of it, is incomplete.
    pub notes: Vec<String>,
}

impl<T> Default for Found<T> {
    fn default() -> Found<T> {
        Found {
            items: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// Where a loader entry keeps its fields.
///
/// These offsets are the same in `_KLDR_DATA_TABLE_ENTRY` of every x64 kernel from 14393 to 22000 and in the
/// `_LDR_DATA_TABLE_ENTRY` that stands for it in the tables of 7601 and 9600, so they serve without symbols too.
/// The time stamp is the exception: the older type has a user-mode field there, so it is read by name or not at all.
struct Layout {
    base: u64,
    size: u64,
    full_name: u64,
    base_name: u64,
    stamp: Option<(u64, u64)>,
}

impl Layout {
    fn of(table: Option<&SymbolTable>) -> Layout {
        let kernel_type = "_KLDR_DATA_TABLE_ENTRY";
        let offset = |field: &str, otherwise: u64| {
            table
                .and_then(|t| t.field(kernel_type, field).ok())
                .map_or(otherwise, |f| f.offset)
        };
        let named = |field: &str| {
            table
                .and_then(|t| t.field(kernel_type, field).ok())
                .map(|f| f.offset)
        };
        Layout {
            base: offset("DllBase", 0x30),
            size: offset("SizeOfImage", 0x40),
            full_name: offset("FullDllName", 0x48),
            base_name: offset("BaseDllName", 0x58),
            stamp: named("TimeDateStamp").zip(named("CheckSum")),
        }
    }
}

/// Walks the loader's list whose head lies at `head` (`nt!PsLoadedModuleList`).
///
/// The first entry is the kernel. An entry whose name is missing stays in the list under a made-up name, as in kd.
pub fn loaded(space: &AddressSpace, head: Virt, table: Option<&SymbolTable>) -> Found<Module> {
    let layout = Layout::of(table);
    let mut found = Found::default();
    for entry in List::new(space, head, "PsLoadedModuleList") {
        match entry.and_then(|at| module_at(space, at, &layout)) {
            Ok(module) => found.items.push(module),
            Err(error) => found.notes.push(format!(
                "module {} of the list: {error}",
                found.items.len() + 1
            )),
        }
    }
    if let Some(kernel) = found.items.first_mut() {
        kernel.name = "nt".into();
    }
    found
}

fn module_at(space: &AddressSpace, at: Virt, layout: &Layout) -> Result<Module> {
    let base = space.read_virt(at + layout.base)?;
    let size = u64::from(space.read_u32(at + layout.size)?).min(LARGEST_IMAGE);
    // WinDbg names a module by the file part of FullDllName: BaseDllName is an alias for some (kdcom.dll for kd.dll).
    let full = unicode_string(space, at + layout.full_name).unwrap_or_default();
    let path = if full.is_empty() {
        unicode_string(space, at + layout.base_name).unwrap_or_default()
    } else {
        full
    };
    let (time_stamp, checksum) = match layout.stamp {
        Some((stamp, sum)) => (
            space.read_u32(at + stamp).ok(),
            space.read_u32(at + sum).ok(),
        ),
        None => header_stamp(space, base),
    };
    Ok(named(path, base, size, time_stamp, checksum))
}

fn named(
    path: String,
    base: Virt,
    size: u64,
    time_stamp: Option<u32>,
    checksum: Option<u32>,
) -> Module {
    let image_name = match path.rsplit(['\\', '/']).next() {
        Some(file) if !file.is_empty() => file.to_string(),
        _ => format!("Unknown_Module_{base:x}"),
    };
    Module {
        name: name_of(&image_name),
        base,
        size,
        image_name,
        image_path: path,
        time_stamp,
        checksum,
    }
}

/// kd's name for an image: no extension, and nothing that an expression would take for an operator.
fn name_of(image: &str) -> String {
    let stem = image.rsplit_once('.').map_or(image, |(stem, _)| stem);
    stem.chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// The stamp and checksum of the image's own header, which 7601 and 9600 need.
fn header_stamp(space: &AddressSpace, base: Virt) -> (Option<u32>, Option<u32>) {
    let Ok(pe) = space.read_u32(base + 0x3c) else {
        return (None, None);
    };
    let header = base + u64::from(pe);
    if space.read_u32(header).ok() != Some(0x4550) {
        return (None, None);
    }
    (
        space.read_u32(header + 8).ok(),
        space.read_u32(header + 0x58).ok(),
    )
}

/// Reads the ring of unloaded drivers: `array` and `last` are the addresses of `nt!MmUnloadedDrivers` (a pointer) and
/// `nt!MmLastUnloadedDriver` (the index that is written next). Newest first, as kd lists them.
pub fn unloaded(space: &AddressSpace, array: Virt, last: Virt) -> Found<Unloaded> {
    const ENTRY: u64 = 0x28;
    let mut found = Found::default();
    let (array, last) = match (space.read_virt(array), space.read_u32(last)) {
        (Ok(array), Ok(last)) => (array, u64::from(last)),
        (Err(fault), _) | (_, Err(fault)) => {
            found
                .notes
                .push(format!("the list of unloaded modules: {fault}"));
            return found;
        }
    };
    if array.0 == 0 {
        return found;
    }
    for back in 1..=UNLOADED_KEPT {
        let index = (last % UNLOADED_KEPT + UNLOADED_KEPT - back) % UNLOADED_KEPT;
        let at = array + index * ENTRY;
        match unloaded_at(space, at) {
            Ok(Some(driver)) => found.items.push(driver),
            Ok(None) => {}
            Err(fault) => {
                found
                    .notes
                    .push(format!("the list of unloaded modules: {fault}"));
                break;
            }
        }
    }
    found
}

fn unloaded_at(space: &AddressSpace, at: Virt) -> Result<Option<Unloaded>, Fault> {
    let start = space.read_virt(at + 0x10)?;
    let end = space.read_virt(at + 0x18)?;
    if start.0 == 0 || end <= start {
        return Ok(None);
    }
    let name = unicode_string(space, at).unwrap_or_else(|_| "???".into());
    Ok(Some(Unloaded {
        name,
        start,
        end,
        time: space.read_u64(at + 0x20).ok(),
    }))
}

/// The modules of a triage dump, which copies the loader's list into a table of its own.
pub(crate) fn of_triage(dump: &Dump) -> (Found<Module>, Found<Unloaded>) {
    let (mut loaded, mut gone) = (Found::default(), Found::default());
    let Some(triage) = dump.triage() else {
        return (loaded, gone);
    };
    for driver in triage.drivers() {
        loaded.items.push(named(
            harmless(&driver.name),
            driver.base,
            u64::from(driver.size),
            Some(driver.time_stamp),
            Some(driver.checksum),
        ));
    }
    if let Some(kernel) = loaded.items.first_mut() {
        kernel.name = "nt".into();
    }
    for driver in triage.unloaded() {
        gone.items.push(Unloaded {
            name: harmless(&driver.name),
            start: driver.start,
            end: driver.end,
            time: None,
        });
    }
    (loaded, gone)
}

/// Reads a `UNICODE_STRING` of the target; a length that lies gives what can be read of it, at most 4 KiB.
///
/// Names of modules and files hold no control characters; in a damaged or hostile dump they could forge a line of output, so
/// they come as full stops.
///
/// # Errors
/// The fault, when not even the structure or nothing of the text can be read.
pub fn unicode_string(space: &AddressSpace, at: Virt) -> Result<String, Fault> {
    let length = space.read_u16(at)?.min(LONGEST_NAME) & !1;
    let buffer = space.read_virt(at + 8)?;
    if length == 0 {
        return Ok(String::new());
    }
    let mut bytes = vec![0; usize::from(length)];
    let (read, fault) = space.read_prefix(buffer, &mut bytes);
    match fault {
        Some(fault) if read == 0 => return Err(fault),
        _ => bytes.truncate(read),
    }
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    Ok(harmless(&String::from_utf16_lossy(&units)))
}

/// A name without control characters.
pub fn harmless(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '.' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kds() {
        let name =
            |path: &str| named(path.into(), Virt(0xffff_f807_0000_0000), 0x1000, None, None).name;
        assert_eq!(name(r"\SystemRoot\system32\kd.dll"), "kd");
        assert_eq!(
            name(r"\??\C:\Windows\system32\drivers\myfault.sys"),
            "myfault"
        );
        assert_eq!(name(r"\SystemRoot\system32\drivers\a-b.c.sys"), "a_b_c");
        assert_eq!(name(""), "Unknown_Module_fffff80700000000");
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let text: Vec<u8> = "a\nb\x1b[2J"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let mut block = (text.len() as u16).to_le_bytes().repeat(2);
        block.resize(8, 0);
        block.extend_from_slice(&0x2000u64.to_le_bytes());
        let space = AddressSpace::of_blocks(vec![(Virt(0x1000), block), (Virt(0x2000), text)]);
        assert_eq!(unicode_string(&space, Virt(0x1000)).unwrap(), "a.b.[2J");
    }

    #[test]
    fn a_string_whose_length_lies_is_cut() {
        let mut block = vec![0xff, 0xff, 0, 0, 0, 0, 0, 0];
        block.extend_from_slice(&0x2000u64.to_le_bytes());
        let space = AddressSpace::of_blocks(vec![
            (Virt(0x1000), block),
            (Virt(0x2000), b"a\0b\0".to_vec()),
        ]);
        assert_eq!(unicode_string(&space, Virt(0x1000)).unwrap(), "ab");
    }
}
