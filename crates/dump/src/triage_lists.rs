//! The two lists of a triage dump: the loaded drivers, and those that were unloaded last.

use crate::addr::Virt;
use crate::bytes::{slice_at, u16_at, u32_at, u64_at};

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
const DRIVER: u64 = 0x90;
/// A list beyond this is a damaged file; the largest machines have some 500 drivers.
const MOST_DRIVERS: u32 = 0x4000;
/// `MI_UNLOADED_DRIVERS` is 50.
const UNLOADED: u64 = 0x38;
const MOST_UNLOADED: u64 = 0x1000;
/// A path has at most 32767 letters, and one in a dump never more than some 100.
const MOST_LETTERS: u32 = 0x1000;

/// The drivers, as many as the file holds.
pub(crate) fn drivers(bytes: &[u8], offset: u32, count: u32) -> Vec<TriageDriver> {
    (0..u64::from(count.min(MOST_DRIVERS)))
        .map_while(|index| {
            driver(
                slice_at(bytes, u64::from(offset) + index * DRIVER, DRIVER)?,
                bytes,
            )
        })
        .collect()
}

fn driver(entry: &[u8], bytes: &[u8]) -> Option<TriageDriver> {
    /// Where the loader's entry begins.
    const KLDR: u64 = 8;
    Some(TriageDriver {
        name: counted_string(bytes, u64::from(u32_at(entry, 0)?)).unwrap_or_default(),
        base: Virt(u64_at(entry, KLDR + 0x30)?),
        entry_point: Virt(u64_at(entry, KLDR + 0x38)?),
        size: u32_at(entry, KLDR + 0x40)?,
        checksum: u32_at(entry, KLDR + 0x78)?,
        // Live entries of today have it at 0x9c; the triage form never moved.
        time_stamp: u32_at(entry, KLDR + 0x80)?,
    })
}

/// The unloaded drivers: a count, then entries with the name inside them.
pub(crate) fn unloaded(bytes: &[u8], offset: u32) -> Vec<TriageUnloaded> {
    let start = u64::from(offset);
    if start == 0 {
        return Vec::new();
    }
    let count = u64_at(bytes, start).unwrap_or_default().min(MOST_UNLOADED);
    (0..count)
        .map_while(|index| {
            let entry = slice_at(bytes, start + 8 + index * UNLOADED, UNLOADED)?;
            // The UNICODE_STRING counts the whole name, of which twelve letters are here.
            let letters = u64::from(u16_at(entry, 0)? / 2).min(12);
            Some(TriageUnloaded {
                name: utf16(slice_at(entry, 0x10, letters * 2)?),
                start: Virt(u64_at(entry, 0x28)?),
                end: Virt(u64_at(entry, 0x30)?),
            })
        })
        .collect()
}

/// A string of the pool: how many letters (not bytes), then the letters.
pub(crate) fn counted_string(bytes: &[u8], at: u64) -> Option<String> {
    let letters = u32_at(bytes, at)?;
    if letters > MOST_LETTERS {
        return None;
    }
    Some(utf16(slice_at(
        bytes,
        at.checked_add(4)?,
        u64::from(letters) * 2,
    )?))
}

/// UTF-16 up to its NUL; what is no letter becomes U+FFFD.
fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .take_while(|unit| *unit != 0);
    char::decode_utf16(units)
        .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
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
        assert_eq!(utf16(b"a\0\0\0b\0"), "a");
        assert_eq!(utf16(b"\x00\xd8a\0"), "\u{fffd}a");
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
