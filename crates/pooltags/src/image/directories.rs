//! The tables that an image's data directories point to. Each is read as far as it makes sense, and no further.

use super::{Guard, Import, NameOf, Piece, TagImage};
use rkd_code::Machine;
use rkd_code::unwind::{self, FunctionTable};
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Fault, Why};
use rkd_symbols::pe::{self, Imported, Target};

const EXCEPTION: usize = 3;
const RELOCATION: usize = 5;
const LOAD_CONFIG: usize = 10;
const IMPORT_ADDRESSES: usize = 12;
const DELAY_IMPORT: usize = 13;

const MAX_MODULES: u32 = 1024;
const MAX_IMPORTS: usize = 0x1_0000;
const MAX_NAME: u32 = 512;

fn text(image: &TagImage, rva: u32) -> Option<String> {
    let bytes = image.slice(rva, MAX_NAME);
    let end = memchr::memchr(0, bytes)?;
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
}

/// `_ExAllocatePoolWithTag@12` is `ExAllocatePoolWithTag`; names that only begin with an underscore stay.
fn plain(name: &str) -> &str {
    let body = name.strip_prefix(['_', '@']).unwrap_or(name);
    match body.rsplit_once('@') {
        Some((front, digits))
            if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            front
        }
        _ => name,
    }
}

pub(super) fn imports(image: &TagImage, pe: &pe::Image<'_>, name_of: NameOf<'_>) -> Vec<Import> {
    let mut found: Vec<Import> = pe
        .imports()
        .value
        .into_iter()
        .map(|import| Import {
            slot: import.slot.0,
            module: import.module.to_ascii_lowercase(),
            name: match import.what {
                Imported::Name(name) => plain(&name).to_owned(),
                Imported::Ordinal(number) => format!("#{number}"),
            },
        })
        .collect();
    delayed(image, pe, &mut found);
    found.sort_by_key(|i| i.slot);
    found.dedup_by_key(|i| i.slot);
    let named = found.len();
    nameless(image, pe, named, name_of, &mut found);
    found.sort_by_key(|i| i.slot);
    found
}

/// The delay-load table: one more list of the same kind.
fn delayed(image: &TagImage, pe: &pe::Image<'_>, found: &mut Vec<Import>) {
    let Some((table, _)) = pe.headers().directory(DELAY_IMPORT) else {
        return;
    };
    let width = image.machine.pointer();
    for i in 0..MAX_MODULES {
        let word = |n: u32| image.u32(table.checked_add(i * 32 + 4 * n)?);
        let (Some(module), Some(slots), Some(names)) = (word(1), word(3), word(4)) else {
            break;
        };
        if slots == 0 || names == 0 {
            break;
        }
        let module = text(image, module).unwrap_or_default().to_ascii_lowercase();
        for j in 0..MAX_IMPORTS as u32 {
            let (Some(slot), Some(place)) =
                (slots.checked_add(j * width), names.checked_add(j * width))
            else {
                break;
            };
            let Some(name) = image
                .pointer(place)
                .filter(|&n| n != 0 && found.len() < MAX_IMPORTS)
            else {
                break;
            };
            // what does not fit into 31 bits is an ordinal
            let name = u32::try_from(name)
                .ok()
                .and_then(|rva| text(image, rva.checked_add(2)?));
            found.push(Import {
                slot,
                module: module.clone(),
                name: name.map(|n| plain(&n).to_owned()).unwrap_or_default(),
            });
        }
    }
}

/// Where the names went away with INIT, the pointers stay: asks for the names of their targets.
fn nameless(
    image: &TagImage,
    pe: &pe::Image<'_>,
    named: usize,
    name_of: NameOf<'_>,
    found: &mut Vec<Import>,
) {
    let Some((table, size)) = pe.headers().directory(IMPORT_ADDRESSES) else {
        return;
    };
    let width = image.machine.pointer();
    for i in 0..(size / width).min(MAX_IMPORTS as u32) {
        let slot = table.saturating_add(i * width);
        if found[..named]
            .binary_search_by_key(&slot, |i| i.slot)
            .is_ok()
        {
            continue;
        }
        let Some(target) = image.pointer(slot).filter(|&t| t != 0) else {
            continue;
        };
        if let Some(name) = name_of(Virt(target)) {
            found.push(Import {
                slot,
                module: String::new(),
                name: plain(&name).to_owned(),
            });
        }
    }
}

pub(super) fn exports(pe: &pe::Image<'_>) -> Vec<(String, u32)> {
    let list = pe.exports().value.list.into_iter();
    list.filter_map(|export| match (export.name, export.target) {
        (Some(name), Target::Rva(rva)) => Some((plain(&name).to_owned(), rva.0)),
        _ => None,
    })
    .collect()
}

pub(super) fn relocations(image: &TagImage, pe: &pe::Image<'_>) -> Vec<u32> {
    let mut found = Vec::new();
    let Some((table, size)) = pe.headers().directory(RELOCATION) else {
        return found;
    };
    let end = table.saturating_add(size).min(image.size);
    let mut at = table;
    while let (true, Some(page), Some(length)) =
        (at < end, image.u32(at), image.u32(at.saturating_add(4)))
    {
        if length < 8 {
            break;
        }
        for entry in image
            .slice(at.saturating_add(8), (length - 8).min(0x4000))
            .chunks_exact(2)
        {
            let entry = u16::from_le_bytes([entry[0], entry[1]]);
            if matches!(entry >> 12, 3 | 10) {
                found.push(page.saturating_add(u32::from(entry & 0xfff)));
            }
        }
        at = at.saturating_add(length);
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The function table, cleaned, and what had to be left out of it.
pub(super) fn pieces(image: &TagImage, pe: &pe::Image<'_>) -> (Vec<Piece>, Option<String>) {
    let Some((rva, size)) = pe.headers().directory(EXCEPTION) else {
        return (Vec::new(), None);
    };
    let table = FunctionTable {
        machine: image.machine,
        base: Virt(0),
        rva: Rva(rva),
        size,
    };
    let entries = table
        .entries(image)
        .into_iter()
        .filter(|entry| entry.begin != Rva(0));
    let mut raw: Vec<Piece> = entries
        .map(|entry| {
            let first = match image.machine {
                Machine::X64 => entry.first_piece(image, table.base),
                Machine::X86 | Machine::Arm64 => Ok(entry),
            };
            // a chain that breaks off leads as far as it leads
            let owner = first.unwrap_or_else(|(reached, _)| reached);
            Piece {
                begin: entry.begin.0,
                end: entry.end.0,
                owner: owner.begin.0,
            }
        })
        .collect();
    raw.sort_by_key(|p| (p.begin, p.end));
    let mut pieces: Vec<Piece> = Vec::with_capacity(raw.len());
    let mut refused = 0;
    for piece in raw {
        let in_order = pieces.last().is_none_or(|last| last.end <= piece.begin);
        let code = image
            .section(piece.begin)
            .is_some_and(|s| s.is_code() && piece.end <= s.end());
        if piece.begin < piece.end && code && in_order {
            pieces.push(piece);
        } else if piece.begin != 0 {
            refused += 1;
        }
    }
    let complaint = (refused > 0).then(|| {
        format!("{refused} entries of the function table contradict others and were left out")
    });
    (pieces, complaint)
}

/// The image as memory that lies at 0.
impl unwind::Memory for TagImage {
    fn read(&self, at: Virt, into: &mut [u8]) -> Result<(), Fault> {
        let bytes = u32::try_from(at.0).map_or(&[][..], |at| self.slice(at, into.len() as u32));
        if bytes.len() < into.len() {
            let why = Why::NoBlock;
            return Err(Fault {
                at: at + bytes.len() as u64,
                why,
            });
        }
        into.copy_from_slice(bytes);
        Ok(())
    }
}

pub(super) fn guard(image: &TagImage, pe: &pe::Image<'_>) -> Guard {
    let mut guard = Guard::default();
    let Some((table, _)) = pe.headers().directory(LOAD_CONFIG) else {
        return guard;
    };
    // offsets of IMAGE_LOAD_CONFIG_DIRECTORY32 and 64; the first word is the structure's own size
    let (check, dispatch): (&[u32], &[u32]) = match image.machine {
        Machine::X86 => (&[0x48], &[0x4c]),
        _ => (&[0x70, 0x118], &[0x78, 0x120, 0x128]),
    };
    let size = image.u32(table).unwrap_or(0);
    let slot = |offset: u32| {
        (offset.checked_add(image.machine.pointer())? <= size).then_some(())?;
        image
            .rva_of(image.pointer(table.checked_add(offset)?)?)
            .filter(|&rva| rva != 0)
    };
    guard.check.extend(check.iter().filter_map(|&o| slot(o)));
    guard
        .dispatch
        .extend(dispatch.iter().filter_map(|&o| slot(o)));
    guard
}
