//! Reading memory: every type, and why a read fails.

use super::support::{machine, say};
use rkd::script::Script;

/// One page of data; the next one is not there.
fn eval(source: &str) -> String {
    let mut page = vec![0u8; 0x1000];
    page[..8].copy_from_slice(&0xfffff807_47f50000u64.to_le_bytes());
    page[8..16].copy_from_slice(&42u64.to_le_bytes());
    page[0x10..0x16].copy_from_slice(b"Leak\x01\0");
    page[0x20..0x2a].copy_from_slice(b"a\0\xfc\0b\0\0\0zz");
    // UNICODE_STRING { 4, 6, 0xffff8000`00000020 }
    page[0x30..0x34].copy_from_slice(&[4, 0, 6, 0]);
    page[0x38..0x40].copy_from_slice(&0xffff8000_00000020u64.to_le_bytes());
    page[0x40] = 3;
    page[0xffe..0x1000].copy_from_slice(b"xy");
    let mut session = machine(&[(0xffff8000_00000000, &page)]);
    let said = say(&mut Script::with_modules(None), &mut session, source);
    // Where the place is shown is not the matter here.
    said.split("\n    ")
        .next()
        .unwrap_or_default()
        .trim_end()
        .to_string()
        + "\n"
}

#[test]
fn reads_by_type() {
    let table = [
        ("read_u8(0xffff800000000000)", "0\n"),
        ("read_u16(addr(\"ffff8000`00000008\"))", "42\n"),
        ("read_u32(0xffff800000000004)", "4294965255\n"),
        ("read_u64(0xffff800000000008)", "42\n"),
        ("read_u64(\"ffff8000`00000000\")", "fffff807`47f50000\n"),
        ("read_u64(0xffff800000000000) > 5", "true\n"),
        ("read_ptr(0xffff800000000008)", "00000000`0000002a\n"),
        ("read_bytes(0xffff800000000010, 4)", "4c 65 61 6b\n"),
        (
            "read_bytes(0xffff800000000010, 4) == \"Leak\".to_blob()",
            "true\n",
        ),
        ("read_ascii(0xffff800000000010)", "Leak.\n"),
        ("read_ascii(0xffff800000000010, 2)", "Le\n"),
        ("read_utf16(0xffff800000000020)", "aüb\n"),
        ("read_utf16(0xffff800000000020, 2)", "aü\n"),
        ("read_unicode_string(0xffff800000000030)", "aü\n"),
        ("is_readable(0xffff800000000fff)", "true\n"),
        ("is_readable(0xffff800000000fff, 2)", "false\n"),
        ("why_unreadable(0xffff800000000000, 0x100) == ()", "true\n"),
    ];
    for (source, expected) in table {
        assert_eq!(eval(source), expected, "{source}");
    }
}

#[test]
fn says_why_it_cannot_read() {
    let missing = "annot read ffff8000`00001000: not mapped (PTE is zero)\n";
    let table = [
        ("read_u16(0xffff800000000fff)", format!("C{missing}")),
        ("read_bytes(0xffff800000000ff0, 0x20)", format!("C{missing}")),
        ("read_ascii(0xffff800000000ffe)", format!("C{missing}")),
        ("why_unreadable(0xffff800000000ff0, 0x20)", format!("c{missing}")),
        ("try { read_u8(0xffff800000001000); } catch (why) { print(`caught: ${why}`); }", format!("caught: c{missing}")),
        ("read_bytes(0, -1)", "The length must be between 0 and 0x1000000, not -1\n".into()),
        ("read_bytes(0, 0x1000001)", "The length must be between 0 and 0x1000000, not 16777217\n".into()),
        ("read_u8(1.0)", "A floating point number cannot be an address: it holds only 53 bits. Write the address in hexadecimal\n".into()),
        ("read_unicode_string(0xffff800000000040)", "Cannot read ffff8000`00000040: the length of a UNICODE_STRING is even\n".into()),
    ];
    for (source, expected) in table {
        assert_eq!(eval(source), expected, "{source}");
    }
}
