//! `rkd symbols`: symbol files.

mod facts;
mod import;
mod list;
mod script;

use super::World;
use super::arguments::{Convert, Symbols};
use crate::command::{Kept, Record};
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

fn show(world: &World<'_>, name: &str, rows: &[Kept]) -> Result<u8> {
    let mut out = world.screen();
    out.begin(name)?;
    rows.iter().try_for_each(|row| out.row(row))?;
    out.end(Outcome::Done)?;
    out.close()?;
    Ok(0)
}

fn converted(convert: &Convert) -> Result<Kept> {
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
    Ok(row(&convert.input, &output, &table, bytes.len()))
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

fn row(input: &Path, output: &Path, table: &SymbolTable, bytes: usize) -> Kept {
    let (symbols, udts, enums) = (
        table.len(),
        table.udts().count(),
        table.enumerations().count(),
    );
    let identity = table.identity();
    let record: Record = vec![
        ("input", input.display().to_string().into()),
        ("output", output.display().to_string().into()),
        (
            "pdb",
            identity
                .map(|id| id.name.clone())
                .unwrap_or_default()
                .into(),
        ),
        (
            "guid",
            identity
                .map(|id| id.guid.to_string())
                .unwrap_or_default()
                .into(),
        ),
        ("age", identity.map_or(0, |id| u64::from(id.age)).into()),
        ("symbols", (symbols as u64).into()),
        ("structures", (udts as u64).into()),
        ("enumerations", (enums as u64).into()),
        ("bytes", (bytes as u64).into()),
    ];
    let of = identity.map(ToString::to_string).unwrap_or_default();
    Kept {
        kind: "symbol-file",
        record,
        text: format!(
            "{}: {of}\n{symbols} symbols, {udts} structures and unions, {enums} enumerations, {bytes} bytes",
            output.display()
        ),
    }
}
