//! The file as pdb2 asks for it: as lists of pages. A stream in one piece is lent from the file; a scattered one is copied,
//! within bounds that no honest file meets.

use pdb2::{Source, SourceSlice, SourceView};
use rkd_dump::map::Map;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// How often the whole file may be copied together. Every stream is read at most a few times; a file whose streams share
/// pages could otherwise be read without end.
const MAX_COPIES: u64 = 8;

/// The bytes of a file, and how many may still be copied.
#[derive(Debug)]
pub(super) struct Pages {
    file: Arc<Map>,
    left: u64,
}

impl Pages {
    pub(super) fn new(file: Arc<Map>) -> Pages {
        let left = MAX_COPIES.saturating_mul(file.bytes().len() as u64);
        Pages { file, left }
    }
}

#[derive(Debug)]
struct Lent(Arc<Map>, Range<usize>);

impl SourceView<'_> for Lent {
    fn as_slice(&self) -> &[u8] {
        self.0.bytes().get(self.1.clone()).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Copied(Vec<u8>);

impl SourceView<'_> for Copied {
    fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl<'s> Source<'s> for Pages {
    fn view(
        &mut self,
        slices: &[SourceSlice],
    ) -> io::Result<Box<dyn SourceView<'s> + Send + Sync>> {
        let file = self.file.bytes();
        let range = |slice: &SourceSlice| {
            let start = usize::try_from(slice.offset).ok()?;
            let end = start.checked_add(slice.size)?;
            (end <= file.len()).then_some(start..end)
        };
        let ends = || io::Error::new(io::ErrorKind::UnexpectedEof, "the file is cut short");
        if let [slice] = slices {
            let range = range(slice).ok_or_else(ends)?;
            return Ok(Box::new(Lent(Arc::clone(&self.file), range)));
        }
        let length = slices
            .iter()
            .try_fold(0usize, |sum, slice| sum.checked_add(slice.size))
            .filter(|&length| length <= file.len())
            .ok_or_else(|| io::Error::other("a stream is longer than the file"))?;
        self.left = self
            .left
            .checked_sub(length as u64)
            .ok_or_else(|| io::Error::other("the streams share their pages"))?;
        let mut bytes = Vec::with_capacity(length);
        for slice in slices {
            let piece = range(slice).and_then(|range| file.get(range));
            bytes.extend_from_slice(piece.ok_or_else(ends)?);
        }
        Ok(Box::new(Copied(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(offset: u64, size: usize) -> SourceSlice {
        SourceSlice { offset, size }
    }

    #[test]
    fn pieces_are_put_together_and_bounds_kept() {
        let mut pages = Pages::new(Arc::new(Map::Owned(b"0123456789".to_vec())));
        let mut view = |slices: &[SourceSlice]| {
            pages
                .view(slices)
                .map(|view| view.as_slice().to_vec())
                .map_err(|e| e.to_string())
        };
        assert_eq!(view(&[slice(2, 3)]).unwrap(), b"234");
        assert_eq!(view(&[slice(8, 2), slice(0, 2)]).unwrap(), b"8901");
        assert_eq!(view(&[slice(8, 3)]).unwrap_err(), "the file is cut short");
        assert_eq!(
            view(&[slice(u64::MAX, 3)]).unwrap_err(),
            "the file is cut short"
        );
        let long = [slice(0, 10), slice(0, 1)];
        assert_eq!(view(&long).unwrap_err(), "a stream is longer than the file");
        let whole = [slice(0, 5), slice(5, 5)];
        let reads = (0..9).take_while(|_| view(&whole).is_ok()).count();
        assert_eq!(
            reads, 7,
            "eight times the file, less what was copied before"
        );
        assert_eq!(view(&whole).unwrap_err(), "the streams share their pages");
    }
}
