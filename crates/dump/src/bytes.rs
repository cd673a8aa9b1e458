//! The one reader of bytes: little-endian numbers, slices and texts at offsets that the bytes themselves name.
//!
//! Nothing in a dump, a PDB or an image is trusted, so every method answers `Option`: `None` where the bytes end before
//! what was asked for, or where the offset wraps. An offset may be any whole number; what does not fit into a `usize`, or
//! is negative, lies beyond the end.
//!
//! ```
//! use rkd_dump::bytes::ReadAt;
//!
//! let header = b"KDBG\x80\x03\0\0n\0t\0";
//! assert_eq!(header.slice_at(0, 4), Some(&b"KDBG"[..]));
//! assert_eq!(header.u32_at(4), Some(0x380));
//! assert_eq!(header.utf16_at(8, 2).as_deref(), Some("nt"));
//! assert_eq!(header.u64_at(8), None); // four bytes are left
//! assert_eq!(header.u16_at(u64::MAX), None);
//! ```

/// Reading by offset; implemented for `[u8]`, and so at hand for vectors, arrays and mapped files.
pub trait ReadAt {
    /// The `len` bytes at `at`, if all of them are there.
    fn slice_at(&self, at: impl TryInto<usize>, len: impl TryInto<usize>) -> Option<&[u8]>;

    /// The `N` bytes at `at`.
    fn array_at<const N: usize>(&self, at: impl TryInto<usize>) -> Option<&[u8; N]> {
        self.slice_at(at, N)?.first_chunk()
    }

    /// The 2-byte number at `at`.
    fn u16_at(&self, at: impl TryInto<usize>) -> Option<u16> {
        self.array_at(at).copied().map(u16::from_le_bytes)
    }

    /// The 4-byte number at `at`.
    fn u32_at(&self, at: impl TryInto<usize>) -> Option<u32> {
        self.array_at(at).copied().map(u32::from_le_bytes)
    }

    /// The 8-byte number at `at`.
    fn u64_at(&self, at: impl TryInto<usize>) -> Option<u64> {
        self.array_at(at).copied().map(u64::from_le_bytes)
    }

    /// The records of `size` bytes (not 0) that follow each other from `at` on: `count` of them, or as many as are there
    /// whole. A count from a file costs nothing beyond what the file holds.
    fn records_at(
        &self,
        at: impl TryInto<usize>,
        count: impl TryInto<usize>,
        size: usize,
    ) -> impl Iterator<Item = &[u8]>;

    /// The text from `at` on, up to a NUL or the end of the `len` bytes; what is not UTF-8 becomes U+FFFD.
    fn text_at(&self, at: impl TryInto<usize>, len: impl TryInto<usize>) -> Option<String> {
        let field = self.slice_at(at, len)?;
        let text = field.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// The UTF-16 text of `units` letters (not bytes) from `at` on, up to a NUL; what is no letter becomes U+FFFD.
    fn utf16_at(&self, at: impl TryInto<usize>, units: impl TryInto<usize>) -> Option<String> {
        let len = units.try_into().ok()?.checked_mul(2)?;
        let (pairs, _) = self.slice_at(at, len)?.as_chunks::<2>();
        let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
        let letters = char::decode_utf16(units.take_while(|unit| *unit != 0));
        Some(
            letters
                .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
        )
    }
}

impl ReadAt for [u8] {
    fn slice_at(&self, at: impl TryInto<usize>, len: impl TryInto<usize>) -> Option<&[u8]> {
        let start = at.try_into().ok()?;
        self.get(start..start.checked_add(len.try_into().ok()?)?)
    }

    fn records_at(
        &self,
        at: impl TryInto<usize>,
        count: impl TryInto<usize>,
        size: usize,
    ) -> impl Iterator<Item = &[u8]> {
        let from = at.try_into().ok().and_then(|at| self.get(at..));
        let count = count.try_into().unwrap_or(usize::MAX);
        from.unwrap_or_default()
            .chunks_exact(size.max(1))
            .take(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_whole_is_not_there() {
        let bytes = [1, 2, 3, 4, 5];
        assert_eq!(bytes.u32_at(1), Some(0x0504_0302));
        assert_eq!(bytes.u32_at(2), None);
        assert_eq!(bytes.u16_at(-1), None);
        assert_eq!(bytes.slice_at(5, 0), Some(&[][..]));
        assert_eq!(bytes.slice_at(1, u64::MAX), None);
        assert_eq!(bytes.array_at::<3>(2u8), Some(&[3, 4, 5]));
    }

    #[test]
    fn records_end_where_the_bytes_do() {
        let bytes = [1, 2, 3, 4, 5, 6, 7];
        let records = |at: u64, count: u64| bytes.records_at(at, count, 2).collect::<Vec<_>>();
        assert_eq!(records(1, 2), [[2, 3], [4, 5]]);
        assert_eq!(records(2, u64::MAX), [[3, 4], [5, 6]]);
        assert_eq!(records(u64::MAX, 1), [[0u8; 2]; 0]);
    }

    #[test]
    fn texts_end_at_their_nul() {
        assert_eq!(b"nt\0x".text_at(0, 4).as_deref(), Some("nt"));
        assert_eq!(b"nt".text_at(0, 3), None);
        assert_eq!(b"a\0\0\0b\0".utf16_at(0, 3).as_deref(), Some("a"));
        assert_eq!(b"\x00\xd8a\0".utf16_at(0, 2).as_deref(), Some("\u{fffd}a"));
    }
}
