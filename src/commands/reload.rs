//! `.reload`: reads the modules and nt's symbols again.

use crate::command::{Args, Command, Completes, Example, Sink, Topic};
use crate::error::Result;
use crate::kernel::{Kernel, Options};
use crate::session::Session;
use crate::symbols::SymbolPath;
use std::sync::Arc;

/// See the module.
pub static COMMAND: Command = Command {
    name: ".reload",
    aliases: &[],
    rhai: "",
    topic: Topic::Symbols,
    summary: "read the modules and the kernel's symbols again",
    usage: ".reload [/f] [Module]",
    help: "\
Reads the list of modules and the kernel's symbols again, after .sympath has changed where they are looked for. The order is: a
symbol table on the path whose GUID and age are those of nt (another one is refused, and a note says so), the tables of the
kernels that rkd knows, what the debugger data block tells. A note says which one is in use.

Switches and module names are accepted and mean nothing: all modules are read every time, and of other modules than nt only the
exports of their images are known.",
    completes: Completes::Modules,
    examples: &[Example {
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
    }],
    run,
};

fn run(session: &mut Session, _: &Args, out: &mut dyn Sink) -> Result<()> {
    let options = Options {
        symbols: SymbolPath::parse(&session.symbol_path),
    };
    let kernel = Kernel::of_dump(Arc::clone(session.kernel.dump()), &options);
    progress(&kernel, out)?;
    session.kernel = Arc::new(kernel);
    session.processor = session.processor.min(session.kernel.processors() - 1);
    Ok(())
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
