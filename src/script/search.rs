//! Searching from a script: `search`, `search_all` and `module.search`, with their patterns and options.

use super::addr::{Answer, address};
use super::hits::{Hits, HitsIter, code};
use super::host::{Host, refused};
use super::patterns;
use super::registry::{Registry, fail, type_name};
use super::row::RowObject;
use crate::command::Value;
use rhai::{Array, Dynamic, INT, Map};
use rkd_dump::addr::Virt;
use rkd_dump::memory::AddressSpace;
use rkd_kernel::Module;
use rkd_scan::{Source, Span};
use std::sync::Arc;

/// The options of a search, from a map.
#[derive(Default)]
pub(super) struct Options {
    pub any_case: bool,
    pub writable: bool,
    code_only: bool,
    modules: Option<Vec<String>>,
}

impl Options {
    pub(super) fn read(map: &Map) -> Answer<Options> {
        let mut options = Options::default();
        let truth = |name: &str, value: &Dynamic| {
            value
                .as_bool()
                .map_err(|_| fail(format!("{name}: is true or false")))
        };
        for (name, value) in map {
            match name.as_str() {
                "any_case" => options.any_case = truth(name, value)?,
                "writable" => options.writable = truth(name, value)?,
                "code_only" => options.code_only = truth(name, value)?,
                "modules" => {
                    let names = value
                        .as_array_ref()
                        .map_err(|_| fail("modules: takes an array of names or rows"))?;
                    options.modules = Some(names.iter().map(module_name).collect::<Answer<_>>()?);
                }
                other => {
                    return Err(fail(format!(
                        "a search has no option '{other}'; it has any_case, writable, code_only, modules"
                    )));
                }
            }
        }
        Ok(options)
    }
}

fn module_name(value: &Dynamic) -> Answer<String> {
    if let Some(row) = value.clone().try_cast::<RowObject>()
        && let Some(Value::Str(name)) = row.cell("name")
    {
        return Ok(name.clone());
    }
    value.clone().into_string().map_err(|_| {
        fail(format!(
            "a module is named by text or a row, not by {}",
            type_name(value)
        ))
    })
}

fn in_range(
    host: &Arc<Host>,
    start: Virt,
    length: u64,
    pattern: &Dynamic,
    options: &Options,
) -> Answer<Hits> {
    let wanted = patterns::read(pattern, options.any_case)?;
    let whole = Span::new(start, length);
    let spans = if options.code_only {
        code(&*host.kernel()?, whole)
    } else {
        vec![whole]
    };
    let source = source(host.space()?, options)?;
    Hits::new(host, source, spans, wanted, false)
}

/// All of an address space that the options want.
pub(super) fn source(space: AddressSpace, options: &Options) -> Answer<Source> {
    if !options.writable {
        return Ok(Source::Virtual(space));
    }
    if space.root().is_none() {
        return Err(fail(
            "this dump has no page tables, which say what may be written to: search without writable",
        ));
    }
    Ok(Source::Writable(space))
}

fn in_modules(host: &Arc<Host>, pattern: &Dynamic, options: &Options) -> Answer<Hits> {
    let kernel = host.kernel()?;
    let chosen: Vec<&Module> = match &options.modules {
        None => kernel.loaded_modules().map_err(refused)?.iter().collect(),
        Some(names) => names
            .iter()
            .map(|name| {
                kernel
                    .module(name)
                    .ok_or_else(|| fail(format!("no module '{name}' is loaded")))
            })
            .collect::<Answer<_>>()?,
    };
    let whole = chosen
        .iter()
        .map(|module| Span::new(module.base, module.size));
    let spans = if options.code_only {
        whole.flat_map(|span| code(&kernel, span)).collect()
    } else {
        whole.collect()
    };
    Hits::new(
        host,
        source(kernel.space().clone(), options)?,
        spans,
        patterns::read(pattern, options.any_case)?,
        true,
    )
}

/// The hits of a value, when it is a search: the prompt shows them as they are found.
pub(super) fn hits(value: &Dynamic) -> Option<HitsIter> {
    value.clone().try_cast::<Hits>().map(Hits::into_iter)
}

/// Registers the functions.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    r.engine
        .register_type_with_name::<Hits>("Hits")
        .register_iterator_result::<Hits, Dynamic>()
        .register_fn("to_array", |hits: &mut Hits| {
            hits.iter().collect::<Answer<Array>>()
        })
        .register_fn("count", |hits: &mut Hits| -> Answer<INT> {
            hits.iter().try_fold(0, |n, hit| hit.map(|_| n + 1))
        })
        .register_fn("first", |hits: &mut Hits| -> Answer<Dynamic> {
            hits.iter().next().unwrap_or(Ok(Dynamic::UNIT))
        })
        .register_fn("coverage", |hits: &mut Hits| hits.coverage());
    r.property("hits", "to_array()", "all hits as an array");
    r.property("hits", "count()", "how many there are");
    r.property(
        "hits",
        "first()",
        "the first one, `()` when there is none; nothing behind it is searched",
    );
    r.property(
        "hits",
        "coverage()",
        "a row for each range that is searched: how many of its bytes are in the dump",
    );
    everywhere(r, host);
    ranges(r, host);
    rows(r, host);
}

fn everywhere(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "search_all(patterns[, options])",
        "Searches every module in one pass. A pattern is text, a blob, an address (its eight bytes) or a map with one of text, utf16, hex (`\"41 b8 ?? ?? 61 6b\"`), bytes, u8 to u64, and any_case, align; several stand in an array. Options: `any_case`, `writable`, `code_only`, `modules` (an array of names or rows).",
    );
    let on = Arc::clone(host);
    r.engine.register_fn("search_all", move |pattern: Dynamic| {
        in_modules(&on, &pattern, &Options::default())
    });
    let on = Arc::clone(host);
    r.engine
        .register_fn("search_all", move |pattern: Dynamic, options: Map| {
            in_modules(&on, &pattern, &Options::read(&options)?)
        });
}

fn ranges(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "search(address, length, patterns[, options])",
        "Searches a range of memory; what is not in the dump is passed over, however long it is. Hits come one by one: a loop that breaks off stops the search.",
    );
    let on = Arc::clone(host);
    r.engine.register_fn(
        "search",
        move |start: Dynamic, length: Dynamic, pattern: Dynamic| -> Answer<Hits> {
            in_range(
                &on,
                address(&start)?,
                address(&length)?.0,
                &pattern,
                &Options::default(),
            )
        },
    );
    let on = Arc::clone(host);
    r.engine.register_fn(
        "search",
        move |start: Dynamic, length: Dynamic, pattern: Dynamic, options: Map| -> Answer<Hits> {
            in_range(
                &on,
                address(&start)?,
                address(&length)?.0,
                &pattern,
                &Options::read(&options)?,
            )
        },
    );
}

fn rows(r: &mut Registry, host: &Arc<Host>) {
    r.property(
        "module",
        "search(patterns[, options])",
        "searches the module (any row with `start` and `end`)",
    );
    r.property("module", "search_all(patterns[, options])", "the same");
    r.property(
        "module",
        "read(offset, length)",
        "bytes of the module, as a blob",
    );
    for name in ["search", "search_all"] {
        let on = Arc::clone(host);
        r.engine
            .register_fn(name, move |row: &mut RowObject, pattern: Dynamic| {
                in_row(&on, row, &pattern, &Options::default())
            });
        let on = Arc::clone(host);
        r.engine.register_fn(
            name,
            move |row: &mut RowObject, pattern: Dynamic, options: Map| {
                in_row(&on, row, &pattern, &Options::read(&options)?)
            },
        );
    }
    let on = Arc::clone(host);
    r.engine.register_fn(
        "read",
        move |row: &mut RowObject, offset: INT, length: INT| -> Answer<rhai::Blob> {
            let (start, size) = row.range()?;
            let offset = u64::try_from(offset).ok().filter(|offset| *offset <= size);
            let offset = offset.ok_or_else(|| {
                fail(format!(
                    "the offset must lie in the range, between 0 and {size:#x}"
                ))
            })?;
            super::memory::read_bytes(&on.space()?, start + offset, length)
        },
    );
}

/// An unloaded module left its addresses to whoever came next: nothing of it can be found there.
fn in_row(host: &Arc<Host>, row: &RowObject, pattern: &Dynamic, options: &Options) -> Answer<Hits> {
    let (start, length) = row.range()?;
    let length = if row.kept().kind == "unloaded_module" {
        0
    } else {
        length
    };
    in_range(host, start, length, pattern, options)
}
