//! Secondary data: what drivers leave in a dump through bug check callbacks, each under a GUID of its own making.
//!
//! The list begins right after the primary dump with `DumpBlob`, the size of that header and the build; then blobs,
//! each {header size, GUID, data size, padding before, padding after}, until something that is no blob.

use crate::bytes::ReadAt;
use std::fmt;

/// One driver's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Who wrote it.
    pub guid: Guid,
    /// Where its data begins in the file, in bytes.
    pub offset: u64,
    /// How much there is, in bytes.
    pub size: u64,
}

/// A GUID as it lies in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second, third) = (self.0.u32_at(0), self.0.u16_at(4), self.0.u16_at(6));
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-",
            first.unwrap_or(0),
            second.unwrap_or(0),
            third.unwrap_or(0)
        )?;
        for (index, byte) in self.0.iter().enumerate().skip(8) {
            write!(f, "{}{byte:02x}", if index == 10 { "-" } else { "" })?;
        }
        Ok(())
    }
}

/// No dump has as many; a list that does not end is a damaged one.
const MOST: usize = 65536;

/// The blobs of the list at `start`. It ends silently at the first entry that does not fit into the file.
pub(crate) fn blobs(bytes: &[u8], start: u64) -> Vec<Blob> {
    let mut found = Vec::new();
    if bytes.slice_at(start, 8) != Some(b"DumpBlob") {
        return found;
    }
    let mut next = bytes
        .u32_at(start.saturating_add(8))
        .and_then(|size| start.checked_add(u64::from(size.max(0x10))));
    while let Some(at) = next.filter(|_| found.len() < MOST) {
        let Some((blob, after)) = blob(bytes, at) else {
            break;
        };
        found.push(blob);
        next = Some(after);
    }
    found
}

/// The blob at `at`, and where the next one begins: always further on.
fn blob(bytes: &[u8], at: u64) -> Option<(Blob, u64)> {
    let number = |offset| bytes.u32_at(at.checked_add(offset)?).map(u64::from);
    let header = number(0)?;
    if !(0x20..0x1000).contains(&header) {
        return None;
    }
    let guid = Guid(*bytes.array_at(at.checked_add(4)?)?);
    let (size, before, behind) = (number(0x14)?, number(0x18)?, number(0x1c)?);
    let offset = at.checked_add(header + before)?;
    bytes.slice_at(offset, size)?;
    Some((Blob { guid, offset, size }, offset + size + behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(header: u32, guid: u8, data: &[u8], before: u32, behind: u32) -> Vec<u8> {
        let mut bytes = header.to_le_bytes().to_vec();
        bytes.extend([guid; 16]);
        for number in [data.len() as u32, before, behind] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.resize(header.max(0x20) as usize + before as usize, 0xaa);
        bytes.extend(data);
        bytes.resize(bytes.len() + behind as usize, 0xbb);
        bytes
    }

    #[test]
    fn walks_padding_and_empty_blobs_and_stops_at_what_is_none() {
        let mut bytes = b"...DumpBlob\x10\0\0\0aJ\0\xf0".to_vec();
        bytes.extend(entry(0x20, 1, b"hello", 0, 3));
        bytes.extend(entry(0x20, 2, b"", 0, 0));
        bytes.extend(entry(0x28, 3, b"world!", 8, 0));
        bytes.extend(entry(0x1f, 4, b"no", 0, 0));
        let found = blobs(&bytes, 3);
        let seen: Vec<_> = found
            .iter()
            .map(|blob| {
                (
                    blob.guid.0[0],
                    bytes.slice_at(blob.offset, blob.size).unwrap(),
                )
            })
            .collect();
        assert_eq!(seen, [(1, &b"hello"[..]), (2, b""), (3, b"world!")]);
        assert_eq!(blobs(&bytes, 4), []);
        assert_eq!(blobs(&bytes[..bytes.len() - 40], 3).len(), 2);
        assert_eq!(blobs(&bytes, u64::MAX), []);
    }

    #[test]
    fn a_guid_reads_as_registries_print_it() {
        let guid = Guid(*b"\x95\xe1\x4a\x2b\x4d\xa6\x04\x4f\x8e\xde\x7e\x4f\x98\x1b\xd4\x2a");
        assert_eq!(guid.to_string(), "2b4ae195-a64d-4f04-8ede-7e4f981bd42a");
    }
}
