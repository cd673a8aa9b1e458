//! The session: what one person, or one script, is doing with one dump. Its parts have names: what is looked at, how it is
//! shown, the state of kd's expressions, the flow of commands, and what is permitted.

mod control;
mod display;
mod numbers;
mod permissions;
mod search;
mod target;

pub use control::{Control, Jump};
pub use display::{Cursor, Display, Log};
pub use numbers::Numbers;
pub use permissions::Permissions;
pub use search::SearchAccount;
pub use target::Target;

use rkd_dump::error::Result;
use rkd_kernel::Kernel;

/// What one person (or script) is doing with one dump.
#[derive(Debug)]
pub struct Session {
    /// What is looked at.
    pub target: Target,
    /// How it is shown, and where the commands that go on stand.
    pub display: Display,
    /// The state of kd's expressions.
    pub numbers: Numbers,
    /// What searches inside of another command were asked for, told once by that command.
    pub search: SearchAccount,
    /// The flow of commands.
    pub control: Control,
    /// What commands may do to the machine that rkd runs on.
    pub permissions: Permissions,
}

impl Session {
    /// A new session. The current processor is the one that wrote the dump, and times are shown in the machine's own zone
    /// (`TZ`), as kd shows them.
    pub fn new(kernel: Kernel) -> Session {
        Session {
            target: Target::new(kernel),
            display: Display::default(),
            numbers: Numbers::default(),
            search: SearchAccount::default(),
            control: Control::default(),
            permissions: Permissions::default(),
        }
    }

    /// Refuses a command that opens files, when it was called by a script that must not.
    ///
    /// # Errors
    /// [`Error::Forbidden`](rkd_dump::error::Error::Forbidden), with what to do about it.
    pub fn check_files(&self) -> Result<()> {
        self.permissions.check_files()
    }
}
