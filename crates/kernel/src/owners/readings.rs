//! Modules that were read for tags. Reading is the dear part, so each module is read once a session, on all processors.

use super::exports::ExportNames;
use super::framework::{self, Framework};
use super::presence::Presence;
use super::unread::Unread;
use super::{Progress, suspect};
use crate::{Kernel, Module};
use rayon::prelude::*;
use rkd_dump::error::{Error, Result};
use rkd_pooltags::database::Stored;
use rkd_pooltags::{Database, Report, Site, TagImage, Verdict};
use rkd_symbols::ImagePath;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};

/// Where a module's code came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The dump.
    Dump,
    /// The driver's file, with the time stamp and the size of the loaded image.
    File(PathBuf),
    /// A tag database, which knows an image with that time stamp and size.
    Database,
}

/// A module that was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Where from.
    pub origin: Origin,
    /// What was found; or why nothing could be.
    pub report: Result<Report, Unread>,
    /// The bytes of the instructions that prove a site, by their offset in the image.
    pub code: BTreeMap<u32, Vec<u8>>,
    /// Where code lies, as offsets in the image; empty if that is not known.
    pub executable: Vec<Range<u32>>,
    /// The tag that the driver framework gives to it.
    pub framework: Option<Framework>,
}

impl Reading {
    /// Sites that allocate under a tag which is not known.
    pub fn unresolved(&self) -> impl Iterator<Item = &Site> {
        let report = self.report.iter();
        report.flat_map(|report| report.unresolved().filter(|site| site.kind.allocates()))
    }

    /// Whether the offset lies in code, as nearly all tags do.
    pub fn is_code(&self, rva: u32) -> bool {
        self.executable.is_empty() || self.executable.iter().any(|range| range.contains(&rva))
    }

    fn nothing(origin: Origin, why: Unread) -> Reading {
        Reading {
            origin,
            report: Err(why),
            code: BTreeMap::new(),
            executable: Vec::new(),
            framework: None,
        }
    }

    /// Why its silence about a tag means nothing.
    pub fn unread(&self) -> Option<Unread> {
        match &self.report {
            Err(why) => Some(why.clone()),
            Ok(Report {
                verdict: Verdict::CannotTell(why),
                ..
            }) => Some(Unread::Undecided(why.clone())),
            Ok(_) => None,
        }
    }
}

/// What is known of the modules of one dump.
#[derive(Debug)]
pub struct Readings {
    images: ImagePath,
    database: Option<Arc<Database>>,
    exports: ExportNames,
    presence: Vec<OnceLock<Presence>>,
    read: Vec<OnceLock<Arc<Reading>>>,
}

impl Readings {
    /// Nothing yet. Modules whose code is not all in the dump are looked for on the path and in the database.
    pub fn new(kernel: &Kernel, images: ImagePath, database: Option<Arc<Database>>) -> Readings {
        fn none<T>(count: usize) -> Vec<OnceLock<T>> {
            std::iter::repeat_with(OnceLock::new).take(count).collect()
        }
        let count = kernel.modules().len();
        Readings {
            images,
            database,
            exports: ExportNames::new(count),
            presence: none(count),
            read: none(count),
        }
    }

    /// Where files of modules are looked for.
    pub fn images(&self) -> &ImagePath {
        &self.images
    }

    /// How much of the module's code is in the dump.
    pub fn presence(&self, kernel: &Kernel, index: usize) -> Option<&Presence> {
        let module = kernel.modules().get(index)?;
        Some(
            self.presence
                .get(index)?
                .get_or_init(|| Presence::of(kernel, module)),
        )
    }

    /// The module, if it was read.
    pub fn get(&self, index: usize) -> Option<&Reading> {
        self.read.get(index)?.get().map(Arc::as_ref)
    }

    /// All modules that were read, in the order of the modules.
    pub fn all(&self) -> impl Iterator<Item = (usize, &Reading)> {
        let read = self.read.iter().enumerate();
        read.filter_map(|(index, slot)| Some((index, slot.get()?.as_ref())))
    }

    /// The driver's file, for a module whose code is not all in the dump.
    pub fn file_of(&self, kernel: &Kernel, index: usize) -> Option<PathBuf> {
        let module = kernel.modules().get(index)?;
        if self.images.is_empty() || self.presence(kernel, index)?.is_whole() {
            return None;
        }
        self.images
            .find(&module.image_name, module.time_stamp, module.size)
            .file
    }

    /// What the database knows of a module whose code is not all in the dump.
    pub fn stored(&self, kernel: &Kernel, index: usize) -> Option<&Stored> {
        let module = kernel.modules().get(index)?;
        let database = self.database.as_ref()?;
        if self.presence(kernel, index)?.is_whole() {
            return None;
        }
        let size = u32::try_from(module.size).ok()?;
        database.lookup(module.time_stamp?, size, &module.image_name)
    }

    /// Reads these modules, those that were read before excepted. `true` when it was stopped.
    ///
    /// # Errors
    /// Those of `progress`, other than [`Error::Stopped`].
    pub fn read(
        &self,
        kernel: &Kernel,
        which: &[usize],
        stop: &AtomicBool,
        progress: &mut Progress<'_>,
    ) -> Result<bool> {
        let size = |index: &usize| kernel.modules().get(*index).map_or(0, |m| m.size);
        let mut open: Vec<usize> = which
            .iter()
            .copied()
            .filter(|&index| {
                self.read
                    .get(index)
                    .is_some_and(|slot| slot.get().is_none())
            })
            .collect();
        // The largest first, so that no processor begins with it when the others are done.
        open.sort_by_key(|index| std::cmp::Reverse(size(index)));
        let total = open.len() as u64;
        let given_up = AtomicBool::new(false);
        let mut outcome = Ok(());
        std::thread::scope(|scope| {
            let (done, news) = mpsc::channel();
            let given_up = &given_up;
            scope.spawn(move || {
                open.par_iter().for_each_with(done, |done, &index| {
                    if !stop.load(Ordering::Relaxed) && !given_up.load(Ordering::Relaxed) {
                        self.read_one(kernel, index, stop);
                        // Nobody listens any more when the search was given up.
                        let _ = done.send(());
                    }
                });
            });
            for number in 1.. {
                if news.recv().is_err() {
                    break;
                }
                if let Err(error) = progress(number, total) {
                    given_up.store(true, Ordering::Relaxed);
                    outcome = Err(error);
                    break;
                }
            }
        });
        match outcome {
            Ok(()) => Ok(stop.load(Ordering::Relaxed)),
            Err(Error::Stopped) => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn read_one(&self, kernel: &Kernel, index: usize, stop: &AtomicBool) {
        let (Some(module), Some(slot)) = (kernel.modules().get(index), self.read.get(index)) else {
            return;
        };
        let reading = match (self.file_of(kernel, index), self.stored(kernel, index)) {
            (Some(file), _) => of_file(kernel, module, file, stop),
            (None, Some(stored)) => of_database(kernel, module, stored),
            (None, None) => self.of_dump(kernel, module, stop),
        };
        // A reading that was broken off says too little to be kept.
        if !stop.load(Ordering::Relaxed) {
            let _ = slot.set(Arc::new(reading));
        }
    }

    fn of_dump(&self, kernel: &Kernel, module: &Module, stop: &AtomicBool) -> Reading {
        let name_of = |va| self.exports.name_of(kernel, va);
        let image =
            TagImage::from_memory(&module.image_name, kernel.space(), module.base, &name_of);
        match image {
            Ok(image) => analysed(kernel, module, &image, Origin::Dump, stop),
            Err(why) => Reading::nothing(Origin::Dump, why.into()),
        }
    }
}

fn of_file(kernel: &Kernel, module: &Module, file: PathBuf, stop: &AtomicBool) -> Reading {
    match TagImage::open(&file) {
        Ok(image) => analysed(kernel, module, &image, Origin::File(file), stop),
        Err(why) => {
            let path = file.clone();
            Reading::nothing(Origin::File(file), Unread::File { path, why })
        }
    }
}

fn of_database(kernel: &Kernel, module: &Module, stored: &Stored) -> Reading {
    let is_bound = stored
        .report
        .sites
        .iter()
        .any(|site| site.api == "WdfDriverCreate");
    Reading {
        origin: Origin::Database,
        report: Ok(stored.report.clone()),
        code: stored.code.clone(),
        executable: Vec::new(),
        framework: is_bound
            .then(|| framework::of(kernel, module, &stored.report))
            .flatten(),
    }
}

fn analysed(
    kernel: &Kernel,
    module: &Module,
    image: &TagImage,
    origin: Origin,
    stop: &AtomicBool,
) -> Reading {
    let options = rkd_pooltags::Options {
        stop: Some(stop),
        ..rkd_pooltags::Options::default()
    };
    let report = rkd_pooltags::analyse(image, &options);
    let places = report
        .sites
        .iter()
        .chain(&report.untagged)
        .flat_map(|site| site.constant_rvas.iter().copied().chain([site.call_rva]));
    let code = places
        .filter_map(|rva| {
            let bytes = image.slice(rva, suspect::LONGEST);
            (!bytes.is_empty()).then(|| (rva, bytes.to_vec()))
        })
        .collect();
    Reading {
        executable: image
            .sections
            .iter()
            .filter(|section| section.is_code())
            .map(|section| section.rva..section.end())
            .collect(),
        framework: image
            .wdf
            .and_then(|_| framework::of(kernel, module, &report)),
        origin,
        report: Ok(report),
        code,
    }
}
