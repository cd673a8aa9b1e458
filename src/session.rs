//! The session: the open target, and what the person at the prompt has set.

use jiff::tz::TimeZone;
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::owners::Readings;
use rkd_kernel::pool::TagNames;
use rkd_kernel::{Kernel, Module, Options};
use rkd_pooltags::Database;
use rkd_symbols::{ImagePath, Servers, SymbolPath};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// The log file of `.logopen`: shared between the session, which opens it, and the terminal, which writes to it.
pub type Log = Arc<Mutex<Option<File>>>;

/// What one person (or script) is doing with one dump.
#[derive(Debug)]
pub struct Session {
    /// The target.
    pub kernel: Arc<Kernel>,
    /// The current processor, from zero.
    pub processor: u32,
    /// The radix of numbers without a prefix: 8, 10 or 16.
    pub radix: u32,
    /// The zone in which times are shown.
    pub time_zone: TimeZone,
    /// What tags stand for.
    pub tag_names: TagNames,
    /// Set by Ctrl-C; long runs look at it, and it is cleared before each command.
    pub stop: Arc<AtomicBool>,
    /// The open log.
    pub log: Log,
    /// Aliases made with `as`.
    pub aliases: BTreeMap<String, String>,
    /// The pseudo-registers `$t0` to `$t19`.
    pub pseudo: [u64; 20],
    /// Where the next bare display command (`d`, `db` …) goes on, and in which form.
    pub cursor: Cursor,
    /// What Enter alone runs: the last command that shows memory or code, which goes on where it stopped.
    pub again: Option<String>,
    /// Where the next bare `u` goes on.
    pub next_code: Option<Virt>,
    /// Hits saved by `s -[s]`.
    pub saved_hits: Vec<Virt>,
    /// Bytes that searches inside of another command asked for, and bytes that were there: that command tells them once.
    pub searched: (u64, u64),
    /// The last type that `dt` showed, for `dt .`.
    pub last_type: String,
    /// The path of symbol files, as it was given.
    pub symbol_path: String,
    /// The symbol servers, as far as they may be asked, and what the search for symbols has to tell.
    pub servers: Servers,
    /// Modules that were placed by hand (`.reload x.sys=ADDRESS,SIZE`).
    pub placed: Vec<Module>,
    /// Where the files of images are looked for.
    pub image_path: ImagePath,
    /// What is known of the tags of drivers, for those whose pages the dump lacks.
    pub tag_database: Option<Arc<Database>>,
    /// What was read of the modules for their tags, and of which kernel.
    readings: Option<(Arc<Kernel>, Arc<Readings>)>,
    /// The name of the open log, as it was given.
    pub log_name: String,
    /// The last value that `?` or `.formats` showed, for `$exp`.
    pub last_value: u64,
    /// How many commands have failed; the exit code of the program depends on it.
    pub errors: u64,
    /// Set by `q`.
    pub quit: bool,
    /// Whether commands may open files. Scripts are run with this off, because they can run commands.
    pub may_touch_files: bool,
    /// Whether the user lets scripts open files too (`--allow`).
    pub scripts_may_touch_files: bool,
    /// How deep commands are calling commands at the moment.
    pub depth: u32,
    /// How many loops of commands are running inside each other.
    pub loops: u32,
    /// Set by `.break` and `.continue` until a loop has seen it.
    pub jump: Option<Jump>,
}

/// Where control goes inside a loop of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// Out of the innermost loop.
    Break,
    /// To its next turn.
    Continue,
}

/// Where the display commands stand.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// The last display command (`db`), which a bare `d` repeats.
    pub command: Option<String>,
    /// The first address that was not shown yet.
    pub next: Virt,
    /// The last value that was shown, for `$p`.
    pub last: u64,
}

impl Session {
    /// A new session. The current processor is the one that wrote the dump, and times are shown in the machine's own zone
    /// (`TZ`), as kd shows them.
    pub fn new(kernel: Kernel) -> Session {
        Session {
            processor: kernel.current_processor(),
            kernel: Arc::new(kernel),
            radix: 16,
            time_zone: TimeZone::system(),
            tag_names: TagNames::default(),
            stop: Arc::new(AtomicBool::new(false)),
            log: Arc::new(Mutex::new(None)),
            aliases: BTreeMap::new(),
            pseudo: [0; 20],
            cursor: Cursor::default(),
            again: None,
            next_code: None,
            saved_hits: Vec::new(),
            searched: (0, 0),
            last_type: String::new(),
            symbol_path: String::new(),
            servers: Servers::default(),
            placed: Vec::new(),
            image_path: ImagePath::default(),
            tag_database: None,
            readings: None,
            log_name: String::new(),
            last_value: 0,
            errors: 0,
            quit: false,
            may_touch_files: true,
            scripts_may_touch_files: false,
            depth: 0,
            loops: 0,
            jump: None,
        }
    }

    /// How another dump is opened, or this one anew.
    pub fn options(&self) -> Options {
        Options {
            symbols: SymbolPath::parse(&self.symbol_path),
            servers: self.servers.clone(),
            ..Options::default()
        }
    }

    /// Refuses a command that opens files, when it was called by a script that must not.
    ///
    /// # Errors
    /// [`Error::Forbidden`], with what to do about it.
    pub fn check_files(&self) -> Result<()> {
        match self.may_touch_files {
            true => Ok(()),
            false => Err(Error::Forbidden(
                "A script may not open files: type the command at the prompt, or start rkd with --allow."
                    .into(),
            )),
        }
    }

    /// What was read of the modules so far; with another kernel or another image path it begins anew.
    pub fn readings(&mut self) -> Arc<Readings> {
        if let Some((kernel, readings)) = &self.readings
            && Arc::ptr_eq(kernel, &self.kernel)
            && *readings.images() == self.image_path
        {
            return Arc::clone(readings);
        }
        let readings = Arc::new(Readings::new(
            &self.kernel,
            self.image_path.clone(),
            self.tag_database.clone(),
        ));
        self.readings = Some((Arc::clone(&self.kernel), Arc::clone(&readings)));
        readings
    }

    /// Takes the user's `pooltag.txt`, or the one of an installed WinDbg when no file is named.
    ///
    /// # Errors
    /// When a named file cannot be used; an installed one that cannot is passed over.
    pub fn load_tag_names(&mut self, file: Option<&Path>) -> Result<()> {
        match file {
            Some(path) => self.tag_names = TagNames::with_file(path)?,
            None => {
                if let Some(names) =
                    TagNames::installed().and_then(|path| TagNames::with_file(&path).ok())
                {
                    self.tag_names = names;
                }
            }
        }
        Ok(())
    }
}
