//! kd's words for the numbers and flags in the headers of images.

/// `DLL`, `EXECUTABLE IMAGE`.
pub(super) fn file_type(characteristics: u16) -> &'static str {
    match characteristics & DLL {
        0 => "EXECUTABLE IMAGE",
        _ => "DLL",
    }
}

const DLL: u16 = 0x2000;

/// The flags of the file header.
pub(super) fn characteristics(flags: u16) -> Vec<&'static str> {
    named(
        flags,
        &[
            (0x1, "Relocations stripped"),
            (0x2, "Executable"),
            (0x4, "Line numbers stripped"),
            (0x8, "Symbols stripped"),
            (0x10, "Aggressively trim working set"),
            (0x20, "App can handle >2gb addresses"),
            (0x80, "Bytes reversed"),
            (0x100, "32 bit word machine"),
            (0x200, "Debug information stripped"),
            (0x400, "Run from swap if on removable media"),
            (0x800, "Run from swap if on the net"),
            (0x1000, "System"),
            (DLL, "DLL"),
            (0x4000, "Uniprocessor only"),
        ],
    )
}

/// The flags of the optional header.
pub(super) fn dll_characteristics(flags: u16) -> Vec<&'static str> {
    named(
        flags,
        &[
            (0x20, "High entropy VA supported"),
            (0x40, "Dynamic base"),
            (0x80, "Force integrity"),
            (0x100, "NX compatible"),
            (0x200, "No isolation"),
            (0x400, "No structured exception handler"),
            (0x800, "Do not bind"),
            (0x1000, "AppContainer"),
            (0x2000, "WDM driver"),
            (0x4000, "Guard"),
            (0x8000, "Terminal server aware"),
        ],
    )
}

/// What a section holds, how it is aligned, and what may be done with it.
pub(super) fn section(flags: u32) -> Vec<String> {
    let mut words: Vec<String> = named(
        flags,
        &[
            (0x20, "Code"),
            (0x40, "Initialized Data"),
            (0x80, "Uninitialized Data"),
            (0x0200_0000, "Discardable"),
            (0x0400_0000, "Not Cached"),
            (0x0800_0000, "Not Paged"),
            (0x1000_0000, "Shared"),
        ],
    )
    .into_iter()
    .map(String::from)
    .collect();
    words.push(match flags >> 20 & 0xf {
        0 => "(no align specified)".into(),
        power => format!("{} byte align", 1u32 << (power - 1)),
    });
    let rights = [
        (0x2000_0000, "Execute"),
        (0x4000_0000, "Read"),
        (0x8000_0000, "Write"),
    ];
    let rights = named(flags, &rights);
    match rights.as_slice() {
        ["Read"] => words.push("Read Only".into()),
        [] => {}
        rights => words.push(rights.join(" ")),
    }
    words
}

/// What runs the image.
pub(super) fn subsystem(number: u16) -> &'static str {
    match number {
        1 => "Native",
        2 => "Windows GUI",
        3 => "Windows CUI",
        5 => "OS/2 CUI",
        7 => "Posix CUI",
        9 => "Windows CE GUI",
        10 => "EFI application",
        11 => "EFI boot service driver",
        12 => "EFI runtime driver",
        13 => "EFI ROM",
        14 => "Xbox",
        16 => "Windows boot application",
        _ => "Unknown",
    }
}

/// The data directories, by their number.
pub(super) const DIRECTORIES: [&str; 16] = [
    "Export",
    "Import",
    "Resource",
    "Exception",
    "Security",
    "Base Relocation",
    "Debug",
    "Description",
    "Special",
    "Thread Storage",
    "Load Configuration",
    "Bound Import",
    "Import Address Table",
    "Delay Import",
    "COR20 Header",
    "Reserved",
];

/// The name of a type of debug data, as wide as kd writes it; a number in brackets where kd has none.
pub(super) fn debug_type(kind: u32) -> String {
    match kind {
        1 => "coff   ".into(),
        2 => "cv     ".into(),
        3 => "fpo    ".into(),
        4 => "misc   ".into(),
        9 => "borland".into(),
        kind => format!("({kind:>6})"),
    }
}

fn named<T: Copy + Into<u32>>(flags: T, names: &[(T, &'static str)]) -> Vec<&'static str> {
    let flags = flags.into();
    let set = names.iter().filter(|(bit, _)| (*bit).into() & flags != 0);
    set.map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_as_in_transcripts() {
        assert_eq!(
            characteristics(0x2022),
            ["Executable", "App can handle >2gb addresses", "DLL"]
        );
        assert_eq!(
            dll_characteristics(0xc160),
            [
                "High entropy VA supported",
                "Dynamic base",
                "NX compatible",
                "Guard",
                "Terminal server aware"
            ]
        );
        assert_eq!(
            section(0x6800_0020),
            ["Code", "Not Paged", "(no align specified)", "Execute Read"]
        );
        assert_eq!(
            section(0xe200_0020),
            [
                "Code",
                "Discardable",
                "(no align specified)",
                "Execute Read Write"
            ]
        );
        assert_eq!(
            section(0x4200_0040),
            [
                "Initialized Data",
                "Discardable",
                "(no align specified)",
                "Read Only"
            ]
        );
        assert_eq!(section(0x0010_0a00), ["1 byte align"]);
        assert_eq!(
            section(0xc000_0040),
            ["Initialized Data", "(no align specified)", "Read Write"]
        );
    }
}
