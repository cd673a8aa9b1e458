//! Address spaces over hand-made page tables, in every kind of dump that holds physical memory.

use crate::support::random::Random;
use crate::support::writers::{FORMATS, Format, PAGE, Tables, put32, stamp, triage};
use rkd_dump::Dump;
use rkd_dump::addr::{Pfn, Phys, Virt};
use rkd_dump::error::{Fault, Level, Why};
use rkd_dump::memory::{AddressSpace, PteRules, State};
use std::sync::Arc;

const ROOT: u64 = 0x1ad;
const MASK: u64 = 1 << 45;
const RW: u64 = 0x63;
const NX: u64 = 1 << 63;
const LARGE: u64 = 0x80;

/// The store's page file is number 2, and bit 45 guards entries that are not valid.
fn rules() -> PteRules {
    PteRules {
        invalid_mask: Some(MASK),
        virtual_store_file: Some(2),
        ..PteRules::default()
    }
}

fn space(tables: &Tables, format: Format) -> AddressSpace {
    let dump = Dump::from_bytes("test.dmp", tables.machine.write(format)).unwrap();
    let dtb = dump.located().page_table_root.get().unwrap();
    AddressSpace::paged(Arc::new(dump), dtb).with_rules(rules())
}

/// The kernel half of a small machine: every state of a page, and what reading it must say.
const BASE: u64 = 0xffff_f807_2260_0000;
const PROTO: u64 = 0xffff_a00f_2000_1000;

fn small_machine() -> Tables {
    let mut tables = Tables::new(ROOT);
    tables.map(BASE, 0x500);
    tables.map(BASE + 0x1000, 0x501); // neighbours in memory and in the file
    tables.map(BASE + 0x2000, 0x400); // elsewhere
    tables.raw(BASE + 0x3000, 1, 0x600 << 12 | RW); // a page that the dump lacks
    tables.raw(BASE + 0x4000, 1, 0x510 << 12 | 0x880); // transition, never guarded
    tables.raw(BASE + 0x5000, 1, MASK | 0x511 << 12 | 0x880); // transition, guarded
    tables.raw(BASE + 0x6000, 1, MASK | 0x1234 << 32 | 0x1080); // page file 1
    tables.raw(BASE + 0x7000, 1, MASK | 0x77 << 32 | 0x2080); // the store
    tables.raw(BASE + 0x8000, 1, MASK | 0x80); // demand zero
    tables.raw(BASE + 0x9000, 1, PROTO << 16 | 0x410); // prototype, valid
    tables.raw(BASE + 0xa000, 1, (PROTO + 8) << 16 | 0x410); // prototype, transition
    tables.raw(BASE + 0xb000, 1, (PROTO + 16) << 16 | 0x410); // prototype, a file's
    tables.raw(BASE + 0xc000, 1, (PROTO + 24) << 16 | 0x410); // prototype that is one again
    tables.raw(BASE + 0xd000, 1, 0xffff_a00f_7777_7000 << 16 | 0x410); // prototype not in memory
    tables.raw(BASE + 0xe000, 1, 0xffff_ffff_0000_0480); // the VAD knows
    tables.map(BASE + 0xf000, 0x502);
    tables.map(PROTO, 0x700);
    let protos = [
        0x503 << 12 | RW,
        0x512 << 12 | 0x880,
        0xa00f_1111_0000_04c0,
        PROTO << 16 | 0x410,
    ];
    for (index, raw) in protos.into_iter().enumerate() {
        tables.machine.put64((0x700 << 12) + 8 * index as u64, raw);
    }
    // A large page of 2 MiB, of which the dump has the parts 0x10..0x12 and 0x1ff.
    tables.raw(
        0xffff_f807_4000_0000,
        2,
        0x800 << 12 | 1 << 12 | LARGE | RW | NX,
    );
    // One of 1 GiB, with its PAT bit set too.
    tables.raw(
        0xffff_f880_0000_0000,
        3,
        0x4_0000 << 12 | 1 << 12 | LARGE | RW,
    );
    // A page table in transition is still a page table.
    tables.map(0xffff_f900_0000_0000, 0x504);
    let pde = tables.entry(0xffff_f900_0000_0000, 2);
    let table = tables.machine.get64(pde) >> 12;
    tables.machine.put64(pde, MASK | table << 12 | 0x880);
    // A page table that the dump lacks; one that was never made; one that is paged out; a PXE that cannot be large.
    tables.raw(0xffff_fa00_0000_0000, 2, 0x601 << 12 | RW);
    tables.raw(0xffff_fb00_0000_0000, 3, 0);
    tables.raw(0xffff_fc00_0000_0000, 2, MASK | 0x99 << 32 | 0x80);
    tables.raw(0xffff_fd00_0000_0000, 4, 0x500 << 12 | LARGE | RW);
    // The last page of the address space.
    tables.map(0xffff_ffff_ffff_f000, 0x505);
    tables.map(0x7fff_ffff_f000, 0x506);
    let frames = [
        0x503, 0x510, 0x511, 0x512, 0x810, 0x811, 0x9ff, 0x4_0003, 0x7_ffff,
    ];
    for frame in frames {
        tables.machine.pages.insert(frame, stamp(frame));
    }
    tables
}

#[test]
fn every_address_has_its_frame_or_its_reason() {
    let not_in_dump = |pfn, level| Why::PageNotInDump {
        pfn: Pfn(pfn),
        level,
    };
    let cases: &[(u64, Result<u64, Why>)] = &[
        (BASE, Ok(0x500_000)),
        (BASE + 0xfff, Ok(0x500_fff)),
        (BASE + 0x2008, Ok(0x400_008)),
        (BASE + 0x3010, Err(not_in_dump(0x600, None))),
        (BASE + 0x4010, Ok(0x510_010)),
        (BASE + 0x5010, Ok(0x511_010)),
        (
            BASE + 0x6010,
            Err(Why::PagedOut {
                file: 1,
                page: 0x1234,
            }),
        ),
        (BASE + 0x7010, Err(Why::Compressed { page: 0x77 })),
        (BASE + 0x8010, Err(Why::DemandZero)),
        (BASE + 0x9010, Ok(0x503_010)),
        (BASE + 0xa010, Ok(0x512_010)),
        (BASE + 0xb010, Err(Why::MappedFile(Virt(PROTO + 16)))),
        (BASE + 0xc010, Err(Why::MappedFile(Virt(PROTO + 24)))),
        (
            BASE + 0xd010,
            Err(Why::Prototype(Virt(0xffff_a00f_7777_7000))),
        ),
        (BASE + 0xe010, Err(Why::SeeVad)),
        (BASE + 0x1_0000, Err(Why::NotMapped(Level::Pte))),
        (BASE + 0x80_0000, Err(Why::NotMapped(Level::Pde))),
        (0xffff_f807_4001_0123, Ok(0x810_123)),
        (0xffff_f807_4001_2123, Err(not_in_dump(0x812, None))),
        (0xffff_f807_401f_f123, Ok(0x9ff_123)),
        (0xffff_f880_0000_3018, Ok(0x4000_3018)),
        (0xffff_f880_3fff_f018, Ok(0x7fff_f018)),
        (0xffff_f880_4000_0000, Err(Why::NotMapped(Level::Ppe))),
        (0xffff_f900_0000_0018, Ok(0x504_018)),
        (
            0xffff_fa00_0000_0018,
            Err(not_in_dump(0x601, Some(Level::Pte))),
        ),
        (0xffff_fb00_0000_0018, Err(Why::NotMapped(Level::Ppe))),
        (
            0xffff_fc00_0000_0018,
            Err(Why::TablePagedOut {
                level: Level::Pde,
                file: 0,
                page: 0x99,
            }),
        ),
        (0xffff_fd00_0000_0018, Err(Why::CorruptTable(Level::Pxe))),
        (0xffff_fe80_0000_0018, Err(Why::NotMapped(Level::Pxe))),
        (0xffff_ffff_ffff_fff8, Ok(0x505_ff8)),
        (0x7fff_ffff_fff8, Ok(0x506_ff8)),
        (0x8000_0000_0000, Err(Why::NonCanonical)),
        (0xffff_7fff_ffff_ffff, Err(Why::NonCanonical)),
    ];
    let tables = small_machine();
    for format in FORMATS {
        let space = space(&tables, format);
        for (va, expected) in cases {
            let at = Virt(*va);
            let frame = expected.map_err(|why| Fault { at, why });
            let byte = frame.map(|phys| stamp(phys >> 12)[(phys & 0xfff) as usize]);
            assert_eq!(space.read_u8(at), byte, "{at} in {format:?}");
            // What the dump lacks is translated all the same.
            let absent = matches!(expected, Err(Why::PageNotInDump { level: None, .. }));
            if !absent {
                assert_eq!(
                    space.translate(at).map(|found| found.phys.0),
                    frame,
                    "{at} in {format:?}"
                );
            }
            assert_eq!(
                space.slice(at, 1).map(<[u8]>::to_vec),
                byte.map(|byte| vec![byte]),
                "{at} in {format:?}"
            );
        }
    }
}

#[test]
fn a_translation_says_how_it_went() {
    let space = space(&small_machine(), Format::Bitmap(6));
    let found = space.translate(Virt(BASE + 0x123)).unwrap();
    let steps: Vec<_> = found
        .steps
        .as_slice()
        .iter()
        .map(|step| step.level)
        .collect();
    assert_eq!(steps, [Level::Pxe, Level::Ppe, Level::Pde, Level::Pte]);
    let first = found.steps.as_slice()[0];
    assert_eq!(
        (first.at, first.raw),
        (Phys(0x1a_d000 + 0x1f0 * 8), 0x1ae << 12 | RW)
    );
    assert_eq!(
        (
            found.page_size,
            found.writable,
            found.executable,
            found.state
        ),
        (0x1000, true, true, State::Valid)
    );
    let large = space.translate(Virt(0xffff_f807_4001_0123)).unwrap();
    assert_eq!(
        (
            large.page_size,
            large.executable,
            large.steps.as_slice().len()
        ),
        (0x20_0000, false, 3)
    );
    let huge = space.translate(Virt(0xffff_f880_0000_3018)).unwrap();
    assert_eq!(
        (huge.page_size, huge.steps.as_slice().len()),
        (0x4000_0000, 2)
    );
    // Protection 4 of the entry: read and write, not execute.
    let transition = space.translate(Virt(BASE + 0x4000)).unwrap();
    assert_eq!(
        (transition.state, transition.writable, transition.executable),
        (State::Transition, true, false)
    );
    let shared = space.translate(Virt(BASE + 0xa000)).unwrap();
    let raw = 0x512 << 12 | 0x880;
    assert_eq!(
        shared.state,
        State::Prototype {
            at: Virt(PROTO + 8),
            raw
        }
    );
    // A failed walk keeps what it saw.
    let (steps, found) = space.walk(Virt(BASE + 0x6000));
    assert_eq!(
        found.unwrap_err().why,
        Why::PagedOut {
            file: 1,
            page: 0x1234
        }
    );
    assert_eq!(steps.as_slice()[3].raw, MASK | 0x1234 << 32 | 0x1080);
    assert_eq!(space.root(), Some(Phys(0x1a_d000)));
}

#[test]
fn reads_cross_pages_and_stop_at_holes() {
    let expected: Vec<u8> = [0x500, 0x501, 0x400].into_iter().flat_map(stamp).collect();
    let tables = small_machine();
    for format in FORMATS {
        let space = space(&tables, format);
        for (from, len) in [
            (0, 0),
            (0, 0x3000),
            (0xfff, 2),
            (0x1ffc, 8),
            (0x10, 0x2ff0),
            (0x2fff, 1),
        ] {
            let at = Virt(BASE + from as u64);
            let mut buf = vec![0; len];
            assert_eq!(
                space.read(at, &mut buf),
                Ok(()),
                "{from:x} {len:x} {format:?}"
            );
            assert_eq!(
                buf,
                expected[from..from + len],
                "{from:x} {len:x} {format:?}"
            );
            assert_eq!(
                space.read_vec(at, len),
                Ok(buf),
                "{from:x} {len:x} {format:?}"
            );
        }
        let why = Why::PageNotInDump {
            pfn: Pfn(0x600),
            level: None,
        };
        let fault = Fault {
            at: Virt(BASE + 0x3000),
            why,
        };
        let mut buf = vec![0xcc; 0x20];
        assert_eq!(
            space.read_prefix(Virt(BASE + 0x2ff0), &mut buf),
            (0x10, Some(fault))
        );
        assert_eq!(
            (&buf[..0x10], &buf[0x10..]),
            (&expected[0x2ff0..], &[0xcc; 0x10][..])
        );
        assert_eq!(space.read_u64(Virt(BASE + 0x2ffc)), Err(fault));
        assert_eq!(space.read_vec(Virt(BASE + 0x2ffc), 5), Err(fault));
        assert_eq!(
            space.read_u32(Virt(BASE + 0x2ffc)),
            Ok(u32::from_le_bytes(expected[0x2ffc..].try_into().unwrap()))
        );
        assert_eq!(space.read_virt(Virt(BASE + 0x1000)), Ok(Virt(0x501 << 16)));
        assert_eq!(
            space.read_u16(Virt(BASE + 0xfff)),
            Ok(u16::from_le_bytes([expected[0xfff], expected[0x1000]]))
        );
    }
}

#[test]
fn the_address_space_ends_where_it_ends() {
    let space = space(&small_machine(), Format::Full);
    let last = Virt(u64::MAX - 3);
    let expected = stamp(0x505)[0xffc..].to_vec();
    assert_eq!(space.read_vec(last, 4), Ok(expected.clone()));
    let end = Fault {
        at: Virt(u64::MAX),
        why: Why::EndOfSpace,
    };
    assert_eq!(space.read_vec(last, 5), Err(end));
    let mut buf = [0; 9];
    assert_eq!(space.read_prefix(last, &mut buf), (4, Some(end)));
    assert_eq!(space.slice(last, 100).unwrap(), expected);
    let pieces: Vec<_> = space
        .mapped(last, u64::MAX)
        .map(|piece| (piece.va, piece.bytes.to_vec()))
        .collect();
    assert_eq!(pieces, [(last, expected)]);
    // A length from a damaged structure is no reason to take all memory.
    assert!(space.read_vec(Virt(BASE), usize::MAX).is_err());
}

#[test]
fn mapped_enumerates_the_present_pieces_and_nothing_else() {
    let tables = small_machine();
    // (address, first frame, pages): joined where memory and file both go on.
    let kernel = [
        (PROTO, 0x700, 1),
        (BASE, 0x500, 2),
        (BASE + 0x2000, 0x400, 1),
        (BASE + 0x4000, 0x510, 2),
        (BASE + 0x9000, 0x503, 1),
        (BASE + 0xa000, 0x512, 1),
        (BASE + 0xf000, 0x502, 1),
        (0xffff_f807_4001_0000, 0x810, 2),
        (0xffff_f807_401f_f000, 0x9ff, 1),
        (0xffff_f880_0000_3000, 0x4_0003, 1),
        (0xffff_f880_3fff_f000, 0x7_ffff, 1),
        (0xffff_f900_0000_0000, 0x504, 1),
        (0xffff_ffff_ffff_f000, 0x505, 1),
    ];
    for format in FORMATS {
        let space = space(&tables, format);
        let check = |start: u64, len: u64, expected: &[(u64, u64, u64)]| {
            let pieces: Vec<_> = space
                .mapped(Virt(start), len)
                .map(|piece| (piece.va.0, piece.bytes.to_vec()))
                .collect();
            let bytes = |first, pages| {
                (first..first + pages)
                    .flat_map(contents(&tables))
                    .collect::<Vec<u8>>()
            };
            let expected: Vec<_> = expected
                .iter()
                .map(|(va, first, pages)| (*va, bytes(*first, *pages)))
                .collect();
            assert!(
                pieces == expected,
                "{start:x} {len:x} {format:?}: {:x?}",
                pieces
                    .iter()
                    .map(|piece| (piece.0, piece.1.len()))
                    .collect::<Vec<_>>()
            );
        };
        check(0xffff_8000_0000_0000, 1 << 47, &kernel);
        check(0xffff_8000_0000_0000, u64::MAX, &kernel);
        let mut all = vec![(0x7fff_ffff_f000, 0x506, 1)];
        all.extend(kernel);
        check(0, u64::MAX, &all);
        check(0, 0, &[]);
        check(BASE + 0x1000, 0x1000, &[(BASE + 0x1000, 0x501, 1)]);
        check(BASE + 0x6000, 0x3000, &[]);
        check(0x8000_0000_0000, 0xffff_0000_0000_0000, &[]);
        check(0x10_0000, 1 << 46, &[]);
        // Inside pages.
        let pieces: Vec<_> = space.mapped(Virt(BASE + 0xffe), 4).collect();
        assert_eq!(
            (pieces.len(), pieces[0].va, pieces[0].bytes.len()),
            (1, Virt(BASE + 0xffe), 4)
        );
        assert_eq!(
            pieces[0].bytes,
            [&stamp(0x500)[0xffe..], &stamp(0x501)[..2]].concat()
        );
        let pieces: Vec<_> = space.mapped(Virt(0xffff_f807_4001_1ffe), 2).collect();
        assert_eq!((pieces.len(), pieces[0].bytes), (1, &stamp(0x811)[0xffe..]));
        // The longest slice is the first piece.
        assert_eq!(
            space.slice(Virt(BASE + 0x800), usize::MAX).map(<[u8]>::len),
            Ok(0x1800)
        );
        assert_eq!(
            space.slice(Virt(BASE + 0x800), 0x900).map(<[u8]>::len),
            Ok(0x900)
        );
        assert_eq!(
            space
                .slice(Virt(0xffff_f807_4001_0008), usize::MAX)
                .map(<[u8]>::len),
            Ok(0x1ff8)
        );
        let mut walk = space.mapped(Virt(0), u64::MAX);
        assert_eq!((walk.by_ref().count(), walk.gave_up()), (14, false));
    }
}

/// What a frame of the machine holds.
fn contents(tables: &Tables) -> impl Fn(u64) -> Vec<u8> {
    |frame| tables.machine.pages[&frame].clone()
}

/// For random tables, `mapped` yields exactly the addresses that can be read.
#[test]
fn what_is_mapped_is_what_can_be_read() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for round in 0..30 {
        let mut tables = Tables::new(0x10);
        tables.free = 0x8000;
        let start = 0xffff_c000_0000_0000 + (random.below(512) << 30);
        for _ in 0..random.below(60) {
            let va = start + (random.below(3) << 21) + (random.below(40) << 12);
            let frame = 0x100 + random.below(30);
            match random.below(8) {
                0 => tables.raw(va, 1, MASK | frame << 12 | 0x880),
                1 => tables.raw(va, 1, (0x4000 + frame) << 12 | RW),
                2 => tables.raw(va, 1, random.number() & !0x401),
                3 => tables.raw(va & !0x1f_ffff, 2, LARGE | RW),
                _ => tables.map(va, frame),
            }
        }
        for frame in 0..5 {
            tables.machine.pages.insert(0x100 + frame * 7, stamp(frame));
        }
        let format = FORMATS[round % FORMATS.len()];
        let runs = tables.machine.runs().len();
        let format = if runs > 42 { Format::Bitmap(6) } else { format };
        let space = space(&tables, format);
        let mut expected = Vec::new();
        for page in 0..4 * 512 {
            let va = Virt(start + page * 0x1000);
            let mut buf = vec![0; PAGE];
            match space.read_prefix(va, &mut buf) {
                (PAGE, None) => expected.push((va, buf)),
                (0, Some(fault)) => assert_eq!(fault.at, va),
                other => panic!("{other:?}"),
            }
        }
        let mut found = Vec::new();
        let mut end = None;
        for piece in space.mapped(Virt(start), 4 << 21) {
            let va = piece.va;
            // Two pieces that could be one would be one.
            let place = piece.bytes.as_ptr().addr();
            assert_ne!(end, Some((va, place)), "round {round}");
            end = Some((va + piece.bytes.len() as u64, place + piece.bytes.len()));
            found.extend(
                piece
                    .bytes
                    .chunks(PAGE)
                    .enumerate()
                    .map(|(page, bytes)| (va + 0x1000 * page as u64, bytes.to_vec())),
            );
        }
        assert!(found == expected, "round {round} in {format:?}");
    }
}

/// Tables that point at themselves and at each other: every walk ends, every read is bounded.
#[test]
fn tables_that_point_at_each_other_do_not_trap_the_walk() {
    // Every entry of the top table is the top table: 2^36 pages, all of them the same.
    let mut tables = Tables::new(0x10);
    for slot in 0..512 {
        tables.machine.put64(0x10_000 + slot * 8, 0x10 << 12 | RW);
    }
    let space_of = |tables: &Tables| space(tables, Format::Bitmap(6));
    let space = space_of(&tables);
    assert_eq!(space.read_u64(Virt(0x1234_5678)), Ok(0x10 << 12 | RW));
    let mut walk = space.mapped(Virt(0), u64::MAX);
    assert_eq!(
        walk.by_ref().map(|piece| piece.bytes.len()).sum::<usize>(),
        (1 << 20) * PAGE
    );
    assert!(walk.gave_up());

    // A ring of two, and a last level that is empty: 2^27 ways lead to it, and it is looked at once.
    let mut tables = Tables::new(0x10);
    for slot in 0..512 {
        tables.machine.put64(0x10_000 + slot * 8, 0x11 << 12 | RW);
        tables.machine.put64(0x11_000 + slot * 8, 0x12 << 12 | RW);
        tables.machine.put64(0x12_000 + slot * 8, 0x13 << 12 | RW);
    }
    tables.machine.page_mut(0x13);
    let space = space_of(&tables);
    assert_eq!(space.mapped(Virt(0), u64::MAX).count(), 0);

    // The same with pages that the dump lacks, and with huge pages beyond its end.
    let mut lacking = tables.machine.clone();
    for slot in 0..512 {
        lacking.put64(0x13_000 + slot * 8, (0x1_0000 + slot) << 12 | RW);
    }
    tables.machine = lacking;
    assert_eq!(space_of(&tables).mapped(Virt(0), u64::MAX).count(), 0);
    for slot in 0..512 {
        tables.machine.put64(
            0x11_000 + slot * 8,
            (0x4_0000 * (slot + 1)) << 12 | LARGE | RW,
        );
    }
    assert_eq!(space_of(&tables).mapped(Virt(0), u64::MAX).count(), 0);

    // Prototypes that lead to themselves.
    let mut tables = Tables::new(0x10);
    tables.raw(BASE, 1, BASE << 16 | 0x410);
    let why = Why::Prototype(Virt(BASE));
    assert_eq!(
        space_of(&tables).read_u8(Virt(BASE)),
        Err(Fault {
            at: Virt(BASE),
            why
        })
    );
    assert_eq!(space_of(&tables).mapped(Virt(0), u64::MAX).count(), 0);
}

#[test]
fn the_flags_of_a_cr3_are_no_part_of_the_root() {
    let mut tables = small_machine();
    tables.machine.dtb |= 0x8000_0000_0000_0002;
    let space = space(&tables, Format::Bitmap(6));
    assert_eq!(space.read_u8(Virt(BASE)), Ok(0));
    let other = space.with_root(0x500_018);
    assert_eq!(other.root(), Some(Phys(0x500_000)));
    assert_eq!(other.rules(), rules());
    assert!(other.read_u8(Virt(BASE)).is_err());
}

#[test]
fn without_symbols_the_guard_bits_are_told_by_the_machines_memory() {
    let mut tables = small_machine();
    tables.machine.described = vec![(1, 0x9e), (0x100, 0x10_0000)];
    let bytes = tables.machine.write(Format::Bitmap(6));
    let dump = Arc::new(Dump::from_bytes("test.dmp", bytes).unwrap());
    let space = AddressSpace::paged(dump, ROOT << 12);
    assert_eq!(space.read_u16(Virt(BASE + 0x5000 + 2)), Ok(0x511));
    assert_eq!(space.read_u16(Virt(BASE + 0x4000 + 2)), Ok(0x510));
}

#[test]
fn what_cannot_be_walked_says_why() {
    let tables = small_machine();
    let mut arm = tables.machine.write(Format::Bitmap(6));
    put32(&mut arm, 0x30, 0xaa64);
    let arm = AddressSpace::paged(
        Arc::new(Dump::from_bytes("arm.dmp", arm).unwrap()),
        ROOT << 12,
    );
    let why = arm.read_u8(Virt(BASE)).unwrap_err().why;
    assert_eq!(
        why.to_string(),
        "only the page tables of x64 machines are understood so far"
    );
    assert_eq!(arm.mapped(Virt(0), u64::MAX).count(), 0);

    let triage = Arc::new(Dump::from_bytes("t.dmp", triage(&[])).unwrap());
    let paged = AddressSpace::paged(triage, ROOT << 12);
    assert_eq!(
        paged.read_u8(Virt(BASE)).unwrap_err().why,
        Why::NoPageTables
    );

    // Five levels: one more table on top, in whose last entry everything hangs.
    let mut tables = small_machine();
    tables.map(0xffff_f780_0000_0000, 0x507);
    put32(tables.machine.page_mut(0x507), 0x26c, 10);
    let four = space(&tables, Format::Full);
    assert_eq!(four.read_u32(Virt(0xffff_f780_0000_026c)), Ok(10));
    tables.machine.put64(0x20_000 + 511 * 8, ROOT << 12 | RW);
    tables.machine.dtb = 0x20 << 12;
    let five = space(&tables, Format::Full);
    let why = five.read_u8(Virt(BASE)).unwrap_err().why;
    assert_eq!(
        why.to_string(),
        "five levels of page tables (LA57) are not understood so far"
    );
}

#[test]
fn blocks_are_read_like_pages() {
    let space = AddressSpace::of_blocks(vec![
        (Virt(0x1000), vec![1; 0x10]),
        (Virt(0x1010), vec![2; 0x10]),
        (Virt(0x1018), vec![3; 4]),
        (Virt(0x2000), vec![4; 8]),
        (Virt(u64::MAX), vec![5]),
    ]);
    assert_eq!(space.read_u32(Virt(0x100e)), Ok(0x0202_0101));
    assert_eq!(space.read_u64(Virt(0x1016)), Ok(0x0202_0303_0303_0202));
    let hole = Fault {
        at: Virt(0x1020),
        why: Why::NoBlock,
    };
    assert_eq!(space.read_u64(Virt(0x101c)), Err(hole));
    let mut buf = [0; 8];
    assert_eq!(space.read_prefix(Virt(0x101c), &mut buf), (4, Some(hole)));
    let pieces: Vec<_> = space
        .mapped(Virt(0x1008), u64::MAX)
        .map(|piece| (piece.va.0, piece.bytes.len()))
        .collect();
    assert_eq!(
        pieces,
        [
            (0x1008, 0x10),
            (0x1018, 4),
            (0x101c, 4),
            (0x2000, 8),
            (u64::MAX, 1)
        ]
    );
    assert_eq!(space.slice(Virt(0x1004), 100).map(<[u8]>::len), Ok(0x14));
    assert_eq!(
        space.slice(Virt(0xfff), 100),
        Err(Fault {
            at: Virt(0xfff),
            why: Why::NoBlock
        })
    );
    assert_eq!(space.root(), None);
}

#[test]
fn address_spaces_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    let space = space(&small_machine(), Format::Bitmap(6));
    shared(&space);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(space.read_u16(Virt(BASE + 0x2002)), Ok(0x400)));
        }
    });
}
