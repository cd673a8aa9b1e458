//! A small driver image, put together by hand from the PE specification: one of everything that the reader knows.

use crate::support::image;
use rkd_dump::addr::Virt;
use rkd_dump::memory::AddressSpace;

/// Where the mapped image lies.
pub const BASE: Virt = Virt(0xffff_f807_47f5_0000);
/// In bytes.
pub const SIZE_OF_IMAGE: u32 = 0x5000;

/// Sections: name, RVA, mapped size, offset in the file, size in the file.
pub const SECTIONS: [(&str, u32, u32, u32, u32); 4] = [
    (".text", 0x1000, 0x180, 0x400, 0x200),
    (".rdata", 0x2000, 0x7f0, 0x600, 0x800),
    (".data", 0x3000, 0x800, 0xe00, 0x200),
    (".rsrc", 0x4000, 0x500, 0x1000, 0x600),
];

fn put(image: &mut [u8], at: u32, bytes: &[u8]) {
    image[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
}

fn put16(image: &mut [u8], at: u32, values: &[u16]) {
    put(
        image,
        at,
        &values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>(),
    );
}

pub fn put32(image: &mut [u8], at: u32, values: &[u32]) {
    put(
        image,
        at,
        &values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>(),
    );
}

fn put64(image: &mut [u8], at: u32, values: &[u64]) {
    put(
        image,
        at,
        &values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>(),
    );
}

/// The image as the loader maps it.
pub fn mapped() -> Vec<u8> {
    let mut image = vec![0; SIZE_OF_IMAGE as usize];
    headers(&mut image);
    exports(&mut image);
    imports(&mut image);
    debug(&mut image);
    resources(&mut image);
    put(&mut image, 0x1000, &[0xcc; 0x180]);
    put(&mut image, 0x3000, b"data");
    image
}

/// The same image as a file.
pub fn file() -> Vec<u8> {
    let image = mapped();
    let mut file = vec![0; 0x1600];
    file[..0x400].copy_from_slice(&image[..0x400]);
    for (_, rva, size, offset, raw) in SECTIONS {
        let size = size.min(raw) as usize;
        put(&mut file, offset, &image[rva as usize..rva as usize + size]);
    }
    file
}

/// The mapped image in a target's memory, without the pages whose RVA is named.
pub fn memory(image: &[u8], without: &[usize]) -> AddressSpace {
    image::memory(image, BASE, |page| {
        without.contains(&(page as usize * 0x1000))
    })
}

fn headers(image: &mut [u8]) {
    put(image, 0, b"MZ");
    put32(image, 0x3c, &[0x80]);
    put(image, 0x80, b"PE\0\0");
    put16(image, 0x84, &[0x8664, 4]);
    put32(image, 0x88, &[0x98f9_eee3, 0, 0]);
    put16(image, 0x94, &[0xf0, 0x22]);
    put16(image, 0x98, &[0x20b, 0x1d0e]);
    put32(image, 0x9c, &[0x200, 0, 0, 0x1040, 0x1000]);
    put64(image, 0xb0, &[BASE.0]);
    put32(image, 0xb8, &[0x1000, 0x200]);
    put16(image, 0xc0, &[10, 0, 10, 7, 10, 0]);
    put32(image, 0xcc, &[0, SIZE_OF_IMAGE, 0x400, 0x1b_29bf]);
    put16(image, 0xdc, &[1, 0x4160]);
    put64(image, 0xe0, &[0x10_0000, 0x1000, 0x10_0000, 0x1000]);
    put32(image, 0x100, &[0, 16]);
    put32(image, 0x108, &[0x2000, 0xf0, 0x2100, 60, 0x4000, 0x500]);
    put32(image, 0x108 + 6 * 8, &[0x2300, 3 * 28]);
    for (i, (name, rva, size, offset, raw)) in SECTIONS.into_iter().enumerate() {
        let at = 0x188 + 40 * i as u32;
        put(image, at, name.as_bytes());
        put32(image, at + 8, &[size, rva, raw, offset]);
        put32(image, at + 36, &[0x6000_0020]);
    }
}

/// Five functions from ordinal 7 on: one with two names, one forwarded, one without a name, and a hole.
fn exports(image: &mut [u8]) {
    put32(
        image,
        0x2000,
        &[0, 0, 0, 0x20c0, 7, 5, 4, 0x2028, 0x2040, 0x2050],
    );
    put32(image, 0x2028, &[0x1010, 0x20d0, 0, 0x1020, 0x1030]);
    put32(image, 0x2040, &[0x2060, 0x2070, 0x2080, 0x2090]);
    put16(image, 0x2050, &[0, 4, 1, 0]);
    for (at, name) in [
        (0x2060, "Alias"),
        (0x2070, "DriverEntry"),
        (0x2080, "Elsewhere"),
        (0x2090, "Leak"),
    ] {
        put(image, at, name.as_bytes());
    }
    put(image, 0x20c0, b"myfault.sys");
    put(image, 0x20d0, b"NTOSKRNL.ExFreePool");
}

/// Two modules; the slots hold addresses, as after loading.
fn imports(image: &mut [u8]) {
    put32(
        image,
        0x2100,
        &[0x2140, 0, 0, 0x2200, 0x2180, 0x2160, 0, 0, 0x2210, 0x2198],
    );
    put64(image, 0x2140, &[0x2220, 0x2240, 0]);
    put64(image, 0x2160, &[1 << 63 | 0x2a, 0]);
    put64(
        image,
        0x2180,
        &[
            0xffff_f807_2290_0000,
            0xffff_f807_2290_0010,
            0,
            0xffff_f807_2300_0000,
            0,
        ],
    );
    put(image, 0x2200, b"ntoskrnl.exe");
    put(image, 0x2210, b"HAL.dll");
    put(image, 0x2222, b"ExAllocatePoolWithTag");
    put(image, 0x2242, b"ExFreePoolWithTag");
}

/// A PDB, a hash of the build, and something of no interest.
fn debug(image: &mut [u8]) {
    let entry = |kind, size, rva, offset| [0, 0, 0, kind, size, rva, offset];
    put32(image, 0x2300, &entry(13, 4, 0x2380, 0x980));
    put32(image, 0x231c, &entry(2, 24 + 20, 0x23a0, 0x9a0));
    put32(image, 0x2338, &entry(16, 4, 0x2390, 0x990));
    put(image, 0x23a0, b"RSDS");
    put(
        image,
        0x23a4,
        &[
            0x69, 0xf6, 0x6f, 0x60, 0x9b, 0x40, 0xf7, 0x00, 0xfc, 0x8c, 0x61, 0xa9, 0xc1, 0x67,
            0x01, 0x29,
        ],
    );
    put32(image, 0x23b4, &[3]);
    put(image, 0x23b8, br"C:\build\myfault.pdb");
}

/// An icon that nobody wants, and the version in two languages.
fn resources(image: &mut [u8]) {
    let directory = |image: &mut [u8], at: u32, entries: &[(u32, u32)]| {
        put16(image, at + 12, &[0, entries.len() as u16]);
        for (i, &(id, place)) in entries.iter().enumerate() {
            put32(image, at + 16 + 8 * i as u32, &[id, place]);
        }
    };
    const DIR: u32 = 1 << 31;
    directory(image, 0x4000, &[(3, DIR | 0x80), (16, DIR | 0x20)]);
    directory(image, 0x4020, &[(1, DIR | 0x40)]);
    directory(image, 0x4040, &[(0x407, 0x70), (0x409, 0x60)]);
    let version = version();
    put32(image, 0x4060, &[0x40a0, version.len() as u32, 0, 0]);
    put32(image, 0x4070, &[0x1000, 16, 0, 0]);
    put(image, 0x40a0, &version);
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// A block of a version resource.
fn block(key: &str, is_text: bool, value: &[u8], children: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0; 6];
    let align = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(utf16(key));
    align(&mut bytes);
    bytes.extend(value);
    for child in children {
        align(&mut bytes);
        bytes.extend(child);
    }
    let value_length = if is_text {
        value.len() / 2
    } else {
        value.len()
    };
    let head = [bytes.len() as u16, value_length as u16, u16::from(is_text)];
    put16(&mut bytes, 0, &head);
    bytes
}

/// The texts of the version resource.
pub const STRINGS: [(&str, &str); 4] = [
    ("CompanyName", "Sysinternals"),
    ("FileDescription", "Crash \u{2122} Driver"),
    ("Empty", ""),
    ("FileVersion", "4.0"),
];

fn version() -> Vec<u8> {
    let fixed = [
        0xfeef_04bd,
        0x10000,
        10 << 16,
        19041 << 16 | 3570,
        4 << 16 | 1,
        2 << 16 | 3,
        0x3f,
        2,
        0x40004,
        3,
        7,
        1,
        2,
    ];
    let fixed: Vec<u8> = fixed.iter().flat_map(|v: &u32| v.to_le_bytes()).collect();
    let strings: Vec<_> = STRINGS
        .iter()
        .map(|(key, value)| block(key, true, &utf16(value), &[]))
        .collect();
    let table = block("040904B0", true, &[], &strings);
    let strings = block("StringFileInfo", true, &[], &[table]);
    let translation = block("Translation", false, &[9, 4, 0xb0, 4, 7, 4, 0xe4, 4], &[]);
    let var = block("VarFileInfo", true, &[], &[translation]);
    block("VS_VERSION_INFO", false, &fixed, &[strings, var])
}
