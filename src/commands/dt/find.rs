//! Which type a name means, and which types fit a pattern.

use super::fields::index;
use super::row::TypeRow;
use crate::command::wildcard::Wildcard;
use crate::command::{Sink, sink};
use rkd_dump::addr::{Rva, Virt};
use rkd_dump::error::{Error, Result};
use rkd_kernel::{Kernel, Module};
use rkd_symbols::{
    Base, BaseKind, Enum, Source, Symbol, SymbolKind, SymbolTable, TableBuilder, Type, Udt, UdtKind,
};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

/// A type that was asked for.
#[derive(Clone)]
pub struct Found<'a> {
    /// kd's name of the module; empty for a type of the language.
    pub module: &'a str,
    /// The symbols that describe the type and what is inside of it.
    pub table: &'a SymbolTable,
    /// The type.
    pub what: What<'a>,
    /// `Name[3]`: so many of them.
    pub count: Option<u64>,
    /// Where it lies, when the name is that of a variable.
    pub at: Option<Virt>,
}

/// What a name can stand for.
#[derive(Clone)]
pub enum What<'a> {
    /// A structure or union.
    Udt(&'a Udt),
    /// An enumeration.
    Enum(&'a Enum),
    /// A number, a character, a pointer.
    Plain(Type),
}

impl Found<'_> {
    /// `nt!_EPROCESS`.
    pub fn name(&self) -> String {
        let name = match &self.what {
            What::Udt(udt) => udt.name.to_string(),
            What::Enum(e) => e.name.to_string(),
            What::Plain(ty) => return super::spelling::short(self.table, ty),
        };
        format!("{}!{name}", self.module)
    }

    /// Whether what pointers in the type point at may be missing: the built-in facts keep each type whole, with everything that
    /// is embedded in it, but not what is only pointed at.
    pub fn is_partial(&self) -> bool {
        is_facts(self.table) && matches!(self.what, What::Udt(_))
    }
}

/// Whether a table holds the types that rkd's commands need, and no others.
pub fn is_facts(table: &SymbolTable) -> bool {
    matches!(table.source(), Source::Facts | Source::OwnFacts)
}

/// The modules in which a name is looked for, nt first. Without a module's name, those whose symbols have been read: to read
/// all others now would take its time.
fn searched<'a>(kernel: &'a Kernel, module: &str) -> Vec<&'a Module> {
    let is_nt = |module: &Module| kernel.base().is_ok_and(|base| base == module.base);
    if !module.is_empty() && !module.contains(['*', '?', '[']) {
        return kernel.module(module).into_iter().collect();
    }
    let pattern = Wildcard::new(if module.is_empty() { "*" } else { module });
    let mut modules: Vec<&Module> = kernel
        .modules()
        .iter()
        .filter(|module| is_nt(module) || kernel.loaded_symbols(module).is_some())
        .filter(|module| pattern.matches(&module.name))
        .collect();
    modules.sort_by_key(|module| !is_nt(module));
    modules
}

/// The type of a name: `nt!_EPROCESS`, `_EPROCESS`, `ULONG`, `_LIST_ENTRY[4]`, in any case.
///
/// # Errors
/// kd's words when there is none, with what to do behind them.
pub fn find<'a>(kernel: &'a Kernel, name: &str) -> Result<Found<'a>> {
    let (name, count) = index(name.trim_matches(['(', ')']));
    let (module, bare) = name.split_once('!').unwrap_or(("", name));
    let modules = searched(kernel, module);
    for module in &modules {
        let Some(table) = kernel.symbols_of(module) else {
            continue;
        };
        let module = &*module.name;
        if let Some(what) = lookup(table, bare) {
            return Ok(Found {
                module,
                table,
                what,
                count,
                at: None,
            });
        }
    }
    for module in &modules {
        if let Some(found) = variable(kernel, module, bare, count) {
            return Ok(found);
        }
    }
    // The types of the language are those of every module.
    if let Some(ty) = plain(bare) {
        let table = modules.iter().find_map(|module| kernel.symbols_of(module));
        let table = table.unwrap_or_else(|| language());
        return Ok(Found {
            module: "",
            table,
            what: What::Plain(ty),
            count,
            at: None,
        });
    }
    Err(Error::Refused {
        text: format!("Symbol {name} not found."),
        why: Box::new(Error::NotFound(why_not(kernel, &modules, module, bare))),
    })
}

/// A table of nothing: the types of the language need none.
fn language() -> &'static SymbolTable {
    static TABLE: OnceLock<SymbolTable> = OnceLock::new();
    TABLE.get_or_init(|| TableBuilder::new(Source::Exports).build())
}

/// A variable whose symbols say of what type it is.
fn variable<'a>(
    kernel: &'a Kernel,
    module: &'a Module,
    name: &str,
    count: Option<u64>,
) -> Option<Found<'a>> {
    let table = kernel.symbols_of(module)?;
    let typed = |symbol: Symbol<'_>| Some((symbol.rva, symbol.info.ty?));
    let (rva, ty) = table.named(name).find_map(typed)?;
    of_variable(module, table, rva, ty, count)
}

/// The variable that lies at an address.
pub fn variable_at(kernel: &Kernel, at: Virt) -> Option<(String, Found<'_>)> {
    let module = kernel.module_at(at)?;
    let table = kernel.symbols_of(module)?;
    let rva = Rva(u32::try_from(at - module.base).ok()?);
    let symbol = table
        .nearest_symbol(rva)
        .filter(|symbol| symbol.rva == rva)?;
    let name = format!("{}!{}", module.name, symbol.name);
    Some((
        name,
        of_variable(module, table, rva, symbol.info.ty?, None)?,
    ))
}

fn of_variable<'a>(
    module: &'a Module,
    table: &'a SymbolTable,
    rva: Rva,
    ty: Type,
    mut count: Option<u64>,
) -> Option<Found<'a>> {
    let what = match ty {
        Type::Function(_) => return None,
        Type::Array(of, length) if matches!(*of, Type::Udt(_)) => {
            count = count.or(Some(length));
            of_type(table, *of)
        }
        ty => of_type(table, ty),
    };
    Some(Found {
        module: &module.name,
        table,
        what,
        count,
        at: Some(module.base + rva),
    })
}

fn of_type(table: &SymbolTable, ty: Type) -> What<'_> {
    match &ty {
        Type::Udt(name) => table.udt(name).map_or(What::Plain(ty.clone()), What::Udt),
        Type::Enum(name) => table
            .enumeration(name)
            .map_or(What::Plain(ty.clone()), What::Enum),
        _ => What::Plain(ty),
    }
}

/// What to do about a name that was not found.
fn why_not(kernel: &Kernel, modules: &[&Module], module: &str, bare: &str) -> String {
    let Some(first) = modules.first() else {
        return match kernel.table() {
            Err(why) if module.is_empty() => why.to_string(),
            _ => format!("no module {module} is loaded"),
        };
    };
    let Some(table) = kernel.symbols_of(first) else {
        return format!(
            "the symbols of {} are missing: .sympath says where to look for them",
            first.name
        );
    };
    let is_function = |symbol: Symbol<'_>| symbol.info.kind == SymbolKind::Function;
    if table.named(bare).any(is_function) {
        return format!(
            "{}!{bare} is a function: ln and x show what it takes",
            first.name
        );
    }
    if bare.is_empty() {
        return format!(
            "a type's name is missing: dt {}!* lists all of them",
            first.name
        );
    }
    if let Ok(at) = kernel.resolve(&first.name, bare) {
        return format!(
            "{}!{bare} lies at {at}, but its symbols do not say of what type it is: name one, as in dt {}!_TYPE {}!{bare}",
            first.name, first.name, first.name
        );
    }
    if table.udts().next().is_none() {
        return format!(
            "the symbols of {} ({}) hold no types: a PDB with types, or a table made of it, has them",
            first.name,
            table.source()
        );
    }
    let wanted = bare.trim_start_matches('_').to_lowercase();
    let close = |name: &str| {
        let name = name.trim_start_matches('_').to_lowercase();
        let distance = strsim::damerau_levenshtein(&name, &wanted);
        (distance * 3 < wanted.len().max(3)).then_some(distance)
    };
    let udts = table.udts().map(|udt| &*udt.name);
    let enums = table.enumerations().map(|e| &*e.name);
    let nearest = udts
        .chain(enums)
        .filter_map(|name| Some((close(name)?, name)))
        .min();
    match nearest {
        Some((_, name)) => format!("did you mean {}!{name} ?", first.name),
        None if is_facts(table) => format!(
            "rkd's built-in facts hold only the types that its own commands need: give the symbols of {} (.sympath, .reload)",
            first.name
        ),
        None if module.is_empty() => {
            "modules whose symbols have not been read yet were not searched: write the module's name in front".into()
        }
        None => format!("dt {}!*{bare}* lists the types with that in their names", first.name),
    }
}

fn lookup<'a>(table: &'a SymbolTable, name: &str) -> Option<What<'a>> {
    if let Some(udt) = table.udt(name) {
        return Some(What::Udt(udt));
    }
    if let Some(e) = table.enumeration(name) {
        return Some(What::Enum(e));
    }
    if let Some(ty) = table.typedef(name) {
        return Some(of_type(table, ty.clone()));
    }
    let udt = table
        .udts()
        .filter(|udt| udt.name.eq_ignore_ascii_case(name))
        .min_by_key(|udt| udt.name.clone());
    if let Some(udt) = udt {
        return Some(What::Udt(udt));
    }
    let e = table
        .enumerations()
        .filter(|e| e.name.eq_ignore_ascii_case(name))
        .min_by_key(|e| e.name.clone());
    e.map(What::Enum)
}

/// The names that Windows' headers give to the types of the language.
fn plain(name: &str) -> Option<Type> {
    use BaseKind::{Bool, Char, Float, Int};
    let (c, size, signed, kind) = match name.to_ascii_uppercase().as_str() {
        "CHAR" | "CCHAR" | "INT8" => ("char", 1, true, Char),
        "UCHAR" | "BYTE" | "UINT8" | "BOOLEAN" | "UNSIGNED CHAR" => {
            ("unsigned char", 1, false, Char)
        }
        "WCHAR" | "WCHAR_T" => ("wchar", 2, true, Int),
        "SHORT" | "CSHORT" | "INT16" => ("short", 2, true, Int),
        "USHORT" | "WORD" | "UINT16" | "UNSIGNED SHORT" => ("unsigned short", 2, false, Int),
        "LONG" | "INT" | "INT32" | "LONG32" | "NTSTATUS" => ("long", 4, true, Int),
        "ULONG" | "DWORD" | "UINT" | "UINT32" | "ULONG32" | "UNSIGNED LONG" | "UNSIGNED INT"
        | "ACCESS_MASK" => ("unsigned long", 4, false, Int),
        "LONGLONG" | "LONG64" | "INT64" | "LONG_PTR" | "INT_PTR" | "__INT64" | "LONG LONG" => {
            ("long long", 8, true, Int)
        }
        "ULONGLONG" | "ULONG64" | "UINT64" | "DWORD64" | "ULONG_PTR" | "UINT_PTR" | "SIZE_T"
        | "UNSIGNED __INT64" | "UNSIGNED LONG LONG" => ("unsigned long long", 8, false, Int),
        "BOOL" => ("bool", 1, false, Bool),
        "FLOAT" => ("float", 4, true, Float),
        "DOUBLE" => ("double", 8, true, Float),
        "PVOID" | "HANDLE" => return Some(Type::Pointer(Box::new(Type::Void))),
        _ => return None,
    };
    Some(Type::Base(Base {
        name: c.into(),
        size,
        signed,
        kind,
    }))
}

/// Whether a word in brackets is a type: `(unsigned long)`.
pub fn is_plain(word: &str) -> bool {
    plain(word.trim_matches(['(', ')'])).is_some()
}

/// The types that fit a pattern, by name, with the module of each.
pub fn fitting<'a>(kernel: &'a Kernel, name: &str, is_prefix: bool) -> Vec<Found<'a>> {
    let (module, bare) = name.split_once('!').unwrap_or(("", name));
    let bare = if is_prefix {
        format!("{bare}*")
    } else {
        bare.to_string()
    };
    let pattern = Wildcard::new(&bare);
    let mut found = Vec::new();
    for module in searched(kernel, module) {
        let Some(table) = kernel.symbols_of(module) else {
            continue;
        };
        let udts = table.udts().filter(|udt| pattern.matches(&udt.name));
        let enums = table.enumerations().filter(|e| pattern.matches(&e.name));
        let mut here: Vec<What<'a>> = udts.map(What::Udt).chain(enums.map(What::Enum)).collect();
        here.sort_by_key(|what| match what {
            What::Udt(udt) => udt.name.clone(),
            What::Enum(e) => e.name.clone(),
            What::Plain(_) => "".into(),
        });
        found.extend(here.into_iter().map(|what| Found {
            module: &module.name,
            table,
            what,
            count: None,
            at: None,
        }));
    }
    found
}

/// Lists types, those of one size only where that is wanted.
///
/// # Errors
/// Those of the sink.
pub fn list(
    stop: &AtomicBool,
    found: &[Found<'_>],
    size: Option<u64>,
    verbose: bool,
    out: &mut dyn Sink,
) -> Result<()> {
    out.table(TypeRow::SCHEMA)?;
    for found in found {
        sink::check(stop)?;
        let row = match &found.what {
            What::Udt(udt) => TypeRow {
                module: found.module,
                name: &udt.name,
                kind: if udt.kind == UdtKind::Union {
                    "union"
                } else {
                    "struct"
                },
                size_bytes: udt.size,
                elements: udt.fields.len(),
                verbose,
            },
            What::Enum(e) => TypeRow {
                module: found.module,
                name: &e.name,
                kind: "enum",
                size_bytes: e.size,
                elements: e.constants.len(),
                verbose,
            },
            What::Plain(_) => continue,
        };
        if size.is_none_or(|size| size == row.size_bytes) {
            out.row(&row)?;
        }
    }
    Ok(())
}
