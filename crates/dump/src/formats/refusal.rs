//! What a file is that cannot be opened as a dump, in one sentence, and what to do with it.

use super::header;
use crate::bytes::ReadAt;

/// First bytes, what they belong to, and what to do.
const MAGICS: &[(&[u8], &str)] = &[
    (
        b"MDMP",
        "a user-mode minidump of one process; rkd opens kernel dumps (MEMORY.DMP, Minidump\\*.dmp)",
    ),
    (
        b"USERDU64",
        "an old user-mode dump of one process; rkd opens kernel dumps",
    ),
    (
        b"USERDUMP",
        "an old user-mode dump of one process; rkd opens kernel dumps",
    ),
    (
        b"\x7fELF",
        "an ELF file (a core of QEMU or VirtualBox?), which is not supported; dump-guest-memory -w of QEMU writes a Windows dump",
    ),
    (
        b"EMiL",
        "a LiME memory image, which is not supported; convert it to a Windows crash dump",
    ),
    (
        b"HIBR",
        "a hibernation file, which is not supported; convert it to a Windows crash dump",
    ),
    (
        b"hibr",
        "a hibernation file, which is not supported; convert it to a Windows crash dump",
    ),
    (
        b"WAKE",
        "a hibernation file after its resume, with nothing left in it",
    ),
    (
        b"\xd0\xbe\xd2\xbe",
        "a VMware state file, which is not supported; vmss2core -W writes a Windows dump",
    ),
    (
        b"\xd1\xba\xd1\xba",
        "a VMware state file, which is not supported; vmss2core -W writes a Windows dump",
    ),
    (
        b"\xd2\xbe\xd2\xbe",
        "a VMware state file, which is not supported; vmss2core -W writes a Windows dump",
    ),
    (
        b"\xd3\xbe\xd3\xbe",
        "a VMware state file, which is not supported; vmss2core -W writes a Windows dump",
    ),
    (
        b"\x1f\x8b",
        "compressed with gzip: unpack it first (gunzip)",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed with zstd: unpack it first (zstd -d)",
    ),
    (
        b"MSCF",
        "a cabinet: unpack it first (expand, or cabextract)",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7-Zip archive: unpack it first (7z x)",
    ),
    (b"PK\x03\x04", "a ZIP archive: unpack it first"),
    (b"\xfd7zXZ\0", "compressed with xz: unpack it first (xz -d)"),
    (b"BZh", "compressed with bzip2: unpack it first"),
    (b"\x04\x22\x4d\x18", "compressed with lz4: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"MZ", "a program or driver, not a dump"),
    (
        b"Microsoft C/C++ MSF",
        "a PDB symbol file: give its folder with -y, and open the dump",
    ),
    (b"ElfFile\0", "an event log, not a dump"),
    (b"regf", "a registry hive, not a dump"),
    (
        b"vhdxfile",
        "a virtual disk: the dump is a file inside it (Windows\\MEMORY.DMP)",
    ),
    (
        b"KDMV",
        "a virtual disk: the dump is a file inside it (Windows\\MEMORY.DMP)",
    ),
    (
        b"QFI\xfb",
        "a virtual disk: the dump is a file inside it (Windows\\MEMORY.DMP)",
    ),
    (
        b"<!DOCTYPE",
        "a web page: the download brought a page instead of the dump",
    ),
    (
        b"<html",
        "a web page: the download brought a page instead of the dump",
    ),
    (
        b"version https://git-lfs",
        "a Git LFS pointer: fetch the real file (git lfs pull)",
    ),
];

/// Why a file cannot be opened as a dump; the text says what it is, and what to do with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing is in it.
    #[error("the file is empty; the disk may have been full when the dump was copied or written")]
    Empty,
    /// A kernel dump of a 32-bit machine, with its build number.
    #[error(
        "a 32-bit kernel dump (x86, build {0}), which is not supported yet; rkd opens 64-bit dumps"
    )]
    X86(u32),
    /// The first header is not there whole; with the size of the file in bytes.
    #[error(
        "a 64-bit kernel dump that ends after {0} bytes, inside its header of 8192; copy the file again"
    )]
    CutInHeader(usize),
    /// A file of another format, in words.
    #[error("not a kernel dump but {0}")]
    Other(&'static str),
    /// Nothing but zeroes where a header should be.
    #[error(
        "not a kernel dump: it begins with zeroes; the writing of the dump, or its download, did not finish, or \
         this is a raw memory image in which no 64-bit Windows was found"
    )]
    Zeroes,
    /// A text, with its first words.
    #[error("not a kernel dump but text, which begins {0:?}")]
    Text(String),
    /// Anything else, with its first bytes.
    #[error("not a kernel dump: it begins with {}, a dump with PAGEDU64", hex(.0))]
    Unknown(Vec<u8>),
    /// A 64-bit kernel dump whose `DumpType` is none that can be opened.
    #[error("{}", unknown_type(*.0))]
    DumpType(u32),
    /// The file ends right after the first header.
    #[error("the file ends right after its header: no memory was written")]
    NoSecondHeader,
    /// The second header holds the filler of the first.
    #[error("the second header was never filled in: the writing of the dump did not finish")]
    UnfinishedSecondHeader,
    /// The second header, at 0x2000, is not what the first one promises.
    #[error(
        "the second header should begin with {expected}, and begins with {}: a damaged file, or a kind of dump that is not known",
        hex(.found)
    )]
    SecondHeader {
        /// What it should begin with.
        expected: &'static str,
        /// The bytes with which it begins.
        found: Vec<u8>,
    },
    /// The file ends inside the named part; with its size in bytes.
    #[error("the file ends after {1} bytes, inside its {0}")]
    CutIn(&'static str, usize),
    /// A triage dump that is shorter than its headers; with its size in bytes.
    #[error("a triage dump that ends after {0} bytes, inside its header")]
    TriageCut(usize),
    /// A full dump without a list of memory.
    #[error("a full dump whose header does not say which memory it holds")]
    NoRuns,
    /// The pages are said to begin, at this offset, before the list of them ends.
    #[error("the list of memory says that the first page lies at {0:#x}, inside the header")]
    PagesInHeader(u64),
}

impl Refusal {
    /// What the bytes are that no format takes for its own.
    pub(crate) fn of(bytes: &[u8]) -> Refusal {
        if bytes.is_empty() {
            return Refusal::Empty;
        }
        if bytes.starts_with(b"PAGEDUMP") {
            return Refusal::X86(bytes.u32_at(0xc).unwrap_or_default());
        }
        if bytes.starts_with(b"PAGEDU64") {
            return header::dump_type(bytes)
                .map_or(Refusal::CutInHeader(bytes.len()), Refusal::DumpType);
        }
        if let Some((_, what)) = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Refusal::Other(what);
        }
        if bytes.slice_at(0x101, 5) == Some(b"ustar") {
            return Refusal::Other("a tar archive: unpack it first");
        }
        let head = bytes.get(..bytes.len().min(512)).unwrap_or_default();
        if head.iter().all(|byte| *byte == 0) {
            return Refusal::Zeroes;
        }
        let is_text = |byte: &u8| matches!(byte, 9 | 10 | 13 | 32..=126 | 128..);
        if head.starts_with(b"\xff\xfe") || head.iter().all(is_text) {
            return Refusal::Text(first_words(head));
        }
        Refusal::Unknown(head.get(..head.len().min(8)).unwrap_or_default().to_vec())
    }

    /// The second header begins with `found`, which is not what the first one promises.
    pub(crate) fn second_header(expected: &'static str, found: &[u8]) -> Refusal {
        match found {
            _ if found.len() < 8 => Refusal::NoSecondHeader,
            _ if found.starts_with(b"PAGEPAGE") => Refusal::UnfinishedSecondHeader,
            _ => Refusal::SecondHeader {
                expected,
                found: found.to_vec(),
            },
        }
    }
}

fn unknown_type(dump_type: u32) -> String {
    match dump_type {
        2 => "a kernel summary dump (type 2), as Windows 7 and older wrote; its layout is not supported. Windows 8 and \
              later write type 5 or 6, and .dump /f of a debugger rewrites an old one"
            .to_string(),
        3 => "a dump that holds only its header (type 3): no memory was written".to_string(),
        0x4547_4150 => "a kernel dump whose header was never filled in: the writing of the dump did not finish".to_string(),
        other => format!("a kernel dump of the unknown type {other:#x}; known are 1, 4, 5, 6, 8, 9 and a"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(printable) = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.chars().all(|char| char.is_ascii_graphic()))
    {
        text.push(format!("({printable})"));
    }
    text.join(" ")
}

/// The first few words of a text.
fn first_words(head: &[u8]) -> String {
    String::from_utf8_lossy(head)
        .chars()
        .filter(|char| *char != '\0' && *char != '\u{fffd}')
        .take(30)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magic_is_found_by_its_own_sentence() {
        for (magic, what) in MAGICS {
            let mut file = magic.to_vec();
            file.resize(1000, 1);
            assert_eq!(Refusal::of(&file), Refusal::Other(what));
        }
    }

    #[test]
    fn everything_else_is_described() {
        let cases: &[(&[u8], &str)] = &[
            (
                b"",
                "the file is empty; the disk may have been full when the dump was copied or written",
            ),
            (
                b"hello world\r\n",
                "not a kernel dump but text, which begins \"hello world\\r\\n\"",
            ),
            (
                b"\xff\xfeh\0i\0",
                "not a kernel dump but text, which begins \"hi\"",
            ),
            (
                b"\x1b[31m\x01\x02",
                "not a kernel dump: it begins with 1b 5b 33 31 6d 01 02, a dump with PAGEDU64",
            ),
            (
                b"ABCDEFG\x01",
                "not a kernel dump: it begins with 41 42 43 44 45 46 47 01, a dump with PAGEDU64",
            ),
            (
                b"PAGEDUMP\x0f\0\0\0\xb1\x1d\0\0",
                "a 32-bit kernel dump (x86, build 7601), which is not supported yet; rkd opens 64-bit dumps",
            ),
            (
                b"PAGEDU64",
                "a 64-bit kernel dump that ends after 8 bytes, inside its header of 8192; copy the file again",
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Refusal::of(bytes).to_string(), *expected);
        }
        assert_eq!(Refusal::of(&[0; 4096]), Refusal::Zeroes);
    }
}
