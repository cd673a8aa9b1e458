//! Little-endian numbers at places which a file names. Nothing in a dump is trusted, so every reader answers `Option`.

/// The `len` bytes at `at`, if all of them are there.
pub(crate) fn slice_at(bytes: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    bytes.get(start..end)
}

/// The 2-byte number at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: u64) -> Option<u16> {
    slice_at(bytes, at, 2)?
        .try_into()
        .ok()
        .map(u16::from_le_bytes)
}

/// The 4-byte number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: u64) -> Option<u32> {
    slice_at(bytes, at, 4)?
        .try_into()
        .ok()
        .map(u32::from_le_bytes)
}

/// The 8-byte number at `at`.
pub(crate) fn u64_at(bytes: &[u8], at: u64) -> Option<u64> {
    slice_at(bytes, at, 8)?
        .try_into()
        .ok()
        .map(u64::from_le_bytes)
}
