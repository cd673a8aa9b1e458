//! The version resource: `VS_VERSIONINFO`, a tree of blocks in which every block says its length.

use rkd_dump::bytes::ReadAt;

/// What a version resource says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionInfo {
    /// The numbers.
    pub fixed: Option<FixedInfo>,
    /// Language and code page of what the file is made for: `(0x409, 0x4b0)`.
    pub translations: Vec<(u16, u16)>,
    /// The texts, in as many languages as there are; nearly always one.
    pub strings: Vec<StringTable>,
    cut_short: bool,
}

/// `VS_FIXEDFILEINFO`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedInfo {
    /// Major, minor, build, revision.
    pub file_version: [u16; 4],
    /// Major, minor, build, revision.
    pub product_version: [u16; 4],
    /// Which of the flags are valid.
    pub flags_mask: u32,
    /// 1 debug, 2 prerelease, 4 patched, 8 private, 0x20 special.
    pub flags: u32,
    /// `0x40004` is Windows NT.
    pub os: u32,
    /// 1 program, 2 DLL, 3 driver.
    pub file_type: u32,
    /// Of a driver, which kind.
    pub file_subtype: u32,
    /// A FILETIME; nobody sets it.
    pub date: u64,
}

/// The texts of one language, in the file's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StringTable {
    /// Language and code page as eight digits: `040904B0`.
    pub language: String,
    /// `CompanyName`, `FileDescription` ... and their texts.
    pub entries: Vec<(String, String)>,
}

impl VersionInfo {
    /// A text by its name, from the first table that has it.
    pub fn string(&self, name: &str) -> Option<&str> {
        let all = self.strings.iter().flat_map(|table| &table.entries);
        all.filter(|(key, _)| key == name)
            .map(|(_, value)| &**value)
            .next()
    }

    /// Whether bytes were missing at the end.
    pub(super) fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// Reads a resource's bytes; `None` if they do not begin like one. What can be read of it is read.
    pub fn parse(bytes: &[u8]) -> Option<VersionInfo> {
        let mut info = VersionInfo::default();
        let mut rest = bytes;
        let root = Block::next(&mut rest, &mut info.cut_short)?;
        if root.key != "VS_VERSION_INFO" {
            return None;
        }
        info.fixed = FixedInfo::parse(root.value);
        let mut children = root.children;
        while let Some(child) = Block::next(&mut children, &mut info.cut_short) {
            // Neither of the two has a value, though some linkers say so.
            let mut inner = if child.value.is_empty() {
                child.children
            } else {
                child.body
            };
            while let Some(block) = Block::next(&mut inner, &mut info.cut_short) {
                match child.key.as_str() {
                    "VarFileInfo" if block.key == "Translation" => {
                        let pairs = block.value.as_chunks::<4>().0;
                        info.translations.extend(pairs.iter().map(|&[a, b, c, d]| {
                            (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
                        }));
                    }
                    "StringFileInfo" => {
                        let mut strings = if block.value.is_empty() {
                            block.children
                        } else {
                            block.body
                        };
                        let mut entries = Vec::new();
                        while let Some(string) = Block::next(&mut strings, &mut info.cut_short) {
                            // The length of the value is in characters or in bytes, as the linker liked: only the zero is sure.
                            entries.push((string.key, text(string.body).0));
                        }
                        info.strings.push(StringTable {
                            language: block.key,
                            entries,
                        });
                    }
                    _ => {}
                }
            }
        }
        Some(info)
    }
}

impl FixedInfo {
    fn parse(bytes: &[u8]) -> Option<FixedInfo> {
        let field = |index: usize| bytes.u32_at(4 * index);
        let version = |high: u32, low: u32| {
            [
                (high >> 16) as u16,
                high as u16,
                (low >> 16) as u16,
                low as u16,
            ]
        };
        (field(0)? == 0xfeef_04bd).then_some(())?;
        Some(FixedInfo {
            file_version: version(field(2)?, field(3)?),
            product_version: version(field(4)?, field(5)?),
            flags_mask: field(6)?,
            flags: field(7)?,
            os: field(8)?,
            file_type: field(9)?,
            file_subtype: field(10)?,
            date: u64::from(field(11)?) << 32 | u64::from(field(12)?),
        })
    }
}

/// One block: length, length of the value, kind, key, value, children.
struct Block<'a> {
    key: String,
    /// As long as the block says that it is.
    value: &'a [u8],
    /// Everything behind the value.
    children: &'a [u8],
    /// Everything behind the key.
    body: &'a [u8],
}

impl<'a> Block<'a> {
    /// Takes a block off the front. Every block has at least its six bytes, so that this comes to an end.
    fn next(rest: &mut &'a [u8], cut_short: &mut bool) -> Option<Block<'a>> {
        let whole = *rest;
        let length = usize::from(whole.u16_at(0)?);
        let value_length = usize::from(whole.u16_at(2)?);
        let is_text = whole.u16_at(4)? == 1;
        if length < 6 {
            // Zeroes fill up the end.
            *rest = &[];
            return None;
        }
        *cut_short |= length > whole.len();
        let block = whole.get(..length).unwrap_or(whole);
        *rest = whole.get(aligned(length)..).unwrap_or_default();
        let (key, key_length) = text(block.get(6..)?);
        let body = block.get(aligned(6 + key_length)..).unwrap_or_default();
        let value_length = if is_text {
            2 * value_length
        } else {
            value_length
        };
        let (value, _) = body.split_at(value_length.min(body.len()));
        let children = body.get(aligned(value_length)..).unwrap_or_default();
        Some(Block {
            key,
            value,
            children,
            body,
        })
    }
}

/// Blocks, values and children begin at multiples of four. Every block starts at one, so that this can be counted from it.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// The text up to a zero or to the end, and how many bytes it took with the zero.
fn text(bytes: &[u8]) -> (String, usize) {
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&unit| u16::from_le_bytes(unit));
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    (String::from_utf16_lossy(&units), 2 * units.len() + 2)
}
