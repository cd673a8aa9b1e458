//! `lm`: the loaded and the unloaded modules.

mod options;
mod state;
mod verbose;

pub use state::{SymbolState, symbol_state};

use crate::command::{Args, Command, Completes, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::session::Session;
use options::{Columns, Options, Which};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::{Kernel, Module, Unloaded};

/// `lm`: list the loaded and the unloaded modules.
pub static COMMAND: Command = Command {
    name: "lm",
    aliases: &[],
    rhai: "lm",
    topic: Topic::Modules,
    summary: "list the loaded and the unloaded modules",
    grammar: Grammar::own("lm[Options] [a Address] [m Pattern | M Pattern]", Completes::Modules),
    help: "\
Lists the modules by address. Options may be run together (lmvm nt, lmksm, lm1m).

  k, u   kernel modules only, user modules only
  l      only modules whose symbols are loaded        o   loaded modules only, without the unloaded ones
  e      only modules whose symbols have a problem: none, or the image's exports only, or a sign in front
  m Pat  only modules whose name fits the pattern: * ? [a-z] # (the one before, any number) + (at least one), in any case
  M Pat  the same for the path of the image
  a Adr  only the module that holds the address
  v      everything about each module: path, time stamp, checksum, version resource where its pages are in the dump
  sm     by name instead of by address
  1m     names only, one on a line, for loops
  i f n p t   with the image's file name, full path, image name, mapped name, time stamp
  c D    accepted, as in kd's links

A module's symbols are deferred until something asks for them: a name of the module in an expression, x, ln, dt, a stack. Then
kd's words are (pdb symbols) and the file, (private pdb symbols) where the compiler's records are in it, (export symbols) and
the image where no symbol file was found, or (no symbols). M in front: symbols of another
build (.reload /i); T or C: the loader's entry lacks the time stamp or checksum.

Times are shown in the zone of this machine (TZ), as kd does; .tz or --tz choose another one.",
    examples: &[Example {
        line: "lm m myf*",
        shows: "the modules whose name begins with myf",
        output: "\
Browse full module list
start             end                 module name
fffff807`47f50000 fffff807`47f59000   myfault    (deferred)             ",
    }],
    rows: &[ModuleRow::SCHEMA, UnloadedRow::SCHEMA, NameOnly::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let options = Options::parse(session, &args.text)?;
    let kernel = session.target.kernel.clone();
    let mut modules: Vec<&Module> = kernel
        .modules()
        .iter()
        .filter(|module| options.wants(&kernel, module))
        .collect();
    match options.by_name {
        true => modules.sort_by_key(|module| module.name.to_lowercase()),
        false => modules.sort_by_key(|module| module.base),
    }
    if options.columns == Columns::NamesOnly {
        out.table(NameOnly::SCHEMA)?;
        return modules
            .iter()
            .try_for_each(|module| out.row(&NameOnly { name: &module.name }));
    }
    out.table(ModuleRow::SCHEMA)?;
    if options.narrowed() {
        out.text("Browse full module list")?;
    }
    out.text("start             end                 module name")?;
    for module in modules {
        out.row(&ModuleRow {
            shown: Some((session, &options)),
            ..ModuleRow::new(&kernel, module)
        })?;
    }
    if options.unloaded() {
        unloaded(&kernel, &options, out)?;
    }
    kernel.loaded_modules().map(|_| ())
}

/// With a pattern or an address the heading is there only when something fits.
fn unloaded(kernel: &Kernel, options: &Options, out: &mut dyn Sink) -> Result<()> {
    let wanted = kernel
        .unloaded()
        .iter()
        .filter(|module| options.wants_unloaded(module));
    let mut wanted = wanted.peekable();
    if wanted.peek().is_none() {
        return Ok(());
    }
    out.text("\nUnloaded modules:")?;
    wanted.try_for_each(|module| {
        out.row(&UnloadedRow {
            name: &module.name,
            start: module.start,
            end: module.end,
            size_bytes: module.end.0.wrapping_sub(module.start.0),
            unloaded_filetime: module.time,
            verbose: options.verbose,
        })
    })
}

/// A loaded module.
#[derive(Row)]
#[row(kind = "module")]
pub(crate) struct ModuleRow<'a> {
    /// Its name in kd.
    name: &'a str,
    /// Where its image begins.
    start: Virt,
    /// Where its image ends: the first address behind it.
    end: Virt,
    /// The size of the image.
    size_bytes: u64,
    /// The name of the image's file.
    image_name: &'a str,
    /// The path of the image's file, as the loader has it.
    image_path: &'a str,
    /// When the image was linked, or a hash of its contents.
    #[row(unit = "s since 1970", absent = "not in the dump")]
    time_stamp: Option<u32>,
    /// The checksum of the image's file.
    #[row(absent = "not in the dump")]
    checksum: Option<u32>,
    /// What was done about its symbols.
    symbols: &'a str,
    /// The file of its symbols; empty where there is none.
    symbol_file: String,
    #[row(skip)]
    sign: char,
    #[row(skip)]
    kernel: &'a Kernel,
    #[row(skip)]
    module: &'a Module,
    /// What of it was asked for; without it the line is that of `lm`.
    #[row(skip)]
    shown: Option<(&'a Session, &'a Options)>,
}

impl<'a> ModuleRow<'a> {
    /// What `lm` says of a module without options.
    pub(crate) fn new(kernel: &'a Kernel, module: &'a Module) -> ModuleRow<'a> {
        let state = symbol_state(kernel, module);
        ModuleRow {
            name: &module.name,
            start: module.base,
            end: module.end(),
            size_bytes: module.size,
            image_name: &module.image_name,
            image_path: &module.image_path,
            time_stamp: module.time_stamp,
            checksum: module.checksum,
            symbols: state.words(),
            symbol_file: state.file().to_string(),
            sign: state.sign(kernel, module),
            kernel,
            module,
            shown: None,
        }
    }

    fn with_symbols(&self) -> String {
        let words = format!("({})", self.symbols);
        format!("{} {words:<23}{}", self.sign, self.symbol_file)
    }
}

impl KdLine for ModuleRow<'_> {
    fn line(&self) -> String {
        let range = format!("{} {}   {:<8}", self.start, self.end, self.name);
        let Some((session, options)) = self.shown else {
            return format!("{range} {}", self.with_symbols());
        };
        let time = || verbose::time_stamp(session, self.kernel, self.module);
        let image = |name: &str| match options.with_time {
            true => format!("{name:<12} {}", time()),
            false => format!("{name:<12}"),
        };
        let more = match options.columns {
            Columns::Symbols | Columns::NamesOnly => self.with_symbols(),
            Columns::ImageName => image(self.image_name),
            Columns::ImagePath => image(self.image_path),
            Columns::TimeStamp => time(),
        };
        match options.verbose {
            true => format!(
                "{range} {more}\n{}",
                verbose::block(session, self.kernel, self.module)
            ),
            false => format!("{range} {more}"),
        }
    }
}

/// The name of a loaded module, for `lm 1m`.
#[derive(Row)]
#[row(kind = "module_name")]
struct NameOnly<'a> {
    /// Its name in kd.
    #[row(line)]
    name: &'a str,
}

/// A module that was unloaded.
#[derive(Row)]
#[row(kind = "unloaded_module")]
struct UnloadedRow<'a> {
    /// The name of its image's file.
    name: &'a str,
    /// Where its image began.
    start: Virt,
    /// Where its image ended.
    end: Virt,
    /// The size of the image.
    size_bytes: u64,
    /// When it was unloaded.
    #[row(absent = "a triage dump does not say")]
    unloaded_filetime: Option<u64>,
    #[row(skip)]
    verbose: bool,
}

impl KdLine for UnloadedRow<'_> {
    fn line(&self) -> String {
        let line = format!("{} {}   {}", self.start, self.end, self.name);
        if !self.verbose {
            return line;
        }
        let size = self.size_bytes;
        format!(
            "{line}\n    Timestamp: unavailable (00000000)\n    Checksum:  00000000\n    ImageSize:  {size:08X}"
        )
    }
}

impl Options {
    fn wants(&self, kernel: &Kernel, module: &Module) -> bool {
        let side = match self.which {
            Which::All => true,
            Which::Kernel => module.base.is_kernel(),
            Which::User => !module.base.is_kernel(),
        };
        let state = symbol_state(kernel, module);
        let state = (!self.loaded_symbols || state.is_loaded())
            && (!self.problems || state.is_problem(kernel, module));
        let name = self
            .name
            .as_ref()
            .is_none_or(|pattern| pattern.matches(&module.name));
        let path = self
            .path
            .as_ref()
            .is_none_or(|pattern| pattern.matches(&module.image_path));
        side && state && name && path && self.address.is_none_or(|va| module.contains(va))
    }

    fn wants_unloaded(&self, module: &Unloaded) -> bool {
        let stem = module
            .name
            .rsplit_once('.')
            .map_or(module.name.as_str(), |(stem, _)| stem);
        let name = self
            .name
            .as_ref()
            .is_none_or(|pattern| pattern.matches(stem));
        let held = |va: Virt| va >= module.start && va < module.end;
        name && self
            .path
            .as_ref()
            .is_none_or(|pattern| pattern.matches(&module.name))
            && self.address.is_none_or(held)
    }
}
