//! Tags of objects: `File`, `Proc`, `Toke` and the like. The object manager allocates every object under its type's tag, so that
//! such a tag says what was made and nothing about who holds it.

use crate::Kernel;
use crate::pool::Tag;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;

/// `nt!ObTypeIndexTable` has an entry for each value of a byte.
const MAX_TYPES: u64 = 256;

/// Object types by their tags, for dumps that do not hold the types themselves.
const WELL_KNOWN: [(&[u8; 4], &str); 24] = [
    (b"ALPC", "ALPC Port"),
    (b"Call", "Callback"),
    (b"Debu", "DebugObject"),
    (b"Desk", "Desktop"),
    (b"Devi", "Device"),
    (b"Dire", "Directory"),
    (b"Driv", "Driver"),
    (b"Even", "Event"),
    (b"File", "File"),
    (b"IoCo", "IoCompletion"),
    (b"Job ", "Job"),
    (b"Key ", "Key"),
    (b"Muta", "Mutant"),
    (b"Proc", "Process"),
    (b"Sect", "Section"),
    (b"Sema", "Semaphore"),
    (b"Sess", "Session"),
    (b"Symb", "SymbolicLink"),
    (b"Thre", "Thread"),
    (b"Time", "Timer"),
    (b"Toke", "Token"),
    (b"TpWo", "TpWorkerFactory"),
    (b"Wind", "WindowStation"),
    (b"WmiG", "WmiGuid"),
];

/// What comes with an object of another tag: Windows makes one of them for each.
const COMPANIONS: [(&[u8; 4], &str); 10] = [
    (b"D2d ", "the short name of an opened file"),
    (b"FMfn", "the filter manager's name of an opened file"),
    (b"FMfc", "the filter manager's context of an opened file"),
    (b"IoNm", "the name of an opened file"),
    (b"NtFC", "NTFS's record of an opened file"),
    (b"Ntfc", "NTFS's record of an open"),
    (b"NtfF", "NTFS's record of a file"),
    (b"ObNm", "the name of an object"),
    (b"SeAt", "security attributes of a token"),
    (b"SeTd", "the dynamic part of a token"),
];

/// An object type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectType {
    /// Its tag: `nt!_OBJECT_TYPE.Key`.
    pub tag: Tag,
    /// Its name.
    pub name: String,
    /// Whether the dump says so; otherwise it is one of the well-known types.
    pub in_dump: bool,
}

/// The object types of a machine.
#[derive(Clone, Debug, Default)]
pub struct ObjectTypes(Vec<ObjectType>);

impl ObjectTypes {
    /// Reads them from the dump; where it does not hold them, the well-known ones.
    pub fn of(kernel: &Kernel) -> ObjectTypes {
        let read = read(kernel).unwrap_or_default();
        if !read.is_empty() {
            return ObjectTypes(read);
        }
        ObjectTypes::well_known()
    }

    /// The types that every Windows has, by tags that hardly change.
    pub fn well_known() -> ObjectTypes {
        let known = WELL_KNOWN.iter().map(|(tag, name)| ObjectType {
            tag: Tag(**tag),
            name: (*name).to_owned(),
            in_dump: false,
        });
        ObjectTypes(known.collect())
    }

    /// The type whose objects are allocated under the tag; its mark for protected pool makes no difference.
    pub fn find(&self, tag: Tag) -> Option<&ObjectType> {
        let same = |known: &&ObjectType| known.tag.without_protection() == tag.without_protection();
        self.0.iter().find(same)
    }
}

/// What Windows allocates under the tag together with an object of another; `None` for all other tags.
pub(super) fn companion(tag: Tag) -> Option<&'static str> {
    let known = COMPANIONS
        .iter()
        .find(|(known, _)| **known == tag.without_protection().0);
    known.map(|(_, what)| *what)
}

/// Through `nt!ObTypeIndexTable`, whose first two entries are no types.
fn read(kernel: &Kernel) -> Result<Vec<ObjectType>> {
    const TYPE: &str = "_OBJECT_TYPE";
    let table = kernel.symbol("ObTypeIndexTable")?;
    let mut types = Vec::new();
    for index in 2..MAX_TYPES {
        let at = kernel.space().read_virt(table + index * 8)?;
        if at == Virt(0) {
            break;
        }
        let one = || -> Result<ObjectType> {
            Ok(ObjectType {
                tag: Tag::from_u32(kernel.field_u64(at, TYPE, "Key")? as u32),
                name: name(kernel, at)?,
                in_dump: true,
            })
        };
        // A type whose page is missing is no reason to give up the others.
        types.extend(one().ok());
    }
    Ok(types)
}

/// The type's name, a counted string of 16-bit characters.
fn name(kernel: &Kernel, at: Virt) -> Result<String> {
    const TYPE: &str = "_OBJECT_TYPE";
    /// No type of Windows has a longer name; the length comes from the dump.
    const MAX_BYTES: u64 = 128;
    let bytes = kernel.field_u64(at, TYPE, "Name.Length")?.min(MAX_BYTES);
    let buffer = Virt(kernel.field_u64(at, TYPE, "Name.Buffer")?);
    let mut text = vec![0; bytes as usize];
    kernel.space().read(buffer, &mut text)?;
    let units = text
        .as_chunks::<2>()
        .0
        .iter()
        .map(|unit| u16::from_le_bytes(*unit));
    Ok(char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect())
}
