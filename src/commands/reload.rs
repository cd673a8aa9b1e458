//! `.reload`: reads the modules and their symbols again.

mod request;

use crate::command::signature::{Item, Kind, Unknown};
use crate::command::wildcard::Wildcard;
use crate::command::{
    Args, Command, Example, Grammar, KdLine, Row, Signature, Sink, Topic, show_journal, sink,
};
use crate::session::Session;
use request::{Request, Wanted};
use rkd_dump::error::Result;
use rkd_kernel::{Kernel, Module, Options};
use rkd_symbols::Source;
use std::sync::Arc;

/// `.reload`: read the modules and their symbols again.
pub static COMMAND: Command = Command {
    name: ".reload",
    aliases: &[],
    rhai: "",
    topic: Topic::Symbols,
    summary: "read the modules and their symbols again",
    grammar: Grammar::Signature(Signature {
        unknown: Unknown::NoSwitch("/f /i /u /v /n"),
        ..Signature::of(&[
            Item::flag("/f", "reads the symbols at once, from servers too"),
            Item::flag("/i", "takes a symbol file of another build, where there is no right one: its addresses may be wrong"),
            Item::flag("/u", "forgets the symbols, and the module if it was placed by hand"),
            Item::flag("/v", "tells every place that is tried, as !sym noisy does"),
            Item::flag("/n", "nothing here: there are no user-mode modules to leave out"),
            // Unloaded modules, the order, prompts.
            Item::Idle(&["/d", "/l", "/o", "/s", "/sc", "/unl", "/user", "/w", "/a", "/p"]),
            Item::several("Module[=Address[,Size]]", Kind::Placed, "only this one's symbols are forgotten; * and ? stand in a name"),
        ])
    }),
    help: "\
Reads the list of modules again and forgets all symbols: they are read anew when they are needed, from where .sympath says now.
Servers that were left alone are asked again.

Name=Address,Size places a module by hand where the list of modules does not have it: one that hides itself, or one of a dump
without its list. The symbols of nt come from a file on the path with its GUID and age, or else from what rkd knows of this
kernel, or else from a server; with /f a server is asked before. A note says which one is in use.",
    examples: &[
        Example {
            line: ".reload",
            shows: "one dot for each module",
            output: "\
Loading Kernel Symbols
...............................................................
................................................................
................................................
Loading User Symbols

Loading unloaded module list
..",
        },
        Example {
            line: ".reload /f nonesuch",
            shows: "a module that is not there",
            output: "\"nonesuch\" was not found in the image list.",
        },
    ],
    rows: &[Read::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let request = Request::of(args);
    let was_noisy = session.target.servers.journal().is_noisy();
    session
        .target
        .servers
        .journal()
        .set_noisy(was_noisy || request.noisy);
    let done = reload(session, &request, out);
    let told = show_journal(session, out);
    session.target.servers.journal().set_noisy(was_noisy);
    done.and(told)
}

fn reload(session: &mut Session, request: &Request, out: &mut dyn Sink) -> Result<()> {
    for wanted in &request.modules {
        if request.unload {
            session
                .target
                .placed
                .retain(|module| !is_named(wanted, module));
        } else if let Some(module) = wanted.placed(session)? {
            session
                .target
                .placed
                .retain(|known| known.base != module.base);
            session.target.placed.push(module);
        }
    }
    session.target.servers.forgive();
    let old = Arc::clone(&session.target.kernel);
    let all = request.modules.is_empty();
    let is_wanted = |module: &Module| all || request.modules.iter().any(|w| is_named(w, module));
    let nt_is_wanted = old.modules().first().is_none_or(is_wanted);
    let options = Options {
        fetch: request.now,
        mismatched: request.mismatched,
        placed: session.target.placed.clone(),
        // nt's symbols are the ground on which everything else is read: they stay, unless they are meant.
        table: match nt_is_wanted {
            true => None,
            false => old.table_shared(),
        },
        ..session.target.options()
    };
    let kernel = Kernel::of_dump(Arc::clone(old.dump()), &options);
    kernel.keep_symbols(&old, |module| !is_wanted(module));
    session.target.processor = session.target.processor.min(kernel.processors() - 1);
    session.target.kernel = Arc::new(kernel);
    if all {
        progress(&session.target.kernel, out)?;
    }
    for wanted in &request.modules {
        let is_there = |kernel: &Kernel| kernel.modules().iter().any(|m| is_named(wanted, m));
        let is_gone = request.unload && is_there(&old);
        if !is_gone && !is_there(&session.target.kernel) {
            session.control.errors += 1;
            out.text(&format!(
                "\"{}\" was not found in the image list.",
                wanted.name
            ))?;
        }
    }
    match request.now && !request.unload {
        true => read_now(session, is_wanted, out),
        false => Ok(()),
    }
}

/// kd takes a module's name, or its image's with or without the extension.
fn is_named(wanted: &Wanted, module: &Module) -> bool {
    let pattern = Wildcard::new(&wanted.name.to_lowercase());
    [&module.name, &module.image_name]
        .iter()
        .any(|name| pattern.matches(&name.to_lowercase()))
}

fn read_now(
    session: &mut Session,
    is_wanted: impl Fn(&Module) -> bool,
    out: &mut dyn Sink,
) -> Result<()> {
    let kernel = Arc::clone(&session.target.kernel);
    let modules: Vec<&Module> = kernel.modules().iter().filter(|m| is_wanted(m)).collect();
    let total = modules.len() as u64;
    for (done, module) in (0..).zip(modules) {
        out.progress(done, total, "modules")?;
        kernel.symbols_of(module);
        sink::check(&session.control.stop)?;
        show_journal(session, out)?;
        out.row(&Read::new(&kernel, module))?;
    }
    out.progress(total, total, "modules")
}

/// What came of a module's symbols.
#[derive(Row)]
#[row(kind = "symbols")]
struct Read<'a> {
    /// The module.
    module: &'a str,
    /// The name of its image.
    image: &'a str,
    /// The PDB that the image asks for: name, GUID and age.
    pdb: Result<String>,
    /// Where its symbols come from.
    #[row(absent = "neither a symbol file nor the image's exports are to be had")]
    source: Option<String>,
    /// Whether they are of another build.
    mismatched: bool,
    /// Every place that was tried, with what came of it.
    tried: Vec<String>,
    #[row(skip)]
    are_exports: bool,
}

impl<'a> Read<'a> {
    fn new(kernel: &Kernel, module: &'a Module) -> Read<'a> {
        let loaded = kernel.loaded_symbols(module);
        let source = kernel.symbols_of(module).map(|table| table.source());
        Read {
            module: &module.name,
            image: &module.image_name,
            pdb: kernel.pdb_of(module).map(|id| id.to_string()),
            source: source.map(ToString::to_string),
            mismatched: loaded.is_some_and(|loaded| loaded.is_mismatched),
            tried: loaded.map_or_else(Vec::new, |loaded| {
                loaded.tried.iter().map(ToString::to_string).collect()
            }),
            are_exports: matches!(source, Some(Source::Exports)),
        }
    }
}

impl KdLine for Read<'_> {
    fn line(&self) -> String {
        match self.source {
            Some(_) if self.are_exports => format!(
                "*** ERROR: Symbol file could not be found.  Defaulted to export symbols for {} - ",
                self.image
            ),
            None => format!(
                "*** ERROR: Module load completed but symbols could not be loaded for {}",
                self.image
            ),
            Some(_) => String::new(),
        }
    }
}

/// What kd prints while it loads: a dot for each module. The start-up banner ends with the same lines.
///
/// # Errors
/// Those of the sink.
pub fn progress(kernel: &Kernel, out: &mut dyn Sink) -> Result<()> {
    out.text(&format!(
        "Loading Kernel Symbols\n{}",
        dots(kernel.modules().len())
    ))?;
    out.text("Loading User Symbols\n")?;
    out.text(&format!(
        "Loading unloaded module list\n{}",
        dots(kernel.unloaded().len())
    ))?;
    if let Ok(table) = kernel.table() {
        out.note(&format!("symbols of nt: {}", table.source()))?;
    }
    kernel.notes().iter().try_for_each(|note| out.note(note))
}

/// One dot for each module: 63 on the first line and 64 on the others, as in every transcript of kd.
fn dots(modules: usize) -> String {
    let mut lines = vec![".".repeat(modules.min(63))];
    let mut rest = modules.saturating_sub(63);
    while rest > 0 {
        lines.push(".".repeat(rest.min(64)));
        rest = rest.saturating_sub(64);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::dots;

    #[test]
    fn a_dot_for_each_module() {
        let lengths = |modules| dots(modules).split('\n').map(str::len).collect::<Vec<_>>();
        assert_eq!(lengths(0), [0]);
        assert_eq!(lengths(63), [63]);
        assert_eq!(lengths(64), [63, 1]);
        assert_eq!(lengths(151), [63, 64, 24]);
    }
}
