//! The physical memory of the made-up machine: a map of its frames, of which only those that somebody wrote to exist.

use super::payload::Payload;
use rkd_dump::addr::{PAGE_SIZE, Pfn, Phys};
use std::collections::BTreeMap;
use std::io;

/// The contents of one frame.
pub(crate) type Page = [u8; PAGE_SIZE as usize];

/// Frames in one block that the allocator hands out before it moves on: also the size of a 2 MiB page.
const BLOCK: u64 = 512;

/// Neighbouring frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRun {
    /// The first frame.
    pub first: Pfn,
    /// How many frames.
    pub pages: u64,
}

/// What is in a frame.
enum Frame {
    /// What the lab wrote there.
    Own(Box<Page>),
    /// A page of the [`Payload`], by its number.
    Foreign(u64),
}

/// Sparse physical memory with an allocator.
///
/// Frames are handed out shuffled inside blocks of 2 MiB, and the blocks lie far apart, as on a machine that has been
/// running for a while: a reader that confuses virtual with physical neighbours fails here.
pub struct Ram {
    frames: BTreeMap<u64, Frame>,
    payload: Option<Payload>,
    machine: Vec<FrameRun>,
    blocks: Vec<u64>,
    next_block: usize,
    current: Option<(u64, u64)>,
}

impl Frame {
    fn new() -> Frame {
        Frame::Own(Box::new([0; PAGE_SIZE as usize]))
    }
}

impl Ram {
    /// The memory of a machine with these runs of frames.
    pub fn new(machine: Vec<FrameRun>) -> Ram {
        let blocks = spread(blocks_of(&machine));
        Ram {
            frames: BTreeMap::new(),
            payload: None,
            machine,
            blocks,
            next_block: 0,
            current: None,
        }
    }

    /// The runs of frames that the firmware gave to Windows.
    pub(crate) fn machine_runs(&self) -> &[FrameRun] {
        &self.machine
    }

    /// A zeroed frame that nobody uses. `None` when the machine is full.
    pub fn allocate(&mut self) -> Option<Pfn> {
        let (block, used) = match self.current {
            Some((block, used)) if used < BLOCK => (block, used),
            _ => (self.next_block()?, 0),
        };
        self.current = Some((block, used + 1));
        // 179 is odd, so this visits every frame of the block once.
        let pfn = Pfn(block + used.wrapping_mul(179).wrapping_add(77) % BLOCK);
        self.frames.insert(pfn.0, Frame::new());
        Some(pfn)
    }

    /// Bytes of another origin, of which [`Ram::allocate_foreign`] puts pages into frames.
    pub(crate) fn set_payload(&mut self, payload: Payload) {
        self.payload = Some(payload);
    }

    /// A frame that nobody uses, with this page of the payload in it.
    pub(crate) fn allocate_foreign(&mut self, page: u64) -> Option<Pfn> {
        let pfn = self.allocate()?;
        self.frames.insert(pfn.0, Frame::Foreign(page));
        Some(pfn)
    }

    /// This very frame, zeroed, if the machine has it and it lies outside the blocks from which frames are handed out.
    pub fn claim(&mut self, pfn: Pfn) -> Option<Pfn> {
        let block = pfn.0 & !(BLOCK - 1);
        if self.machine_run(pfn.0).is_none()
            || self.blocks.contains(&block)
            || self.frames.contains_key(&pfn.0)
        {
            return None;
        }
        self.page_mut(pfn);
        Some(pfn)
    }

    /// 512 neighbouring frames on a 2 MiB boundary, none of which exists before it is written to.
    pub(crate) fn reserve_large(&mut self) -> Option<Pfn> {
        self.next_block().map(Pfn)
    }

    fn next_block(&mut self) -> Option<u64> {
        let block = self.blocks.get(self.next_block).copied()?;
        self.next_block += 1;
        Some(block)
    }

    /// The frame's bytes, if it exists and the lab wrote them.
    pub fn page(&self, pfn: Pfn) -> Option<&Page> {
        match self.frames.get(&pfn.0)? {
            Frame::Own(page) => Some(page),
            Frame::Foreign(_) => None,
        }
    }

    /// Copies the frame's bytes, whoever they are of; zeroes where no frame exists.
    ///
    /// # Errors
    /// When a page of the payload cannot be read.
    pub fn copy(&self, pfn: Pfn, page: &mut Page) -> io::Result<()> {
        match (self.frames.get(&pfn.0), &self.payload) {
            (Some(Frame::Own(own)), _) => page.copy_from_slice(own.as_slice()),
            (Some(Frame::Foreign(number)), Some(payload)) => payload.read(*number, page)?,
            _ => page.fill(0),
        }
        Ok(())
    }

    /// The frame's bytes; it exists from now on, and is the lab's own.
    pub fn page_mut(&mut self, pfn: Pfn) -> &mut Page {
        let frame = self.frames.entry(pfn.0).or_insert_with(Frame::new);
        loop {
            match frame {
                Frame::Own(page) => return page,
                Frame::Foreign(_) => *frame = Frame::new(),
            }
        }
    }

    /// Copies bytes that lie within one frame.
    pub fn write(&mut self, at: Phys, bytes: &[u8]) {
        let start = at.page_offset() as usize;
        if let Some(place) = self.page_mut(at.pfn()).get_mut(start..start + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Eight bytes of a frame that exists; 0 elsewhere, and for addresses that are not a multiple of eight.
    pub fn read_u64(&self, at: Phys) -> u64 {
        let start = at.page_offset() as usize;
        self.page(at.pfn())
            .and_then(|page| page.get(start..start + 8))
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_le_bytes)
    }

    /// All frames that the lab wrote, ascending.
    pub fn frames(&self) -> impl Iterator<Item = (Pfn, &Page)> {
        self.frames.iter().filter_map(|(&pfn, frame)| match frame {
            Frame::Own(page) => Some((Pfn(pfn), page.as_ref())),
            Frame::Foreign(_) => None,
        })
    }

    /// The numbers of all frames that exist, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = Pfn> {
        self.frames.keys().map(|&pfn| Pfn(pfn))
    }

    /// How many frames exist.
    pub fn present(&self) -> u64 {
        self.frames.len() as u64
    }

    /// At most `limit` runs that cover everything that exists, with as few missing frames in between as that allows.
    pub(crate) fn populated_runs(&self, limit: usize) -> Vec<FrameRun> {
        let mut gap = 0;
        loop {
            let runs = self.runs_with_gaps(gap);
            if runs.len() <= limit || gap > self.end() {
                return runs;
            }
            gap = gap * 2 + 1;
        }
    }

    /// Runs of existing frames; missing frames are run over where at most `gap` lie in a row and the machine has them.
    fn runs_with_gaps(&self, gap: u64) -> Vec<FrameRun> {
        let mut runs: Vec<FrameRun> = Vec::new();
        for &pfn in self.frames.keys() {
            if let Some(last) = runs.last_mut() {
                let end = last.first.0 + last.pages;
                if pfn - end <= gap && self.machine_run(end) == self.machine_run(pfn) {
                    last.pages = pfn + 1 - last.first.0;
                    continue;
                }
            }
            runs.push(FrameRun {
                first: Pfn(pfn),
                pages: 1,
            });
        }
        runs
    }

    fn machine_run(&self, pfn: u64) -> Option<usize> {
        self.machine
            .iter()
            .position(|run| pfn >= run.first.0 && pfn < run.first.0 + run.pages)
    }

    /// The highest frame of the machine, plus one.
    pub fn end(&self) -> u64 {
        self.machine
            .iter()
            .map(|run| run.first.0 + run.pages)
            .max()
            .unwrap_or(0)
    }
}

fn blocks_of(machine: &[FrameRun]) -> Vec<u64> {
    let mut blocks = Vec::new();
    for run in machine {
        let end = run.first.0 + run.pages;
        let mut block = run.first.0.next_multiple_of(BLOCK);
        while block + BLOCK <= end {
            blocks.push(block);
            block += BLOCK;
        }
    }
    blocks
}

/// Orders the blocks so that neighbours in the list lie far apart in memory.
fn spread(blocks: Vec<u64>) -> Vec<u64> {
    let count = blocks.len();
    let mut stride = (count as f64 * 0.618) as usize | 1;
    while count > 0 && gcd(stride, count) != 1 {
        stride += 2;
    }
    (0..count)
        .filter_map(|i| blocks.get((i * stride + count / 5) % count).copied())
        .collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Ram {
        Ram::new(vec![
            FrameRun {
                first: Pfn(1),
                pages: 0x9e,
            },
            FrameRun {
                first: Pfn(0x100),
                pages: 0x1500,
            },
            FrameRun {
                first: Pfn(0x10_0000),
                pages: 0x2000,
            },
        ])
    }

    #[test]
    fn frames_are_handed_out_once_and_inside_the_machine() {
        let mut ram = small();
        let mut seen = std::collections::BTreeSet::new();
        while let Some(pfn) = ram.allocate() {
            assert!(seen.insert(pfn.0), "frame {pfn} twice");
            assert!(
                ram.machine_runs()
                    .iter()
                    .any(|r| pfn.0 >= r.first.0 && pfn.0 < r.first.0 + r.pages)
            );
        }
        // whole 2 MiB blocks only: 0x200..0x1600 and 0x100000..0x102000
        assert_eq!(seen.len(), 0x1400 + 0x2000);
    }

    #[test]
    fn neighbours_in_time_are_not_neighbours_in_memory() {
        let mut ram = small();
        let (a, b) = (ram.allocate().unwrap(), ram.allocate().unwrap());
        assert!(a.0.abs_diff(b.0) > 1);
    }

    #[test]
    fn populated_runs_cover_what_exists_and_stay_in_the_machine() {
        let mut ram = small();
        for _ in 0..700 {
            ram.allocate();
        }
        ram.write(Phys(0x1000), b"low");
        let runs = ram.populated_runs(3);
        assert_eq!(runs.len(), 3);
        assert_eq!(
            runs.first(),
            Some(&FrameRun {
                first: Pfn(1),
                pages: 1
            })
        );
        for (pfn, _) in ram.frames() {
            assert_eq!(
                runs.iter()
                    .filter(|r| pfn.0 >= r.first.0 && pfn.0 < r.first.0 + r.pages)
                    .count(),
                1
            );
        }
    }
}
