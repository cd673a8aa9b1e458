//! What is looked at: the dump's kernel, one of its processors, and where symbols, images and names of tags come from.

use rkd_dump::error::Result;
use rkd_kernel::owners::Readings;
use rkd_kernel::pool::TagNames;
use rkd_kernel::{Kernel, Module, Options};
use rkd_pooltags::Database;
use rkd_symbols::{ImagePath, Servers, SymbolPath};
use std::path::Path;
use std::sync::Arc;

/// The open target.
#[derive(Debug)]
pub struct Target {
    /// The kernel in the dump.
    pub kernel: Arc<Kernel>,
    /// The current processor, from zero.
    pub processor: u32,
    /// Modules that were placed by hand (`.reload x.sys=ADDRESS,SIZE`).
    pub placed: Vec<Module>,
    /// The path of symbol files, as it was given.
    pub symbol_path: String,
    /// The symbol servers, as far as they may be asked, and what the search for symbols has to tell.
    pub servers: Servers,
    /// Where the files of images are looked for.
    pub image_path: ImagePath,
    /// What tags stand for.
    pub tag_names: TagNames,
    /// What is known of the tags of drivers, for those whose pages the dump lacks.
    pub tag_database: Option<Arc<Database>>,
    /// What was read of the modules for their tags, and of which kernel.
    readings: Option<(Arc<Kernel>, Arc<Readings>)>,
}

impl Target {
    /// A kernel, seen from the processor that wrote the dump, with no paths yet.
    pub(super) fn new(kernel: Kernel) -> Target {
        Target {
            processor: kernel.current_processor(),
            kernel: Arc::new(kernel),
            placed: Vec::new(),
            symbol_path: String::new(),
            servers: Servers::default(),
            image_path: ImagePath::default(),
            tag_names: TagNames::default(),
            tag_database: None,
            readings: None,
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
