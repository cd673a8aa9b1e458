//! `ln`: which symbols lie at an address, or on either side of it.

use crate::command::signature::{Item, Kind, given};
use crate::command::{Args, Command, Example, Grammar, Record, Row, Sink, Topic, Value};
use crate::commands::x::look::{Describer, Symbol};
use crate::session::Session;
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::Result;
use rkd_kernel::{Kernel, Module};
use rkd_symbols::{Source, SymbolTable};

/// See the module.
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
    rows: &[],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let at = given(args.address("Address"))?;
    let kernel = session.target.kernel.clone();
    let Some(module) = kernel.module_at(at) else {
        return out.note(&format!("{at} lies in no loaded module"));
    };
    let table = kernel.symbols_of(module);
    let sides = Sides::around(&kernel, module, at);
    out.row(&NearRow {
        at,
        module,
        sides: &sides,
    })?;
    if sides.below.is_some_and(|below| below.at == at) {
        out.text("Exact matches:")?;
        for (table, symbol) in exact(&kernel, module, at) {
            let describer = Describer::new(&kernel, module, table);
            out.row(&ExactRow(describer.symbol(symbol)))?;
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
struct Place<'a> {
    name: &'a str,
    at: Virt,
}

/// The symbols on either side of an address.
struct Sides<'a> {
    below: Option<Place<'a>>,
    above: Option<Place<'a>>,
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
                let place = Place {
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
                let place = Place {
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

struct NearRow<'a> {
    at: Virt,
    module: &'a Module,
    sides: &'a Sides<'a>,
}

impl Row for NearRow<'_> {
    fn kind(&self) -> &'static str {
        "near_symbol"
    }

    fn record(&self) -> Record {
        let none = || Value::Absent("no symbol there".into());
        let name = |place: Option<Place>| place.map_or_else(none, |place| place.name.into());
        let at = |place: Option<Place>| place.map_or_else(none, |place| place.at.into());
        let Sides { below, above } = *self.sides;
        vec![
            ("address", self.at.into()),
            ("module", self.module.name.as_str().into()),
            ("symbol", name(below)),
            ("symbol_address", at(below)),
            (
                "offset",
                (self.at - below.map_or(self.module.base, |below| below.at)).into(),
            ),
            ("next_symbol", name(above)),
            ("next_address", at(above)),
        ]
    }

    fn text(&self) -> String {
        let module = &self.module.name;
        let Sides { below, above } = *self.sides;
        let start = below.map_or(self.module.base, |below| below.at);
        let name = below.map_or(module.clone(), |below| format!("{module}!{}", below.name));
        let offset = match self.at - start {
            0 => String::new(),
            offset => format!("+{offset:#x}"),
        };
        let mut line = format!("({start})   {name}{offset}");
        if let Some(above) = above {
            line.push_str(&format!("   |  ({})   {module}!{}", above.at, above.name));
        }
        format!("Browse module\nSet bu breakpoint\n\n{line}")
    }
}

struct ExactRow<'a>(Symbol<'a>);

impl Row for ExactRow<'_> {
    fn kind(&self) -> &'static str {
        "exact_match"
    }

    fn record(&self) -> Record {
        vec![
            ("address", self.0.at.into()),
            ("module", self.0.module.into()),
            ("name", self.0.name.into()),
            ("symbol_kind", self.0.kind.name().into()),
        ]
    }

    fn text(&self) -> String {
        format!("    {}{}", self.0.full_name(), self.0.tail)
    }
}
