//! The resource tree, as far as it leads to the version resource.

use super::bytes::Bytes;
use super::{Headers, Partly, VersionInfo, corrupt};
use rkd_dump::bytes::ReadAt;
use rkd_dump::error::{Error, Result};

/// The number of the resource directory.
const DIRECTORY: usize = 2;
/// `RT_VERSION`.
const VERSION: u32 = 16;
/// English of the United States, which Windows' own files have, and no language at all.
const LANGUAGES: [u32; 2] = [0x409, 0];

/// How many entries of a directory are looked at.
const MAX_ENTRIES: u32 = 4096;

/// The tree is not searched but walked: type, name, language, data. It has no depth that could be made to loop.
pub(super) fn version(bytes: &Bytes, headers: &Headers) -> Partly<Option<VersionInfo>> {
    let mut version = Partly::new(None);
    let Some((root, _)) = headers.directory(DIRECTORY) else {
        return version;
    };
    match data(bytes, root) {
        Ok(None) => {}
        Ok(Some((rva, size))) => {
            // The block's own length has sixteen bits.
            let mut block = vec![0; size.min(0xffff) as usize];
            let (read, missing) = bytes.prefix(rva, &mut block);
            block.truncate(read);
            match VersionInfo::parse(&block) {
                Some(info) => {
                    if info.is_cut_short() {
                        version.miss(
                            missing
                                .unwrap_or_else(|| corrupt("its version resource ends too early")),
                        );
                    }
                    version.value = Some(info);
                }
                None => {
                    version.miss(missing.unwrap_or_else(|| corrupt("its version resource is none")))
                }
            }
        }
        Err(why) => version.miss(why),
    }
    version
}

/// Where the version block lies, and its size in bytes.
fn data(bytes: &Bytes, root: u32) -> Result<Option<(u32, u32)>> {
    let Some(names) = entry(bytes, root, 0, |entries| {
        entries.iter().find(|e| e.0 == VERSION).copied()
    })?
    else {
        return Ok(None);
    };
    let Some(languages) = entry(bytes, root, names, |entries| entries.first().copied())? else {
        return Ok(None);
    };
    let best = |entries: &[(u32, u32)]| {
        let known = LANGUAGES
            .iter()
            .find_map(|&language| entries.iter().find(|e| e.0 == language));
        known.or(entries.first()).copied()
    };
    let Some(leaf) = entry(bytes, root, languages, best)? else {
        return Ok(None);
    };
    let mut leaf_bytes = [0; 16];
    bytes.exact(root.saturating_add(leaf), &mut leaf_bytes)?;
    let field = |at| leaf_bytes.u32_at(at).unwrap_or_default();
    Ok(Some((field(0), field(4))))
}

/// The place of the entry that `choose` takes from a directory; the top bit, which only says of what kind it is, is cut off.
fn entry(
    bytes: &Bytes,
    root: u32,
    directory: u32,
    choose: impl Fn(&[(u32, u32)]) -> Option<(u32, u32)>,
) -> Result<Option<u32>> {
    let at = root.saturating_add(directory & 0x7fff_ffff);
    let mut header = [0; 16];
    bytes.exact(at, &mut header)?;
    let count = |at| u32::from(header.u16_at(at).unwrap_or_default());
    let (entries, missing) = bytes.list::<8>(
        at.saturating_add(16),
        (count(12) + count(14)).min(MAX_ENTRIES),
    );
    let field = |entry: &[u8; 8], at| entry.u32_at(at).unwrap_or_default();
    let entries: Vec<_> = entries
        .iter()
        .map(|entry| (field(entry, 0), field(entry, 4)))
        .collect();
    match (choose(&entries), missing) {
        (Some((_, place)), _) => Ok(Some(place & 0x7fff_ffff)),
        (None, Some(why)) => Err::<_, Error>(why),
        (None, None) => Ok(None),
    }
}
