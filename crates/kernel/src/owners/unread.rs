//! Why silence about a tag means nothing.

use rkd_dump::error::Error;
use std::path::PathBuf;

/// Why nothing was learnt of a module's tags.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unread {
    /// Its image cannot be read from the dump.
    #[error(transparent)]
    Image(#[from] Error),
    /// Its file cannot be used.
    #[error("its file {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: Error,
    },
    /// It was read, and what was there of it does not tell: the reader's reason.
    #[error("{0}")]
    Undecided(String),
}

impl Unread {
    /// The reason, without the address that differs for each module, so that modules are told together.
    pub(super) fn reason(&self) -> String {
        match self {
            Unread::Image(error) => error.reason(),
            other => other.to_string(),
        }
    }
}
