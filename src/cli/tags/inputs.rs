//! From what was named on the command line to image files: a folder stands for every image in it.

use super::Paths;
use crate::cli::wildcards;
use rkd_dump::error::Error;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Folders inside of each other that are looked into: more is a loop of mounts.
const MAX_DEPTH: usize = 32;

/// A file to analyse.
pub(super) struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was named, and not only found in a folder: then it must be an image.
    pub named: bool,
}

/// What the arguments stand for.
#[derive(Default)]
pub(super) struct Found {
    /// The files, each folder's in the order of their names.
    pub files: Vec<Input>,
    /// What could not be read.
    pub troubles: Vec<Error>,
}

/// Looks into the folders.
pub(super) fn find(arguments: &Paths) -> Found {
    let mut found = Found::default();
    for path in wildcards::expand(arguments) {
        if path.is_dir() {
            folder(&path, 0, &mut found);
        } else {
            found.files.push(Input { path, named: true });
        }
    }
    found
}

fn folder(path: &Path, depth: usize, found: &mut Found) {
    let listed = fs::read_dir(path).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let mut entries = match listed {
        Ok(entries) => entries,
        Err(source) => {
            let path = path.to_owned();
            found.troubles.push(Error::open(&path, source));
            return;
        }
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // a link to a folder may lead back up
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < MAX_DEPTH => folder(&path, depth + 1, found),
            Ok(kind) if kind.is_dir() => {}
            _ if path.is_file() && begins_as_image(&path) => {
                found.files.push(Input { path, named: false });
            }
            _ => {}
        }
    }
}

/// Whether the first two bytes are those of every program for DOS and Windows.
fn begins_as_image(path: &Path) -> bool {
    let mut magic = [0; 2];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && &magic == b"MZ"
}
