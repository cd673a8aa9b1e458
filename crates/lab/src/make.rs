//! From a scenario to a file.

use super::Scenario;
use super::files::{self, Kind, Output, Snapshot};
use super::payload::{Payload, PayloadRange};
use super::stock;
use super::windows;
use rkd_dump::error::{Error, Result};
use rkd_symbols::{SymbolTable, builtin_facts};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// How a dump is to be made.
#[derive(Clone, Debug)]
pub struct Options {
    /// What kind of dump.
    pub kind: Kind,
    /// Leave the debugger data block encoded, as in memory that was taken from a running machine. A crash decodes it.
    pub encoded_debugger_data: bool,
    /// A comment for the header, as tools that make dumps leave one.
    pub comment: Option<String>,
    /// Drivers besides those of the scenario, for measurements.
    pub extra_drivers: Option<ExtraDrivers>,
    /// The version of Windows that the dump shall state, `10.0.19041.3570`, where the symbol table does not know it.
    pub version: Option<String>,
    /// Bytes of another origin that the machine shall have in its memory. It gets frames for them that no counter counts.
    pub payload: Option<Payload>,
}

/// More drivers than an ordinary machine has.
#[derive(Clone, Copy, Debug)]
pub struct ExtraDrivers {
    /// How many.
    pub drivers: u32,
    /// Tags of each.
    pub tags_each: u32,
    /// Code of each, in KiB; most of it has nothing to do with pool.
    pub code_kib: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            kind: Kind::BitmapKernel,
            encoded_debugger_data: false,
            comment: None,
            extra_drivers: None,
            version: None,
            payload: None,
        }
    }
}

/// A dump that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its kind.
    pub kind: Kind,
    /// Its size in bytes.
    pub bytes: u64,
    /// Pages of memory that the machine has in it.
    pub pages: u64,
    /// The version of Windows that it states.
    pub version: String,
    /// Figures of the scenario for which this kernel has no place, by the name of `!vm`'s line.
    pub homeless: Vec<String>,
    /// Where the payload lies, if there is one.
    pub payload: Option<PayloadRange>,
}

/// Makes the dump of a scenario for the kernel of `table`, and writes it to `out`. The same input gives the same bytes.
///
/// # Errors
/// [`Error::NoSymbol`], [`Error::NoType`] or [`Error::NoField`] when the table lacks what every kernel has;
/// [`Error::File`] when `out` takes no more.
pub fn make(
    scenario: &Scenario,
    table: &SymbolTable,
    options: &Options,
    out: &mut dyn Output,
) -> Result<Made> {
    let failed = |error: io::Error| Error::File {
        path: "the dump".into(),
        reason: error.to_string(),
    };
    build(scenario, table, options)?.write(out).map_err(failed)
}

/// The same into a file, which is replaced.
///
/// # Errors
/// As [`make`]; [`Error::Open`] when the file cannot be made. A file that could not be written whole is removed.
pub fn make_file(
    scenario: &Scenario,
    table: &SymbolTable,
    options: &Options,
    path: &Path,
) -> Result<Made> {
    // first the machine: no half-made file is left behind when the symbols are of no use
    let ready = build(scenario, table, options)?;
    let file = File::create(path).map_err(|source| Error::open(path, source))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let made = ready
        .write(&mut out)
        .and_then(|made| out.flush().map(|()| made));
    made.map_err(|error| {
        let _ = std::fs::remove_file(path);
        Error::File {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    })
}

/// The machine of a scenario at the moment it stopped, for those who want to look at it before it is a file.
///
/// # Errors
/// As [`make`], but for writing.
pub fn snapshot(scenario: &Scenario, table: &SymbolTable, options: &Options) -> Result<Snapshot> {
    Ok(build(scenario, table, options)?.snapshot)
}

/// The files of the drivers that a case is about, by name: what somebody would copy from that machine.
///
/// # Errors
/// As [`make`], but for writing.
pub fn driver_files(
    scenario: &Scenario,
    table: &SymbolTable,
    options: &Options,
) -> Result<Vec<(String, Vec<u8>)>> {
    Ok(build(scenario, table, options)?.files)
}

struct Ready {
    snapshot: Snapshot,
    kind: Kind,
    version: String,
    homeless: Vec<String>,
    payload: Option<PayloadRange>,
    files: Vec<(String, Vec<u8>)>,
}

impl Ready {
    fn write(self, out: &mut dyn Output) -> io::Result<Made> {
        let bytes = files::write(&self.snapshot, self.kind, out)?;
        let Ready {
            snapshot,
            kind,
            version,
            homeless,
            payload,
            files: _,
        } = self;
        Ok(Made {
            kind,
            bytes,
            pages: snapshot.ram.present(),
            version,
            homeless,
            payload,
        })
    }
}

fn build(scenario: &Scenario, table: &SymbolTable, options: &Options) -> Result<Ready> {
    let version = version_of(scenario, table, options);
    let parts = parse_version(&version).ok_or_else(|| {
        Error::Syntax(format!(
            "{version:?} is no version of Windows: it should look like 10.0.19041.3570"
        ))
    })?;
    let mut plan = (scenario.plan)();
    if let Some(extra_drivers) = &options.extra_drivers {
        stock::extra_drivers::add(&mut plan, extra_drivers);
    }
    if let Some(payload) = &options.payload {
        plan.frames.push(payload.room(&plan.frames));
    }
    let stopped = windows::stop(&plan, table, parts, options)?;
    Ok(Ready {
        snapshot: stopped.snapshot,
        kind: options.kind,
        version,
        homeless: stopped.homeless,
        payload: stopped.payload,
        files: stopped.files,
    })
}

/// What the caller says, what the table says, what is known of its PDB, else the scenario's own version.
fn version_of(scenario: &Scenario, table: &SymbolTable, options: &Options) -> String {
    let known = || {
        table
            .identity()
            .and_then(|id| builtin_facts().version_of(id))
    };
    let stated = options
        .version
        .as_deref()
        .or(table.version())
        .or_else(known);
    stated.unwrap_or(scenario.version).to_owned()
}

/// Four numbers, or two for a Windows 10 or later.
fn parse_version(text: &str) -> Option<[u32; 4]> {
    let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    match *parts?.as_slice() {
        [major, minor, build, revision] => Some([major, minor, build, revision]),
        [build, revision] => Some([10, 0, build, revision]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("10.0.19041.3570"), Some([10, 0, 19041, 3570]));
        assert_eq!(parse_version("19041.3570"), Some([10, 0, 19041, 3570]));
        assert_eq!(parse_version("nineteen"), None);
        assert_eq!(parse_version(""), None);
    }
}
