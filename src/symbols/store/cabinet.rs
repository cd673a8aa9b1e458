//! Cabinets with one file in them: the compressed form of a symbol file in a store (`nt.pd_`).

use cab::Cabinet;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::path::Path;

/// Unpacks the only file of a cabinet.
///
/// # Errors
/// In words: it is damaged, holds another number of files, or one of more than `limit` bytes.
pub fn unpack(path: &Path, out: &mut impl Write, limit: u64) -> Result<(), String> {
    let damaged = |e: io::Error| format!("the cabinet is damaged: {e}");
    let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    let mut cabinet = Cabinet::new(file).map_err(damaged)?;
    let names: Vec<String> = cabinet
        .folder_entries()
        .flat_map(|folder| folder.file_entries())
        .take(2)
        .map(|file| file.name().to_string())
        .collect();
    let [name] = names.as_slice() else {
        return Err(match names.len() {
            0 => "the cabinet is empty".into(),
            _ => "the cabinet holds more than one file".into(),
        });
    };
    let inner = cabinet.read_file(name).map_err(damaged)?;
    let mut out = BufWriter::new(out);
    let copied = io::copy(&mut inner.take(limit + 1), &mut out).map_err(damaged)?;
    out.flush().map_err(damaged)?;
    match copied > limit {
        true => Err(format!("larger than {} MiB when unpacked", limit >> 20)),
        false => Ok(()),
    }
}
