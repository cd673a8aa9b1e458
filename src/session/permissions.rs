//! What commands may do to the machine that rkd runs on.

use rkd_dump::error::{Error, Result};

/// A person may open files; a script, which can come from a stranger and can run commands, may not unless the person says so.
#[derive(Clone, Copy, Debug)]
pub struct Permissions {
    /// Whether commands may open files. Off while a script runs without leave.
    pub files: bool,
    /// Whether the user lets scripts open files too (`--allow`).
    pub files_for_scripts: bool,
}

impl Default for Permissions {
    fn default() -> Permissions {
        Permissions {
            files: true,
            files_for_scripts: false,
        }
    }
}

impl Permissions {
    pub(super) fn check_files(self) -> Result<()> {
        match self.files {
            true => Ok(()),
            false => Err(Error::Forbidden(
                "A script may not open files: type the command at the prompt, or start rkd with --allow."
                    .into(),
            )),
        }
    }
}
