//! `rkd run`: a script over one dump or many.

use super::arguments::{FormatName, Run};
use super::per_dump::PerDump;
use super::{FAILED, UNOPENED, World, complain, open, wildcards};
use crate::render::{Outcome, Output, Tee, sanitize};
use crate::repl::interrupt::INTERRUPTED_STATUS;
use crate::repl::shell::{Ending, Shell};
use crate::script::library;
use crate::session::Log;
use rkd_dump::error::{Error, Result};
use std::path::Path;

/// Runs the script over each dump. A dump that cannot be opened, or a script that fails on it, does not keep it from the next.
///
/// The exit status is 3 when no dump could be opened, 1 when something went wrong with one of several.
///
/// # Errors
/// When the output takes no more.
pub(super) fn run(world: &World<'_>, run: &Run) -> Result<u8> {
    let Some(script) = run.script.as_deref().filter(|_| !run.list) else {
        return list(world);
    };
    let dumps = wildcards::expand(&run.dumps);
    let mut screen: Screen = match world.cli.common.format {
        FormatName::Csv | FormatName::Jsonl => Screen::Table(PerDump::new(world.screen())),
        FormatName::Text | FormatName::Json => Screen::Each,
    };
    let (mut opened, mut failed) = (0, false);
    for dump in &dumps {
        let ending = match open::session(world, dump) {
            Ok(session) => {
                opened += 1;
                let mut shell =
                    Shell::new(session, screen.of(world, dump), world.interrupts.clone());
                if dumps.len() > 1 && world.cli.common.format == FormatName::Text {
                    heading(&mut shell.out, dump)?;
                }
                let ran = shell.run_file(&said(script, dump), script, &run.arguments);
                let closed = shell.out.close();
                ran?;
                closed?;
                screen.done(None)?;
                shell.ending()
            }
            Err(Error::Stopped) => return Err(Error::Stopped),
            Err(error) if dumps.len() == 1 => {
                return Ok(complain(&format!("rkd: {error}"), UNOPENED));
            }
            Err(error) => {
                screen.broken(world, script, dump, &error)?;
                Ending {
                    failed: true,
                    interrupted: false,
                }
            }
        };
        failed |= ending.failed;
        if ending.interrupted {
            return Ok(INTERRUPTED_STATUS);
        }
    }
    screen.finish()?;
    Ok(match (opened, failed) {
        (0, _) => UNOPENED,
        (_, true) => FAILED,
        _ => 0,
    })
}

/// How the answers of several dumps come together.
enum Screen {
    /// In one table.
    Table(PerDump),
    /// One after the other.
    Each,
}

impl Screen {
    fn of(&mut self, world: &World<'_>, dump: &Path) -> Box<dyn Output> {
        match self {
            Screen::Table(table) => {
                table.dump(&dump.display().to_string());
                Box::new(table.clone())
            }
            Screen::Each => world.screen(),
        }
    }

    fn done(&self, trouble: Option<String>) -> Result<()> {
        match self {
            Screen::Table(table) => table.done(trouble),
            Screen::Each => Ok(()),
        }
    }

    /// A dump that cannot be opened gets its row, document or line all the same.
    fn broken(
        &mut self,
        world: &World<'_>,
        script: &Path,
        dump: &Path,
        error: &Error,
    ) -> Result<()> {
        let mut output = Tee::new(self.of(world, dump), Log::default());
        if let Screen::Table(table) = self {
            return table.done(Some(error.to_string()));
        }
        if world.cli.common.format == FormatName::Text {
            heading(&mut output, dump)?;
        }
        output.begin(&said(script, dump))?;
        output.end(Outcome::Failed(error))?;
        output.close()
    }

    fn finish(&self) -> Result<()> {
        match self {
            Screen::Table(table) => table.finish(),
            Screen::Each => Ok(()),
        }
    }
}

/// What was typed, as far as one dump goes.
fn said(script: &Path, dump: &Path) -> String {
    format!("rkd run {} {}", script.display(), dump.display())
}

fn heading(out: &mut dyn Output, dump: &Path) -> Result<()> {
    let name = dump.display().to_string();
    out.lesson(&format!("\n==== {} ====", sanitize::plain(&name)))
}

/// The investigations that come with rkd.
fn list(world: &World<'_>) -> Result<u8> {
    let mut console = world.console();
    let width = library::SCRIPTS
        .iter()
        .map(|script| script.name.len())
        .max()
        .unwrap_or(0);
    for script in library::SCRIPTS {
        console.put(&format!(
            "{:width$}  {}\n",
            script.name,
            library::summary(script.text)
        ))?;
    }
    console.flush()?;
    Ok(0)
}
