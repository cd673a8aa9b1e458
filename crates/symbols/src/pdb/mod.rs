//! Reads program databases (PDB, the "MSF 7.00" kind): publics, globals, procedures, the private symbols of the modules, and
//! all types.
//!
//! The crate pdb2 knows the format; it also panics on some damaged files, and allocates by counts that a file states. So its
//! panics are caught, it reads the file through bounded pages (`pages`), and what it would allocate by is checked before
//! (`guard`).

mod error;
mod guard;
mod pages;
mod primitive;
mod symbols;
mod types;

use super::panic;
use super::{Guid, PdbId, Source, SymbolTable, TableBuilder};
use error::PdbError;
use pages::Pages;
use pdb2::PDB;
use rkd_dump::error::{Error, Result};
use rkd_dump::map::Map;
use std::path::Path;
use std::sync::Arc;

/// The first bytes of every PDB that is read here.
pub(crate) const MAGIC: &[u8] = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0";

const MSFZ: &str = "Microsoft MSFZ Container";
const PORTABLE: &str = "BSJB";

/// A PDB behind bounded pages.
type Pdb = PDB<'static, Pages>;

/// Reads a PDB. With `wanted`, GUID and age must be those.
///
/// # Errors
/// [`Error::Open`] when the file cannot be read, [`Error::File`] when it is no PDB, is damaged, or belongs to another link.
pub fn open(path: &Path, wanted: Option<&PdbId>) -> Result<SymbolTable> {
    let map = Map::open(path).map_err(|source| Error::open(path, source))?;
    parse(path, Arc::new(map), wanted)
}

/// Reads a PDB's bytes; `path` is for the error, the table's [`Source`] and its name.
pub(super) fn parse(path: &Path, bytes: Arc<Map>, wanted: Option<&PdbId>) -> Result<SymbolTable> {
    read(path, bytes, wanted).map_err(|error| Error::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn read(path: &Path, bytes: Arc<Map>, wanted: Option<&PdbId>) -> Result<SymbolTable, PdbError> {
    is_readable(bytes.bytes())?;
    panic::catch(|| {
        let mut pdb = Pdb::open(Pages::new(bytes))?;
        let (id, machine) = header(path, &mut pdb)?;
        super::file::is_wanted(Some(&id), wanted)?;
        let mut table = TableBuilder::new(Source::Pdb(path.to_owned()));
        table.identity(id).machine(machine);
        table.pointer_size(if is_32_bit(machine) { 4 } else { 8 });
        guard::types(&mut pdb)?;
        let information = pdb.type_information()?;
        let mut types = types::Types::new(&information, table.width())?;
        types.define(&mut table)?;
        symbols::read(&mut pdb, &mut types, &mut table)?;
        Ok(table.build())
    })
}

/// Identity and machine. The age in the image is that of the debug information's header: the one in the file's own header
/// is raised whenever a tool writes to the file, as source indexing does.
fn header(path: &Path, pdb: &mut Pdb) -> Result<(PdbId, u16), PdbError> {
    let information = pdb.pdb_information()?;
    let debug = pdb.debug_information()?;
    let guid = Guid(information.guid.as_u128());
    let age = debug.age().unwrap_or(information.age);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let machine = debug.machine_type()? as u16;
    Ok((PdbId::new(guid, age, pdb_name(&name)), machine))
}

/// `nt.pd_` is the packed form of `nt.pdb`.
fn pdb_name(file: &str) -> String {
    match file
        .len()
        .checked_sub(4)
        .and_then(|at| file.split_at_checked(at))
    {
        Some((stem, end)) if end.eq_ignore_ascii_case(".pd_") => format!("{stem}.pdb"),
        _ => file.to_owned(),
    }
}

fn is_32_bit(machine: u16) -> bool {
    const I386: u16 = 0x14c;
    const ARM: u16 = 0x1c0;
    const THUMB: u16 = 0x1c2;
    const ARM_NT: u16 = 0x1c4;
    [I386, ARM, THUMB, ARM_NT].contains(&machine)
}

/// Whether a file is meant to be a PDB, of any kind.
pub(super) fn is_meant(bytes: &[u8]) -> bool {
    let starts = |magic: &str| bytes.starts_with(magic.as_bytes());
    starts("Microsoft C/C++") || starts(MSFZ) || starts(PORTABLE)
}

fn is_readable(bytes: &[u8]) -> Result<(), PdbError> {
    if bytes.starts_with(MAGIC) {
        Ok(())
    } else if bytes.starts_with(PORTABLE.as_bytes()) {
        Err(PdbError::Portable)
    } else if bytes.starts_with(MSFZ.as_bytes()) {
        Err(PdbError::Msfz)
    } else if bytes.starts_with(b"Microsoft C/C++ program database 2.00") {
        Err(PdbError::OldFormat)
    } else {
        Err(PdbError::NotAPdb)
    }
}
