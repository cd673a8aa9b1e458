//! The two lists of a triage dump: the loaded drivers, and those that were unloaded last.

use crate::addr::Virt;
use crate::bytes::ReadAt;

/// A loaded driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriageDriver {
    /// The full path, such as `\SystemRoot\system32\drivers\ntfs.sys`; empty if the file has lost it.
    pub name: String,
    /// Where it lay.
    pub base: Virt,
    /// Its length in memory, in bytes.
    pub size: u32,
    /// The address of `DriverEntry`'s caller.
    pub entry_point: Virt,
    /// The check sum of its PE header.
    pub checksum: u32,
    /// The time stamp of its PE header, which for Windows' own files is a hash.
    pub time_stamp: u32,
}

/// A driver that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriageUnloaded {
    /// At most 12 letters of its file name.
    pub name: String,
    /// Where it lay.
    pub start: Virt,
    /// One past its end.
    pub end: Virt,
}

/// Bytes of an entry: the name's offset, padding, and the loader's entry of Windows XP, which is what the format froze.
const DRIVER: usize = 0x90;
/// A list beyond this is a damaged file; the largest machines have some 500 drivers.
const MAX_DRIVERS: u32 = 0x4000;
/// `MI_UNLOADED_DRIVERS` is 50.
const UNLOADED: usize = 0x38;
const MAX_UNLOADED: u64 = 0x1000;
/// A path has at most 32767 letters, and one in a dump never more than some 100.
const MAX_NAME_LETTERS: u32 = 0x1000;

/// The drivers, as many as the file holds.
pub(crate) fn drivers(bytes: &[u8], offset: u32, count: u32) -> Vec<TriageDriver> {
    bytes
        .records_at(offset, count.min(MAX_DRIVERS), DRIVER)
        .map_while(|entry| driver(entry, bytes))
        .collect()
}

fn driver(entry: &[u8], bytes: &[u8]) -> Option<TriageDriver> {
    /// Where the loader's entry begins.
    const KLDR: u64 = 8;
    Some(TriageDriver {
        name: counted_string(bytes, u64::from(entry.u32_at(0)?)).unwrap_or_default(),
        base: Virt(entry.u64_at(KLDR + 0x30)?),
        entry_point: Virt(entry.u64_at(KLDR + 0x38)?),
        size: entry.u32_at(KLDR + 0x40)?,
        checksum: entry.u32_at(KLDR + 0x78)?,
        // Live entries of today have it at 0x9c; the triage form never moved.
        time_stamp: entry.u32_at(KLDR + 0x80)?,
    })
}

/// The unloaded drivers: a count, then entries with the name inside them.
pub(crate) fn unloaded(bytes: &[u8], offset: u32) -> Vec<TriageUnloaded> {
    let start = u64::from(offset);
    if start == 0 {
        return Vec::new();
    }
    let count = bytes.u64_at(start).unwrap_or_default().min(MAX_UNLOADED);
    bytes
        .records_at(start + 8, count, UNLOADED)
        .map_while(|entry| {
            // The UNICODE_STRING counts the whole name, of which twelve letters are here.
            Some(TriageUnloaded {
                name: entry.utf16_at(0x10, (entry.u16_at(0)? / 2).min(12))?,
                start: Virt(entry.u64_at(0x28)?),
                end: Virt(entry.u64_at(0x30)?),
            })
        })
        .collect()
}

/// A string of the pool: how many letters (not bytes), then the letters.
pub(crate) fn counted_string(bytes: &[u8], at: u64) -> Option<String> {
    let letters = bytes.u32_at(at)?;
    if letters > MAX_NAME_LETTERS {
        return None;
    }
    bytes.utf16_at(at.checked_add(4)?, letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn names_are_cut_where_the_file_ends_and_where_they_end() {
        let mut bytes = 5u32.to_le_bytes().to_vec();
        bytes.extend(wide("nt.sys"));
        assert_eq!(counted_string(&bytes, 0).as_deref(), Some("nt.sy"));
        assert_eq!(counted_string(&bytes, 1), None);
        assert_eq!(counted_string(&bytes[..13], 0), None);
    }

    #[test]
    fn an_unloaded_name_may_be_longer_than_its_twelve_letters() {
        let mut entry = 30u16.to_le_bytes().to_vec();
        entry.resize(0x10, 0);
        entry.extend(wide("hwpolicy.sys"));
        entry.extend(0xffff_f800_0000_1000u64.to_le_bytes());
        entry.extend(0xffff_f800_0000_9000u64.to_le_bytes());
        let mut bytes = b"fill".to_vec();
        bytes.extend(u64::MAX.to_le_bytes());
        bytes.extend(entry);
        let expected = TriageUnloaded {
            name: "hwpolicy.sys".to_string(),
            start: Virt(0xffff_f800_0000_1000),
            end: Virt(0xffff_f800_0000_9000),
        };
        assert_eq!(unloaded(&bytes, 4), [expected]);
        assert_eq!(unloaded(&bytes, 0), []);
    }
}
