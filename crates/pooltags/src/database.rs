//! What was found in drivers, kept in a file: for dumps that do not hold the drivers' pages.
//!
//! A database is text: a line that says what it is, then one JSON object an image. So it can be read, compared, and put
//! together from others. An image is found again by what Windows itself knows it by, `TimeDateStamp` and `SizeOfImage`.
//!
//! ```
//! use rkd_pooltags::Database;
//!
//! let text = b"{\"rkd_tag_database\":1}\n";
//! let database = Database::read(&text[..])?;
//! assert!(database.lookup(0x4f6b_2a11, 0xb000, "myfault.sys").is_none());
//! # Ok::<(), rkd_dump::error::Error>(())
//! ```

use super::image::TagImage;
use super::report::Report;
use rkd_dump::error::{Error, Result};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;

mod record;

/// The version of the format; it changes when a reader of the old one would read something wrong.
const VERSION: u64 = 1;
/// Complaints about one file that are kept.
const MAX_COMPLAINTS: usize = 20;

/// An image's report, with the bytes of the instructions that prove it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What was found.
    pub report: Report,
    /// The bytes of each call and of each instruction that holds a tag, by their offset in the image.
    pub code: BTreeMap<u32, Vec<u8>>,
}

impl Stored {
    /// A report and its proofs.
    pub fn new(image: &TagImage, report: Report) -> Stored {
        let proofs = report.sites.iter().chain(&report.untagged);
        let code = proofs
            .flat_map(|site| image.proofs(site))
            .map(|proof| (proof.rva, proof.bytes))
            .collect();
        Stored { report, code }
    }

    fn is_named(&self, name: &str) -> bool {
        file_name(&self.report.file).eq_ignore_ascii_case(file_name(name))
    }
}

/// The last part of a path, whichever system wrote it.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Reports of many images.
#[derive(Clone, Debug, Default)]
pub struct Database {
    /// By time stamp and size. Builds that set the same stamp everywhere make several images of one size.
    images: BTreeMap<(u32, u32), Vec<Stored>>,
    /// Lines of the file that could not be used, and why.
    pub complaints: Vec<String>,
}

impl Database {
    /// An empty one.
    pub fn new() -> Database {
        Database::default()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Open`] if it cannot be read, [`Error::File`] if it is no tag database or one of a later version. A line
    /// that is broken costs only itself, see [`Database::complaints`].
    pub fn open(path: &Path) -> Result<Database> {
        let file = std::fs::File::open(path).map_err(|source| Error::open(path, source))?;
        Database::read(std::io::BufReader::new(file)).map_err(|error| match error {
            Error::Corrupt { why, .. } => Error::File {
                path: path.to_owned(),
                reason: why,
            },
            other => other,
        })
    }

    /// Reads a database.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it is none, or one of a later version.
    pub fn read(mut from: impl BufRead) -> Result<Database> {
        let corrupt = |why: String| Error::Corrupt {
            what: "the tag database".to_owned(),
            why,
        };
        let mut database = Database::new();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = from.read_until(b'\n', &mut line);
            if read.map_err(|e| corrupt(format!("line {number} cannot be read: {e}")))? == 0 {
                if number == 1 {
                    return Err(corrupt("it is empty, and no tag database".to_owned()));
                }
                break;
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim();
            if number == 1 {
                header(text).map_err(|why| corrupt(why.to_string()))?;
                continue;
            }
            // several databases put together by hand have several first lines
            if text.is_empty() || header(text).is_ok() {
                continue;
            }
            match record::read(text) {
                Ok(stored) => database.add(stored),
                Err(why) if database.complaints.len() < MAX_COMPLAINTS => {
                    let why = format!("line {number} of the tag database cannot be used: {why}");
                    database.complaints.push(why);
                }
                Err(_) => {}
            }
        }
        Ok(database)
    }

    /// Adds an image; what was known of the same one is replaced.
    pub fn add(&mut self, stored: Stored) {
        let key = (stored.report.time_stamp, stored.report.image_size);
        let same = self.images.entry(key).or_default();
        same.retain(|s| !s.is_named(&stored.report.file));
        same.push(stored);
        same.sort_by_key(|s| s.report.file.to_ascii_lowercase());
    }

    /// The image with this `TimeDateStamp` and `SizeOfImage`.
    ///
    /// The name decides between several. A driver may have been renamed, so the only image with stamp and size is taken
    /// under any name; but a stamp of zero says nothing (some linkers write it), and then the name must be the same.
    pub fn lookup(&self, time_stamp: u32, image_size: u32, name: &str) -> Option<&Stored> {
        let same = self.images.get(&(time_stamp, image_size))?;
        let named = same.iter().find(|s| s.is_named(name));
        named.or(match same.as_slice() {
            [only] if time_stamp != 0 => Some(only),
            _ => None,
        })
    }

    /// All images, by time stamp and size.
    fn images(&self) -> impl Iterator<Item = &Stored> {
        self.images.values().flatten()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.images().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of the writer.
    fn write(&self, mut to: impl Write) -> std::io::Result<()> {
        writeln!(to, "{{\"rkd_tag_database\":{VERSION}}}")?;
        for stored in self.images() {
            writeln!(to, "{}", record::write(stored))?;
        }
        to.flush()
    }

    /// Writes it into a file, which is replaced only when all of it is written.
    ///
    /// # Errors
    /// [`Error::File`] if that cannot be done.
    pub fn save(&self, path: &Path) -> Result<()> {
        let failed = |source: std::io::Error| Error::File {
            path: path.to_owned(),
            reason: format!("cannot write the tag database: {source}"),
        };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(name);
        let file = std::fs::File::create(&part).map_err(failed)?;
        let written = self
            .write(std::io::BufWriter::new(file))
            .and_then(|()| std::fs::rename(&part, path));
        written.map_err(|source| {
            let _ = std::fs::remove_file(&part);
            failed(source)
        })
    }
}

/// Why the first line is not that of a database that can be read.
#[derive(Debug, thiserror::Error)]
enum HeaderError {
    #[error("it is a tag database of version {0}, and this rkd reads up to {VERSION}")]
    Version(u64),
    #[error("it is no tag database (rkd tags --database FILE writes one)")]
    Other,
}

fn header(text: &str) -> Result<(), HeaderError> {
    #[derive(serde::Deserialize)]
    struct Header {
        rkd_tag_database: u64,
    }
    match serde_json::from_str::<Header>(text) {
        Ok(Header { rkd_tag_database }) if rkd_tag_database <= VERSION => Ok(()),
        Ok(header) => Err(HeaderError::Version(header.rkd_tag_database)),
        Err(_) => Err(HeaderError::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(file: &str, stamp: &str, tag: &str) -> String {
        format!(
            r#"{{"file":"{file}","arch":"x64","time_stamp":"{stamp}","size_of_image":"0xa000","verdict":"analysed","why":null,"functions":9,"coverage":{{"code_bytes":4096,"present_bytes":4096,"references":1,"followed":1,"analysed":1,"steps":77}},"sites":[{{"call":"0x25b2","function":"0x24d0","constants":["0x25ac"],"api":"ExAllocatePoolWithTag","tag":"{tag}","class":"E1","pool":1,"size":null,"wrapper":null,"exported":null,"note":"","unresolved":null}}],"untagged":[],"agents":[],"notes":[],"code":{{"0x25ac":"41b87774756e","0x25b2":"ff15d81b0000"}}}}"#
        )
    }

    fn database(lines: &[String]) -> Database {
        let text = format!("{{\"rkd_tag_database\":1}}\n{}\n", lines.join("\n"));
        Database::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let line = line("wintun.sys", "0x6166d00f", "0x6e757477");
        let database = database(std::slice::from_ref(&line));
        assert!(database.complaints.is_empty(), "{:?}", database.complaints);
        let stored = database.lookup(0x6166_d00f, 0xa000, "WINTUN.SYS").unwrap();
        let site = &stored.report.sites[0];
        assert_eq!((site.call_rva, site.pool), (0x25b2, Some(1)));
        assert_eq!(site.pool_kind, Some(super::super::api::Pool::Paged));
        assert_eq!(stored.code[&0x25ac], b"\x41\xb8wtun");
        let mut written = Vec::new();
        database.write(&mut written).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert_eq!(written, format!("{{\"rkd_tag_database\":1}}\n{line}\n"));
    }

    #[test]
    fn stamp_and_size_decide_and_the_name_where_they_do_not() {
        let tag = |d: &Database, stamp, name: &str| {
            d.lookup(stamp, 0xa000, name).map(|s| s.report.sites[0].tag)
        };
        let one = database(&[line("a.sys", "0x1", "0x41414141")]);
        assert_eq!(tag(&one, 1, "renamed.sys"), Some(Some(0x4141_4141)));
        assert_eq!(tag(&one, 2, "a.sys"), None);
        let two = database(&[
            line("a.sys", "0x1", "0x41414141"),
            line("b.sys", "0x1", "0x42424242"),
        ]);
        assert_eq!(tag(&two, 1, "\\Driver\\B.SYS"), Some(Some(0x4242_4242)));
        assert_eq!(tag(&two, 1, "c.sys"), None);
        let zero = database(&[line("a.sys", "0x0", "0x41414141")]);
        assert_eq!(tag(&zero, 0, "b.sys"), None);
        assert_eq!(tag(&zero, 0, "A.sys"), Some(Some(0x4141_4141)));
        let again = database(&[
            line("a.sys", "0x1", "0x41414141"),
            line("A.SYS", "0x1", "0x43434343"),
        ]);
        assert_eq!(tag(&again, 1, "a.sys"), Some(Some(0x4343_4343)));
        assert_eq!(again.len(), 1);
    }

    #[test]
    fn what_is_no_database_is_refused_and_a_broken_line_costs_only_itself() {
        let refused = |text: &str| Database::read(text.as_bytes()).unwrap_err().to_string();
        assert!(refused("").contains("empty"));
        assert!(refused("{\"a\":1}\n").contains("no tag database"));
        assert!(refused("\u{0}\u{1}MZ").contains("no tag database"));
        assert!(refused("{\"rkd_tag_database\":99}\n").contains("version 99"));
        let good = line("a.sys", "0x1", "0x41414141");
        let cut = good[..good.len() / 2].to_owned();
        let wrong = good.replace("0x25b2", "25b2");
        let mixed = database(&[cut, "{\"rkd_tag_database\":1}".into(), wrong, good]);
        assert_eq!((mixed.len(), mixed.complaints.len()), (1, 2));
        assert!(mixed.complaints[0].starts_with("line 2 of the tag database cannot be used: "));
    }

    #[test]
    fn interfaces_that_are_not_known_are_left_out_and_said() {
        let line =
            line("a.sys", "0x1", "0x41414141").replace("ExAllocatePoolWithTag", "ExAllocatePool9");
        let database = database(&[line]);
        let report = &database.images().next().unwrap().report;
        assert!(report.sites.is_empty());
        assert_eq!(
            report.notes,
            ["1 site of an interface that this rkd does not know is left out: ExAllocatePool9"]
        );
    }
}
