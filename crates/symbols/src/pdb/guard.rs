//! What pdb2 would allocate by, or print about, without asking the file whether it can be true.

use super::Pdb;
use super::error::PdbError;
use pdb2::StreamIndex;
use rkd_dump::bytes::ReadAt;

const TYPES: StreamIndex = StreamIndex(2);
const DEBUG: StreamIndex = StreamIndex(3);

/// A list of arguments: a count of 32 bits, then as many type indices of 4 bytes.
const LF_ARGLIST: u16 = 0x1201;

/// Whether the types' stream can hold as many types, and each list of arguments as many arguments, as they say.
///
/// # Errors
/// When it cannot.
pub(super) fn types(pdb: &mut Pdb) -> Result<(), PdbError> {
    match pdb.raw_stream(TYPES)? {
        Some(stream) => records(&stream),
        None => Ok(()),
    }
}

fn records(stream: &[u8]) -> Result<(), PdbError> {
    // No types at all is an empty stream.
    let Some(header) = stream.u32_at(4) else {
        return Ok(());
    };
    let (first, end) = (
        stream.u32_at(8).unwrap_or(0),
        stream.u32_at(12).unwrap_or(0),
    );
    let (first, end) = (u64::from(first), u64::from(end));
    if end.saturating_sub(first) > stream.len() as u64 / 4 {
        return Err(PdbError::TypeCount {
            types: end.saturating_sub(first),
            bytes: stream.len(),
        });
    }
    let mut at = header as usize;
    while let (Some(length), Some(kind)) = (stream.u16_at(at), stream.u16_at(at + 2)) {
        if kind == LF_ARGLIST {
            let count = stream.u32_at(at + 4).unwrap_or(0);
            if u64::from(count) * 4 > u64::from(length) {
                return Err(PdbError::ArgumentCount {
                    arguments: count,
                    bytes: length,
                });
            }
        }
        at += 2 + usize::from(length);
    }
    Ok(())
}

/// Whether the file says where the sections of its image lie. Without that pdb2 guesses, and tells standard error about it.
///
/// # Errors
/// When the debug information cannot be read.
pub(super) fn has_sections(pdb: &mut Pdb) -> Result<bool, PdbError> {
    /// Where the sizes of the seven parts stand in the header, in the order in which the parts follow it; the last is the
    /// list of further streams.
    const SIZES: [usize; 7] = [24, 28, 32, 36, 40, 52, 48];
    const HEADER: u64 = 64;
    /// The place of the section headers in the list.
    const SECTION_HEADERS: u64 = 5;
    let Some(stream) = pdb.raw_stream(DEBUG)? else {
        return Ok(false);
    };
    let [before @ .., list] = SIZES.map(|at| u64::from(stream.u32_at(at).unwrap_or(0)));
    let entry = HEADER + before.iter().sum::<u64>() + 2 * SECTION_HEADERS;
    let index = stream.u16_at(entry);
    Ok(list > 2 * SECTION_HEADERS && index.is_some_and(|index| index != u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(first: u32, end: u32, record: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 56];
        bytes[4] = 56;
        bytes[8..12].copy_from_slice(&first.to_le_bytes());
        bytes[12..16].copy_from_slice(&end.to_le_bytes());
        bytes.extend(record);
        bytes
    }

    #[test]
    fn counts_that_cannot_be_true_are_refused() {
        let arguments = [10, 0, 1, 0x12, 1, 0, 0, 0, 0x74, 0, 0, 0];
        records(&[]).unwrap();
        records(&stream(0x1000, 0x1001, &arguments)).unwrap();
        let many = records(&stream(0x1000, u32::MAX, &arguments))
            .unwrap_err()
            .to_string();
        assert!(many.contains("4294963199 types cannot lie"), "{many}");
        let mut long = arguments;
        long[7] = 0x40;
        let many = records(&stream(0x1000, 0x1001, &long))
            .unwrap_err()
            .to_string();
        assert!(many.contains("1073741825 arguments cannot lie"), "{many}");
    }
}
