//! `rkd symbols`: symbol files.

mod facts;
mod import;
mod list;
mod script;

use super::World;
use super::arguments::{Convert, Symbols};
use crate::command::{KdLine, Row};
use crate::render::Outcome;
use rkd_dump::error::{Error, Result};
use rkd_symbols::{SymbolTable, file, isf};
use std::path::{Path, PathBuf};

/// Does one of the tasks.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn run(world: &World<'_>, task: &Symbols) -> Result<u8> {
    match task {
        Symbols::Convert(convert) => show(world, "symbols convert", &[converted(convert)?]),
        Symbols::List(arguments) => list::run(world, arguments),
        Symbols::Import(arguments) => import::run(world, arguments),
        Symbols::Facts(arguments) => facts::run(world, arguments),
    }
}

fn show(world: &World<'_>, name: &str, rows: &[impl Row]) -> Result<u8> {
    let mut out = world.screen();
    out.begin(name)?;
    rows.iter().try_for_each(|row| out.row(row))?;
    out.end(Outcome::Done)?;
    out.close()?;
    Ok(0)
}

fn converted(convert: &Convert) -> Result<SymbolFile> {
    let bad = |error: &dyn std::error::Error| Error::File {
        path: convert.input.clone(),
        reason: error.to_string(),
    };
    let table = file::open(&convert.input, None)?;
    let text = isf::write(&table).map_err(|error| bad(&error))?;
    let output = match &convert.output {
        Some(path) => path.clone(),
        None => default_name(&table),
    };
    let bytes = match output.extension().is_some_and(|e| e == "xz") {
        true => isf::pack(&text).map_err(|error| bad(&error))?,
        false => text.into_bytes(),
    };
    write(&output, &bytes)?;
    Ok(SymbolFile::new(
        &convert.input,
        &output,
        &table,
        bytes.len(),
    ))
}

/// As Volatility names its files, in the current folder.
fn default_name(table: &SymbolTable) -> PathBuf {
    let stem = table.identity().map(|id| id.isf_name()).unwrap_or_default();
    format!("{stem}.json.xz").into()
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|source| Error::File {
        path: path.to_owned(),
        reason: format!("cannot be written: {source}"),
    })
}

/// A symbol file that was made of another one.
#[derive(Row)]
#[row(kind = "symbol-file")]
struct SymbolFile {
    /// The file that it was made of.
    input: String,
    /// Where it is.
    output: String,
    /// The name of the PDB that it describes.
    pdb: String,
    /// The GUID of that PDB.
    guid: String,
    /// The age of that PDB.
    age: u32,
    /// How many symbols are in it.
    symbols: usize,
    /// How many structures and unions are in it.
    structures: usize,
    /// How many enumerations are in it.
    enumerations: usize,
    /// Its size.
    bytes: usize,
    /// The PDB in one word; empty when the symbols do not say.
    #[row(skip)]
    identity: String,
}

impl SymbolFile {
    fn new(input: &Path, output: &Path, table: &SymbolTable, bytes: usize) -> SymbolFile {
        let identity = table.identity();
        SymbolFile {
            input: input.display().to_string(),
            output: output.display().to_string(),
            pdb: identity.map(|id| id.name.clone()).unwrap_or_default(),
            guid: identity.map(|id| id.guid.to_string()).unwrap_or_default(),
            age: identity.map_or(0, |id| id.age),
            symbols: table.len(),
            structures: table.udts().count(),
            enumerations: table.enumerations().count(),
            bytes,
            identity: identity.map(ToString::to_string).unwrap_or_default(),
        }
    }
}

impl KdLine for SymbolFile {
    fn line(&self) -> String {
        let SymbolFile {
            symbols,
            structures,
            enumerations,
            bytes,
            ..
        } = self;
        format!(
            "{}: {}\n{symbols} symbols, {structures} structures and unions, {enumerations} enumerations, {bytes} bytes",
            self.output, self.identity
        )
    }
}
