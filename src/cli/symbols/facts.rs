//! `rkd symbols facts`: adds kernels to the user's own facts.

use super::super::World;
use super::super::arguments::AddFacts;
use super::show;
use crate::command::{KdLine, Row};
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
    let rows: Vec<AddedFacts> = arguments
        .files
        .iter()
        .zip(&tables)
        .map(|(path, table)| AddedFacts::new(path, table, &into, total))
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

/// A kernel that was added to the facts.
#[derive(Row)]
#[row(kind = "added_facts")]
struct AddedFacts {
    /// The symbol file that it was read from.
    file: String,
    /// Its PDB.
    pdb: String,
    /// Its version.
    version: String,
    /// How many symbols of it were kept.
    symbols: usize,
    /// How many types of it were kept.
    types: usize,
    /// The file of facts.
    facts: String,
    /// How many kernels are in that now.
    kernels: usize,
}

impl AddedFacts {
    fn new(path: &Path, table: &SymbolTable, into: &Path, kernels: usize) -> AddedFacts {
        let kept = facts::select(table);
        let identity = table.identity().map(ToString::to_string);
        AddedFacts {
            file: path.display().to_string(),
            pdb: identity.unwrap_or_default(),
            version: table.version().unwrap_or_default().to_string(),
            symbols: kept.len(),
            types: kept.udts().count(),
            facts: into.display().to_string(),
            kernels,
        }
    }
}

impl KdLine for AddedFacts {
    fn line(&self) -> String {
        format!(
            "{}: {} symbols and {} types added to {} ({} in it)",
            self.pdb, self.symbols, self.types, self.facts, self.kernels
        )
    }
}
