//! Writers of small dump files and page tables, for the tests of the reader. They follow the format documentation by
//! themselves and share nothing with the reader, so that each can catch the other.
//!
//! The lab cannot take their place. It writes whole Windows machines of 16 MiB, and only what Windows would write; these write a
//! few KiB – so that thousands of damaged ones can be tried – and whatever a test says: entries of every state at every level
//! of the page tables, frames where nobody has them, triage dumps of any blocks.

use std::collections::BTreeMap;

pub const PAGE: usize = 0x1000;

/// The pages of a made-up machine.
#[derive(Clone, Default)]
pub struct Machine {
    pub pages: BTreeMap<u64, Vec<u8>>,
    pub dtb: u64,
    /// The machine's memory as the header describes it, where the kind of dump does not care.
    pub described: Vec<(u64, u64)>,
}

/// Which file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Full,
    Bitmap(u32),
    Range(u32),
}

pub const FORMATS: [Format; 6] = [
    Format::Full,
    Format::Bitmap(5),
    Format::Bitmap(6),
    Format::Range(8),
    Format::Range(9),
    Format::Range(10),
];

pub fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

pub fn put32(bytes: &mut [u8], at: usize, value: u32) {
    put(bytes, at, &value.to_le_bytes());
}

pub fn put64(bytes: &mut [u8], at: usize, value: u64) {
    put(bytes, at, &value.to_le_bytes());
}

/// `DUMP_HEADER64`: a page of filler, and the fields that every writer sets.
pub fn header(kind: u32, dtb: u64) -> Vec<u8> {
    let mut bytes = b"PAGE".repeat(0x2000 / 4);
    put(&mut bytes, 4, b"DU64");
    put32(&mut bytes, 0x8, 15);
    put32(&mut bytes, 0xc, 19041);
    put64(&mut bytes, 0x10, dtb);
    put64(&mut bytes, 0x18, 0);
    put64(&mut bytes, 0x20, 0xffff_f807_2322_a390);
    put64(&mut bytes, 0x28, 0xffff_f807_2321_e200);
    put32(&mut bytes, 0x30, 0x8664);
    put32(&mut bytes, 0x34, 4);
    put32(&mut bytes, 0x38, 0xe2);
    for parameter in 0..4 {
        put64(&mut bytes, 0x40 + 8 * parameter, parameter as u64);
    }
    put64(&mut bytes, 0x80, 0);
    put32(&mut bytes, 0xf98, kind);
    put64(&mut bytes, 0xfa8, 0x01da_2b3c_4d5e_6f70);
    put64(&mut bytes, 0x1030, 36_000_000_000);
    bytes
}

fn put_memory_block(bytes: &mut [u8], runs: &[(u64, u64)]) {
    put32(bytes, 0x88, runs.len() as u32);
    put32(bytes, 0x8c, 0);
    put64(bytes, 0x90, runs.iter().map(|run| run.1).sum());
    for (index, (first, pages)) in runs.iter().enumerate() {
        put64(bytes, 0x98 + 16 * index, *first);
        put64(bytes, 0xa0 + 16 * index, *pages);
    }
}

impl Machine {
    /// A machine of the given frames, each filled with bytes that tell it from all others.
    pub fn of(frames: impl IntoIterator<Item = u64>) -> Machine {
        let mut machine = Machine::default();
        for frame in frames {
            machine.pages.insert(frame, stamp(frame));
        }
        machine
    }

    pub fn page_mut(&mut self, frame: u64) -> &mut Vec<u8> {
        self.pages.entry(frame).or_insert_with(|| vec![0; PAGE])
    }

    pub fn put64(&mut self, at: u64, value: u64) {
        put64(self.page_mut(at >> 12), (at & 0xff8) as usize, value);
    }

    pub fn get64(&mut self, at: u64) -> u64 {
        let page = self.page_mut(at >> 12);
        let at = (at & 0xff8) as usize;
        u64::from_le_bytes(page[at..at + 8].try_into().unwrap())
    }

    /// The frames as runs.
    pub fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for frame in self.pages.keys() {
            match runs.last_mut() {
                Some((first, pages)) if *first + *pages == *frame => *pages += 1,
                _ => runs.push((*frame, 1)),
            }
        }
        runs
    }

    fn packed(&self) -> impl Iterator<Item = &u8> {
        self.pages.values().flatten()
    }

    /// The whole file.
    pub fn write(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Full => self.full(),
            Format::Bitmap(kind) => self.bitmap(kind),
            Format::Range(kind) => self.ranges(kind),
        }
    }

    fn full(&self) -> Vec<u8> {
        let mut bytes = header(1, self.dtb);
        put_memory_block(&mut bytes, &self.runs());
        bytes.extend(self.packed());
        bytes
    }

    fn bitmap(&self, kind: u32) -> Vec<u8> {
        let mut bytes = header(kind, self.dtb);
        put_memory_block(&mut bytes, &self.described);
        let bits = self.pages.keys().next_back().map_or(0, |last| last + 1);
        let mut map = vec![0u8; bits.div_ceil(8) as usize];
        for frame in self.pages.keys() {
            map[(frame / 8) as usize] |= 1 << (frame % 8);
        }
        // The bits after the last page are left as they were.
        if let Some(last) = map.last_mut().filter(|_| !bits.is_multiple_of(8)) {
            *last |= 0xff << (bits % 8);
        }
        let first_page = (0x2038 + map.len()).next_multiple_of(PAGE);
        let mut second = vec![0; 0x38];
        put(
            &mut second,
            0,
            if kind == 5 { b"FDMPDUMP" } else { b"SDMPDUMP" },
        );
        put64(&mut second, 0x20, first_page as u64);
        put64(&mut second, 0x28, self.pages.len() as u64);
        put64(&mut second, 0x30, bits);
        bytes.extend(second);
        bytes.extend(map);
        bytes.resize(first_page, 0xee);
        bytes.extend(self.packed());
        bytes
    }

    fn ranges(&self, kind: u32) -> Vec<u8> {
        let mut bytes = header(kind, self.dtb);
        put_memory_block(&mut bytes, &self.described);
        let runs = self.runs();
        // The list is padded to whole pages and so ends with an empty range.
        let first_page = (0x2030 + 16 * (runs.len() + 1)).next_multiple_of(PAGE);
        let mut second = vec![0; 0x30];
        put32(&mut second, 0, 0x40);
        put(&mut second, 4, b"RDMPDUMP");
        put64(&mut second, 0x10, first_page as u64 - 0x2040 + 0x20);
        put64(&mut second, 0x18, first_page as u64);
        if kind == 10 {
            put32(&mut second, 0x20, runs.len() as u32);
            put64(&mut second, 0x28, self.pages.len() as u64);
        }
        bytes.extend(second);
        for (first, pages) in runs {
            bytes.extend(first.to_le_bytes());
            bytes.extend(pages.to_le_bytes());
        }
        bytes.resize(first_page, 0);
        bytes.extend(self.packed());
        bytes
    }
}

/// The contents of a frame of [`Machine::of`].
pub fn stamp(frame: u64) -> Vec<u8> {
    (0..PAGE as u64 / 8)
        .flat_map(|word| (frame << 16 | word).to_le_bytes())
        .collect()
}

/// A triage dump of some blocks, a driver and an unloaded driver.
pub fn triage(blocks: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = header(4, 0x1ad000);
    bytes.resize(0x2080, 0);
    let at = |bytes: &mut Vec<u8>, field: usize, data: &[u8]| -> usize {
        let offset = bytes.len().next_multiple_of(8);
        bytes.resize(offset, 0);
        bytes.extend(data);
        put32(bytes, 0x2000 + field, offset as u32);
        offset
    };
    let wide = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let mut name = 7u32.to_le_bytes().to_vec();
    name.extend(wide("nt.exe!\0"));
    let name = at(&mut bytes, 0x38, &name);
    let mut driver = vec![0; 0x90];
    put32(&mut driver, 0, name as u32);
    put64(&mut driver, 0x38, 0xffff_f807_2260_0000);
    put32(&mut driver, 0x48, 0x104_6000);
    put32(&mut driver, 0x80, 0xa5_938c);
    put32(&mut driver, 0x88, 0xd83_33e6);
    at(&mut bytes, 0x30, &driver);
    put32(&mut bytes, 0x2034, 1);
    let mut unloaded = 1u64.to_le_bytes().to_vec();
    unloaded.extend(14u16.to_le_bytes());
    unloaded.resize(0x18, 0);
    unloaded.extend(wide("dam.sys"));
    unloaded.resize(0x30, 0);
    unloaded.extend(0xffff_f807_5000_0000u64.to_le_bytes());
    unloaded.extend(0xffff_f807_5000_9000u64.to_le_bytes());
    at(&mut bytes, 0x18, &unloaded);
    let mut kdbg = vec![0; 0x380];
    put(&mut kdbg, 0x10, b"KDBG\x80\x03\0\0");
    put64(&mut kdbg, 0x18, 0xffff_f807_2260_0000);
    for (field, size) in [(0x2a8, 0x30u32), (0x2b0, 0x50), (0x2c0, 0x20)] {
        put(&mut kdbg, field, &(size as u16).to_le_bytes());
    }
    at(&mut bytes, 0x70, &kdbg);
    put32(&mut bytes, 0x2074, 0x380);
    put64(&mut bytes, 0x80, 0xffff_f807_2320_0b20);
    for (field, size, fill) in [(0x20, 0x30, 1u8), (0x24, 0x20, 2), (0x1c, 0x50, 3)] {
        at(&mut bytes, field, &vec![fill; size]);
    }
    at(&mut bytes, 0x28, &[4; 0x100]);
    put32(&mut bytes, 0x202c, 0x100);
    put64(&mut bytes, 0x2048, 0xffff_8504_2989_0ee8);
    at(&mut bytes, 0x68, &[5; 0x1000]);
    put32(&mut bytes, 0x206c, 0x1000);
    put64(&mut bytes, 0x2060, 0xffff_8504_3000_0000);
    let mut list = Vec::new();
    let table = bytes.len().next_multiple_of(8);
    let mut offset = table + 16 * blocks.len();
    for (va, data) in blocks {
        list.extend(va.to_le_bytes());
        list.extend((offset as u32).to_le_bytes());
        list.extend((data.len() as u32).to_le_bytes());
        offset += data.len();
    }
    at(&mut bytes, 0x78, &list);
    put32(&mut bytes, 0x207c, blocks.len() as u32);
    for (_, data) in blocks {
        bytes.extend(data);
    }
    let valid = bytes.len();
    bytes.extend(b"TRGD");
    put32(&mut bytes, 0x2008, valid as u32);
    put32(&mut bytes, 0x2044, u32::MAX);
    let size = bytes.len() as u32;
    put32(&mut bytes, 0x2004, size);
    bytes
}

/// Builds page tables in a [`Machine`].
pub struct Tables {
    pub machine: Machine,
    /// The next frame for a table.
    pub free: u64,
}

impl Tables {
    /// The top table in frame `root`; more tables in the frames after it.
    pub fn new(root: u64) -> Tables {
        let mut machine = Machine {
            dtb: root << 12,
            ..Machine::default()
        };
        machine.page_mut(root);
        Tables {
            machine,
            free: root + 1,
        }
    }

    /// The physical address of the entry of level 4 (top) to 1 that covers `va`; tables on the way are made.
    pub fn entry(&mut self, va: u64, level: u32) -> u64 {
        let mut table = self.machine.dtb & !0xfff;
        for above in (level + 1..=4).rev() {
            let slot = table + ((va >> (12 + 9 * (above - 1))) & 0x1ff) * 8;
            let mut entry = self.machine.get64(slot);
            if entry == 0 {
                entry = self.free << 12 | 0x63;
                self.machine.page_mut(self.free);
                self.free += 1;
                self.machine.put64(slot, entry);
            }
            table = entry & 0x000f_ffff_ffff_f000;
        }
        table + ((va >> (12 + 9 * (level - 1))) & 0x1ff) * 8
    }

    /// Writes an entry as it is.
    pub fn raw(&mut self, va: u64, level: u32, entry: u64) {
        let slot = self.entry(va, level);
        self.machine.put64(slot, entry);
    }

    /// Maps a page of 4 KiB, writable and executable, and fills the frame with its stamp unless it has contents.
    pub fn map(&mut self, va: u64, frame: u64) {
        self.machine
            .pages
            .entry(frame)
            .or_insert_with(|| stamp(frame));
        self.raw(va, 1, frame << 12 | 0x63);
    }
}
