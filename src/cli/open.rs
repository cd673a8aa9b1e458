//! From a file and the switches to a session.

use super::World;
use crate::dump::Dump;
use crate::error::Result;
use crate::kernel::{Kernel, Options};
use crate::repl::shell::Shell;
use crate::session::Session;
use crate::symbols::SymbolPath;
use jiff::tz::TimeZone;
use std::path::Path;

/// Opens a dump with everything that the command line says.
///
/// # Errors
/// When the file is no dump.
pub fn session(world: &World<'_>, path: &Path) -> Result<Session> {
    let common = &world.cli.common;
    let symbols = common.symbols.clone().unwrap_or_default();
    let dump = Dump::open(path)?;
    let mut session = Session::new(Kernel::open(
        dump,
        &Options {
            symbols: SymbolPath::parse(&symbols),
        },
    ));
    session.symbol_path = symbols;
    session.stop = world.stop.clone();
    if let Some(zone) = &common.zone {
        session.time_zone = zone.clone();
    }
    session.load_tag_names(common.pooltag.as_deref())?;
    Ok(session)
}

/// A zone by its name in the time zone database (`Asia/Shanghai`), or by POSIX's description (`CST-8`).
///
/// # Errors
/// What to say instead.
pub fn time_zone(name: &str) -> std::result::Result<TimeZone, String> {
    TimeZone::get(name)
        .or_else(|_| TimeZone::posix(name))
        .map_err(|_| {
            format!("{name}: no such time zone; say for example Asia/Shanghai, UTC or CST-8")
        })
}

/// Shows the banner.
///
/// # Errors
/// Those of the output.
pub fn banner(world: &World<'_>, shell: &mut Shell) -> Result<()> {
    let images = world.cli.common.images.as_deref().unwrap_or_default();
    shell
        .show("banner", |session, out| {
            crate::repl::banner::show(session, images, out)
        })
        .map(drop)
}
