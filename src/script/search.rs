//! Searching from a script: hits are values that a loop takes one by one, each knows its module and section, and a
//! search knows how much of its range was there to be searched.

use super::addr::{Answer, address};
use super::host::Host;
use super::patterns::{self, Wanted};
use super::registry::{Registry, fail, stopped, type_name};
use super::row::RowObject;
use super::walk::{Area, Place, Walk, present};
use crate::addr::Virt;
use crate::command::{Kept, Value};
use crate::kernel::{Kernel, Module};
use crate::memory::AddressSpace;
use crate::symbols::pe::{Image, Section};
use rhai::{Array, Dynamic, INT, Map};
use std::sync::{Arc, OnceLock};

/// `IMAGE_SCN_MEM_EXECUTE`.
const EXECUTABLE: u32 = 0x2000_0000;

/// How many bytes of context a hit shows, as kd's `s` does.
const CONTEXT: usize = 16;

/// A search, not yet done: each loop over it searches anew.
#[derive(Clone)]
pub(super) struct Hits(Arc<Search>);

struct Search {
    host: Arc<Host>,
    kernel: Arc<Kernel>,
    wanted: Arc<Wanted>,
    areas: Arc<[Area]>,
    /// Sections by the place of the module in the kernel's list, read when a hit lies in that module.
    sections: Vec<OnceLock<Vec<Section>>>,
    /// Whether the areas are modules, so that the remark on what was missing can name them.
    modules: bool,
}

/// The options of a search, from a map.
#[derive(Default)]
struct Options {
    any_case: bool,
    code_only: bool,
    modules: Option<Vec<String>>,
}

impl Options {
    fn read(map: &Map) -> Answer<Options> {
        let mut options = Options::default();
        let truth = |name: &str, value: &Dynamic| {
            value
                .as_bool()
                .map_err(|_| fail(format!("{name}: is true or false")))
        };
        for (name, value) in map {
            match name.as_str() {
                "any_case" => options.any_case = truth(name, value)?,
                "code_only" => options.code_only = truth(name, value)?,
                "modules" => {
                    let names = value
                        .as_array_ref()
                        .map_err(|_| fail("modules: takes an array of names or rows"))?;
                    options.modules = Some(names.iter().map(module_name).collect::<Answer<_>>()?);
                }
                other => {
                    return Err(fail(format!(
                        "a search has no option '{other}'; it has any_case, code_only, modules"
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

impl Hits {
    fn new(host: &Arc<Host>, areas: Vec<Area>, wanted: Wanted, modules: bool) -> Answer<Hits> {
        let kernel = host.kernel()?;
        let sections = kernel.modules().iter().map(|_| OnceLock::new()).collect();
        let (wanted, areas) = (Arc::new(wanted), areas.into());
        Ok(Hits(Arc::new(Search {
            host: Arc::clone(host),
            kernel,
            wanted,
            areas,
            sections,
            modules,
        })))
    }

    fn in_range(
        host: &Arc<Host>,
        start: Virt,
        length: u64,
        pattern: &Dynamic,
        options: &Options,
    ) -> Answer<Hits> {
        let wanted = patterns::read(pattern, options.any_case)?;
        let whole = Area { start, length };
        let areas = if options.code_only {
            code(&*host.kernel()?, whole)
        } else {
            vec![whole]
        };
        Hits::new(host, areas, wanted, false)
    }

    fn in_modules(host: &Arc<Host>, pattern: &Dynamic, options: &Options) -> Answer<Hits> {
        let kernel = host.kernel()?;
        let chosen: Vec<&Module> = match &options.modules {
            None => kernel.modules().iter().collect(),
            Some(names) => names
                .iter()
                .map(|name| {
                    kernel
                        .module(name)
                        .ok_or_else(|| fail(format!("no module '{name}' is loaded")))
                })
                .collect::<Answer<_>>()?,
        };
        let whole = chosen.iter().map(|module| Area {
            start: module.base,
            length: module.size,
        });
        let areas = if options.code_only {
            whole.flat_map(|area| code(&kernel, area)).collect()
        } else {
            whole.collect()
        };
        Hits::new(
            host,
            areas,
            patterns::read(pattern, options.any_case)?,
            true,
        )
    }

    fn iter(&self) -> HitsIter {
        let search = &self.0;
        let walk = Walk::new(search.kernel.space().clone(), &search.wanted, &search.areas);
        HitsIter {
            search: Arc::clone(search),
            walk,
            over: false,
        }
    }

    /// How much of each area is in the dump.
    fn coverage(&self) -> Array {
        let space = self.0.kernel.space();
        let rows = self.0.areas.iter().map(|area| {
            let there = present(space, *area);
            let module = self
                .0
                .kernel
                .module_at(area.start)
                .map(|module| module.name.clone());
            let text = format!(
                "{:<12} {there:#x} of {:#x} bytes in the dump",
                module.as_deref().unwrap_or("memory"),
                area.length
            );
            let record = vec![
                ("module", Value::from(module)),
                ("start", area.start.into()),
                ("bytes", area.length.into()),
                ("bytes_searched", there.into()),
                ("whole", (there == area.length).into()),
            ];
            Dynamic::from(RowObject::new(Kept {
                kind: "coverage",
                record,
                text,
            }))
        });
        rows.collect()
    }
}

/// The executable sections in an area that is a module; all of it when its headers are not in the dump.
fn code(kernel: &Kernel, area: Area) -> Vec<Area> {
    let Some(module) = kernel.module_at(area.start) else {
        return vec![area];
    };
    let sections = sections(kernel.space(), module);
    let code: Vec<Area> = sections
        .iter()
        .filter(|section| section.flags & EXECUTABLE != 0)
        .map(|section| Area {
            start: module.base + section.rva,
            length: u64::from(section.virtual_size),
        })
        .collect();
    if sections.is_empty() {
        vec![area]
    } else {
        code
    }
}

fn sections(space: &AddressSpace, module: &Module) -> Vec<Section> {
    Image::read(space, module.base)
        .map(|image| image.headers().sections.clone())
        .unwrap_or_default()
}

impl Search {
    /// A hit as a row.
    fn row(&self, place: Place) -> RowObject {
        let module = self
            .kernel
            .modules()
            .iter()
            .enumerate()
            .find(|(_, module)| module.contains(place.at));
        let section = module.and_then(|(index, module)| {
            let sections = self
                .sections
                .get(index)?
                .get_or_init(|| sections(self.kernel.space(), module));
            let rva = place.at - module.base;
            sections
                .iter()
                .find(|s| rva.wrapping_sub(u64::from(s.rva.0)) < u64::from(s.virtual_size))
        });
        let outside = |what: &str| Value::Absent(format!("the address lies in no {what}"));
        let pattern = self
            .wanted
            .names
            .get(place.pattern)
            .cloned()
            .unwrap_or_default();
        let mut context = [0; CONTEXT];
        let (there, _) = self.kernel.space().read_prefix(place.at, &mut context);
        let context = context.get(..there).unwrap_or_default();
        let record = vec![
            ("va", place.at.into()),
            (
                "module",
                module.map_or_else(|| outside("module"), |(_, m)| m.name.as_str().into()),
            ),
            (
                "module_offset",
                module.map_or_else(|| outside("module"), |(_, m)| (place.at - m.base).into()),
            ),
            (
                "section",
                section.map_or_else(|| outside("section"), |s| s.name.as_str().into()),
            ),
            (
                "section_offset",
                section.zip(module).map_or_else(
                    || outside("section"),
                    |(s, (_, m))| (place.at - (m.base + s.rva)).into(),
                ),
            ),
            (
                "executable",
                section.map_or_else(
                    || outside("section"),
                    |s| (s.flags & EXECUTABLE != 0).into(),
                ),
            ),
            ("pattern", pattern.into()),
            ("bytes", context.to_vec().into()),
        ];
        let kept = Kept {
            kind: "search_hit",
            record,
            text: line(place.at, context),
        };
        RowObject::labelled(kept, place.at.to_string())
    }

    /// Said at the end of a search through modules, so that nobody takes "not found" for "not there".
    fn remark(&self) -> Answer<()> {
        if !self.modules {
            return Ok(());
        }
        let space = self.kernel.space();
        let there: u64 = self.areas.iter().map(|area| present(space, *area)).sum();
        let whole: u64 = self.areas.iter().map(|area| area.length).sum();
        if there == whole {
            return Ok(());
        }
        self.host.note(format!(
            "searched {} of {} in modules: the rest is not in the dump (coverage() says what is missing where)",
            size(there),
            size(whole)
        ))
    }
}

/// Bytes for a person.
fn size(bytes: u64) -> String {
    match bytes as f64 / 1024.0 {
        kib if kib < 1024.0 => format!("{kib:.0} KiB"),
        kib => format!("{:.1} MiB", kib / 1024.0),
    }
}

/// kd's line of a hit: the address, sixteen bytes, the text.
fn line(at: Virt, context: &[u8]) -> String {
    let mut bytes = String::new();
    let mut text = String::new();
    for i in 0..CONTEXT {
        let between = if i == 8 { "-" } else { " " };
        match context.get(i) {
            Some(&b) => {
                bytes += &format!("{between}{b:02x}");
                text.push(if (0x20..0x7f).contains(&b) {
                    char::from(b)
                } else {
                    '.'
                });
            }
            None => {
                bytes += &format!("{between}??");
                text.push('?');
            }
        }
    }
    format!("{at} {bytes}  {text}")
}

/// A loop over hits.
pub(super) struct HitsIter {
    search: Arc<Search>,
    walk: Walk,
    over: bool,
}

impl Iterator for HitsIter {
    type Item = Answer<Dynamic>;

    fn next(&mut self) -> Option<Answer<Dynamic>> {
        loop {
            if let Some(place) = self.walk.take() {
                return Some(Ok(Dynamic::from(self.search.row(place))));
            }
            if self.over {
                return None;
            }
            if self.search.host.is_stopped() {
                self.over = true;
                return Some(Err(stopped()));
            }
            if !self.walk.search() {
                self.over = true;
                if let Err(why) = self.search.remark() {
                    return Some(Err(why));
                }
            }
        }
    }
}

impl IntoIterator for Hits {
    type Item = Answer<Dynamic>;
    type IntoIter = HitsIter;

    fn into_iter(self) -> HitsIter {
        self.iter()
    }
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
        "Searches every module in one pass. A pattern is text, a blob, an address (its eight bytes) or a map with one of text, utf16, hex (`\"41 b8 ?? ?? 61 6b\"`), bytes, u8 to u64, and any_case, align; several stand in an array. Options: `any_case`, `code_only`, `modules` (an array of names or rows).",
    );
    let on = Arc::clone(host);
    r.engine.register_fn("search_all", move |pattern: Dynamic| {
        Hits::in_modules(&on, &pattern, &Options::default())
    });
    let on = Arc::clone(host);
    r.engine
        .register_fn("search_all", move |pattern: Dynamic, options: Map| {
            Hits::in_modules(&on, &pattern, &Options::read(&options)?)
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
            Hits::in_range(
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
            Hits::in_range(
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
    Hits::in_range(host, start, length, pattern, options)
}
