//! The alphabet of the facts file: numbers of seven bits per byte, least significant first, and texts with their length before them.

use rkd_dump::error::{Error, Result};

/// Appends numbers and texts.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    /// An unsigned number.
    pub(crate) fn number(&mut self, mut n: u64) -> &mut Writer {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
        self
    }

    /// A signed number; small ones of either sign are short.
    pub(crate) fn signed(&mut self, n: i64) -> &mut Writer {
        self.number((n << 1 ^ n >> 63).cast_unsigned())
    }

    /// Bytes with their length.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Writer {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }
}

/// Takes apart what a [`Writer`] wrote.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

/// The error of every file that contradicts itself.
pub(crate) fn corrupt(why: impl Into<String>) -> Error {
    Error::Corrupt {
        what: "the facts file".into(),
        why: why.into(),
    }
}

impl<'a> Reader<'a> {
    /// One byte.
    pub(crate) fn byte(&mut self) -> Result<u8> {
        let (&first, rest) = self
            .0
            .split_first()
            .ok_or_else(|| corrupt("it ends too early"))?;
        self.0 = rest;
        Ok(first)
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| corrupt("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// An unsigned number.
    pub(crate) fn number(&mut self) -> Result<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(corrupt("a number does not end"))
    }

    /// An unsigned number of a narrower type.
    pub(crate) fn small<T: TryFrom<u64>>(&mut self) -> Result<T> {
        T::try_from(self.number()?).map_err(|_| corrupt("a number is too large"))
    }

    /// A signed number.
    pub(crate) fn signed(&mut self) -> Result<i64> {
        let n = self.number()?;
        Ok((n >> 1).cast_signed() ^ -(n & 1).cast_signed())
    }

    /// Bytes with their length.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.small()?;
        self.take(length)
    }

    /// A list with its length before it.
    pub(crate) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Reader<'a>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count = self.number()?;
        let mut items = Vec::new();
        for _ in 0..count {
            let before = self.0.len();
            items.push(item(self)?);
            // An item of no bytes would let a count alone fill the memory.
            if self.0.len() == before {
                return Err(corrupt("an item is empty"));
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_come_back() {
        let mut writer = Writer::default();
        let unsigned = [
            0,
            1,
            0x7f,
            0x80,
            0x3fff,
            0x4000,
            u64::from(u32::MAX),
            u64::MAX,
        ];
        let signed = [0, -1, 1, -64, 64, i64::MIN, i64::MAX];
        for n in unsigned {
            writer.number(n);
        }
        for n in signed {
            writer.signed(n);
        }
        writer.bytes(b"text");
        assert_eq!(writer.0[..6], [0, 1, 0x7f, 0x80, 1, 0xff]);
        let mut reader = Reader(&writer.0);
        assert_eq!(unsigned.map(|_| reader.number().unwrap()), unsigned);
        assert_eq!(signed.map(|_| reader.signed().unwrap()), signed);
        assert_eq!(reader.bytes().unwrap(), b"text");
        assert!(reader.byte().is_err());
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(Reader(&[0x80]).number().is_err());
        assert!(Reader(&[0xff; 11]).number().is_err());
        assert!(Reader(&[0xff, 0xff, 0xff, 0xff, 0x7f]).bytes().is_err());
        assert!(Reader(&[0x80, 2]).small::<u8>().is_err());
        let endless = [0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(Reader(&endless).list(|_| Ok(())).is_err());
    }
}
