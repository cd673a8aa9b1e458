//! A raw image: every byte of physical memory at the offset that is its address, and zeroes where the machine has none.

use super::{Output, Snapshot};
use rkd_dump::addr::PAGE_SIZE;
use std::io;

/// Writes the machine's memory up to its last frame. Frames with nothing in them, most of the machine, take no room on a disk
/// that can have holes in its files.
pub(super) fn write(snapshot: &Snapshot, out: &mut dyn Output) -> io::Result<u64> {
    let length = snapshot.ram.end() * PAGE_SIZE;
    let mut page = [0; PAGE_SIZE as usize];
    let mut done = 0;
    for pfn in snapshot.ram.numbers() {
        let at = pfn.phys().0;
        out.skip(at - done)?;
        snapshot.ram.copy(pfn, &mut page)?;
        out.write_all(&page)?;
        done = at + PAGE_SIZE;
    }
    if done < length {
        out.skip(length - done - 1)?;
        out.write_all(&[0])?;
    }
    Ok(length)
}
