//! Drivers that were unloaded: their code is gone, but what they allocated and did not free is still there.

use super::blocks::{self, Blocks, Sizes};
use super::suspect::Confidence;
use crate::pool::{BigTable, Tag};
use crate::{Kernel, Module, Unloaded};
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_pooltags::api::Pool;
use rkd_pooltags::{Class, TagImage};
use rkd_symbols::ImagePath;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Blocks whose contents are looked at.
const MAX_BLOCKS: usize = 4096;

/// An unloaded driver that may have allocated under a tag.
#[derive(Clone, Debug)]
pub struct Gone {
    /// The driver.
    pub driver: Unloaded,
    /// Blocks of the tag that hold a pointer into the place where it was.
    pub blocks: usize,
    /// Its file, if it is on the image path, and what that file's code proves. Name and size are all that a dump keeps of an
    /// unloaded driver, so the file may be another build.
    pub file: Option<(PathBuf, Class, usize)>,
}

impl Gone {
    /// Whether something speaks for it besides that it was there once.
    pub fn is_suspect(&self) -> bool {
        self.blocks > 0 || self.file.is_some()
    }

    /// How sure it is that it left the blocks behind: neither pointers nor a file of its name convict it alone.
    pub fn confidence(&self) -> Confidence {
        match (self.blocks > 0, &self.file) {
            (true, Some(_)) => Confidence::VeryLikely,
            (true, None) => Confidence::Likely,
            (false, Some(_)) => Confidence::Probable,
            (false, None) => Confidence::NoEvidence,
        }
    }

    /// What speaks for it, a sentence each.
    pub fn evidence(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.blocks > 0 {
            why.push(format!(
                "{} blocks of the tag point to where it was",
                self.blocks
            ));
        }
        if let Some((path, class, sites)) = &self.file {
            why.push(format!(
                "its file {} allocates under the tag ({class:?}, {} at {sites} of its calls), if that is the build that was loaded",
                path.display(),
                class.word()
            ));
        }
        why
    }
}

/// What the blocks of a tag point to.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// Blocks whose first page is in the dump.
    pub seen: usize,
    /// Large blocks by their size, those of the asked pool only.
    pub large: Option<Sizes>,
    /// Headers of small blocks in that pool.
    pub small: Option<Sizes>,
    /// Loaded modules that are pointed into, and from how many blocks.
    pub modules: Vec<(usize, usize)>,
    /// The same for unloaded drivers, by their number.
    pub gone: Vec<(usize, usize)>,
}

impl Contents {
    /// Looks at the beginning of every large block of the tag that is in the dump, and at the sizes of all that are in `pool`.
    pub(super) fn of(
        kernel: &Kernel,
        tag: Tag,
        pool: Option<&Blocks>,
        stop: &Arc<AtomicBool>,
    ) -> Contents {
        let mut contents = Contents::default();
        let Ok(table) = BigTable::of(kernel) else {
            return contents;
        };
        let same = |other: Tag| other.without_protection() == tag.without_protection();
        let (mut looked, mut sizes, mut all) = (0, BTreeMap::new(), Vec::new());
        for batch in table.batches(kernel) {
            if stop.load(Ordering::Relaxed) {
                return contents;
            }
            for block in batch.blocks.iter().filter(|block| same(block.tag)) {
                looked += 1;
                if looked <= MAX_BLOCKS {
                    contents.look(kernel, block.va, block.bytes);
                }
                if pool.is_some_and(|held| block.is_paged() == (held.pool == Pool::Paged)) {
                    *sizes.entry(block.bytes).or_default() += 1;
                }
            }
            all.extend(batch.blocks);
        }
        contents.large = Sizes::of(&sizes);
        if let Some(held) = pool.filter(|held| held.average() < PAGE_SIZE) {
            contents.small = blocks::small(kernel, tag, held.pool, &all, stop).unwrap_or_default();
        }
        contents
    }

    fn look(&mut self, kernel: &Kernel, va: Virt, bytes: u64) {
        let length = bytes.min(PAGE_SIZE) as usize;
        let Ok(page) = kernel.space().slice(va, length) else {
            return;
        };
        self.seen += 1;
        let (mut modules, mut gone) = (Vec::new(), Vec::new());
        let pointers = page
            .as_chunks::<8>()
            .0
            .iter()
            .map(|b| Virt(u64::from_le_bytes(*b)));
        for pointer in pointers.filter(|p| p.is_kernel()) {
            let inside = |module: &Module| module.contains(pointer);
            let was = |driver: &Unloaded| pointer >= driver.start && pointer < driver.end;
            if let Some(index) = kernel.modules().iter().position(inside) {
                modules.push(index);
            } else if let Some(index) = kernel.unloaded().iter().position(was) {
                gone.push(index);
            }
        }
        for (found, sums) in [(modules, &mut self.modules), (gone, &mut self.gone)] {
            let unique: std::collections::BTreeSet<usize> = found.into_iter().collect();
            for index in unique {
                match sums.iter_mut().find(|(known, _)| *known == index) {
                    Some((_, count)) => *count += 1,
                    None => sums.push((index, 1)),
                }
            }
        }
    }
}

/// The unloaded drivers, those for which something speaks first.
pub(super) fn gone(
    kernel: &Kernel,
    images: &ImagePath,
    tag: Tag,
    contents: &Contents,
    stop: &AtomicBool,
) -> Vec<Gone> {
    let one = |(index, driver): (usize, &Unloaded)| Gone {
        driver: driver.clone(),
        blocks: contents
            .gone
            .iter()
            .find(|(known, _)| *known == index)
            .map_or(0, |(_, count)| *count),
        file: file(images, driver, tag, stop),
    };
    let mut list: Vec<Gone> = kernel.unloaded().iter().enumerate().map(one).collect();
    list.sort_by_key(|gone| std::cmp::Reverse((gone.file.is_some(), gone.blocks)));
    list
}

fn file(
    images: &ImagePath,
    driver: &Unloaded,
    tag: Tag,
    stop: &AtomicBool,
) -> Option<(PathBuf, Class, usize)> {
    let path = images
        .find(&driver.name, None, driver.end - driver.start)
        .file?;
    let image = TagImage::open(&path).ok()?;
    let options = rkd_pooltags::Options {
        stop: Some(stop),
        ..rkd_pooltags::Options::default()
    };
    let report = rkd_pooltags::analyse(&image, &options);
    let classes: Vec<Class> = report
        .of_tag(tag.to_u32())
        .filter(|site| site.kind.allocates())
        .filter_map(|site| site.class)
        .collect();
    let best = *classes.iter().min()?;
    Some((path, best, classes.len()))
}
