//! What kd says when it has opened a dump, line by line.

use crate::command::{Flow, Sink};
use crate::commands::registers::CurrentInstruction;
use crate::commands::{reload, symbol_path, vertarget};
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_kernel::bugcheck::maker;
use rkd_kernel::target::Target;

/// Shows the banner; what kd does not say (where the symbols come from, what the dump lacks) as notes.
///
/// `images` is the path of executables, for its line.
///
/// # Errors
/// Those of the sink.
pub fn show(session: &mut Session, images: &str, out: &mut dyn Sink) -> Result<Flow> {
    // The prompt does not wait for a server's names: they come with the first command that needs them.
    session.target.servers.hold(true);
    let shown = lines(session, images, out);
    session.target.servers.hold(false);
    shown
}

fn lines(session: &mut Session, images: &str, out: &mut dyn Sink) -> Result<Flow> {
    let kernel = session.target.kernel.clone();
    let dump = kernel.dump();
    out.text(&format!(
        "\nrkd {} - a debugger for Windows kernel dumps, in kd's words\n\n",
        env!("CARGO_PKG_VERSION")
    ))?;
    out.text(&format!("Loading Dump File [{}]", dump.path().display()))?;
    out.text(&format!("{}\n", dump.format().description))?;
    if let Some(comment) = dump.comment() {
        out.text(&format!("Comment: '{comment}'"))?;
    }
    match session.target.symbol_path.as_str() {
        "" => symbol_path::show(session, out)?,
        // .sympath has a second line, the banner has not.
        path => out.text(&format!("Symbol search path is: {path}"))?,
    }
    out.text(&format!("Executable search path is: {images}"))?;
    for line in vertarget::lines(session, &Target::of(&kernel)) {
        out.text(&line)?;
    }
    reload::progress(&kernel, out)?;
    // A dump of a running system has no bug check, and nothing to analyse.
    if dump
        .crash()
        .is_some_and(|crash| crash.code != 0 && maker(crash.code).is_none())
    {
        out.text("For analysis of this file, run !analyze -v")?;
    }
    if let Ok(context) = kernel.context(session.target.processor) {
        out.text(&CurrentInstruction::of(&kernel, session.target.processor, &context).text())?;
    }
    Ok(Flow::Continue)
}
