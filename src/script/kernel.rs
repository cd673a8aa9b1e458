//! What the kernel in the dump is: symbols, modules, tags, and the dump itself.

use super::addr::{Answer, address};
use super::engine::EVALUATOR;
use super::host::{Host, refused};
use super::registry::{Registry, fail, type_name};
use super::row::RowObject;
use crate::command::{KdLine, Kept, Row, masm};
use crate::commands::lm::ModuleRow;
use rhai::{Array, Dynamic, INT};
use rkd_dump::Missing;
use rkd_dump::addr::Virt;
use rkd_dump::error::Error;
use rkd_kernel::pool::Tag;
use rkd_kernel::target::Target;
use rkd_kernel::{Kernel, Module};
use std::sync::Arc;

/// Registers the functions.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    symbols(r, host);
    modules(r, host);
    tags(r);
    r.function(
        "dump_info()",
        "The dump as a row: its path and kind, the build of Windows, the processors, the bug check, times as FILETIMEs.",
    );
    let of = Arc::clone(host);
    r.engine
        .register_fn("dump_info", move || -> Answer<RowObject> {
            Ok(dump_info(&*of.kernel()?))
        });
}

fn symbols(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "sym(name)",
        "The address of a symbol: `sym(\"nt!PoolTrackTable\")`; without a module it is one of nt's. A module's name alone is its base.",
    );
    let of = Arc::clone(host);
    r.engine.register_fn("sym", move |name: &str| {
        symbol(&*of.kernel()?, name).map_err(refused)
    });

    r.function("name_of(address)", "What an address is called: `\"nt!KiPageFault+0x41e\"`, `\"myfault+0x1559\"`; `()` outside all modules.");
    let of = Arc::clone(host);
    r.engine
        .register_fn("name_of", move |at: Dynamic| -> Answer<Dynamic> {
            let kernel = of.kernel()?;
            let near = kernel.nearest(address(&at)?);
            Ok(near.map_or(Dynamic::UNIT, |near| Dynamic::from(near.to_string())))
        });

    r.function(
        "eval(text)",
        "What an expression of kd comes to, as after `?`: `eval(\"poi(nt!PoolTrackTable) + 10\")`. Always an `Addr`, because kd counts without a sign.",
    );
    let of = Arc::clone(host);
    r.engine
        .register_fn(EVALUATOR, move |text: Dynamic| -> Answer<Virt> {
            let kind = type_name(&text);
            let text = text.into_string().map_err(|_| {
                fail(format!(
                    "eval() takes the text of an expression, not {kind}"
                ))
            })?;
            of.ask(move |session, _| masm::evaluate(session, &text).map(Virt))
        });
}

fn modules(r: &mut Registry, host: &Arc<Host>) {
    r.function("modules()", "The loaded modules, as the rows of `lm o`: name, start, end, size_bytes, image_name, image_path, time_stamp, checksum ...");
    let of = Arc::clone(host);
    r.engine.register_fn("modules", move || -> Answer<Array> {
        let kernel = of.kernel()?;
        kernel.dump().check_whole().map_err(refused)?;
        let mut modules: Vec<&Module> = kernel.loaded_modules().map_err(refused)?.iter().collect();
        modules.sort_by_key(|module| module.base);
        Ok(modules
            .into_iter()
            .map(|module| Dynamic::from(row(&kernel, module)))
            .collect())
    });

    r.function("module(x)", "The loaded module of that name (in any case, without `.sys`), or the one that holds an address.");
    let of = Arc::clone(host);
    r.engine
        .register_fn("module", move |x: Dynamic| -> Answer<RowObject> {
            let kernel = of.kernel()?;
            let found = match x.as_immutable_string_ref() {
                Ok(name) => kernel
                    .module(&name)
                    .ok_or_else(|| fail(format!("no module '{}' is loaded", *name)))?,
                Err(_) => {
                    let at = address(&x)?;
                    kernel
                        .module_at(at)
                        .ok_or_else(|| fail(format!("no loaded module holds {at}")))?
                }
            };
            Ok(row(&kernel, found))
        });
}

/// The row that `lm` has for a module.
fn row(kernel: &Kernel, module: &Module) -> RowObject {
    RowObject::new(Kept::of(&ModuleRow::new(kernel, module)))
}

fn symbol(kernel: &Kernel, name: &str) -> Result<Virt, Error> {
    match name.split_once('!') {
        Some(("", name)) => kernel.symbol(name),
        Some((module, name)) => kernel.resolve(module, name),
        None => match kernel.module(name) {
            Some(module) => Ok(module.base),
            None => kernel.symbol(name),
        },
    }
}

fn tags(r: &mut Registry) {
    r.function(
        "tag(x)",
        "A pool tag as the number that code passes to the pool (`tag(\"Leak\")` is 0x6b61654c), or the text of such a number.",
    );
    r.engine.register_fn("tag", |text: &str| {
        Tag::parse(text)
            .map(|tag| INT::from(tag.to_u32()))
            .map_err(refused)
    });
    r.engine.register_fn("tag", |value: INT| {
        u32::try_from(value)
            .map(|value| Tag::from_u32(value).to_string())
            .map_err(|_| {
                fail(format!(
                    "a pool tag has four bytes: {value:#x} is no pool tag"
                ))
            })
    });
}

/// The dump that is open.
#[derive(Row)]
#[row(kind = "dump")]
struct DumpInfo {
    /// Where its file is.
    path: String,
    /// What kind of dump it is.
    kind: &'static str,
    /// Whether it holds physical memory, page tables and all.
    has_page_tables: bool,
    /// kd's name for the build of Windows.
    system: &'static str,
    /// The build number.
    #[row(absent = "which build it is cannot be told")]
    build: Option<u32>,
    /// Where and when this Windows was built.
    #[row(absent = "nt's build string is not in the dump")]
    build_lab: Option<String>,
    /// What kind of processors, in kd's words.
    machine: &'static str,
    /// How many there are.
    processors: u32,
    /// Where nt was loaded.
    #[row(absent = "where nt was loaded cannot be told")]
    kernel_base: Option<Virt>,
    /// Why Windows stopped.
    #[row(absent = "an image of memory alone has no bug check")]
    bugcheck_code: Option<u32>,
    /// The four parameters of that.
    #[row(absent = "an image of memory alone has no bug check")]
    bugcheck_parameters: Option<[Virt; 4]>,
    /// When the dump was written, in UTC.
    time_filetime: Result<u64, Missing>,
    /// How long Windows had run.
    uptime_100ns: Result<u64, Missing>,
    /// How many pages it holds.
    #[row(absent = "a triage dump holds no pages")]
    physical_pages: Option<u64>,
    /// What was odd or missing when it was opened.
    notes: Vec<String>,
}

/// It is no line of kd's: it shows as its cells.
impl KdLine for DumpInfo {
    fn line(&self) -> String {
        String::new()
    }
}

fn dump_info(kernel: &Kernel) -> RowObject {
    let dump = kernel.dump();
    let crash = dump.crash();
    let located = kernel.located();
    let target = Target::of(kernel);
    RowObject::new(Kept::of(&DumpInfo {
        path: dump.path().display().to_string(),
        kind: dump.format().description,
        has_page_tables: dump.physical().is_some(),
        system: target.name,
        build: target.build,
        build_lab: target.build_lab,
        machine: target.machine,
        processors: target.processors,
        kernel_base: target.kernel_base,
        bugcheck_code: crash.map(|crash| crash.code),
        bugcheck_parameters: crash.map(|crash| crash.parameters.map(Virt)),
        time_filetime: located.system_time.known(),
        uptime_100ns: located.up_time.known(),
        physical_pages: dump.physical().map(|memory| memory.present_pages()),
        notes: kernel.notes().to_vec(),
    }))
}
