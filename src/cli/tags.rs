//! `rkd tags`: which pool tags driver files allocate under, without any dump.

use super::arguments::{FormatName, Tags};
use super::{FAILED, World, complain};
use crate::command::sink::check;
use crate::render::{Console, Outcome, Output, Tee, json};
use crate::session::Log;
use rayon::prelude::*;
use rkd_dump::error::{Error, Result};
use rkd_pooltags::database::Stored;
use rkd_pooltags::{Database, Options, TagImage, Verdict, analyse};
use std::path::{Path, PathBuf};

mod inputs;
mod screen;

/// Files that are analysed before any of them is shown.
const BATCH: usize = 32;

/// Analyses every file and shows what was found. A file that cannot be read does not keep it from the next.
///
/// The exit status is 1 when one of the named files could not be analysed.
///
/// # Errors
/// When the output takes no more, or the database can be neither read nor written.
pub(super) fn run(world: &World<'_>, tags: &Tags) -> Result<u8> {
    let mut database = match &tags.database {
        Some(path) if path.exists() => Some(Database::open(path)?),
        Some(_) => Some(Database::new()),
        None => None,
    };
    let found = inputs::find(&tags.files);
    let mut out = Report::new(world, tags.brief);
    out.begin()?;
    for trouble in &found.troubles {
        out.trouble(trouble)?;
    }
    let mut stopped = false;
    let mut known = 0;
    for batch in found.files.chunks(BATCH) {
        let analysed: Vec<_> = batch.par_iter().map(|file| analysed(world, file)).collect();
        for (file, result) in batch.iter().zip(analysed) {
            match result {
                Ok((image, stored)) => {
                    out.image(&image, &stored, file.named)?;
                    known += 1;
                    if let Some(database) = &mut database {
                        database.add(stored);
                    }
                }
                Err(Error::Stopped) => stopped = true,
                Err(_) if !file.named => out.passed_over += 1,
                Err(error) => out.trouble(&told(&file.path, error))?,
            }
        }
        stopped |= check(&world.stop).is_err();
        if stopped {
            break;
        }
    }
    if let (Some(database), Some(path), false) = (&mut database, &tags.database, known == 0) {
        for complaint in &database.complaints {
            out.output()?.note(complaint)?;
        }
        database.save(path)?;
        let all = database.len();
        out.output()?.note(&format!(
            "{}: {} written, {all} in all; rkd reads it for dumps in which a driver's pages are missing",
            path.display(),
            screen::count(known, "image", "images"),
        ))?;
    }
    out.finish(stopped)
}

/// The error with the file's name in it, once.
fn told(path: &Path, error: Error) -> Error {
    match error {
        Error::Open { .. } | Error::File { .. } | Error::NotADump { .. } => error,
        other => Error::File {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    }
}

fn analysed(world: &World<'_>, file: &inputs::Input) -> Result<(TagImage, Stored)> {
    check(&world.stop)?;
    let image = TagImage::open(&file.path)?;
    let options = Options {
        stop: Some(&world.stop),
        ..Options::default()
    };
    let report = analyse(&image, &options);
    check(&world.stop)?;
    let stored = Stored::new(&image, report);
    Ok((image, stored))
}

/// How far the output has come.
struct Report<'w, 'c> {
    world: &'w World<'c>,
    /// Whether the proofs are left out.
    brief: bool,
    /// Lines of JSON are the library's own, and go to the console as they are.
    lines: Option<Console>,
    screen: Box<dyn Output>,
    failed: bool,
    images: usize,
    /// Files of a folder that are no images.
    passed_over: usize,
    /// Images of a folder that have nothing to do with pools.
    unconcerned: usize,
}

impl<'w, 'c> Report<'w, 'c> {
    fn new(world: &'w World<'c>, brief: bool) -> Report<'w, 'c> {
        let lines = world.cli.common.format == FormatName::Jsonl;
        Report {
            world,
            brief,
            lines: lines.then(|| world.console()),
            screen: Box::new(Tee::new(world.screen(), Log::default())),
            failed: false,
            images: 0,
            passed_over: 0,
            unconcerned: 0,
        }
    }

    fn begin(&mut self) -> Result<()> {
        self.screen.begin("rkd tags")
    }

    /// Where remarks go: after the rows that were written before them.
    fn output(&mut self) -> Result<&mut dyn Output> {
        if let Some(lines) = &mut self.lines {
            lines.flush()?;
        }
        Ok(&mut *self.screen)
    }

    fn trouble(&mut self, error: &Error) -> Result<()> {
        self.failed = true;
        // the text is not a session's: what went wrong does not belong into a list that is kept
        match self.world.cli.common.format {
            FormatName::Text => {
                complain(&format!("rkd: {error}"), FAILED);
                Ok(())
            }
            _ => self.output()?.error(error),
        }
    }

    fn image(&mut self, image: &TagImage, stored: &Stored, named: bool) -> Result<()> {
        let report = &stored.report;
        let text = self.world.cli.common.format == FormatName::Text;
        if text && !named && report.verdict == Verdict::NoInterface {
            self.unconcerned += 1;
            return Ok(());
        }
        self.images += 1;
        match (&mut self.lines, self.world.cli.common.format) {
            (Some(lines), _) => {
                for line in report.lines() {
                    lines.put(&(json::to_json(&line) + "\n"))?;
                }
            }
            (None, format) => {
                let rows = screen::Rows {
                    image,
                    report,
                    brief: self.brief,
                    table: format == FormatName::Csv,
                };
                rows.show(self.images == 1, &mut *self.screen)?;
            }
        }
        // text says it in the image's heading
        if !text {
            for remark in screen::remarks(report) {
                self.output()?.note(&format!("{}: {remark}", report.file))?;
            }
        }
        Ok(())
    }

    fn finish(mut self, stopped: bool) -> Result<u8> {
        let (passed_over, unconcerned) = (self.passed_over, self.unconcerned);
        let images = self.images + unconcerned;
        let failed = self.failed || images == 0;
        let output = self.output()?;
        if unconcerned > 0 {
            let images = screen::count(unconcerned, "image imports", "images import");
            output.note(&format!("{images} no interface that takes a pool tag"))?;
        }
        if passed_over > 0 {
            let files = screen::count(
                passed_over,
                "file that is no image",
                "files that are no images",
            );
            output.note(&format!("{files} of x64, x86 or ARM64 passed over"))?;
        }
        if images == 0 && !stopped {
            output.note("no image was analysed")?;
        }
        output.end(if stopped {
            Outcome::Stopped
        } else {
            Outcome::Done
        })?;
        output.close()?;
        Ok(match (stopped, failed) {
            (true, _) => crate::repl::interrupt::INTERRUPTED_STATUS,
            (_, true) => FAILED,
            _ => 0,
        })
    }
}

/// Whether silence about a tag means that the image does not use it.
fn is_answered(verdict: &Verdict) -> bool {
    !matches!(verdict, Verdict::CannotTell(_))
}

/// The paths as the person gave them.
type Paths = [PathBuf];
