//! Raw images of memory: what a search finds in one, and what is none.

use crate::support::random::Random;
use rkd_dump::addr::{Pfn, Phys, Virt};
use rkd_dump::error::Error;
use rkd_dump::{Dump, Fact, Located, Way};
use rkd_lab::Access;
use rkd_lab::FrameRun;
use rkd_lab::Memory;
use rkd_lab::files::{self, Kind, Snapshot};

const SHARED: Virt = Virt(0xffff_f780_0000_0000);
const NT: Virt = Virt(0xffff_f803_1240_0000);
const LIST: Virt = Virt(0xffff_f803_1240_2500);

/// A machine of 8 MiB with as much of a Windows in it as the search needs.
fn small() -> Memory {
    let frames = vec![FrameRun {
        first: Pfn(1),
        pages: 0x7ff,
    }];
    let mut memory = Memory::new(frames, 0x1ed).unwrap();
    let times = [0x08, 0x14]
        .into_iter()
        .zip([36_000_000_000, 0x1da_2b00_0000_0000]);
    for (at, value) in times {
        memory.write_u64(SHARED + at, value).unwrap();
    }
    for (at, value) in [
        (0x260, 19045),
        (0x264, 1),
        (0x26c, 10),
        (0x2d0, 0x110),
        (0x3c0, 4),
    ] {
        memory.write_u32(SHARED + at, value).unwrap();
    }
    memory.back(NT, 0x3000, Access::Data).unwrap();
    memory.write(NT, b"MZ").unwrap();
    memory.write_u32(NT + 0x3c, 0x80).unwrap();
    memory.write(NT + 0x80, b"PE\0\0\x64\x86").unwrap();
    memory.write(NT + 0x98, b"\x0b\x02").unwrap();
    memory.write_u32(NT + 0xd0, 0x3000).unwrap();
    memory.write_u32(NT + 0x108, 0x1000).unwrap();
    memory.write_u32(NT + 0x100c, 0x1100).unwrap();
    memory.write(NT + 0x1100, b"ntoskrnl.exe\0").unwrap();
    memory.write(NT + 0x2010, b"KDBG\x80\x03\0\0").unwrap();
    memory.write_u64(NT + 0x2018, NT.0).unwrap();
    memory.write_u64(NT + 0x2048, LIST.0).unwrap();
    memory
}

fn image(memory: Memory) -> Vec<u8> {
    let mut bytes = Vec::new();
    files::write(&Snapshot::bare(memory), Kind::Raw, &mut bytes).unwrap();
    bytes
}

fn open(bytes: Vec<u8>) -> Dump {
    Dump::from_bytes("small.raw", bytes).unwrap()
}

fn found<T>(value: T) -> Fact<T> {
    Fact::Known(value, Way::Search)
}

#[test]
fn the_search_finds_the_machine() {
    let dump = open(image(small()));
    assert_eq!(dump.format().name, "raw");
    assert!(dump.crash().is_none() && dump.comment().is_none());
    assert_eq!(
        dump.notes(),
        [
            "a raw memory image has no header: a search found the page tables at 1ad000 and nt at fffff803`12400000"
        ]
    );
    let expected = Located {
        machine: found(rkd_dump::MACHINE_X64),
        page_table_root: found(0x1a_d000),
        kernel_base: found(NT),
        module_list: found(LIST),
        debugger_block: found(NT + 0x2000),
        build: found(19045),
        is_checked: dump.located().is_checked,
        processors: found(4),
        product_type: found(1),
        suite_mask: found(0x110),
        system_time: found(0x1da_2b00_0000_0000),
        up_time: found(36_000_000_000),
        memory_end: found(Pfn(0x800)),
    };
    assert_eq!(*dump.located(), expected);
    assert_eq!(
        dump.located().is_checked.known().unwrap_err().to_string(),
        "only nt's own variables say it"
    );
    let memory = dump.physical().unwrap();
    assert_eq!(memory.present_pages(), 0x800);
    assert_eq!(
        memory.page(Pfn(0x1ad)).unwrap().as_ptr(),
        dump.bytes()[0x1a_d000..].as_ptr()
    );
}

/// The stub that starts processors names System's root, where others, that come first in memory, map the same kernel.
#[test]
fn the_stub_of_processors_is_believed_first() {
    let mut memory = small();
    let other = memory.tables.fork(&mut memory.ram).unwrap().root();
    for (field, root) in [(0xa0, other), (0xc0, other), (0xa0, Phys(0x40_0000))] {
        memory.ram.write(Phys(0x1_3000), &[0; 0x100]);
        memory
            .ram
            .write(Phys(0x1_3000), b"\xe9\x4d\x06\0\x01\0\0\0");
        memory
            .ram
            .write(Phys(0x1_3070), &(NT.0 + 0x1000).to_le_bytes());
        memory
            .ram
            .write(Phys(0x1_3000 + field), &root.0.to_le_bytes());
        let mut bytes = vec![0; 0x80_0000];
        for (pfn, page) in memory.ram.frames() {
            let at = pfn.phys().0 as usize;
            bytes[at..at + page.len()].copy_from_slice(page);
        }
        // A root that the stub names and that maps no Windows is passed over.
        let expected = if root == other { other.0 } else { 0x1a_d000 };
        assert_eq!(open(bytes).located().page_table_root.get(), Some(expected));
    }
}

#[test]
fn a_scrambled_block_and_an_old_kernel_leave_their_facts_open() {
    let mut memory = small();
    memory.write(NT + 0x2010, b"\x13\x37\x13\x37").unwrap();
    memory.write_u32(SHARED + 0x260, 0).unwrap();
    memory.write_u32(SHARED + 0x26c, 6).unwrap();
    let dump = open(image(memory));
    let located = dump.located();
    let why = |fact: Fact<Virt>| fact.known().unwrap_err().to_string();
    assert_eq!(
        why(located.debugger_block),
        "the debugger data block is scrambled, and only nt's symbols lead to it"
    );
    assert_eq!(
        why(located.module_list),
        "only the debugger data block and nt's symbols lead to the list of modules"
    );
    assert_eq!(
        located.build.known().unwrap_err().to_string(),
        "the page that Windows shares with its programs does not say"
    );
}

#[test]
fn a_file_without_a_windows_is_no_raw_image() {
    let refusal = |bytes: Vec<u8>| match Dump::from_bytes("x.raw", bytes) {
        Err(Error::NotADump { reason, .. }) => reason.to_string(),
        other => panic!("{other:?}"),
    };
    let zeroes = "not a kernel dump: it begins with zeroes; the writing of the dump, or its download, did not finish, or this is \
                  a raw memory image in which no 64-bit Windows was found";
    assert_eq!(refusal(vec![0; 0x80_0000]), zeroes);
    let mut random = Random(7);
    let random = (0..0x10_0000)
        .flat_map(|_| random.number().to_le_bytes())
        .collect();
    assert!(refusal(random).starts_with("not a kernel dump: it begins with "));
    // Without one of the three signs there is no Windows.
    for (at, bytes) in [
        (SHARED + 0x26c, &[0; 4][..]),
        (NT, b"NZ"),
        (NT + 0x1100, b"hal.dll"),
    ] {
        let mut memory = small();
        memory.write(at, bytes).unwrap();
        assert_eq!(refusal(image(memory)), zeroes, "{at}");
    }
}

#[test]
fn the_end_of_a_cut_image_is_left_out() {
    let mut bytes = image(small());
    bytes.truncate(bytes.len() - 5);
    let dump = open(bytes);
    assert_eq!(dump.physical().unwrap().present_pages(), 0x7ff);
    assert_eq!(
        dump.notes()[1],
        "the last 4091 bytes of the image are no whole page: left out"
    );
}

/// Numbers in the tables and in nt's headers may be anything: the search ends, and says what it has.
#[test]
fn no_number_in_an_image_is_trusted() {
    let whole = image(small());
    let used: Vec<usize> = whole
        .chunks(8)
        .enumerate()
        .filter(|(_, word)| word.iter().any(|byte| *byte != 0))
        .map(|(index, _)| index * 8)
        .collect();
    let mut random = Random(20);
    for _ in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = used[random.index(used.len())] + random.index(8);
            bytes[at] = random.number() as u8;
        }
        if let Ok(dump) = Dump::from_bytes("mutant.raw", bytes) {
            assert!(dump.located().kernel_base.get().is_some());
        }
    }
}
