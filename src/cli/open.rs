//! From a file and the switches to a session.

use super::World;
use crate::render::Download;
use crate::repl::shell::Shell;
use crate::session::Session;
use jiff::tz::TimeZone;
use rkd_dump::Dump;
use rkd_dump::error::Result;
use rkd_kernel::{Kernel, Options};
use rkd_pooltags::Database;
use rkd_symbols::server::Limits;
use rkd_symbols::{ImagePath, Servers, SymbolPath};
use std::path::Path;
use std::sync::Arc;

/// Opens a dump with everything that the command line says. Ctrl-C ends a download that opening waits for.
///
/// # Errors
/// When the file is no dump.
pub(super) fn session(world: &World<'_>, path: &Path) -> Result<Session> {
    let common = &world.cli.common;
    let symbol_path = common.symbol_path();
    let servers = servers(world);
    let dump = Dump::open(path)?;
    let kernel = world.interrupts.during(|| {
        Kernel::open(
            dump,
            &Options {
                symbols: SymbolPath::parse(&symbol_path),
                servers: servers.clone(),
                ..Options::default()
            },
        )
    });
    let mut session = Session::new(kernel);
    session.target.symbol_path = symbol_path;
    session.target.servers = servers;
    session.target.image_path = ImagePath::parse(common.images.as_deref().unwrap_or_default());
    session.control.stop = world.stop.clone();
    session.permissions.files_for_scripts = common.allow;
    if let Some(zone) = &common.zone {
        session.display.time_zone = zone.clone();
    }
    if let Some(path) = &common.tag_database {
        session.target.tag_database = Some(Arc::new(Database::open(path)?));
    }
    session.target.load_tag_names(common.pooltag.as_deref())?;
    Ok(session)
}

/// Opens a dump with what is on this machine only.
///
/// # Errors
/// When the file is no dump.
pub(super) fn kernel_here(world: &World<'_>, path: &Path) -> Result<Kernel> {
    let options = Options {
        symbols: SymbolPath::parse(&world.cli.common.symbol_path()),
        ..Options::default()
    };
    Ok(Kernel::open(Dump::open(path)?, &options))
}

/// The symbol servers, as far as the command line lets them be asked.
pub(super) fn servers(world: &World<'_>) -> Servers {
    let common = &world.cli.common;
    let servers = match common.offline {
        true => Servers::default(),
        false => Servers::online(
            Limits::default(),
            world.stop.clone(),
            Some(Box::new(Download::new())),
        ),
    };
    servers.journal().set_noisy(common.noisy);
    servers
}

/// A zone by its name in the time zone database (`Asia/Shanghai`), or by POSIX's description (`CST-8`).
///
/// # Errors
/// When it is neither.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, UnknownTimeZone> {
    TimeZone::get(name)
        .or_else(|_| TimeZone::posix(name))
        .map_err(|_| UnknownTimeZone(name.to_owned()))
}

/// A name that is no time zone's.
#[derive(Debug, thiserror::Error)]
#[error("{0}: no such time zone; say for example Asia/Shanghai, UTC or CST-8")]
pub(super) struct UnknownTimeZone(String);

/// Shows the banner.
///
/// # Errors
/// Those of the output.
pub(super) fn banner(world: &World<'_>, shell: &mut Shell) -> Result<()> {
    let images = world.cli.common.images.as_deref().unwrap_or_default();
    shell
        .show("banner", |session, out| {
            crate::repl::banner::show(session, images, out)
        })
        .map(drop)
}
