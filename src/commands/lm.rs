//! `lm`: the loaded and the unloaded modules.

mod options;
mod state;
mod verbose;

pub use state::{SymbolState, symbol_state};

use crate::command::{Args, Command, Completes, Example, Record, Row, Sink, Topic, Value};
use crate::session::Session;
use options::{Columns, Options, Which};
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::{Kernel, Module, Unloaded};

/// See the module.
pub static COMMAND: Command = Command {
    name: "lm",
    aliases: &[],
    rhai: "lm",
    topic: Topic::Modules,
    summary: "list the loaded and the unloaded modules",
    usage: "lm[Options] [a Address] [m Pattern | M Pattern]",
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
    completes: Completes::Modules,
    examples: &[Example {
        line: "lm m myf*",
        shows: "the modules whose name begins with myf",
        output: "\
Browse full module list
start             end                 module name
fffff807`47f50000 fffff807`47f59000   myfault    (deferred)             ",
    }],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let options = Options::parse(session, &args.text)?;
    let kernel = session.kernel.clone();
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
        return modules
            .iter()
            .try_for_each(|module| out.row(&NameOnly(module)));
    }
    if options.narrowed() {
        out.text("Browse full module list")?;
    }
    out.text("start             end                 module name")?;
    for module in modules {
        out.row(&ModuleRow {
            session,
            kernel: &kernel,
            module,
            options: &options,
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
            module,
            verbose: options.verbose,
        })
    })
}

/// A module's line, or its block with `v`.
struct ModuleRow<'a> {
    session: &'a Session,
    kernel: &'a Kernel,
    module: &'a Module,
    options: &'a Options,
}

impl Row for ModuleRow<'_> {
    fn kind(&self) -> &'static str {
        "module"
    }

    fn record(&self) -> Record {
        let state = symbol_state(self.kernel, self.module);
        let hex =
            |value: Option<u32>| value.map_or(Value::Absent("not in the dump".into()), Value::from);
        vec![
            ("name", self.module.name.as_str().into()),
            ("start", self.module.base.into()),
            ("end", self.module.end().into()),
            ("size_bytes", self.module.size.into()),
            ("image_name", self.module.image_name.as_str().into()),
            ("image_path", self.module.image_path.as_str().into()),
            ("time_stamp", hex(self.module.time_stamp)),
            ("checksum", hex(self.module.checksum)),
            ("symbols", state.words().trim_matches(['(', ')']).into()),
            ("symbol_file", state.file().into()),
        ]
    }

    fn text(&self) -> String {
        let module = self.module;
        let state = symbol_state(self.kernel, module);
        let range = format!("{} {}   {:<8}", module.base, module.end(), module.name);
        let first = match self.options.columns {
            Columns::Symbols | Columns::NamesOnly => format!(
                "{range} {} {:<23}{}",
                state.sign(self.kernel, module),
                state.words(),
                state.file()
            ),
            Columns::ImageName => {
                format!("{range} {:<12}{}", module.image_name, self.time_column())
            }
            Columns::ImagePath => {
                format!("{range} {:<12}{}", module.image_path, self.time_column())
            }
            Columns::TimeStamp => format!(
                "{range} {}",
                verbose::time_stamp(self.session, self.kernel, module)
            ),
        };
        if self.options.verbose {
            format!(
                "{first}\n{}",
                verbose::block(self.session, self.kernel, module)
            )
        } else {
            first
        }
    }
}

impl ModuleRow<'_> {
    fn time_column(&self) -> String {
        if self.options.with_time {
            format!(
                " {}",
                verbose::time_stamp(self.session, self.kernel, self.module)
            )
        } else {
            String::new()
        }
    }
}

/// A name, for `lm 1m`.
struct NameOnly<'a>(&'a Module);

impl Row for NameOnly<'_> {
    fn kind(&self) -> &'static str {
        "module_name"
    }

    fn record(&self) -> Record {
        vec![("name", self.0.name.as_str().into())]
    }

    fn text(&self) -> String {
        self.0.name.clone()
    }
}

/// An unloaded module's line.
struct UnloadedRow<'a> {
    module: &'a Unloaded,
    verbose: bool,
}

impl Row for UnloadedRow<'_> {
    fn kind(&self) -> &'static str {
        "unloaded_module"
    }

    fn record(&self) -> Record {
        let Virt(start) = self.module.start;
        vec![
            ("name", self.module.name.as_str().into()),
            ("start", self.module.start.into()),
            ("end", self.module.end.into()),
            ("size_bytes", (self.module.end.0.wrapping_sub(start)).into()),
            (
                "unloaded_filetime",
                self.module.time.map_or(
                    Value::Absent("a triage dump does not say".into()),
                    Value::U64,
                ),
            ),
        ]
    }

    fn text(&self) -> String {
        let line = format!(
            "{} {}   {}",
            self.module.start, self.module.end, self.module.name
        );
        if !self.verbose {
            return line;
        }
        let size = self.module.end - self.module.start;
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
