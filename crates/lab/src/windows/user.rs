//! The few pages of a user address space that a practice machine has: who asks a kernel dump for them gets to know
//! why they are not there, who asks a full one gets to read the command line.

use super::Windows;
use crate::paging::{Access, Full, PageTables};
use crate::plan::Process;
use crate::random::Random;
use rkd_dump::addr::{PAGE_SIZE, Pfn, Virt};
use rkd_dump::error::Result;

/// Where user mode sees the page that the kernel shares with it.
const SHARED_DATA: Virt = Virt(0x7ffe_0000);
const SHARED_DATA_IN_KERNEL: Virt = Virt(0xffff_f780_0000_0000);

/// Where the process environment block of a process lies.
pub(super) fn environment(process: &Process) -> Virt {
    let mut random = Random::named(process.name);
    Virt(0x50_0000_0000 + random.below(0x7_ffff) * PAGE_SIZE + u64::from(process.id) * 0x100_0000)
}

/// Maps and writes the environment block and the process parameters: image path and command line.
pub(super) fn write(
    windows: &mut Windows<'_>,
    tables: &PageTables,
    process: &Process,
    line: &str,
) -> Result<()> {
    let block = environment(process);
    let parameters = Virt(0x1d4_6a31_2000);
    // PEB: image base at 10h, parameters at 20h
    let mut page = vec![0; PAGE_SIZE as usize];
    put(&mut page, 0x10, &0x7ff6_1c2d_0000_u64.to_le_bytes());
    put(&mut page, 0x20, &parameters.0.to_le_bytes());
    place(windows, tables, block, &page)?;
    // RTL_USER_PROCESS_PARAMETERS: length at 0 and 4, image path at 60h, command line at 70h; the texts follow
    let mut page = vec![0; PAGE_SIZE as usize];
    let path = format!("C:\\Tools\\{}", process.name);
    let mut at = 0x440;
    for (string, text) in [(0x60, path.as_str()), (0x70, line)] {
        let letters: Vec<u8> = text
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .collect();
        let room = letters.len() as u32;
        put(&mut page, string, &((room - 2) | room << 16).to_le_bytes());
        put(
            &mut page,
            string + 8,
            &(parameters.0 + at as u64).to_le_bytes(),
        );
        put(&mut page, at, &letters);
        at += letters.len();
    }
    put(&mut page, 0, &(at as u32).to_le_bytes());
    put(&mut page, 4, &(at as u32).to_le_bytes());
    place(windows, tables, parameters, &page)?;
    let memory = &mut windows.memory;
    if let Some(shared) = memory.tables.translate(&memory.ram, SHARED_DATA_IN_KERNEL) {
        tables.map(&mut memory.ram, SHARED_DATA, shared.pfn(), Access::User)?;
    }
    Ok(())
}

fn place(windows: &mut Windows<'_>, tables: &PageTables, at: Virt, page: &[u8]) -> Result<()> {
    let ram = &mut windows.memory.ram;
    let frame: Pfn = ram.allocate().ok_or(Full)?;
    tables.map(ram, at, frame, Access::User)?;
    ram.write(frame.phys(), page);
    windows.user_frames.insert(frame.0);
    Ok(())
}

fn put(page: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = page.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
