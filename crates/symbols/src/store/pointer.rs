//! `file.ptr`: a store's note that a file lies elsewhere.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// What a `file.ptr` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// The file lies there.
    File(PathBuf),
    /// The file is to be had there.
    Url(String),
    /// There is no file, and this is why.
    Message(String),
}

/// The longest that is read, in bytes.
pub(super) const MAX_BYTES: u64 = 4096;

impl Pointer {
    /// Reads the text: `PATH:…`, `MSG:…`, or only a path.
    pub fn parse(text: &str) -> Pointer {
        let line = text.lines().next().unwrap_or_default().trim();
        let after = |word: &str| {
            let start = line.get(..word.len())?;
            let rest = line.get(word.len()..)?;
            start.eq_ignore_ascii_case(word).then(|| rest.trim())
        };
        if let Some(message) = after("MSG:") {
            return Pointer::Message(message.to_string());
        }
        match after("PATH:").unwrap_or(line) {
            "" => Pointer::Message("it names no file".into()),
            url if url.contains("://") => Pointer::Url(url.into()),
            path => Pointer::File(path.into()),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> io::Result<Pointer> {
        let mut text = Vec::new();
        std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut text))?;
        Ok(Pointer::parse(&String::from_utf8_lossy(&text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind() {
        for (text, pointer) in [
            (
                r"PATH:\\srv\builds\nt.pdb",
                Pointer::File(r"\\srv\builds\nt.pdb".into()),
            ),
            ("path: /a/b.pdb\r\nmore", Pointer::File("/a/b.pdb".into())),
            ("/a/b.pdb\n", Pointer::File("/a/b.pdb".into())),
            (
                "PATH:https://x/y.pdb",
                Pointer::Url("https://x/y.pdb".into()),
            ),
            (
                "MSG: gone since May",
                Pointer::Message("gone since May".into()),
            ),
            ("", Pointer::Message("it names no file".into())),
            ("ΩΩ", Pointer::File("ΩΩ".into())),
        ] {
            assert_eq!(Pointer::parse(text), pointer);
        }
    }
}
