//! Type 4, the triage dump: no physical memory, but blocks of virtual memory, the list of drivers, and copies of the
//! structures that a first look at a crash needs.

use super::header::{self, Form};
use super::{Output, Snapshot};
use rkd_dump::addr::Virt;
use std::io;

/// A loaded driver, as a triage dump lists it.
#[derive(Clone, Debug)]
pub struct Driver {
    /// The file name.
    pub name: String,
    /// Where it is loaded.
    pub base: Virt,
    /// Bytes of address space.
    pub size: u32,
    /// The entry point.
    pub entry: Virt,
    /// `CheckSum` of its headers.
    pub checksum: u32,
    /// `TimeDateStamp` of its headers.
    pub time_stamp: u32,
}

/// A driver that is gone.
#[derive(Clone, Debug)]
pub struct Unloaded {
    /// The file name.
    pub name: String,
    /// Where it was.
    pub start: Virt,
    /// One past its end.
    pub end: Virt,
    /// When it was unloaded, as `FILETIME`.
    pub time: u64,
}

/// What a triage dump holds.
#[derive(Clone, Debug, Default)]
pub struct Minidump {
    /// The drivers, in load order.
    pub drivers: Vec<Driver>,
    /// The drivers that are gone, latest first.
    pub unloaded: Vec<Unloaded>,
    /// The processor block of the processor that crashed.
    pub processor: Vec<u8>,
    /// The process that ran there.
    pub process: Vec<u8>,
    /// The thread that ran there.
    pub thread: Vec<u8>,
    /// The stack from the stack pointer up, and the stack pointer.
    pub stack: (Virt, Vec<u8>),
    /// `KDDEBUGGER_DATA64`, decoded.
    pub debugger_data: Vec<u8>,
    /// Pieces of memory.
    pub blocks: Vec<(Virt, Vec<u8>)>,
}

/// A file under construction: parts are appended on 16 byte boundaries.
struct Parts(Vec<u8>);

impl Parts {
    fn add(&mut self, bytes: &[u8]) -> u32 {
        let at = self.0.len().next_multiple_of(16);
        self.0.resize(at, 0);
        self.0.extend_from_slice(bytes);
        at as u32
    }
}

/// Writes the dump.
pub(super) fn write(snapshot: &Snapshot, out: &mut dyn Output) -> io::Result<u64> {
    let dump = &snapshot.minidump;
    let mut second = Form(vec![0; 0x80]);
    let mut parts = Parts(vec![0; header::SIZE + 0x80]);
    let processor = parts.add(&dump.processor);
    let process = parts.add(&dump.process);
    let thread = parts.add(&dump.thread);
    let stack = parts.add(&dump.stack.1);
    let (pool, offsets) = string_pool(&dump.drivers);
    let pool_at = (parts.0.len() as u32).next_multiple_of(16);
    parts.add(&pool);
    let drivers = parts.add(&driver_list(&dump.drivers, pool_at, &offsets));
    let unloaded = parts.add(&unloaded_list(&dump.unloaded));
    let debugger_data = parts.add(&dump.debugger_data);
    let blocks_at = parts.add(&vec![0; dump.blocks.len() * 16]);
    let mut list = Vec::new();
    for (at, bytes) in &dump.blocks {
        let place = parts.add(bytes);
        list.extend_from_slice(&at.0.to_le_bytes());
        list.extend_from_slice(&place.to_le_bytes());
        list.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    }
    let valid = parts.add(b"TRGD");
    let length = parts.0.len() as u32;
    for (at, value) in [
        (0x04, length),
        (0x08, valid),
        (0x0c, 0x348),
        (0x10, 0xf00),
        (0x18, unloaded),
        (0x1c, processor),
        (0x20, process),
        (0x24, thread),
        (0x28, stack),
        (0x2c, dump.stack.1.len() as u32),
        (0x30, drivers),
        (0x34, dump.drivers.len() as u32),
        (0x38, pool_at),
        (0x3c, pool.len() as u32),
        (0x44, u32::MAX),
        (0x70, debugger_data),
        (0x74, dump.debugger_data.len() as u32),
        (0x78, blocks_at),
        (0x7c, dump.blocks.len() as u32),
    ] {
        second.u32(at, value);
    }
    second.u64(0x48, dump.stack.0.0);
    let mut file = Form(parts.0);
    file.put(
        0,
        &header::build(snapshot, 4, snapshot.ram.machine_runs(), u64::from(length)),
    );
    file.put(header::SIZE, &second.0);
    file.put(blocks_at as usize, &list);
    out.write_all(&file.0)?;
    Ok(u64::from(length))
}

/// The names: a count of letters, the letters, a zero. With the offset of each from the start of the pool.
fn string_pool(drivers: &[Driver]) -> (Vec<u8>, Vec<u32>) {
    let (mut pool, mut offsets) = (Vec::<u8>::new(), Vec::new());
    for driver in drivers {
        pool.resize(pool.len().next_multiple_of(8), 0);
        offsets.push(pool.len() as u32);
        let letters: Vec<u16> = driver.name.encode_utf16().collect();
        pool.extend_from_slice(&(letters.len() as u32).to_le_bytes());
        pool.extend(
            letters
                .iter()
                .chain(&[0])
                .flat_map(|letter| letter.to_le_bytes()),
        );
    }
    (pool, offsets)
}

/// Entries of 0x90 bytes: the name's place in the file, and the loader's entry in its form of Windows XP.
fn driver_list(drivers: &[Driver], pool_at: u32, offsets: &[u32]) -> Vec<u8> {
    let mut list = Vec::new();
    for (driver, offset) in drivers.iter().zip(offsets) {
        let mut form = Form(vec![0; 0x90]);
        form.u32(0, pool_at + offset);
        form.u64(8 + 0x30, driver.base.0);
        form.u64(8 + 0x38, driver.entry.0);
        form.u32(8 + 0x40, driver.size);
        form.u32(8 + 0x78, driver.checksum);
        form.u32(8 + 0x80, driver.time_stamp);
        list.extend_from_slice(&form.0);
    }
    list
}

/// A count, then entries of 0x38 bytes with the first twelve letters of the name.
fn unloaded_list(unloaded: &[Unloaded]) -> Vec<u8> {
    let mut list = (unloaded.len() as u64).to_le_bytes().to_vec();
    for driver in unloaded {
        let mut form = Form(vec![0; 0x38]);
        let letters: Vec<u8> = driver
            .name
            .encode_utf16()
            .take(12)
            .flat_map(u16::to_le_bytes)
            .collect();
        let length = driver.name.encode_utf16().count() as u32 * 2;
        form.u32(0, length | (length + 2) << 16);
        form.put(0x10, &letters);
        form.u64(0x28, driver.start.0);
        form.u64(0x30, driver.end.0);
        list.extend_from_slice(&form.0);
    }
    list
}
