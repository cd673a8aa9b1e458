//! The structures of a practice dump, read by kdmp-parser's page walk at offsets that were worked out by hand from the
//! kernel's symbol file: nothing here goes through the library's own reading.

use crate::support::practice::{self, ARTICLE};
use kdmp_parser::gxa::Gva;
use kdmp_parser::parse::KernelDumpParser;
use kdmp_parser::virt;
use rkd_lab::{Kind, Options};
use rkd_symbols::SymbolTable;

/// A dump under a reader that is not ours.
struct Machine {
    parser: KernelDumpParser,
    table: SymbolTable,
    base: u64,
}

impl Machine {
    /// The article's.
    fn article() -> Machine {
        Machine::of(practice::bytes(ARTICLE, Kind::BitmapKernel).to_vec())
    }

    fn of(bytes: Vec<u8>) -> Machine {
        let parser = KernelDumpParser::with_reader(std::io::Cursor::new(bytes))
            .expect("kdmp-parser opens it");
        Machine {
            parser,
            table: practice::table("10.0.19041.3570"),
            base: 0xffff_f807_2260_0000,
        }
    }

    fn try_bytes(&self, at: u64, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        let reader = virt::Reader::new(&self.parser);
        reader.read_exact(Gva::new(at), &mut bytes).ok()?;
        Some(bytes)
    }

    fn bytes(&self, at: u64, len: usize) -> Vec<u8> {
        let bytes = self.try_bytes(at, len);
        bytes.unwrap_or_else(|| panic!("{len:#x} bytes at {at:#x} are not in the dump"))
    }

    fn u64(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.bytes(at, 8).try_into().expect("eight bytes"))
    }

    fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.bytes(at, 4).try_into().expect("four bytes"))
    }

    fn symbol(&self, name: &str) -> u64 {
        let rva = self
            .table
            .rva(name)
            .unwrap_or_else(|| panic!("no symbol {name}"));
        self.base + u64::from(rva.0)
    }

    fn text(&self, unicode_string: u64) -> String {
        let length = self.u32(unicode_string) as usize & 0xffff;
        let letters = self.bytes(self.u64(unicode_string + 8), length);
        let letters: Vec<u16> = letters
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&letters).expect("a name")
    }

    /// The loader's entries, by the offsets of 14393 to 22000.
    fn modules(&self) -> Vec<(String, u64, u32, u32, u32)> {
        let head = self.symbol("PsLoadedModuleList");
        let (mut list, mut at, mut before) = (Vec::new(), self.u64(head), head);
        while at != head {
            assert_eq!(self.u64(at + 8), before, "the list's way back");
            let (base, size) = (self.u64(at + 0x30), self.u32(at + 0x40));
            let (stamp, sum) = (self.u32(at + 0x9c), self.u32(at + 0x78));
            list.push((self.text(at + 0x48), base, size, stamp, sum));
            (before, at) = (at, self.u64(at));
        }
        list
    }
}

/// The figures of the article at the addresses at which 19041.3570 keeps them, worked out by hand from its symbol file:
/// `MiState` is 0x40 bytes longer than its type says in front of the part that counts.
#[test]
fn the_counters_lie_where_this_kernel_keeps_them() {
    let machine = Machine::article();
    let (state, partition) = (machine.base + 0xc4_c880, machine.base + 0xc5_0d40);
    assert_eq!(
        machine.u64(machine.symbol("MiVisibleState")),
        state + 0x2640
    );
    assert_eq!(
        machine.u64(machine.symbol("MiVisiblePartition")),
        partition + 0x1b00
    );
    for (what, at, pages) in [
        ("PagedPoolInfo.AllocatedPagedPool", state + 0x2668, 32_907),
        ("MaximumNonPagedPoolInPages", state + 0x2670, 1 << 32),
        ("SizeOfPagedPoolInPages", state + 0x2678, 1 << 32),
        ("SystemPteInfo.TotalFreeSystemPtes", state + 0x26d8, 85_135),
        ("NonPagedPoolCommit", state + 0x26e0, 1_246_469),
        ("NumberOfPhysicalPages", partition + 0x1b10, 2_069_421),
        ("AvailablePages", partition + 0x1bc0, 445_015),
        ("ResidentAvailablePages", partition + 0x1c00, 707_292),
        ("TotalCommittedPages", partition + 0x1d28, 1_688_747),
        ("ModifiedPageListHead.Total", partition + 0x1d40, 11_479),
        (
            "ModifiedPageListNoReservation.Total",
            partition + 0xac0,
            11_479,
        ),
        ("ModifiedNoWritePageListHead.Total", partition + 0x1d80, 0),
        ("TotalCommitLimit", partition + 0x1da8, 4_166_573),
    ] {
        assert_eq!(machine.u64(at), pages, "{what}");
    }
    // the region of system PTEs: the fourth of MiState.Vs.SystemVaRegions, 2^44 bytes
    assert_eq!(machine.u64(state + 0x2640 + 0xbc8 + 3 * 16 + 8), 1 << 44);
    // heaps of ExPoolState.PoolNode[0]: committed pages and large pages
    let node = machine.symbol("ExPoolState") + 0x3900;
    let used = |index: u64| {
        let heap = machine.u64(node + index * 8);
        assert_eq!(machine.u32(heap + 0x10), 0xddee_ddee);
        machine.u64(heap + 0x88) + machine.u64(heap + 0x60)
    };
    assert_eq!((used(0), used(1), used(2)), (1_219_892, 24_512, 32_907));
}

/// What the lines of commitment add up to, from the fields that kd adds.
#[test]
fn the_commitment_is_the_articles() {
    let machine = Machine::article();
    let state = machine.base + 0xc4_c880;
    let partition = machine.base + 0xc5_0d40;
    let mut sum: u64 = [
        0x2708, 0x26f8, 0x26e0, 0x2668, 0x26f0, 0x2718, 0x26e8, 0x2700, 0x2f68,
    ]
    .iter()
    .map(|offset| machine.u64(state + offset))
    .sum();
    sum += u64::from(machine.u32(state + 0x2710));
    sum += [0x1dc8, 0x1dd0, 0x1dc0, 0x1db8]
        .iter()
        .map(|offset| machine.u64(partition + offset))
        .sum::<u64>();
    // sessions: the list begins at Vs, its links lie at 80h, committed pages at 30h
    let head = state + 0x2640;
    let mut at = machine.u64(head);
    while at != head {
        sum += machine.u64(at - 0x80 + 0x30);
        at = machine.u64(at);
    }
    // stacks of all threads, process by process
    let head = machine.symbol("PsActiveProcessHead");
    let (mut private, mut threads) = (0, 0);
    let mut links = machine.u64(head);
    while links != head {
        let process = links - 0x448;
        private += machine.u64(process + 0x648);
        let list = process + 0x5e0;
        let mut entry = machine.u64(list);
        while entry != list {
            let thread = entry - 0x4e8;
            sum += (machine.u64(thread + 0x38) - machine.u64(thread + 0x30)) / 4096;
            threads += 1;
            entry = machine.u64(entry);
        }
        links = machine.u64(links);
    }
    assert_eq!((sum, private, threads), (1_409_562, 279_673, 1_249));
    assert_eq!((sum + private - 1_688_747) * 4, 1952);
}

/// The tracker: tables of all processors by the layout of 17763 to 19041, summed with wrapping.
#[test]
fn the_tags_hold_what_the_article_says() {
    let machine = Machine::article();
    let tables = machine.base + 0xc1_69c0;
    let entries = machine.u64(machine.symbol("PoolTrackTableSize")) as usize;
    assert_eq!(entries, 0x1001);
    assert_eq!(
        machine.u64(tables),
        machine.u64(machine.symbol("PoolTrackTable"))
    );
    assert_eq!(machine.u64(tables + 8 * 8), 0);
    let tables: Vec<Vec<u8>> = (0..8)
        .map(|cpu| machine.bytes(machine.u64(tables + cpu * 8), entries * 0x38))
        .collect();
    let number = |table: &[u8], slot: usize, at: usize| {
        let at = slot * 0x38 + at;
        u64::from_le_bytes(table[at..at + 8].try_into().expect("eight bytes"))
    };
    let mut rows = Vec::new();
    let mut negative = 0;
    for slot in 0..entries {
        let tag = &tables[0][slot * 0x38..slot * 0x38 + 4];
        let sum = |at: usize| {
            tables.iter().fold(0_u64, |sum, table| {
                sum.wrapping_add(number(table, slot, at))
            })
        };
        for table in &tables {
            let own = &table[slot * 0x38..slot * 0x38 + 4];
            assert!(own == tag || own == [0; 4]);
            negative += usize::from(number(table, slot, 8) > u64::MAX / 2);
        }
        rows.push((
            sum(8),
            sum(0x10) - sum(0x18),
            sum(0x20),
            sum(0x28) - sum(0x30),
            tag.to_vec(),
        ));
    }
    assert!(
        negative > 100,
        "{negative} balances of processors are negative"
    );
    rows.sort_by(|a, b| b.cmp(a));
    let text: Vec<String> = rows
        .iter()
        .take(9)
        .map(|row| {
            format!(
                "{} {} {} {} {}",
                String::from_utf8_lossy(&row.4),
                row.1,
                row.0,
                row.3,
                row.2
            )
        })
        .collect();
    assert_eq!(
        text,
        [
            "Leak 119 4991221760 0 0",
            "ConT 238 14499840 0 0",
            "KETR 16410 8117664 0 0",
            "EtwB 196 7565568 2 131072",
            "2872 6 5660864 0 0",
            "287R 1026 4183040 0 0",
            "File 9734 3877408 0 0",
            "Thre 1257 3217920 0 0",
            "EtwR 12141 2672640 0 0",
        ]
    );
    assert!(rows.iter().filter(|row| row.0 + row.2 > 0).count() > 280);
    assert!(
        rows.iter().any(|row| row.4 == *b"\x1b[2J"),
        "a tag that is no text"
    );
    // entries of the table for latecomers
    let late = machine.u64(machine.symbol("PoolTrackTableExpansion"));
    assert_ne!(machine.u32(late), 0);
}

#[test]
fn the_modules_are_the_articles() {
    let machine = Machine::article();
    let modules = machine.modules();
    assert_eq!(modules.len(), 175);
    let short = |path: &str| path.rsplit('\\').next().unwrap_or_default().to_owned();
    for (name, base, end) in [
        (
            "ntoskrnl.exe",
            0xffff_f807_2260_0000,
            0xffff_f807_2364_6000_u64,
        ),
        (
            "win32kbase.sys",
            0xffff_c25c_891b_0000,
            0xffff_c25c_8948_0000,
        ),
        (
            "win32kfull.sys",
            0xffff_c25c_8a19_0000,
            0xffff_c25c_8a54_5000,
        ),
        ("clipsp.sys", 0xffff_f807_23c0_0000, 0xffff_f807_23d1_6000),
        ("monitor.sys", 0xffff_f807_47f3_0000, 0xffff_f807_47f4_b000),
        ("myfault.sys", 0xffff_f807_47f5_0000, 0xffff_f807_47f5_9000),
    ] {
        let module = modules
            .iter()
            .find(|module| short(&module.0) == name)
            .expect(name);
        assert_eq!(
            (module.1, module.1 + u64::from(module.2)),
            (base, end),
            "{name}"
        );
        // the headers agree with the list
        let header = machine.bytes(base, 0x400);
        let pe = u32::from_le_bytes(header[0x3c..0x40].try_into().expect("four")) as usize;
        let field =
            |at: usize| u32::from_le_bytes(header[pe + at..pe + at + 4].try_into().expect("four"));
        assert_eq!(
            (&header[..2], &header[pe..pe + 4]),
            (&b"MZ"[..], &b"PE\0\0"[..]),
            "{name}"
        );
        assert_eq!(
            (field(8), field(0x50), field(0x58)),
            (module.3, module.2, module.4),
            "{name}"
        );
    }
    let culprit = modules
        .iter()
        .find(|module| short(&module.0) == "myfault.sys")
        .expect("the driver");
    assert_eq!(
        culprit.0,
        "\\??\\C:\\Windows\\system32\\drivers\\myfault.sys"
    );
    assert_eq!((culprit.3, culprit.4), (0x6335_c51b, 0x10ced));
    // nothing lies between the neighbours that the article shows
    let mut bases: Vec<(u64, String)> = modules
        .iter()
        .map(|module| (module.1, short(&module.0)))
        .collect();
    bases.sort();
    let names: Vec<&str> = bases.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names[..2], ["win32kbase.sys", "win32kfull.sys"]);
    for pair in [
        ["ntoskrnl.exe", "clipsp.sys"],
        ["monitor.sys", "myfault.sys"],
    ] {
        assert!(names.windows(2).any(|window| window == pair), "{pair:?}");
    }
    // unloaded drivers: fifty entries of 28h bytes, the oldest first
    let ring = machine.u64(machine.symbol("MmUnloadedDrivers"));
    assert_eq!(machine.u32(machine.symbol("MmLastUnloadedDriver")), 2);
    let gone = |index: u64| {
        let at = ring + index * 0x28;
        (
            machine.text(at),
            machine.u64(at + 0x10),
            machine.u64(at + 0x18),
        )
    };
    assert_eq!(
        gone(1),
        (
            "360Sensor64.sys".into(),
            0xffff_f807_3c6e_0000,
            0xffff_f807_3c6e_c000
        )
    );
    assert_eq!(
        gone(0),
        (
            "dump_storport.sys".into(),
            0xffff_f807_3155_0000,
            0xffff_f807_3156_0000
        )
    );
}

/// The search that the article does: over every module, byte for byte, and only two places may answer.
#[test]
fn the_tag_lies_at_two_places_and_nowhere_else() {
    let machine = Machine::article();
    let (mut hits, mut seen) = (Vec::new(), 0);
    for (_, base, size, ..) in machine.modules() {
        let mut image = Vec::new();
        for page in (0..u64::from(size)).step_by(0x1000) {
            let bytes = machine.try_bytes(base + page, 0x1000);
            seen += usize::from(bytes.is_some());
            image.extend(bytes.unwrap_or_else(|| vec![0; 0x1000]));
        }
        let found = image
            .windows(4)
            .enumerate()
            .filter(|(_, four)| *four == b"Leak");
        hits.extend(found.map(|(at, _)| (base + at as u64, image[at..at + 16].to_vec())));
    }
    assert!(seen > 1500, "{seen} pages of images");
    assert_eq!(
        hits,
        [
            (
                0xffff_f807_47f5_1559,
                b"\x4c\x65\x61\x6b\x0f\x42\xc1\x41\x8d\x49\xfd\x8b\xd0\xff\x15\x0c".to_vec()
            ),
            (
                0xffff_f807_47f5_15c7,
                b"\x4c\x65\x61\x6b\x0f\x42\xc1\x33\xc9\x8b\xd0\xff\x15\xa0\x1a\x00".to_vec()
            ),
        ]
    );
    // both calls go through the slot at 3078h, which is bound to the kernel's allocator
    for (hit, length) in [
        (0xffff_f807_47f5_1559_u64, 0x13),
        (0xffff_f807_47f5_15c7, 0x11),
    ] {
        let next = hit + length;
        let slot = next.wrapping_add_signed(i64::from(machine.u32(next - 4) as i32));
        assert_eq!(slot, 0xffff_f807_47f5_3078);
        assert_eq!(machine.u64(slot), machine.symbol("ExAllocatePoolWithTag"));
    }
    // its resources are not in the dump, nor what it needed only at its start
    assert!(machine.try_bytes(0xffff_f807_47f5_7000, 16).is_none());
    assert!(machine.try_bytes(0xffff_f807_47f5_6000, 16).is_none());
}

/// The table of big allocations, by the layout up to 19041.
#[test]
fn the_leaked_blocks_are_big_allocations() {
    let machine = Machine::article();
    let slots = machine.u64(machine.symbol("PoolBigPageTableSize"));
    let table = machine.bytes(
        machine.u64(machine.symbol("PoolBigPageTable")),
        slots as usize * 0x18,
    );
    let entry = |at: usize| u64::from_le_bytes(table[at..at + 8].try_into().expect("eight bytes"));
    let (mut leaks, mut free, mut readable) = (0, 0, 0);
    for at in (0..table.len()).step_by(0x18) {
        let (va, bytes) = (entry(at), entry(at + 0x10));
        free += usize::from(va & 1 == 1);
        if &table[at + 8..at + 12] == b"Leak" {
            assert_eq!((va & 1, bytes), (0, 40 << 20));
            leaks += 1;
            if let Some(page) = machine.try_bytes(va, 0x1000) {
                readable += 1;
                assert_eq!(page[..8], 0xffff_f807_47f5_15d8_u64.to_le_bytes());
            }
        }
    }
    assert_eq!((leaks, readable), (119, 5));
    assert!(free > 2000 && free < 4096, "{free} slots are free");
}

/// A block that is left encoded can be read only by the rule that the kernel's own code follows.
#[test]
fn an_encoded_block_is_encoded() {
    let options = Options {
        encoded_debugger_data: true,
        ..Options::default()
    };
    let (plain, encoded) = (
        Machine::article(),
        Machine::of(practice::make(
            practice::scenario(ARTICLE),
            &practice::table("10.0.19041.3570"),
            &options,
        )),
    );
    let at = plain.symbol("KdDebuggerDataBlock");
    assert_eq!(plain.bytes(at + 0x10, 8), b"KDBG\x80\x03\0\0");
    assert_eq!(
        (plain.u64(at + 0x18), plain.u64(at + 0x1b8)),
        (plain.base, plain.symbol("PoolTrackTable"))
    );
    let flag = plain.symbol("KdpDataBlockEncoded");
    assert_eq!(
        (plain.bytes(flag, 1), encoded.bytes(flag, 1)),
        (vec![0], vec![1])
    );
    let (never, always) = (
        encoded.u64(plain.symbol("KiWaitNever")),
        encoded.u64(plain.symbol("KiWaitAlways")),
    );
    for offset in (0..0x380).step_by(8) {
        let raw = encoded.u64(at + offset);
        let x = (raw ^ never).rotate_left((never & 0xff) as u32 % 64);
        assert_eq!(
            (x ^ flag).swap_bytes() ^ always,
            plain.u64(at + offset),
            "{offset:#x}"
        );
        assert_ne!(raw, plain.u64(at + offset));
    }
}
