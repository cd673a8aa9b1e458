//! A sorted table of runs: how the dumps without a bitmap (full, and those of a debugger) find a page.

use super::missing;
use crate::addr::{PAGE_SIZE, Pfn};
use crate::map::Map;
use crate::physical::{PFN_LIMIT, PhysicalMemory, Run};
use std::sync::Arc;

/// Runs that do not overlap, in ascending order.
pub(crate) struct RunTable {
    file: Arc<Map>,
    runs: Vec<Run>,
    present: u64,
}

impl RunTable {
    /// Lays out `listed` runs (first frame, pages), whose pages are packed from `first_page` on, in the order of the
    /// list. What is beyond the file is dropped and noted.
    ///
    /// A frame that is listed twice keeps the copy of the run that begins earlier: kd never writes such a dump, but
    /// nothing is gained by refusing one.
    pub(crate) fn lay_out(
        file: Arc<Map>,
        first_page: u64,
        listed: impl Iterator<Item = (u64, u64)>,
        notes: &mut Vec<String>,
    ) -> RunTable {
        let len = file.bytes().len() as u64;
        let mut runs = Vec::new();
        let mut gone = Vec::new();
        let (mut offset, mut total, mut missing, mut wild) = (first_page, 0u64, 0u64, 0u64);
        for (first, pages) in listed {
            let sane = first.checked_add(pages).is_some_and(|end| end <= PFN_LIMIT);
            total = total.saturating_add(pages);
            if pages > 0 && sane {
                let (here, lost) = missing::split(
                    Run {
                        first: Pfn(first),
                        pages,
                        offset,
                    },
                    len,
                );
                runs.extend(here);
                if let Some((first, last)) = lost {
                    missing = missing.saturating_add(last - first + 1);
                    // Only the first few are named, and a liar could list millions.
                    if gone.len() < 1000 {
                        gone.push((first, last));
                    }
                }
            } else if pages > 0 {
                wild += 1;
            }
            offset = offset.saturating_add(pages.saturating_mul(PAGE_SIZE));
        }
        if wild > 0 {
            let runs = if wild == 1 { "run names" } else { "runs name" };
            notes.push(format!(
                "{wild} {runs} page frames that no processor has: left out"
            ));
        }
        if missing > 0 {
            notes.push(missing::note(
                offset.saturating_sub(len),
                missing,
                total,
                &gone,
            ));
        }
        let listed_pages: u64 = runs.iter().map(|run| run.pages).sum();
        let runs = disjoint(runs);
        let present: u64 = runs.iter().map(|run| run.pages).sum();
        if present < listed_pages {
            let many = listed_pages - present;
            let pages = if many == 1 { "page is" } else { "pages are" };
            notes.push(format!(
                "{many} {pages} listed more than once: the copy of the earlier run is used"
            ));
        }
        RunTable {
            file,
            runs,
            present,
        }
    }
}

/// Sorts, and cuts off what an earlier run already has.
fn disjoint(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by_key(|run| run.first);
    let mut end = 0;
    runs.retain_mut(|run| {
        let covered = end.max(run.first.0) - run.first.0;
        if covered >= run.pages {
            return false;
        }
        run.first = Pfn(run.first.0 + covered);
        run.pages -= covered;
        run.offset += covered * PAGE_SIZE;
        end = run.first.0 + run.pages;
        true
    });
    runs
}

impl PhysicalMemory for RunTable {
    fn file(&self) -> &[u8] {
        self.file.bytes()
    }

    fn locate(&self, pfn: Pfn, max_pages: u64) -> Option<Run> {
        let index = self
            .runs
            .partition_point(|run| run.first <= pfn)
            .checked_sub(1)?;
        let run = self.runs.get(index)?;
        let skip = pfn.0 - run.first.0;
        let pages = run.pages.checked_sub(skip)?.min(max_pages);
        (pages > 0).then_some(Run {
            first: pfn,
            pages,
            offset: run.offset + skip * PAGE_SIZE,
        })
    }

    fn next_present(&self, pfn: Pfn) -> Option<Pfn> {
        let index = self
            .runs
            .partition_point(|run| run.first.0 + run.pages <= pfn.0);
        self.runs.get(index).map(|run| run.first.max(pfn))
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Run> + '_> {
        Box::new(self.runs.iter().copied())
    }

    fn present_pages(&self) -> u64 {
        self.present
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(pages_in_file: usize, listed: &[(u64, u64)]) -> (RunTable, Vec<String>) {
        let mut bytes = vec![0; 0x2000];
        for page in 0..pages_in_file {
            bytes.extend(std::iter::repeat_n(page as u8, 4096));
        }
        let mut notes = Vec::new();
        let file = Arc::new(Map::Owned(bytes));
        (
            RunTable::lay_out(file, 0x2000, listed.iter().copied(), &mut notes),
            notes,
        )
    }

    /// The number of the file page which is found for a frame.
    fn found(table: &RunTable, pfn: u64) -> Option<u8> {
        table.page(Pfn(pfn)).map(|page| page[77])
    }

    #[test]
    fn pages_are_packed_in_the_order_of_the_list_not_of_the_frames() {
        let (table, notes) = table(6, &[(0x100, 2), (5, 3), (0x50, 1)]);
        let cases = [
            (4, None),
            (5, Some(2)),
            (7, Some(4)),
            (8, None),
            (0x50, Some(5)),
            (0x100, Some(0)),
            (0x101, Some(1)),
        ];
        for (pfn, expected) in cases {
            assert_eq!(found(&table, pfn), expected, "frame {pfn:x}");
        }
        assert_eq!(
            table.runs().map(|run| run.first.0).collect::<Vec<_>>(),
            [5, 0x50, 0x100]
        );
        assert_eq!((table.present_pages(), notes), (6, vec![]));
        assert_eq!(table.run_at(Pfn(6), 9).map(<[u8]>::len), Some(0x2000));
        assert_eq!(table.run_at(Pfn(6), 0), None);
    }

    #[test]
    fn overlapping_runs_keep_the_copy_of_the_earlier_one() {
        let (table, notes) = table(9, &[(10, 4), (12, 4), (11, 1)]);
        let frames: Vec<_> = (9..17).map(|pfn| found(&table, pfn)).collect();
        assert_eq!(
            frames,
            [
                None,
                Some(0),
                Some(1),
                Some(2),
                Some(3),
                Some(6),
                Some(7),
                None
            ]
        );
        assert_eq!(
            notes,
            ["3 pages are listed more than once: the copy of the earlier run is used"]
        );
    }

    #[test]
    fn a_cut_file_says_which_pages_are_missing() {
        let (table, notes) = table(3, &[(0x100, 2), (5, 3), (0x50, 1)]);
        assert_eq!(
            (found(&table, 5), found(&table, 6), found(&table, 0x50)),
            (Some(2), None, None)
        );
        assert_eq!(
            notes,
            [
                "the file is cut short by 12288 bytes: 3 of its 6 pages are missing (page frames 6 to 7, 50)"
            ]
        );
    }

    #[test]
    fn numbers_that_wrap_are_left_out() {
        let (table, notes) = table(2, &[(u64::MAX, 2), (3, u64::MAX), (1, 0)]);
        assert_eq!(table.present_pages(), 0);
        assert_eq!(
            notes,
            ["2 runs name page frames that no processor has: left out"]
        );
    }
}
