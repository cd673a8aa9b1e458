//! Which build of a program a file belongs to: the GUID and the age that the linker writes into the image and into its PDB.

use std::fmt;
use std::str::FromStr;

/// A GUID, as the number that its 32 hexadecimal digits spell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub u128);

impl Guid {
    /// From the sixteen bytes of a `GUID` in memory, whose first three members are little-endian numbers.
    pub fn from_memory(bytes: [u8; 16]) -> Guid {
        let [a0, a1, a2, a3, b0, b1, c0, c1, rest @ ..] = bytes;
        let mut text = [0; 16];
        text[..8].copy_from_slice(&[a3, a2, a1, a0, b1, b0, c1, c0]);
        text[8..].copy_from_slice(&rest);
        Guid(u128::from_be_bytes(text))
    }
}

/// 32 upper-case digits without dashes, as in the names of symbol files.
impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032X}", self.0)
    }
}

/// A text that is no GUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a GUID")]
pub struct GuidError(String);

impl FromStr for Guid {
    type Err = GuidError;

    /// 32 hexadecimal digits of either case; the dashes and braces of the registry's form are allowed.
    fn from_str(text: &str) -> Result<Guid, GuidError> {
        let wrong = || GuidError(text.to_owned());
        let inner = text
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'))
            .unwrap_or(text);
        let mut value = 0u128;
        let mut digits = 0;
        for c in inner.chars().filter(|&c| c != '-') {
            let digit = c.to_digit(16).ok_or_else(wrong)?;
            value = value << 4 | u128::from(digit);
            digits += 1;
            if digits > 32 {
                return Err(wrong());
            }
        }
        if digits == 32 {
            Ok(Guid(value))
        } else {
            Err(wrong())
        }
    }
}

/// The identity of a PDB, and of every image that was linked with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PdbId {
    /// Made anew by every full link.
    pub guid: Guid,
    /// Raised when the PDB is rewritten without a full link; 1 for the public PDBs of Windows.
    pub age: u32,
    /// The PDB's file name without its folder: `ntkrnlmp.pdb`.
    pub name: String,
}

impl PdbId {
    /// An identity from its three parts.
    pub fn new(guid: Guid, age: u32, name: impl Into<String>) -> PdbId {
        PdbId {
            guid,
            age,
            name: name.into(),
        }
    }

    /// Whether both belong to the same link. The file's name does not count: it can be changed by hand.
    pub(crate) fn same_link(&self, other: &PdbId) -> bool {
        self.guid == other.guid && self.age == other.age
    }

    /// `GUID-AGE` with the age in decimal: how Volatility names its symbol files.
    pub fn isf_name(&self) -> String {
        format!("{}-{}", self.guid, self.age)
    }

    /// `GUIDAGE` with the age in hexadecimal: the folder's name in a symbol store.
    pub fn store_name(&self) -> String {
        format!("{}{:X}", self.guid, self.age)
    }
}

/// `ntkrnlmp.pdb 606FF669409B00F7FC8C61A9C1670129-1`.
impl fmt::Display for PdbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-{}", self.name, self.guid, self.age)
    }
}

/// The last part of a path in either notation; linkers write whole build paths into images and PDBs.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_in_memory_has_its_first_three_members_swapped() {
        // The RSDS record of 19041.3570: the text form is the name of its ISF file.
        let bytes = [
            0x69, 0xf6, 0x6f, 0x60, 0x9b, 0x40, 0xf7, 0x00, 0xfc, 0x8c, 0x61, 0xa9, 0xc1, 0x67,
            0x01, 0x29,
        ];
        assert_eq!(
            Guid::from_memory(bytes).to_string(),
            "606FF669409B00F7FC8C61A9C1670129"
        );
    }

    #[test]
    fn a_guid_is_read_in_all_its_spellings() {
        let guid = Guid(0x606FF669409B00F7FC8C61A9C1670129);
        for text in [
            "606FF669409B00F7FC8C61A9C1670129",
            "606ff669409b00f7fc8c61a9c1670129",
            "{606FF669-409B-00F7-FC8C-61A9C1670129}",
        ] {
            assert_eq!(text.parse(), Ok(guid));
        }
        for text in [
            "",
            "606FF669409B00F7FC8C61A9C167012",
            "606FF669409B00F7FC8C61A9C16701290",
            "606FF669409B00F7FC8C61A9C167012g",
        ] {
            assert_eq!(text.parse::<Guid>(), Err(GuidError(text.to_owned())));
        }
    }

    #[test]
    fn the_age_is_decimal_in_isf_names_and_hexadecimal_in_stores() {
        let id = PdbId::new(Guid(0xABC), 26, "a.pdb");
        assert_eq!(id.isf_name(), "00000000000000000000000000000ABC-26");
        assert_eq!(id.store_name(), "00000000000000000000000000000ABC1A");
        assert_eq!(id.to_string(), "a.pdb 00000000000000000000000000000ABC-26");
    }
}
