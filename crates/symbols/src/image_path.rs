//! The image path: where the files of drivers are looked for, when a dump does not hold all of their pages.

use super::pe::Image;
use rkd_dump::error::Error;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Folders below a place on the path in which Windows keeps its drivers.
const FOLDERS: &[&str] = &["", "drivers", "System32", "System32/drivers"];
/// Files of one folder that are listed; a folder with more is no folder of drivers.
const MAX_FILES_PER_FOLDER: usize = 100_000;
/// No driver is larger.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A list of places, as `_NT_EXECUTABLE_IMAGE_PATH`, kd's `-i` and `.exepath` have it: folders, single files, and stores
/// (`srv*CACHE*URL`, of which the cache is used).
#[derive(Clone, Debug, Default)]
pub struct ImagePath {
    text: String,
    places: Arc<[Location]>,
}

#[derive(Debug)]
struct Location {
    path: PathBuf,
    /// The files of the place by their names in lower case: Windows does not mind the case, other systems do.
    files: OnceLock<HashMap<String, Vec<PathBuf>>>,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct FoundImage {
    /// The file, if there is one with the wanted time stamp and size.
    pub file: Option<PathBuf>,
    /// Files of that name that are other builds, with what is wrong about each.
    pub refused: Vec<(PathBuf, ImageError)>,
}

/// Why a file is not the image that is sought.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The system would not read it.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It has so many bytes.
    #[error("{0} bytes are too many for a driver")]
    TooLarge(u64),
    /// It is no image.
    #[error(transparent)]
    Image(#[from] Error),
    /// It was linked at another time.
    #[error("another build: its time stamp is {file:08x}, the loaded one's {loaded:08x}")]
    TimeStamp {
        /// The file's.
        file: u32,
        /// The loader's.
        loaded: u32,
    },
    /// Its image has another size, in bytes.
    #[error("another build: its image has {file:#x} bytes, the loaded one {loaded:#x}")]
    Size {
        /// The file's.
        file: u32,
        /// The loader's.
        loaded: u64,
    },
}

impl ImagePath {
    /// Reads a path: places with semicolons between them. Nothing is refused, and nothing is looked at yet.
    pub fn parse(text: &str) -> ImagePath {
        let mut places = Vec::new();
        for place in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let mut parts = place.split('*');
            let first = parts.next().unwrap_or_default();
            let is_store = place.contains('*')
                && ["srv", "cache", "symsrv"]
                    .iter()
                    .any(|word| first.eq_ignore_ascii_case(word));
            let stores = parts.filter(|part| !part.is_empty() && !part.contains("://"));
            match is_store {
                true => places.extend(stores.map(Location::at)),
                false => places.push(Location::at(place)),
            }
        }
        ImagePath {
            text: text.trim().to_owned(),
            places: places.into(),
        }
    }

    /// The path as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is no place on it.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Places that are not there.
    pub fn missing(&self) -> impl Iterator<Item = &Path> {
        let places = self.places.iter().map(|place| place.path.as_path());
        places.filter(|path| !path.exists())
    }

    /// The file of an image: of that name, with this `TimeDateStamp` (if it is known) and `SizeOfImage` in its header.
    pub fn find(&self, name: &str, time_stamp: Option<u32>, size: u64) -> FoundImage {
        let mut found = FoundImage::default();
        let name = name.to_ascii_lowercase();
        for place in self.places.iter() {
            for file in place.candidates(&name, time_stamp, size) {
                match check(&file, time_stamp, size) {
                    Ok(()) => {
                        found.file = Some(file);
                        return found;
                    }
                    Err(why) => found.refused.push((file, why)),
                }
            }
        }
        found
    }
}

impl PartialEq for ImagePath {
    fn eq(&self, other: &ImagePath) -> bool {
        self.text == other.text
    }
}

/// The path as it was given.
impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Location {
    fn at(path: &str) -> Location {
        Location {
            path: PathBuf::from(path),
            files: OnceLock::new(),
        }
    }

    /// Files that may be it, those whose very place says so first.
    fn candidates(&self, name: &str, time_stamp: Option<u32>, size: u64) -> Vec<PathBuf> {
        if self.path.is_file() {
            let own = self.path.file_name().map(|own| own.to_string_lossy());
            let same = own.is_some_and(|own| own.eq_ignore_ascii_case(name));
            return if same {
                vec![self.path.clone()]
            } else {
                Vec::new()
            };
        }
        let files = self.files.get_or_init(|| list(&self.path));
        let mut candidates = Vec::new();
        // symstore's layout: NAME/TIMESTAMPsize/NAME
        if let Some(stamp) = time_stamp {
            let shelf = self.path.join(name).join(format!("{stamp:08X}{size:x}"));
            let lower = self.path.join(name).join(format!("{stamp:08x}{size:x}"));
            let stored = [shelf, lower].into_iter().map(|folder| folder.join(name));
            candidates.extend(stored.filter(|file| file.is_file()).take(1));
        }
        candidates.extend(files.get(name).into_iter().flatten().cloned());
        candidates
    }
}

fn list(place: &Path) -> HashMap<String, Vec<PathBuf>> {
    let mut files: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for folder in FOLDERS {
        let Ok(entries) = std::fs::read_dir(place.join(folder)) else {
            continue;
        };
        for entry in entries.flatten().take(MAX_FILES_PER_FOLDER) {
            let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
            files.entry(name).or_default().push(entry.path());
        }
    }
    files
}

/// Whether the file's header says the same as the loader's list.
fn check(file: &Path, time_stamp: Option<u32>, size: u64) -> Result<(), ImageError> {
    let length = std::fs::metadata(file)?.len();
    if length > MAX_FILE_BYTES {
        return Err(ImageError::TooLarge(length));
    }
    let bytes = std::fs::read(file)?;
    let image = Image::parse_file(&bytes)?;
    let header = image.headers();
    let pages = |bytes: u64| bytes.next_multiple_of(rkd_dump::addr::PAGE_SIZE);
    if let Some(loaded) = time_stamp.filter(|stamp| *stamp != header.time_stamp) {
        return Err(ImageError::TimeStamp {
            file: header.time_stamp,
            loaded,
        });
    }
    if pages(u64::from(header.size_of_image)) != pages(size) {
        return Err(ImageError::Size {
            file: header.size_of_image,
            loaded: size,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least that the reader takes for an image.
    fn image(stamp: u32, size: u32) -> Vec<u8> {
        let mut bytes = vec![0u8; 0x400];
        bytes[..2].copy_from_slice(b"MZ");
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0x3c, &0x80u32.to_le_bytes());
        put(0x80, b"PE\0\0");
        put(0x84, &0x8664u16.to_le_bytes());
        put(0x88, &stamp.to_le_bytes());
        put(0x94, &0xf0u16.to_le_bytes());
        put(0x98, &0x20bu16.to_le_bytes());
        put(0x98 + 56, &size.to_le_bytes());
        put(0x98 + 60, &0x400u32.to_le_bytes());
        put(0x98 + 108, &16u32.to_le_bytes());
        bytes
    }

    #[test]
    fn stamp_and_size_decide() {
        let folder = tempfile::tempdir().unwrap();
        let drivers = folder.path().join("drivers");
        std::fs::create_dir(&drivers).unwrap();
        std::fs::write(drivers.join("MyFault.SYS"), image(0x6335_c51b, 0x9000)).unwrap();
        let path = ImagePath::parse(&format!("/nowhere;{}", folder.path().display()));
        let found = path.find("myfault.sys", Some(0x6335_c51b), 0x9000);
        assert_eq!(found.file, Some(drivers.join("MyFault.SYS")));
        let other = path.find("myfault.sys", Some(1), 0x9000);
        assert_eq!(other.file, None);
        assert_eq!(
            other.refused[0].1.to_string(),
            "another build: its time stamp is 6335c51b, the loaded one's 00000001"
        );
        assert!(path.find("myfault.sys", None, 0xa000).file.is_none());
        let none = path.find("other.sys", None, 0x9000);
        assert!(none.file.is_none() && none.refused.is_empty());
        assert_eq!(path.missing().count(), 1);
    }

    #[test]
    fn stores_and_single_files_are_places_too() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = folder.path().join("a.sys").join("0000ABCD9000");
        std::fs::create_dir_all(&shelf).unwrap();
        std::fs::write(shelf.join("a.sys"), image(0xabcd, 0x9000)).unwrap();
        let root = folder.path().display();
        let store = ImagePath::parse(&format!("srv*{root}*https://example.com/symbols"));
        let wanted = Some(shelf.join("a.sys"));
        assert_eq!(store.find("A.sys", Some(0xabcd), 0x9000).file, wanted);
        let file = ImagePath::parse(&shelf.join("a.sys").display().to_string());
        assert_eq!(file.find("a.SYS", Some(0xabcd), 0x9000).file, wanted);
        assert_eq!(file.find("b.sys", Some(0xabcd), 0x9000).file, None);
    }
}
