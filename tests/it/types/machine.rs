//! A machine whose one driver is the one of `tests/fixtures/driver`, mapped as the loader lays it out, with objects of its
//! making in memory. What lies in them is said by the structure below, which was written from the driver's source.

use crate::support::image::mapped;
use crate::support::machine::{dump, memory};
use jiff::tz::{TimeZone, offset};
use rkd::session::Session;
use rkd_dump::addr::Virt;
use rkd_kernel::{Kernel, Options};
use rkd_lab::files::Snapshot;
use rkd_symbols::SymbolPath;
use std::path::{Path, PathBuf};

const NT: u64 = 0xffff_f807_2260_0000;
pub const DRIVER: u64 = 0xffff_f807_3000_0000;
/// Three objects, 0x400 bytes apart; the page behind them is not mapped.
pub const OBJECTS: u64 = 0xffff_9000_0000_0000;
const LIST: u64 = 0xffff_9100_0000_0000;

/// `OBJECT` of `driver.c`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Object {
    pub ty: u16,
    pub size: u16,
    pub next: u64,
    pub links: [u64; 2],
    pub entries: [u64; 4],
    pub matrix: [[u32; 5]; 3],
    pub shape: i32,
    pub other: i32,
    pub routine: u64,
    pub routines: [u64; 2],
    pub unknown: u64,
    pub table: u64,
    pub u1: u8,
    pub wide: u64,
    pub name: [u16; 16],
    pub text: u64,
    pub tail: [u8; 1],
}

impl Object {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<Object>()];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        macro_rules! field {
            ($($name:ident),*) => {$(put(std::mem::offset_of!(Object, $name), &self.$name.to_le_bytes());)*};
        }
        field!(
            ty, size, next, shape, other, routine, unknown, table, u1, wide, text
        );
        let mut all = |at: usize, values: &[u64], size: usize| {
            for (number, value) in values.iter().enumerate() {
                put(at + number * size, &value.to_le_bytes()[..size]);
            }
        };
        use std::mem::offset_of;
        all(offset_of!(Object, links), &self.links, 8);
        all(offset_of!(Object, entries), &self.entries, 8);
        all(offset_of!(Object, routines), &self.routines, 8);
        let matrix: Vec<u64> = self.matrix.concat().into_iter().map(u64::from).collect();
        all(offset_of!(Object, matrix), &matrix, 4);
        all(offset_of!(Object, name), &self.name.map(u64::from), 2);
        all(offset_of!(Object, tail), &self.tail.map(u64::from), 1);
        bytes
    }
}

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/driver")
}

/// The machine, with symbols from `symbols`.
pub fn session(symbols: &Path) -> Session {
    let mut memory = memory(&[]);
    let mut write = |at: u64, bytes: &[u8]| memory.write(Virt(at), bytes).unwrap();
    let file = std::fs::read(fixtures().join("driver.sys")).unwrap();
    let image = mapped(&file);
    let size = image.len() as u32;
    write(DRIVER, &image);

    let object = |number: u64| OBJECTS + number * 0x400;
    let links = |number: u64| object(number) + std::mem::offset_of!(Object, links) as u64;
    let mut name = [0; 16];
    for (slot, letter) in name.iter_mut().zip("one \u{41c}".encode_utf16()) {
        *slot = letter;
    }
    let first = Object {
        ty: 9,
        size: 0x118,
        next: object(1),
        links: [links(1), links(2)],
        entries: [0x8000_0000_1234_5863, 1, 0, u64::MAX],
        matrix: [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]],
        shape: 2,
        other: -2,
        routine: DRIVER + 0x1000,
        routines: [0, 0x1234],
        unknown: 0xffff_a000_0000_0000,
        table: object(0) + 8,
        u1: 0b1010_0101,
        wide: 1.5f64.to_bits(),
        name,
        text: object(0) + 0x300,
        tail: [b'T'],
    };
    write(object(0), &first.bytes());
    write(object(0) + 0x300, b"a text\x1b[31m of the driver\0");
    // The list of the second goes on to the third and comes back to the second: it never returns to the first.
    let second = Object {
        size: 2,
        links: [links(2), links(0)],
        other: 5,
        ..Object::default()
    };
    let third = Object {
        size: 3,
        links: [links(1), links(1)],
        ..Object::default()
    };
    write(object(1), &second.bytes());
    write(object(2), &third.bytes());

    let entries = [
        (
            LIST + 0x100,
            NT,
            0x1000u32,
            r"\SystemRoot\system32\ntoskrnl.exe",
        ),
        (LIST + 0x300, DRIVER, size, r"\??\C:\driver.sys"),
    ];
    let links = [LIST, entries[0].0, entries[1].0, LIST];
    write(LIST, &links[1].to_le_bytes());
    write(LIST + 8, &links[2].to_le_bytes());
    for (n, (at, base, size, path)) in entries.iter().enumerate() {
        write(*at, &links[n + 2].to_le_bytes());
        write(at + 8, &links[n].to_le_bytes());
        write(at + 0x30, &base.to_le_bytes());
        write(at + 0x40, &size.to_le_bytes());
        let path: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
        write(at + 0x48, &(path.len() as u16).to_le_bytes());
        write(at + 0x50, &(LIST + 0x1000 + 0x200 * n as u64).to_le_bytes());
        write(LIST + 0x1000 + 0x200 * n as u64, &path);
    }

    let mut snapshot = Snapshot::bare(memory);
    snapshot.facts.module_list = Virt(LIST);
    snapshot.facts.code = 0x9f;
    snapshot.facts.system_time = 133_089_418_510_420_000;
    snapshot.facts.up_time = 4_978_679_120_000;
    snapshot.facts.suite_mask = 0x110;
    let dump = dump("driver.dmp", &snapshot);
    let options = Options {
        symbols: SymbolPath::parse(&symbols.display().to_string()),
        ..Options::default()
    };
    let mut session = Session::new(Kernel::open(dump, &options));
    session.display.time_zone = TimeZone::fixed(offset(8));
    session
}
