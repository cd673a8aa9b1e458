//! `x`: the symbols that fit a pattern.

pub mod look;
mod options;

use crate::command::signature::{Signature, Unknown};
use crate::command::wildcard::Wildcard;
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic, sink};
use crate::session::Session;
use look::{Describer, Kind, Symbol};
use options::{Columns, Options, Order};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Module;
use std::collections::HashSet;

/// `x`: list the symbols that fit a pattern.
pub static COMMAND: Command = Command {
    name: "x",
    aliases: &[],
    rhai: "examine",
    topic: Topic::Symbols,
    summary: "list the symbols that fit a pattern",
    grammar: Grammar::Signature(Signature {
        written: Some("x [/012DafdnpqtvzANZ] [/s Size] Module!Symbol"),
        unknown: Unknown::IsNone("help x"),
        ..Signature::of(options::ITEMS)
    }),
    help: "\
Lists the symbols whose names fit, by address. Both patterns take kd's wildcards (* ? [a-z] # +) in any case; a leading
underscore of the symbol's pattern stands for any number of them. A C++ name is found by its plain name too. The symbols of
each module that fits are read if they have not been yet.

Private symbols say what a function takes and what a variable holds; public ones (<no parameter info>) and
<no type information>. Where a table does not say whether a symbol is a function or data, the section that it lies in does; and
where the headers of the image are not in the dump either, kd's remark is left out.",
    examples: &[
        Example {
            line: "x nt!PsLoaded*",
            shows: "variables of the kernel",
            output: "\
fffff807`2322a360 nt!PsLoadedModuleList = <no type information>",
        },
        Example {
            line: "x /1 nt!*LoadedModuleList",
            shows: "a name alone",
            output: "nt!PsLoadedModuleList",
        },
    ],
    rows: &[SymbolRow::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let options = Options::of(args)?;
    if options.module.is_empty() {
        return Err(match options.name.as_str() {
            "*" => Error::NeedsSymbols(
                "x * lists local variables, which take private symbols: x nt!* lists the symbols of nt".into(),
            ),
            name => Error::NeedsSymbols(format!(
                "{name} could only be a local variable, which takes private symbols: x *!{name} looks in all modules"
            )),
        });
    }
    let kernel = session.target.kernel.clone();
    let pattern = Wildcard::new(&options.module);
    let modules: Vec<&Module> = kernel
        .modules()
        .iter()
        .filter(|module| pattern.matches(&module.name))
        .collect();
    if modules.is_empty() {
        return Err(Error::Refused {
            text: format!("Couldn't resolve 'x {}'", args.text.trim()),
            why: Box::new(Error::NotFound(format!(
                "no module {} is loaded",
                options.module
            ))),
        });
    }
    let names = Names::new(&options.name);
    let mut found = Vec::new();
    let mut without = Vec::new();
    let mut partial = Vec::new();
    for (number, module) in modules.iter().enumerate() {
        sink::check(&session.control.stop)?;
        if modules.len() > 1 {
            out.progress(number as u64, modules.len() as u64, "modules")?;
        }
        let mut tables = kernel.tables_of(module);
        // What says more of a symbol goes first.
        tables.sort_by_key(|table| table.source().is_partial());
        if tables.iter().all(|table| table.is_empty()) {
            without.push(&*module.name);
            continue;
        }
        let mut seen = HashSet::new();
        for table in &tables {
            let describer = Describer::new(&kernel, module, table);
            let before = found.len();
            for symbol in table.all() {
                // A hostile pattern makes each of a kernel's symbols slow.
                sink::check(&session.control.stop)?;
                if names.fit(symbol.name) && (tables.len() == 1 || seen.insert(symbol.name)) {
                    let symbol = describer.symbol(symbol);
                    if options.wants(&symbol) {
                        found.push(symbol);
                    }
                }
            }
            let new = found.get(before..).unwrap_or_default();
            let is_doubtful = new.iter().any(|symbol| symbol.kind == Kind::Unknown);
            if is_doubtful && options.columns == Columns::All {
                out.note(&format!(
                    "functions and data of {} cannot be told apart: the headers of its image are not in the dump",
                    module.name
                ))?;
            }
        }
        if let Some(table) = tables.first().filter(|table| table.source().is_partial()) {
            partial.push(format!("{} ({})", module.name, table.source()));
        }
    }
    without_decorated(&mut found);
    options.sort(&mut found);
    out.table(SymbolRow::SCHEMA)?;
    found.iter().try_for_each(|symbol| {
        sink::check(&session.control.stop)?;
        out.row(&SymbolRow {
            address: symbol.at,
            module: symbol.module,
            name: symbol.name,
            symbol_kind: symbol.kind.name(),
            private: symbol.is_private,
            size_bytes: symbol.size,
            ty: symbol.ty.as_deref(),
            symbol,
            options: &options,
        })
    })?;
    const WHY: &str = "no symbol file was found, and exports are none or not in the dump";
    match without.as_slice() {
        [] => {}
        [module] => out.note(&format!("{module} has no symbols: {WHY}"))?,
        all => out.note(&format!(
            "{} of {} modules have no symbols: {WHY}",
            all.len(),
            modules.len()
        ))?,
    }
    let partial = match partial.as_slice() {
        [] => String::new(),
        [module] => format!("only some symbols are known of {module}"),
        all => format!("only some symbols are known of {} modules", all.len()),
    };
    match (found.is_empty(), partial.as_str()) {
        (true, "") => out.note("no symbol fits"),
        (true, why) => out.note(&format!("no symbol fits, but {why}")),
        (false, "") => Ok(()),
        (false, why) => out.note(why),
    }
}

/// Where the compiler's records name what lies at an address, the linker's decorated name of it says nothing more.
fn without_decorated(found: &mut Vec<Symbol<'_>>) {
    let named: HashSet<Virt> = found
        .iter()
        .filter(|symbol| symbol.is_private)
        .map(|symbol| symbol.at)
        .collect();
    found.retain(|symbol| !symbol.name.starts_with('?') || !named.contains(&symbol.at));
}

/// The pattern of names.
struct Names {
    pattern: Wildcard,
    /// Whether underscores at the start do not count.
    any_underscores: bool,
}

impl Names {
    fn new(text: &str) -> Names {
        let any_underscores = text.starts_with('_');
        let text = if any_underscores {
            text.trim_start_matches('_')
        } else {
            text
        };
        Names {
            pattern: Wildcard::new(if text.is_empty() && !any_underscores {
                "*"
            } else {
                text
            }),
            any_underscores,
        }
    }

    fn fit(&self, name: &str) -> bool {
        let bare = |name: &str| match self.any_underscores {
            true => self.pattern.matches(name.trim_start_matches('_')),
            false => self.pattern.matches(name),
        };
        if self.any_underscores && !name.starts_with('_') {
            return false;
        }
        bare(name) || plain(name).is_some_and(bare)
    }
}

/// `SmGlobals` of `?SmGlobals@@3U_SM_GLOBALS@@A`.
fn plain(name: &str) -> Option<&str> {
    let rest = name.strip_prefix('?')?;
    rest.split_once("@@").map(|(name, _)| name)
}

impl Options {
    fn wants(&self, symbol: &Symbol<'_>) -> bool {
        let kind = match symbol.kind {
            Kind::Function => self.functions || !self.data,
            Kind::Data => self.data || !self.functions,
            Kind::Unknown => true,
        };
        let size = symbol
            .size
            .zip(self.size)
            .is_none_or(|(has, wants)| has == wants);
        kind && size
    }

    fn sort(&self, found: &mut [Symbol<'_>]) {
        match self.order {
            Order::Address => found.sort_by_key(|symbol| symbol.at),
            Order::Name => found
                .sort_by_key(|symbol| (symbol.module.to_lowercase(), symbol.name.to_lowercase())),
            Order::Size => found.sort_by_key(|symbol| (symbol.size, symbol.at)),
        }
        if self.is_reversed {
            found.reverse();
        }
    }
}

/// A symbol.
#[derive(Row)]
#[row(kind = "symbol")]
struct SymbolRow<'a> {
    /// Where it is.
    address: Virt,
    /// The module that it belongs to.
    module: &'a str,
    /// Its name.
    name: &'a str,
    /// `function`, `data` or `unknown`.
    symbol_kind: &'static str,
    /// Whether the compiler's records tell of it.
    private: bool,
    /// Its size.
    #[row(absent = "public symbols do not say")]
    size_bytes: Option<u64>,
    /// Its type.
    #[row(name = "type", absent = "public symbols do not say")]
    ty: Option<&'a str>,
    #[row(skip)]
    symbol: &'a Symbol<'a>,
    #[row(skip)]
    options: &'a Options,
}

impl KdLine for SymbolRow<'_> {
    fn line(&self) -> String {
        let Symbol {
            at,
            kind,
            size,
            ty,
            is_private,
            tail,
            ..
        } = self.symbol;
        let name = match self.options.quoted {
            true => format!("@!\"{}\"", self.symbol.full_name()),
            false => self.symbol.full_name(),
        };
        match self.options.columns {
            Columns::Address => return at.to_string(),
            Columns::Name => return name,
            Columns::AddressAndName => return format!("{at} {name}"),
            Columns::All => {}
        }
        let front = match (self.options.verbose, kind) {
            (false, _) => format!("{at} "),
            (true, kind) => {
                let source = if *is_private { "prv" } else { "pub" };
                let kind = if *kind == Kind::Function {
                    "func  "
                } else {
                    "global"
                };
                format!("{source} {kind} {at} {:>4x} ", size.unwrap_or(0))
            }
        };
        let ty = match (self.options.types, ty) {
            (false, _) => String::new(),
            (true, Some(ty)) => format!("{ty} "),
            (true, None) => "<NoType> ".into(),
        };
        let tail = match (self.options.tight, kind) {
            (true, Kind::Function) => tail.trim_start(),
            _ => tail,
        };
        format!("{front}{ty}{name}{tail}")
    }
}
