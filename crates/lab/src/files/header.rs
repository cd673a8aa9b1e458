//! `DUMP_HEADER64`, the first two pages of every 64-bit dump. What nobody filled in says `PAGE` over and over, as the
//! pool page under it did when Windows took it.

use super::Snapshot;
use crate::ram::FrameRun;

/// Bytes of the header.
pub(super) const SIZE: usize = 0x2000;
/// The header has room for so many runs of memory.
pub(super) const MAX_RUNS: usize = 42;

/// A block of bytes that is filled in by offset.
pub(super) struct Form(pub Vec<u8>);

impl Form {
    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    pub(super) fn u32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_le_bytes());
    }
}

/// The header of a dump of this type with these runs of memory and this length.
pub(super) fn build(
    snapshot: &Snapshot,
    dump_type: u32,
    runs: &[FrameRun],
    length: u64,
) -> Vec<u8> {
    let facts = &snapshot.facts;
    let mut form = Form(b"PAGE".repeat(SIZE / 4));
    form.put(4, b"DU64");
    form.u32(0x08, 15);
    form.u32(0x0c, facts.build);
    form.u64(0x10, facts.root.0);
    form.u64(0x18, facts.pfn_database.0);
    form.u64(0x20, facts.module_list.0);
    form.u64(0x28, facts.process_head.0);
    form.u32(0x30, 0x8664);
    form.u32(0x34, facts.processors);
    form.u32(0x38, facts.code);
    for (index, parameter) in facts.parameters.into_iter().enumerate() {
        form.u64(0x40 + index * 8, parameter);
    }
    form.u64(0x80, facts.debugger_data.0);
    form.u32(0x88, runs.len() as u32);
    form.u32(0x8c, 0);
    form.u64(0x90, runs.iter().map(|run| run.pages).sum());
    for (index, run) in runs.iter().take(MAX_RUNS).enumerate() {
        form.u64(0x98 + index * 16, run.first.0);
        form.u64(0xa0 + index * 16, run.pages);
    }
    form.put(0x348, &vec![0; 3000]);
    form.put(0x348, &facts.context);
    form.put(0xf00, &facts.exception);
    form.u32(0xf98, dump_type);
    form.u64(0xfa0, length);
    form.u64(0xfa8, facts.system_time);
    if let Some(comment) = &facts.comment {
        form.put(0xfb0, &[0; 128]);
        let short: Vec<u8> = comment.bytes().take(127).collect();
        form.put(0xfb0, &short);
    }
    form.u64(0x1030, facts.up_time);
    form.u32(0x1038, if dump_type == 4 { 0xcff } else { 0 });
    form.u32(0x1040, facts.product_type);
    form.u32(0x1044, facts.suite_mask);
    form.u32(0x1048, 0);
    form.put(0x104c, &[0; 12]);
    form.0
}
