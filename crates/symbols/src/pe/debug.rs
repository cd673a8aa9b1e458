//! The debug directory: which PDB belongs to the image, and whether its time stamp is a time.

use super::bytes::{Bytes, MAX_TEXT};
use super::{Headers, Partly, corrupt};
use crate::{Guid, PdbId, id};
use rkd_dump::addr::Rva;
use rkd_dump::bytes::ReadAt;
use rkd_dump::error::{Error, Result};

/// The number of the debug directory.
const DIRECTORY: usize = 6;
/// `IMAGE_DEBUG_TYPE_CODEVIEW` and `IMAGE_DEBUG_TYPE_REPRO`.
const CODEVIEW: u32 = 2;
const REPRO: u32 = 16;

/// What the debug directory says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Debug {
    /// The PDB that was made with the image.
    pub pdb: Option<PdbId>,
    /// The PDB's path on the machine that built the image, as the linker wrote it.
    pub pdb_path: Option<String>,
    /// Whether the image was built with `/Brepro`: the time stamps in it are hashes.
    pub reproducible: bool,
}

/// An entry of the debug directory, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebugEntry {
    /// `IMAGE_DEBUG_TYPE_*`: 2 is the record that names the PDB.
    pub kind: u32,
    /// In bytes.
    pub size: u32,
    /// Where it is mapped; 0 if it is not.
    pub rva: Rva,
    /// Where it starts in the file.
    pub pointer: u32,
}

/// The entries of the debug directory, as many as there are.
pub(super) fn entries(bytes: &Bytes, headers: &Headers) -> Partly<Vec<DebugEntry>> {
    let mut found = Partly::new(Vec::new());
    let Some((rva, size)) = headers.directory(DIRECTORY) else {
        return found;
    };
    // Seven entries are the most that linkers write.
    let (entries, missing) = bytes.list::<28>(rva, (size / 28).min(64));
    found.value.extend(entries.iter().map(|entry| {
        let field = |at| entry.u32_at(at).unwrap_or_default();
        DebugEntry {
            kind: field(12),
            size: field(16),
            rva: Rva(field(20)),
            pointer: field(24),
        }
    }));
    if let Some(why) = missing {
        found.miss(why);
    }
    found
}

pub(super) fn read(bytes: &Bytes, headers: &Headers) -> Partly<Debug> {
    let mut debug = Partly::new(Debug::default());
    let Partly { value, missing } = entries(bytes, headers);
    for entry in value {
        match entry.kind {
            CODEVIEW if debug.value.pdb.is_none() => {
                match codeview(bytes, entry.size, entry.rva.0, entry.pointer) {
                    Ok(Some((pdb, path))) => {
                        debug.value.pdb = Some(pdb);
                        debug.value.pdb_path = Some(path);
                    }
                    Ok(None) => {}
                    Err(why) => debug.miss(why),
                }
            }
            REPRO => debug.value.reproducible = true,
            _ => {}
        }
    }
    if let Some(why) = missing {
        debug.miss(why);
    }
    debug
}

/// An RSDS record; `None` if it is of an older kind, which has no GUID.
fn codeview(bytes: &Bytes, size: u32, rva: u32, offset: u32) -> Result<Option<(PdbId, String)>> {
    // A record without an address is not mapped, and can be had from a file only.
    let loose = match bytes {
        Bytes::File { file, .. } if rva == 0 => {
            let file = usize::try_from(offset)
                .ok()
                .and_then(|offset| file.get(offset..));
            Some(file.ok_or_else(|| corrupt("its debug record lies outside of the file"))?)
        }
        Bytes::Memory { .. } if rva == 0 => {
            return Err(Error::NotInDump(
                "the image's debug record was not mapped".into(),
            ));
        }
        _ => None,
    };
    let mut record = [0; 24];
    if let Some(start) = loose.map(|file| file.first_chunk()) {
        record = *start.ok_or_else(|| corrupt("its debug record lies outside of the file"))?;
    } else {
        bytes.exact(rva, &mut record)?;
    }
    let Some(guid) = record
        .strip_prefix(b"RSDS")
        .and_then(|rest| rest.first_chunk())
    else {
        return Ok(None);
    };
    let age = record.u32_at(20).unwrap_or_default();
    let mut text = MAX_TEXT.min(size.saturating_sub(24) as usize + 1);
    let path = match loose.and_then(|file| file.get(24..)) {
        Some(rest) => {
            let end = rest
                .iter()
                .take(text)
                .position(|&byte| byte == 0)
                .unwrap_or(text.min(rest.len()));
            String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned()
        }
        None => bytes.string(rva.saturating_add(24), &mut text)?,
    };
    Ok(Some((
        PdbId::new(Guid::from_memory(*guid), age, id::file_name(&path)),
        path,
    )))
}
