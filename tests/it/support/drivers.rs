//! The drivers that `tests/drivers/build` makes from the sources beside it.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::OnceLock;

/// The drivers in the archive, by name: `hard-x64-O2.sys`.
pub fn drivers() -> &'static BTreeMap<String, Vec<u8>> {
    static DRIVERS: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    DRIVERS.get_or_init(unpacked)
}

fn unpacked() -> BTreeMap<String, Vec<u8>> {
    let packed = &include_bytes!("../../drivers/built.tar.xz")[..];
    let mut tar = Vec::new();
    liblzma::read::XzDecoder::new(packed)
        .read_to_end(&mut tar)
        .unwrap();
    let mut found = BTreeMap::new();
    let mut at = 0;
    // a header of 512 bytes: the name, at 124 the size in octal; then the file, filled up to 512
    while tar[at] != 0 {
        let text = |from: usize, length: usize| {
            let bytes = &tar[at + from..at + from + length];
            let end = bytes.iter().position(|&b| b == 0 || b == b' ');
            String::from_utf8(bytes[..end.unwrap_or(length)].to_vec()).unwrap()
        };
        let size = usize::from_str_radix(&text(124, 12), 8).unwrap();
        let file = tar[at + 512..at + 512 + size].to_vec();
        found.insert(text(0, 100), file);
        at += 512 + size.next_multiple_of(512);
    }
    found
}
