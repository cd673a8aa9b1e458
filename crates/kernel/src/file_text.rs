//! The text of a file that people saved with whatever program they had, and the bytes of the tags in it.

/// What Windows-1252 has at 0x80..=0x9f; its five gaps stand for themselves, as Windows converts them.
const UPPER: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
];
/// So many bytes tell UTF-16 without a mark: in a list of tags nearly every other byte is zero.
const SAMPLE: usize = 256;

/// Decodes UTF-16 of both orders, UTF-8 (each with its mark or without), and what is neither as Windows-1252.
pub(crate) fn decode(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xff, 0xfe, ..] => wide(bytes, u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(bytes, u16::from_be_bytes),
        _ if zeros(bytes, 1) => wide(bytes, u16::from_le_bytes),
        _ if zeros(bytes, 0) => wide(bytes, u16::from_be_bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|&byte| narrow(byte)).collect(),
        },
    };
    match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    }
}

fn wide(bytes: &[u8], order: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|&pair| order(pair))
        .collect();
    String::from_utf16_lossy(&units)
}

/// Whether most bytes at odd (1) or even (0) places are zero, and few of the others.
fn zeros(bytes: &[u8], half: usize) -> bool {
    let pairs = bytes
        .get(..bytes.len().min(SAMPLE))
        .unwrap_or(bytes)
        .as_chunks::<2>()
        .0;
    let count = |half: usize| pairs.iter().filter(|pair| pair[half] == 0).count();
    count(half) * 4 > pairs.len() * 3 && count(1 - half) * 4 < pairs.len()
}

fn narrow(byte: u8) -> char {
    match byte
        .checked_sub(0x80)
        .and_then(|at| UPPER.get(usize::from(at)))
    {
        Some(&char) => char,
        None => char::from(byte),
    }
}

/// The bytes that the characters were before they were decoded; nothing if one of them is in no tag.
pub(crate) fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let byte = |char: char| match UPPER.iter().position(|&upper| upper == char) {
        Some(at) => u8::try_from(0x80 + at).ok(),
        None => u8::try_from(u32::from(char)).ok(),
    };
    text.chars().map(byte).collect()
}

/// The tag that a text of one to four characters names: shorter ones are padded with blanks.
pub(crate) fn tag_of(text: &str) -> Option<[u8; 4]> {
    let bytes = bytes_of(text)?;
    let mut tag = [b' '; 4];
    tag.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    (!bytes.is_empty()).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_encodings_are_told_apart() {
        let text = "Leak - myfault.sys - é\r\n";
        let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (mark, body) in [
            (&b""[..], &le),
            (b"\xff\xfe", &le),
            (b"", &be),
            (b"\xfe\xff", &be),
            (b"\xef\xbb\xbf", &text.as_bytes().to_vec()),
            (b"", &b"Leak - myfault.sys - \xe9\r\n".to_vec()),
        ] {
            assert_eq!(decode(&[mark, body].concat()), text, "{mark:?} {body:?}");
        }
        assert_eq!(decode(&[0; 8]), "\0".repeat(8));
    }

    #[test]
    fn every_byte_of_a_tag_survives() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&decode(&all)), Some(all));
        assert_eq!(tag_of("Pro\u{e3}"), Some(*b"Pro\xe3"));
        assert_eq!(tag_of("Io"), Some(*b"Io  "));
        assert_eq!(
            (tag_of(""), tag_of("Leaks"), tag_of("\u{6f22}")),
            (None, None, None)
        );
    }
}
