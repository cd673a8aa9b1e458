//! Three books are kept of the same pool: the memory manager counts its pages, the tracker counts bytes for each tag, and a
//! table lists the large blocks. They never agree to the byte, and the difference has reasons.

use super::limits;
use crate::Kernel;
use crate::pool::tracker::tracker;
use crate::pool::{BigTable, TagUse};
use crate::vm::{Vm, no_counter, vm};
use rkd_dump::error::Result;
use rkd_pooltags::api::Pool;

const PAGE: u64 = 0x1000;

/// What the three books say of one pool, in bytes.
#[derive(Clone, Debug)]
pub struct PoolBooks {
    /// The pool.
    pub pool: Pool,
    /// Pages that the memory manager counts.
    pub pages: Result<u64>,
    /// The sum of the tags.
    pub tags: u64,
    /// The sum of the large blocks.
    pub large: Result<u64>,
    /// The part of the memory that the pool is, 0 to 1.
    pub share: Option<f64>,
    /// Whether it is nearly as large as it may be, which `!vm` calls excessive.
    pub excessive: bool,
}

impl PoolBooks {
    /// Its size: by its pages, or else by its tags.
    pub fn size(&self) -> u64 {
        self.pages.clone().unwrap_or(self.tags)
    }

    /// Above which part of the memory it is abnormal.
    pub fn limit(&self) -> f64 {
        match self.pool {
            Pool::Nonpaged => limits::NONPAGED_SHARE,
            Pool::Paged => limits::PAGED_SHARE,
        }
    }

    /// Whether it is larger than any healthy machine's.
    pub fn is_abnormal(&self) -> bool {
        self.excessive
            || match self.share {
                Some(share) => share > self.limit(),
                None => self.size() > limits::POOL_BYTES,
            }
    }

    /// Why the books differ, in sentences; empty where they agree as well as they can.
    pub fn differences(&self) -> Vec<String> {
        let mut said = Vec::new();
        let name = match self.pool {
            Pool::Nonpaged => "nonpaged",
            Pool::Paged => "paged",
        };
        match &self.pages {
            Err(why) => said.push(format!("!vm's figure of {name} pool is missing: {why}")),
            Ok(0) => {}
            Ok(pages) if self.tags > *pages => said.push(format!(
                "the tags hold more {name} pool than its pages can: the books of a processor are wrong or were written while it \
                 counted"
            )),
            Ok(pages) => {
                let free = pages - self.tags;
                let used = self.tags as f64 / *pages as f64;
                if used < limits::WELL_USED {
                    said.push(format!(
                        "{} of {name} pool are in no tag: pages that are partly used, headers, and blocks kept for the next \
                         allocation; special pool takes a page for each block",
                        human(free)
                    ));
                }
            }
        }
        match &self.large {
            Err(why) => said.push(format!("the table of large blocks of {name} pool is incomplete: {why}")),
            Ok(large) if *large > self.tags.saturating_add(self.tags / 20) => said.push(format!(
                "the large blocks hold more {name} pool than the tags: the table has blocks that were counted before they were freed"
            )),
            Ok(_) => {}
        }
        said
    }
}

/// All books.
#[derive(Clone, Debug)]
pub struct Books {
    /// Nonpaged and paged pool.
    pub pools: [PoolBooks; 2],
    /// The tags.
    pub tags: Vec<TagUse>,
    /// Bytes of memory of the machine.
    pub memory: Option<u64>,
    /// How often pool could not be allocated; `None` where the symbols do not name the counter.
    pub failures: Option<u64>,
    /// What the reading of the books had to say.
    pub notes: Vec<String>,
}

impl Books {
    /// Reads all three.
    ///
    /// # Errors
    /// Without the tracker there is no telling which tag holds what: [`Error::NotInDump`](rkd_dump::error::Error::NotInDump) in triage
    /// dumps, without nt's symbols and where no table of it is in the dump.
    pub fn read(kernel: &Kernel) -> Result<Books> {
        let tracker = tracker(kernel)?;
        let vm = vm(kernel);
        let mut notes = tracker.notes.clone();
        let memory = vm
            .as_ref()
            .ok()
            .and_then(|vm| counter(vm, "physical_pages").ok());
        let large = large(kernel, &mut notes);
        let pool = |pool: Pool| {
            let pages = match &vm {
                Ok(vm) => pages(vm, pool),
                Err(why) => Err(why.clone()),
            };
            let sum = |usage: &TagUse| match pool {
                Pool::Nonpaged => usage.nonpaged.bytes,
                Pool::Paged => usage.paged.bytes,
            };
            let tags = tracker
                .tags
                .iter()
                .map(|usage| (sum(usage) as i64).max(0) as u64);
            let bytes = pages.map(|pages| pages.saturating_mul(PAGE));
            PoolBooks {
                pool,
                share: bytes
                    .as_ref()
                    .ok()
                    .zip(memory.filter(|pages| *pages > 0))
                    .map(|(bytes, pages)| *bytes as f64 / (pages.saturating_mul(PAGE)) as f64),
                excessive: vm.as_ref().is_ok_and(|vm| match pool {
                    Pool::Nonpaged => vm.has_excessive_nonpaged(),
                    Pool::Paged => vm.has_excessive_paged(),
                }),
                pages: bytes,
                tags: tags.fold(0, u64::saturating_add),
                large: large.clone().map(|(nonpaged, paged)| match pool {
                    Pool::Nonpaged => nonpaged,
                    Pool::Paged => paged,
                }),
            }
        };
        Ok(Books {
            pools: [pool(Pool::Nonpaged), pool(Pool::Paged)],
            tags: tracker.tags,
            memory: memory.map(|pages| pages.saturating_mul(PAGE)),
            failures: vm.as_ref().ok().and_then(|vm| vm.pool_failures),
            notes,
        })
    }

    /// What they say of one pool.
    pub fn of(&self, pool: Pool) -> &PoolBooks {
        let [nonpaged, paged] = &self.pools;
        match pool {
            Pool::Nonpaged => nonpaged,
            Pool::Paged => paged,
        }
    }
}

fn counter(vm: &Vm, key: &str) -> Result<u64> {
    match vm.counter(key) {
        Some(counter) => counter.pages.clone(),
        None => Err(no_counter()),
    }
}

fn pages(vm: &Vm, pool: Pool) -> Result<u64> {
    match pool {
        Pool::Paged => counter(vm, "paged_pool_pages"),
        // Windows 8 and later count executable and non-executable nonpaged pool apart.
        Pool::Nonpaged => {
            let apart = counter(vm, "nonpaged_pool_nx_pages").unwrap_or(0);
            Ok(counter(vm, "nonpaged_pool_pages")?.saturating_add(apart))
        }
    }
}

fn large(kernel: &Kernel, notes: &mut Vec<String>) -> Result<(u64, u64)> {
    let table = BigTable::of(kernel)?;
    let (mut nonpaged, mut paged, mut missing) = (0u64, 0u64, 0u64);
    let mut why = None;
    for batch in table.batches(kernel) {
        for block in &batch.blocks {
            let sum = if block.is_paged() {
                &mut paged
            } else {
                &mut nonpaged
            };
            *sum = sum.saturating_add(block.bytes);
        }
        missing += batch.missing;
        why = why.or(batch.why);
    }
    if let (Some(why), true) = (why, missing > 0) {
        notes.push(format!(
            "{missing} of {} entries of the table of large blocks are not in the dump: {why}",
            table.entries
        ));
    }
    Ok((nonpaged, paged))
}

/// A number of bytes in the largest binary unit that leaves it readable.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = bytes as f64;
    let mut unit = "bytes";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    match unit {
        "bytes" => format!("{bytes} bytes"),
        _ => format!("{value:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rkd_dump::error::Error;

    fn books(pages: Result<u64>, tags: u64, large: u64, share: Option<f64>) -> PoolBooks {
        PoolBooks {
            pool: Pool::Nonpaged,
            pages,
            tags,
            large: Ok(large),
            share,
            excessive: false,
        }
    }

    #[test]
    fn differences_have_reasons() {
        assert_eq!(
            books(Ok(100 << 20), 97 << 20, 80 << 20, None).differences(),
            [""; 0]
        );
        let loose = books(Ok(100 << 20), 50 << 20, 40 << 20, None).differences();
        assert!(
            loose[0].starts_with("50.0 MiB of nonpaged pool are in no tag"),
            "{loose:?}"
        );
        let wrong = books(Ok(100 << 20), 150 << 20, 190 << 20, None).differences();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        let missing = books(
            Err(Error::NotInDump("its page is missing".into())),
            1,
            0,
            None,
        )
        .differences();
        assert_eq!(
            missing,
            ["!vm's figure of nonpaged pool is missing: its page is missing"]
        );
    }

    #[test]
    fn the_size_is_judged_by_the_memory_where_it_is_known() {
        assert!(books(Ok(1 << 30), 0, 0, Some(0.11)).is_abnormal());
        assert!(!books(Ok(5 << 30), 0, 0, Some(0.09)).is_abnormal());
        assert!(books(Ok(5 << 30), 0, 0, None).is_abnormal());
        assert!(!books(Err(no_counter()), 1 << 30, 0, None).is_abnormal());
    }

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (41_943_040, "40.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
