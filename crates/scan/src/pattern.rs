//! What to look for: bytes under a mask. Text in either case, UTF-16, numbers and bytes with holes are all just that.

use super::error::PatternError;

/// The longest pattern, in bytes. A pattern that lies across two pieces of memory is copied together, so its length must have an end.
pub const MAX_LEN: usize = 0x1_0000;

/// Bytes to look for. A place matches when `memory & mask == bytes` for every byte, and its address is a multiple of the alignment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Already under the mask.
    bytes: Vec<u8>,
    /// As long as `bytes`; `0xff` where the byte is fixed.
    mask: Vec<u8>,
    align: u64,
    /// Bytes per character: 2 when made from UTF-16.
    unit: usize,
}

impl Pattern {
    /// These bytes, at any address.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Pattern {
        let bytes = bytes.into();
        Pattern {
            mask: vec![0xff; bytes.len()],
            bytes,
            align: 1,
            unit: 1,
        }
    }

    /// A text as its UTF-8 bytes; of ASCII, that is what Windows calls an ANSI string.
    pub fn text(text: &str) -> Pattern {
        Pattern::bytes(text.as_bytes())
    }

    /// A text as little-endian UTF-16, at any address.
    pub fn utf16(text: &str) -> Pattern {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        Pattern {
            unit: 2,
            ..Pattern::bytes(bytes)
        }
    }

    /// Bytes of which only the bits of `mask` count. Bits outside the mask are ignored in `bytes` too.
    ///
    /// # Errors
    /// [`PatternError::MaskLength`] when the two differ in length.
    pub fn masked(bytes: &[u8], mask: &[u8]) -> Result<Pattern, PatternError> {
        if bytes.len() != mask.len() {
            return Err(PatternError::MaskLength {
                bytes: bytes.len(),
                mask: mask.len(),
            });
        }
        let bytes = bytes.iter().zip(mask).map(|(b, m)| b & m).collect();
        Ok(Pattern {
            bytes,
            mask: mask.to_vec(),
            align: 1,
            unit: 1,
        })
    }

    /// Bytes in hexadecimal, `?` for a half-byte that may be anything: `48 8b ?? 4? c3`. Blanks are optional.
    ///
    /// # Errors
    /// [`PatternError::NoDigit`] when there is something else in the text, [`PatternError::HalfByte`].
    pub fn hex(text: &str) -> Result<Pattern, PatternError> {
        let (mut bytes, mut mask) = (Vec::new(), Vec::new());
        let mut chars = text.chars().filter(|c| !c.is_whitespace());
        while let Some(high) = chars.next() {
            let Some(low) = chars.next() else {
                return Err(PatternError::HalfByte(text.to_owned()));
            };
            let (mut byte, mut bits) = (0, 0);
            for c in [high, low] {
                let (digit, known) = match (c, c.to_digit(16)) {
                    (_, Some(digit)) => (digit as u8, 0xf),
                    ('?', None) => (0, 0),
                    _ => {
                        return Err(PatternError::NoDigit {
                            digit: c,
                            pattern: text.to_owned(),
                        });
                    }
                };
                byte = byte << 4 | digit;
                bits = bits << 4 | known;
            }
            bytes.push(byte);
            mask.push(bits);
        }
        Pattern::masked(&bytes, &mask)
    }

    /// The same, with ASCII letters in either case.
    pub fn any_case(mut self) -> Pattern {
        let unit = self.unit;
        for at in (0..self.bytes.len()).step_by(unit) {
            let narrow = self
                .bytes
                .get(at + 1..at + unit)
                .is_some_and(|rest| rest.iter().all(|&b| b == 0));
            if narrow && self.mask[at] == 0xff && self.bytes[at].is_ascii_alphabetic() {
                self.mask[at] = 0xdf;
                self.bytes[at] &= 0xdf;
            }
        }
        self
    }

    /// The same, only at addresses that are a multiple of `align` (0 and 1: everywhere).
    pub fn aligned(mut self, align: u64) -> Pattern {
        self.align = align.max(1);
        self
    }

    /// The length in bytes.
    #[allow(clippy::len_without_is_empty)] // an empty pattern never gets into a set
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes, zero where the mask is.
    pub fn value(&self) -> &[u8] {
        &self.bytes
    }

    /// Which bits count.
    pub fn mask(&self) -> &[u8] {
        &self.mask
    }

    /// Whether every bit counts.
    pub(crate) fn is_exact(&self) -> bool {
        self.mask.iter().all(|&m| m == 0xff)
    }

    /// Whether every address will do.
    pub(super) fn may_be_anywhere(&self) -> bool {
        self.align == 1
    }

    /// Whether its alignment allows the address.
    pub fn may_be_at(&self, address: u64) -> bool {
        self.may_be_anywhere() || address.is_multiple_of(self.align)
    }

    /// Whether `haystack` begins with it.
    pub fn matches(&self, haystack: &[u8]) -> bool {
        haystack.len() >= self.len()
            && self
                .bytes
                .iter()
                .zip(&self.mask)
                .zip(haystack)
                .all(|((byte, mask), haystack)| haystack & mask == *byte)
    }

    /// What is wrong with it, for [`super::Patterns::new`].
    pub(super) fn check(&self) -> Result<(), PatternError> {
        if self.bytes.is_empty() {
            return Err(PatternError::Empty);
        }
        if self.mask.iter().all(|&m| m == 0) {
            return Err(PatternError::NoFixedBit);
        }
        if self.len() > MAX_LEN {
            return Err(PatternError::TooLong(self.len()));
        }
        Ok(())
    }
}
