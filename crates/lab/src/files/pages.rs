//! The kinds that hold physical memory: all pages of some runs, a bitmap and its pages, ranges and their pages.

use super::header::{self, Form};
use super::{Output, Snapshot};
use crate::ram::FrameRun;
use rkd_dump::addr::{PAGE_SIZE, Pfn};
use std::io;

/// Type 1. The header lists the runs of memory, and all their pages follow one another.
///
/// A real machine's runs are all of its memory. Here they are only the parts with anything in them: gigabytes of zeroes
/// would teach nobody anything.
pub(super) fn full(snapshot: &Snapshot, out: &mut dyn Output) -> io::Result<u64> {
    let runs = snapshot.ram.populated_runs(header::MAX_RUNS);
    let pages: u64 = runs.iter().map(|run| run.pages).sum();
    let length = header::SIZE as u64 + pages * PAGE_SIZE;
    out.write_all(&header::build(snapshot, 1, &runs, length))?;
    let mut page = [0; PAGE_SIZE as usize];
    for run in runs {
        for pfn in run.first.0..run.first.0 + run.pages {
            snapshot.ram.copy(Pfn(pfn), &mut page)?;
            out.write_all(&page)?;
        }
    }
    Ok(length)
}

/// Types 5 and 6: a second header with one bit per frame of the machine, then the pages whose bit is set.
pub(super) fn bitmap(snapshot: &Snapshot, dump_type: u32, out: &mut dyn Output) -> io::Result<u64> {
    let frames = snapshot.frames(dump_type);
    let bits = snapshot.ram.end();
    let bitmap_at = 0x38;
    let first_page =
        (header::SIZE as u64 + bitmap_at + bits.div_ceil(8)).next_multiple_of(PAGE_SIZE);
    let length = first_page + frames.len() as u64 * PAGE_SIZE;
    out.write_all(&header::build(
        snapshot,
        dump_type,
        snapshot.ram.machine_runs(),
        length,
    ))?;
    let mut form = Form(vec![0; (first_page - header::SIZE as u64) as usize]);
    form.put(
        0,
        if dump_type == 6 {
            b"SDMPDUMP"
        } else {
            b"FDMPDUMP"
        },
    );
    form.u64(0x20, first_page);
    form.u64(0x28, frames.len() as u64);
    form.u64(0x30, bits);
    for Pfn(pfn) in &frames {
        if let Some(byte) = form.0.get_mut((bitmap_at + pfn / 8) as usize) {
            *byte |= 1 << (pfn % 8);
        }
    }
    out.write_all(&form.0)?;
    write_frames(snapshot, &frames, out)?;
    Ok(length)
}

/// Types 8, 9 and 10: a second header with a list of ranges, then their pages.
pub(super) fn ranges(snapshot: &Snapshot, dump_type: u32, out: &mut dyn Output) -> io::Result<u64> {
    let frames = snapshot.frames(dump_type);
    let ranges = ranges_of(&frames);
    // the list ends with an empty entry
    let list = (ranges.len() as u64 + 1) * 16;
    let first_page = (header::SIZE as u64 + 0x30 + list).next_multiple_of(PAGE_SIZE);
    let length = first_page + frames.len() as u64 * PAGE_SIZE;
    out.write_all(&header::build(
        snapshot,
        dump_type,
        snapshot.ram.machine_runs(),
        length,
    ))?;
    let mut form = Form(vec![0; (first_page - header::SIZE as u64) as usize]);
    form.u32(0, 0x40);
    form.put(4, b"RDMPDUMP");
    form.u64(0x10, first_page - header::SIZE as u64 - 0x20);
    form.u64(0x18, first_page);
    if dump_type == 10 {
        form.u32(0x20, ranges.len() as u32);
        form.u64(0x28, frames.len() as u64);
    }
    for (index, range) in ranges.iter().enumerate() {
        form.u64(0x30 + index * 16, range.first.0);
        form.u64(0x38 + index * 16, range.pages);
    }
    out.write_all(&form.0)?;
    write_frames(snapshot, &frames, out)?;
    Ok(length)
}

fn ranges_of(frames: &[Pfn]) -> Vec<FrameRun> {
    let mut ranges: Vec<FrameRun> = Vec::new();
    for &pfn in frames {
        match ranges.last_mut() {
            Some(last) if last.first.0 + last.pages == pfn.0 => last.pages += 1,
            _ => ranges.push(FrameRun {
                first: pfn,
                pages: 1,
            }),
        }
    }
    ranges
}

fn write_frames(snapshot: &Snapshot, frames: &[Pfn], out: &mut dyn Output) -> io::Result<()> {
    let mut page = [0; PAGE_SIZE as usize];
    for &pfn in frames {
        snapshot.ram.copy(pfn, &mut page)?;
        out.write_all(&page)?;
    }
    Ok(())
}
