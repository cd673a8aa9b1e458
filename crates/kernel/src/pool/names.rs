//! What a tag stands for: the user's own `pooltag.txt`, and behind it a small table in our words.
//!
//! Microsoft's file is not ours to ship; who has the Debugging Tools or the driver kit has it already.

mod record;

use super::Tag;
use crate::file_text;
use rkd_dump::error::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Our own table, in the format of `pooltag.txt`.
const OWN: &str = include_str!("own_tags.txt");
/// No pooltag.txt that was ever shipped reaches half of this.
const LARGEST_FILE: u64 = 16 << 20;

/// What is known of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagName {
    /// The driver, or the part of the kernel (`nt!io`); `None` when the file says `<unknown>`.
    pub binary: Option<String>,
    /// What the memory is for.
    pub description: String,
}

impl TagName {
    /// kd's form in `!poolused`: the description, one blank, and the binary if it is known.
    pub fn describe(&self) -> String {
        match &self.binary {
            Some(binary) if self.description.is_empty() => format!("Binary: {binary}"),
            Some(binary) => format!("{} , Binary: {binary}", self.description),
            None => format!("{} ", self.description),
        }
    }
}

/// One list of names.
#[derive(Debug, Default)]
struct List {
    exact: HashMap<[u8; 4], TagName>,
    wild: Vec<([u8; 4], TagName)>,
}

/// All names that are known, the user's first.
#[derive(Debug)]
pub struct TagNames {
    lists: Vec<List>,
    file: Option<PathBuf>,
}

impl Default for TagNames {
    fn default() -> TagNames {
        TagNames {
            lists: vec![List::parse(OWN.as_bytes())],
            file: None,
        }
    }
}

impl TagNames {
    /// Our own table behind the user's file.
    ///
    /// # Errors
    /// [`Error::File`] when the file cannot be read, is far too large, or holds not a single record.
    pub fn with_file(path: &Path) -> Result<TagNames> {
        let wrong = |reason: String| Error::File {
            path: path.to_path_buf(),
            reason,
        };
        let size = std::fs::metadata(path)
            .map_err(|e| wrong(e.to_string()))?
            .len();
        if size > LARGEST_FILE {
            return Err(wrong(format!(
                "{size} bytes are too many for a list of pool tags"
            )));
        }
        let list = List::parse(&std::fs::read(path).map_err(|e| wrong(e.to_string()))?);
        if list.exact.is_empty() && list.wild.is_empty() {
            return Err(wrong(
                "no line of it reads `Tag - binary - description`, nor has the same between commas or tabs, nor names a driver's tags as PoolMon does"
                    .into(),
            ));
        }
        let mut names = TagNames::default();
        names.lists.insert(0, list);
        names.file = Some(path.to_path_buf());
        Ok(names)
    }

    /// The list that a Windows with the Debugging Tools or the driver kit has, or one beside our own program.
    pub fn installed() -> Option<PathBuf> {
        let beside = std::env::current_exe()
            .ok()
            .and_then(|exe| exe.parent().map(Path::to_path_buf));
        let kits = ["ProgramFiles(x86)", "ProgramFiles"]
            .iter()
            .filter_map(std::env::var_os)
            .flat_map(|root| {
                let kits = PathBuf::from(root).join("Windows Kits");
                ["10", "8.1", "8.0"].map(|kit| kits.join(kit).join("Debuggers").join("x64"))
            });
        beside
            .into_iter()
            .chain(kits)
            .flat_map(|folder| {
                [
                    folder.join("triage").join("pooltag.txt"),
                    folder.join("pooltag.txt"),
                ]
            })
            .find(|path| path.is_file())
    }

    /// The user's file, when there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What is known of the tag: an exact record before one with `?` or `*`, the user's before ours.
    pub fn find(&self, tag: Tag) -> Option<&TagName> {
        [tag, tag.without_protection()].iter().find_map(|tag| {
            self.lists.iter().find_map(|list| {
                list.exact.get(&tag.0).or_else(|| {
                    list.wild
                        .iter()
                        .find(|(wild, _)| covers(wild, &tag.0))
                        .map(|(_, name)| name)
                })
            })
        })
    }

    /// What `!poolused` prints behind the tag.
    pub fn describe(&self, tag: Tag) -> String {
        self.find(tag).map_or_else(
            || format!("UNKNOWN pooltag '{tag}', please update pooltag.txt"),
            TagName::describe,
        )
    }
}

/// `Mm??` and `Afd?` are records for families; a `*` stands for the rest of the tag.
fn covers(wild: &[u8; 4], tag: &[u8; 4]) -> bool {
    for (want, have) in wild.iter().zip(tag) {
        match want {
            b'*' => return true,
            b'?' => {}
            byte if byte != have => return false,
            _ => {}
        }
    }
    true
}

impl List {
    /// Reads the records of a file, in whatever of the forms that are known, and passes over lines that fit nothing: the files in
    /// the wild are edited by hand.
    fn parse(bytes: &[u8]) -> List {
        let mut list = List::default();
        for (tag, name) in record::records(&file_text::decode(bytes)) {
            if tag.contains(&b'?') || tag.contains(&b'*') {
                list.wild.push((tag, name));
            } else {
                list.exact.entry(tag).or_insert(name);
            }
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "rem a comment\r\nEtwB - nt!etw    - Etw Buffer\r\nFile - <unknown> - File objects  \r\n\
        Afd? - afd.sys - AFD objects\r\nsmSt - nt!store or rdyboost.sys - ReadyBoost various store allocations\r\n\
        Io   - nt!io - general\r\nWx- broken\r\n\r\nNtxF - ntfs.sys  - FCB_NONPAGED                      Ntfs\r\n";

    #[test]
    fn reads_the_records_as_kd_prints_them() {
        let names = TagNames {
            lists: vec![List::parse(SAMPLE.as_bytes())],
            file: None,
        };
        let shown = |tag: &[u8; 4]| names.describe(Tag(*tag));
        assert_eq!(shown(b"EtwB"), "Etw Buffer , Binary: nt!etw");
        assert_eq!(shown(b"File"), "File objects ");
        assert_eq!(shown(b"AfdX"), "AFD objects , Binary: afd.sys");
        assert_eq!(
            shown(b"smSt"),
            "ReadyBoost various store allocations , Binary: nt!store or rdyboost.sys"
        );
        assert_eq!(shown(b"Io  "), "general , Binary: nt!io");
        assert_eq!(
            shown(b"NtxF"),
            "FCB_NONPAGED                      Ntfs , Binary: ntfs.sys"
        );
        assert_eq!(
            shown(b"Leak"),
            "UNKNOWN pooltag 'Leak', please update pooltag.txt"
        );
        assert_eq!(
            shown(b"rem "),
            "UNKNOWN pooltag 'rem ', please update pooltag.txt"
        );
    }

    #[test]
    fn our_own_table_has_no_broken_line() {
        for line in OWN
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("rem"))
        {
            assert_eq!(record::records(line).len(), 1, "{line}");
        }
    }
}
