//! What kd says when it has opened a dump, line by line.

use crate::command::{Flow, Sink};
use crate::commands::vertarget;
use crate::error::Result;
use crate::kernel::target::Target;
use crate::session::Session;

/// kd's remark on an empty symbol path.
const NO_SYMBOL_PATH: &str = "\
Symbol search path is: *** Invalid ***
****************************************************************************
* Symbol loading may be unreliable without a symbol search path.           *
* Use .symfix to have the debugger choose a symbol path.                   *
* After setting your symbol path, use .reload to refresh symbol locations. *
****************************************************************************";

/// Shows the banner; what kd does not say (where the symbols come from, what the dump lacks) as notes.
///
/// `images` is the path of executables, for its line.
///
/// # Errors
/// Those of the sink.
pub fn show(session: &mut Session, images: &str, out: &mut dyn Sink) -> Result<Flow> {
    let kernel = session.kernel.clone();
    let dump = kernel.dump();
    out.text(&format!(
        "\nrkd {} - a debugger for Windows kernel dumps, in kd's words\n\n",
        env!("CARGO_PKG_VERSION")
    ))?;
    out.text(&format!("Loading Dump File [{}]", dump.path().display()))?;
    out.text(&format!("{}\n", dump.kind().description()))?;
    if let Some(comment) = &dump.header().comment {
        out.text(&format!("Comment: '{comment}'"))?;
    }
    match session.symbol_path.as_str() {
        "" => out.text(NO_SYMBOL_PATH)?,
        path => out.text(&format!("Symbol search path is: {path}"))?,
    }
    out.text(&format!("Executable search path is: {images}"))?;
    for line in vertarget::lines(session, &Target::of(&kernel)) {
        out.text(&line)?;
    }
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
    kernel.notes().iter().try_for_each(|note| out.note(note))?;
    Ok(Flow::Continue)
}

/// One dot for each module: 63 on the first line, as kd has already printed something on it, and 64 on the others.
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
    use super::*;

    #[test]
    fn a_dot_for_each_module() {
        let lengths = |modules| dots(modules).split('\n').map(str::len).collect::<Vec<_>>();
        assert_eq!(lengths(0), [0]);
        assert_eq!(lengths(2), [2]);
        assert_eq!(lengths(63), [63]);
        assert_eq!(lengths(64), [63, 1]);
        assert_eq!(lengths(151), [63, 64, 24]);
        assert_eq!(lengths(191), [63, 64, 64]);
    }
}
