//! `ln`: which symbols lie at an address, or on either side of it.

use crate::command::signature::{Item, Kind, given};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::commands::x::look::Describer;
use crate::session::Session;
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::Result;
use rkd_kernel::{Kernel, Module};
use rkd_symbols::{Source, SymbolTable};

/// `ln`: show the symbols nearest to an address.
pub static COMMAND: Command = Command {
    name: "ln",
    aliases: &[],
    rhai: "ln",
    topic: Topic::Symbols,
    summary: "show the symbols nearest to an address",
    grammar: Grammar::of(&[
        Item::flag("/D", "nothing: kd makes links"),
        Item::required("Address", Kind::Address, ""),
    ]),
    help: "\
Shows the last symbol at or below the address with the distance, and the next one above. Where symbols lie at the address
itself, all of them are listed as exact matches. Outside of all modules kd shows nothing, and a note says so.

The symbols of the module are read if they have not been yet. Where a table knows only some of the symbols (rkd's built-in
facts, exports), the nearest one may be far away and have nothing to do with the address: a note says where they come from.",
    examples: &[
        Example {
            line: "ln nt!PsLoadedModuleList",
            shows: "the symbol at an address",
            output: "\
Browse module
Set bu breakpoint

(fffff807`2322a360)   nt!PsLoadedModuleList   |  (fffff807`2322a790)   nt!MmLastUnloadedDriver
Exact matches:
    nt!PsLoadedModuleList = <no type information>",
        },
        Example {
            line: "ln myfault+0x1559",
            shows: "a module without symbols",
            output: "\
Browse module
Set bu breakpoint

(fffff807`47f50000)   myfault+0x1559",
        },
    ],
    rows: &[NearRow::SCHEMA, ExactRow::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let at = given(args.address("Address"))?;
    let kernel = session.target.kernel.clone();
    let Some(module) = kernel.module_at(at) else {
        return out.note(&format!("{at} lies in no loaded module"));
    };
    let table = kernel.symbols_of(module);
    let Sides { below, above } = Sides::around(&kernel, module, at);
    out.row(&NearRow {
        address: at,
        module: &module.name,
        symbol: below.map(|below| below.name),
        symbol_address: below.map(|below| below.at),
        offset: at - below.map_or(module.base, |below| below.at),
        next_symbol: above.map(|above| above.name),
        next_address: above.map(|above| above.at),
    })?;
    if below.is_some_and(|below| below.at == at) {
        out.text("Exact matches:")?;
        for (table, symbol) in exact(&kernel, module, at) {
            let symbol = Describer::new(&kernel, module, table).symbol(symbol);
            out.row(&ExactRow {
                address: symbol.at,
                module: symbol.module,
                name: symbol.name,
                symbol_kind: symbol.kind.name(),
                line: format!("    {}{}", symbol.full_name(), symbol.tail),
            })?;
        }
    }
    match table.map(SymbolTable::source) {
        None => out.note(&format!("{} has no symbols", module.name)),
        Some(Source::Exports) if table.is_none_or(SymbolTable::is_empty) => out.note(&format!(
            "{} has no symbols: no symbol file was found, and it exports nothing",
            module.name
        )),
        Some(source) if source.is_partial() => out.note(&format!(
            "these are not all symbols of {}: they come from {source}",
            module.name
        )),
        Some(_) => Ok(()),
    }
}

/// A symbol by its place.
#[derive(Clone, Copy)]
struct NearbySymbol<'a> {
    name: &'a str,
    at: Virt,
}

/// The symbols on either side of an address.
struct Sides<'a> {
    below: Option<NearbySymbol<'a>>,
    above: Option<NearbySymbol<'a>>,
}

impl<'a> Sides<'a> {
    /// The nearest symbols of all tables of the module.
    fn around(kernel: &'a Kernel, module: &Module, at: Virt) -> Sides<'a> {
        let mut sides = Sides {
            below: None,
            above: None,
        };
        let Ok(rva) = u32::try_from(at - module.base) else {
            return sides;
        };
        for table in kernel.tables_of(module) {
            if let Some((name, distance)) = table.nearest(Rva(rva)) {
                let place = NearbySymbol {
                    name,
                    at: at - u64::from(distance),
                };
                if sides.below.is_none_or(|below| below.at < place.at) {
                    sides.below = Some(place);
                }
            }
            if let Some(above) = table.next_above(Rva(rva))
                && let Some((name, _)) = table.nearest(above)
            {
                let place = NearbySymbol {
                    name,
                    at: module.base + above,
                };
                if sides.above.is_none_or(|above| above.at > place.at) {
                    sides.above = Some(place);
                }
            }
        }
        sides
    }
}

/// All symbols at exactly this address, each once.
fn exact<'a>(
    kernel: &'a Kernel,
    module: &Module,
    at: Virt,
) -> Vec<(&'a SymbolTable, rkd_symbols::Symbol<'a>)> {
    let mut found: Vec<(&SymbolTable, rkd_symbols::Symbol<'_>)> = Vec::new();
    for table in kernel.tables_of(module) {
        for symbol in table.all() {
            let is_known = || found.iter().any(|(_, known)| known.name == symbol.name);
            if module.base + symbol.rva == at && !is_known() {
                found.push((table, symbol));
            }
        }
    }
    found
}

/// The symbols on either side of an address.
#[derive(Row)]
#[row(kind = "near_symbol", absent = "no symbol there")]
struct NearRow<'a> {
    /// The address.
    address: Virt,
    /// The module that holds it.
    module: &'a str,
    /// The symbol at the address or before it.
    symbol: Option<&'a str>,
    /// Where that symbol is.
    symbol_address: Option<Virt>,
    /// How far the address is behind it; behind the module's base where there is none.
    #[row(unit = "bytes")]
    offset: u64,
    /// The next symbol.
    next_symbol: Option<&'a str>,
    /// Where that symbol is.
    next_address: Option<Virt>,
}

impl KdLine for NearRow<'_> {
    fn line(&self) -> String {
        let module = self.module;
        let name = match self.symbol {
            Some(symbol) => format!("{module}!{symbol}"),
            None => module.to_string(),
        };
        let offset = match self.offset {
            0 => String::new(),
            offset => format!("+{offset:#x}"),
        };
        let mut line = format!("({})   {name}{offset}", self.address - self.offset);
        if let (Some(at), Some(next)) = (self.next_address, self.next_symbol) {
            line.push_str(&format!("   |  ({at})   {module}!{next}"));
        }
        format!("Browse module\nSet bu breakpoint\n\n{line}")
    }
}

/// A symbol at exactly the address.
#[derive(Row)]
#[row(kind = "exact_match")]
struct ExactRow<'a> {
    /// The address.
    address: Virt,
    /// The module that holds it.
    module: &'a str,
    /// The symbol.
    name: &'a str,
    /// `function`, `data` or `unknown`.
    symbol_kind: &'static str,
    #[row(skip, line)]
    line: String,
}
