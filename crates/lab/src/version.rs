//! Version resources: the resource section of an image with nothing else in it.

/// What a version resource says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    /// Who made it.
    pub company: String,
    /// What it is.
    pub description: String,
    /// The four parts of the file's version.
    pub file: [u16; 4],
    /// Of what product it is a part.
    pub product: String,
    /// The file's original name.
    pub name: String,
    /// Who has the rights.
    pub copyright: String,
}

/// A resource section at this place of the image: directory, one data entry, `VS_VERSIONINFO`.
pub(crate) fn resources(version: &Version, rva: u32) -> Vec<u8> {
    let mut out = Vec::new();
    // three levels with one entry each: type 16 (version), name 1, language 0x409
    for (id, next) in [(16, 0x8000_0018), (1, 0x8000_0030), (0x409, 0x48_u32)] {
        out.extend_from_slice(&[0; 14]);
        out.extend_from_slice(&1_u16.to_le_bytes());
        out.extend_from_slice(&u32::to_le_bytes(id));
        out.extend_from_slice(&next.to_le_bytes());
    }
    let info = version_info(version);
    for value in [rva + 0x60, info.len() as u32, 0, 0] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.resize(0x60, 0);
    out.extend_from_slice(&info);
    out
}

fn version_info(version: &Version) -> Vec<u8> {
    let [a, b, c, d] = version.file.map(u32::from);
    let (high, low) = (a << 16 | b, c << 16 | d);
    let mut fixed = Vec::new();
    // VS_FIXEDFILEINFO: signature, structure version, file version, product version, flags, NT, driver
    for value in [
        0xfeef_04bd,
        0x1_0000,
        high,
        low,
        high,
        low,
        0x3f,
        0,
        0x4_0004,
        3,
        7,
        0,
        0_u32,
    ] {
        fixed.extend_from_slice(&value.to_le_bytes());
    }
    let number = format!("{a}.{b}.{c}.{d}");
    let strings: Vec<u8> = [
        ("CompanyName", version.company.as_str()),
        ("FileDescription", &version.description),
        ("FileVersion", &number),
        ("InternalName", &version.name),
        ("LegalCopyright", &version.copyright),
        ("OriginalFilename", &version.name),
        ("ProductName", &version.product),
        ("ProductVersion", &number),
    ]
    .iter()
    .fold(Vec::new(), |mut all, (key, text)| {
        pad(&mut all);
        let value: Vec<u8> = text
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .collect();
        all.extend(node(key, &value, true, &[]));
        all
    });
    let table = node("040904B0", &[], true, &strings);
    let mut children = node("StringFileInfo", &[], true, &table);
    pad(&mut children);
    let translation = node("Translation", &[0x09, 0x04, 0xb0, 0x04], false, &[]);
    children.extend(node("VarFileInfo", &[], true, &translation));
    node("VS_VERSION_INFO", &fixed, false, &children)
}

/// A node of the tree: lengths, key, value, children, each on a boundary of four bytes.
fn node(key: &str, value: &[u8], is_text: bool, children: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 2];
    let units = if is_text {
        value.len() / 2
    } else {
        value.len()
    };
    out.extend_from_slice(&(units as u16).to_le_bytes());
    out.extend_from_slice(&u16::from(is_text).to_le_bytes());
    out.extend(key.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    pad(&mut out);
    out.extend_from_slice(value);
    if !children.is_empty() {
        pad(&mut out);
        out.extend_from_slice(children);
    }
    let length = (out.len() as u16).to_le_bytes();
    out[..2].copy_from_slice(&length);
    out
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_counts_letters_and_bytes() {
        let bytes = node("AB", &[b'x', 0, 0, 0], true, &[]);
        // length 16, two letters of value, text, "AB\0", padding to 12, value
        assert_eq!(
            bytes,
            [16, 0, 2, 0, 1, 0, b'A', 0, b'B', 0, 0, 0, b'x', 0, 0, 0]
        );
    }

    #[test]
    fn the_tree_leads_to_the_version() {
        let version = Version {
            company: "Made Up".into(),
            file: [1, 2, 3, 4],
            ..Version::default()
        };
        let bytes = resources(&version, 0x7000);
        assert_eq!(bytes[0x48..0x4c], 0x7060_u32.to_le_bytes());
        assert_eq!(
            bytes[0x66..0x86],
            *"VS_VERSION_INFO\0"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>()
        );
        assert_eq!(bytes[0x88..0x8c], 0xfeef_04bd_u32.to_le_bytes());
    }
}
