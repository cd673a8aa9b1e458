//! A machine of two modules, written byte by byte, and a way to hold whole sessions against it.

use crate::support::machine::{dump, memory};
use crate::support::say;
use jiff::tz::{TimeZone, offset};
use rkd::session::Session;
use rkd_dump::addr::Virt;
use rkd_kernel::{Kernel, Options};
use rkd_lab::files::{Facts, Snapshot};

pub const NT: u64 = 0xffff_f807_2260_0000;
pub const MYFAULT: u64 = 0xffff_f807_47f5_0000;
/// A page of data that belongs to no module; the page behind it is not mapped.
pub const DATA: u64 = 0xffff_9000_0000_0000;
const LIST: u64 = 0xffff_9100_0000_0000;

/// The parameters of the bug check, 9F: a device and a request that it has kept.
const PARAMETERS: [u64; 4] = [
    3,
    0xffff_948f_e9be_4060,
    0xffff_e381_3d0e_f040,
    0xffff_948f_ee90_eba0,
];

/// The two places in myfault where the tag is an immediate value of an instruction.
const HITS: [(u64, &[u8]); 2] = [
    (
        0x1559,
        b"Leak\x0f\x42\xc1\x41\x8d\x49\xfd\x8b\xd0\xff\x15\x0c",
    ),
    (
        0x15c7,
        b"Leak\x0f\x42\xc1\x33\xc9\x8b\xd0\xff\x15\xa0\x1a\x00",
    ),
];

pub fn session() -> Session {
    machine(&[])
}

/// The same machine with what the bug check's parameters lead to: a request whose stack location names a device object of
/// myfault's.
pub fn session_with_request() -> Session {
    let [_, device, _, request] = PARAMETERS;
    let (location, driver) = (request + 0xd0, DATA + 0x800);
    machine(&[
        (request, 6),
        (request + 0xb8, location),
        (location + 0x28, device),
        (device, 3),
        (device + 8, driver),
        (driver, 4),
        (driver + 0x18, MYFAULT),
    ])
}

fn machine(numbers: &[(u64, u64)]) -> Session {
    let mut memory = memory(&[]);
    let mut write = |at: u64, bytes: &[u8]| memory.write(Virt(at), bytes).unwrap();

    // nt: a page of headers with an entry point at 0x9000.
    let mut headers = vec![0; 0x1000];
    headers[..2].copy_from_slice(b"MZ");
    headers[0x3c] = 0x80;
    headers[0x80..0x84].copy_from_slice(b"PE\0\0");
    headers[0xa8..0xac].copy_from_slice(&0x9000u32.to_le_bytes());
    write(NT, &headers);
    write(MYFAULT + 0x1000, &[0xcc; 0x1000]);
    for (at, bytes) in HITS {
        write(MYFAULT + at, bytes);
    }

    // Data: numbers, a text, a wide text, pointers.
    let mut data: Vec<u8> = (0..=255).collect();
    data.resize(0x1000, 0);
    data[0x100..0x12d].copy_from_slice(b"a text of more than thirty-two characters; \x01\xff");
    for (at, letter) in "wide: \u{41c}\u{438}\u{440}".encode_utf16().enumerate() {
        data[0x200 + 2 * at..0x202 + 2 * at].copy_from_slice(&letter.to_le_bytes());
    }
    for (at, pointer) in [
        MYFAULT + 0x1559,
        NT,
        DATA + 0x100,
        DATA + 0x200,
        DATA + 0x300,
        5,
    ]
    .iter()
    .enumerate()
    {
        data[0x300 + 8 * at..0x308 + 8 * at].copy_from_slice(&u64::to_le_bytes(*pointer));
    }
    data[0x400..0x404].copy_from_slice(&1.5f32.to_le_bytes());
    data[0x408..0x410].copy_from_slice(&(-2.25f64).to_le_bytes());
    // A UNICODE_STRING of the wide text.
    data[0x500..0x504].copy_from_slice(&[18, 0, 20, 0]);
    data[0x508..0x510].copy_from_slice(&(DATA + 0x200).to_le_bytes());
    write(DATA, &data);

    for (at, number) in numbers {
        write(*at, &number.to_le_bytes());
    }

    // The loader's list.
    let entries = [
        (
            LIST + 0x100,
            NT,
            0x0104_6000u32,
            r"\SystemRoot\system32\ntoskrnl.exe",
        ),
        (
            LIST + 0x300,
            MYFAULT,
            0x9000,
            r"\??\C:\Windows\system32\drivers\myfault.sys",
        ),
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
    snapshot.facts = Facts {
        module_list: Virt(LIST),
        processors: 4,
        code: 0x9f,
        parameters: PARAMETERS,
        context: context(),
        // Fri Sep 30 00:17:31.042 2022 in China.
        system_time: 133_089_418_510_420_000,
        up_time: 4_978_679_120_000,
        suite_mask: 0x110,
        ..snapshot.facts
    };
    let dump = dump("small.dmp", &snapshot);
    let mut session = Session::new(Kernel::open(dump, &Options::default()));
    session.display.time_zone = TimeZone::fixed(offset(8));
    session
}

fn context() -> Vec<u8> {
    let mut context = vec![0; 0x4d0];
    let registers: [(usize, u64); 8] = [
        (0x78, 0xffff_c986_cb6e_db30),
        (0x80, 0x9f),
        (0x90, 1),
        (0x98, DATA + 0x300),
        (0xa0, 0xffff_ad86_7a6a_f430),
        (0xb8, 0x1234_5678_9abc_def0),
        (0xe8, 0xe),
        (0xf8, MYFAULT + 0x1553),
    ];
    for (at, value) in registers {
        context[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    for (at, value) in [
        (0x38, 0x10u16),
        (0x3a, 0x2b),
        (0x3c, 0x2b),
        (0x3e, 0x53),
        (0x40, 0x2b),
        (0x42, 0x18),
    ] {
        context[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    context[0x44..0x48].copy_from_slice(&0x0004_0246u32.to_le_bytes());
    context
}

/// Plays a session on the machine above.
pub fn play(transcript: &str) {
    play_on(&mut session(), transcript);
}

/// Plays a session: lines behind `kd> ` are typed, and the whole must come out as it is written.
pub fn play_on(session: &mut Session, transcript: &str) {
    let mut played = String::new();
    for line in transcript
        .lines()
        .filter_map(|line| line.strip_prefix("kd> "))
    {
        played.push_str(&format!("kd> {line}\n"));
        played.push_str(&say(session, line));
    }
    assert!(
        played == transcript,
        "--- expected\n{transcript}--- played\n{played}---"
    );
}
