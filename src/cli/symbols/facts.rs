//! `rkd symbols facts`: adds kernels to the user's own facts.

use super::super::World;
use super::super::arguments::AddFacts;
use super::show;
use crate::command::{Kept, Record};
use rkd_dump::error::{Error, Result};
use rkd_symbols::{SymbolTable, facts, file, home};
use std::path::{Path, PathBuf};

/// What every kernel has: a driver's symbols would be of no use as facts.
const KERNEL_MARKS: (&[&str], &str) = (
    &["PsLoadedModuleList", "PsInitialSystemProcess"],
    "_EPROCESS",
);

/// Adds the kernels; all of them, or none.
///
/// # Errors
/// When a file is no symbol file of a kernel, or the facts file cannot be written.
pub(super) fn run(world: &World<'_>, arguments: &AddFacts) -> Result<u8> {
    let into = place(arguments)?;
    if arguments.build.is_some() && arguments.files.len() != 1 {
        return Err(Error::Syntax(
            "--build is for one kernel: add them one by one".into(),
        ));
    }
    let tables = arguments
        .files
        .iter()
        .map(|path| kernel(path, arguments.build.as_deref()))
        .collect::<Result<Vec<SymbolTable>>>()?;
    let total = facts::add(&into, &tables)?;
    let rows: Vec<Kept> = arguments
        .files
        .iter()
        .zip(&tables)
        .map(|(path, table)| row(path, table, &into, total))
        .collect();
    show(world, "symbols facts", &rows)
}

fn place(arguments: &AddFacts) -> Result<PathBuf> {
    arguments.into.clone().or_else(home::facts).ok_or_else(|| {
        Error::NotFound("there is no place for facts of your own on this machine: say --into FILE, and set RKD_FACTS to it".into())
    })
}

fn kernel(path: &Path, version: Option<&str>) -> Result<SymbolTable> {
    let table = file::open(path, None)?;
    let bad = |reason: String| Error::File {
        path: path.to_owned(),
        reason,
    };
    let (symbols, udt) = KERNEL_MARKS;
    let missing = symbols.iter().find(|name| table.rva(name).is_none());
    let missing = missing.or(table.udt(udt).is_none().then_some(&udt));
    if let Some(missing) = missing {
        return Err(bad(format!(
            "these are not a kernel's symbols: {missing} is not among them"
        )));
    }
    if table.identity().is_none() {
        return Err(bad("it does not say which PDB it was made from".into()));
    }
    Ok(match version {
        Some(version) => table.with_version(version),
        None => table,
    })
}

fn row(path: &Path, table: &SymbolTable, into: &Path, total: usize) -> Kept {
    let kept = facts::select(table);
    let id = table
        .identity()
        .map(ToString::to_string)
        .unwrap_or_default();
    let (symbols, types) = (kept.len(), kept.udts().count());
    let version = table.version().unwrap_or_default().to_string();
    let record: Record = vec![
        ("file", path.display().to_string().into()),
        ("pdb", id.as_str().into()),
        ("version", version.into()),
        ("symbols", (symbols as u64).into()),
        ("types", (types as u64).into()),
        ("facts", into.display().to_string().into()),
        ("kernels", (total as u64).into()),
    ];
    Kept {
        kind: "added_facts",
        record,
        text: format!(
            "{id}: {symbols} symbols and {types} types added to {} ({total} in it)",
            into.display()
        ),
    }
}
