//! `rkd symbols list`: which symbol files a dump needs, and where they are to be had.

use super::super::arguments::List;
use super::super::{UNOPENED, World, complain, open};
use super::{script, show};
use crate::command::wildcard::Wildcard;
use crate::command::{KdLine, Row};
use rkd_dump::error::{Error, Result};
use rkd_kernel::{Kernel, Module};
use rkd_symbols::server::{MICROSOFT, file_address, image_address};
use rkd_symbols::store::layout;
use rkd_symbols::{PdbId, SymbolPath};
use std::path::Path;

/// What a module needs.
pub(super) struct Need {
    module: String,
    image: String,
    /// The PDB, or why it is not known.
    pub pdb: Result<PdbId>,
    /// Where the PDB is to be had.
    pub url: Option<String>,
    /// Its place in a store.
    pub place: Option<String>,
    /// Where the image is to be had, which knows its PDB.
    image_url: Option<String>,
    /// What is here already: a file, or facts.
    here: Option<String>,
}

/// Prints what is needed, or the script. The network is not used.
///
/// # Errors
/// When there is no such module, or the output takes no more.
pub(super) fn run(world: &World<'_>, arguments: &List) -> Result<u8> {
    let kernel = match open::kernel_here(world, &arguments.dump) {
        Ok(kernel) => kernel,
        Err(error) => return Ok(complain(&format!("rkd: {error}"), UNOPENED)),
    };
    let path = SymbolPath::parse(&world.cli.common.symbol_path());
    let server = arguments
        .server
        .as_deref()
        .or(path.servers().first().copied())
        .unwrap_or(MICROSOFT);
    let only: Vec<Wildcard> = arguments
        .only
        .iter()
        .map(|name| Wildcard::new(&name.to_lowercase()))
        .collect();
    let is_wanted = |module: &&Module| {
        only.is_empty()
            || only.iter().any(|pattern| {
                [&module.name, &module.image_name]
                    .iter()
                    .any(|name| pattern.matches(&name.to_lowercase()))
            })
    };
    let needs: Vec<Need> = kernel
        .modules()
        .iter()
        .filter(is_wanted)
        .map(|module| need(&kernel, module, &path, server))
        .collect();
    if needs.is_empty() {
        return Err(Error::NotFound(match arguments.only.as_slice() {
            [] => "the dump holds no list of modules: what it needs cannot be told".into(),
            names => format!("no module of the dump is called {}", names.join(", ")),
        }));
    }
    match arguments.script {
        None => show(
            world,
            "symbols list",
            &needs.iter().map(NeedRow::of).collect::<Vec<_>>(),
        ),
        Some(shell) => {
            let mut console = world.console();
            console.put(&script::write(
                shell,
                &arguments.dump.display().to_string(),
                &needs,
            ))?;
            console.flush()?;
            Ok(0)
        }
    }
}

fn need(kernel: &Kernel, module: &Module, path: &SymbolPath, server: &str) -> Need {
    let pdb = kernel.pdb_of(module);
    let known = pdb.as_ref().ok();
    let named = known.and_then(|id| Some((id, layout::safe_name(id)?)));
    let place = known.and_then(|id| layout::place(id, false, false));
    let table = known.and_then(|id| path.find(id).table);
    let opened = kernel
        .table()
        .ok()
        .filter(|_| kernel.base().is_ok_and(|base| base == module.base));
    Need {
        module: module.name.clone(),
        image: module.image_name.clone(),
        url: named.map(|(id, name)| file_address(server, name, &id.store_name(), name, false)),
        // A store's places are written with slashes everywhere.
        place: place.map(|place| slashes(&place)),
        image_url: module
            .time_stamp
            .map(|stamp| image_address(server, &module.image_name, stamp, module.size)),
        here: table
            .as_ref()
            .or(opened)
            .map(|table| table.source().to_string()),
        pdb,
    }
}

fn slashes(place: &Path) -> String {
    let parts = place.iter().map(|part| part.to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// The symbols that a module needs.
#[derive(Row)]
#[row(kind = "needed_symbols")]
struct NeedRow<'a> {
    /// The module.
    module: &'a str,
    /// The name of its image.
    image: &'a str,
    /// The name of its PDB.
    pdb: Result<&'a str, &'a Error>,
    /// The GUID of that PDB.
    guid: Result<String, &'a Error>,
    /// The age of that PDB.
    age: Result<u32, &'a Error>,
    /// Where the PDB is to be had.
    url: Result<Option<&'a str>, &'a Error>,
    /// Its place in a store.
    place: Result<Option<&'a str>, &'a Error>,
    /// Where the image is to be had, which knows its PDB.
    #[row(absent = "the dump does not say when the image was linked")]
    image_url: Option<&'a str>,
    /// What is here already: a file, or facts.
    #[row(absent = "not on this machine")]
    here: Option<&'a str>,
    #[row(skip)]
    need: &'a Need,
}

impl<'a> NeedRow<'a> {
    fn of(need: &'a Need) -> NeedRow<'a> {
        let id = need.pdb.as_ref();
        NeedRow {
            module: &need.module,
            image: &need.image,
            pdb: id.map(|id| id.name.as_str()),
            guid: id.map(|id| id.guid.to_string()),
            age: id.map(|id| id.age),
            url: id.map(|_| need.url.as_deref()),
            place: id.map(|_| need.place.as_deref()),
            image_url: need.image_url.as_deref(),
            here: need.here.as_deref(),
            need,
        }
    }
}

impl KdLine for NeedRow<'_> {
    fn line(&self) -> String {
        lines(self.need)
    }
}

fn lines(need: &Need) -> String {
    let name = format!("{:16} ", need.module);
    let below = " ".repeat(17);
    match (&need.pdb, &need.url) {
        (Ok(id), Some(url)) => {
            let here = match &need.here {
                Some(here) => format!("  (here: {here})"),
                None => String::new(),
            };
            format!("{name}{id}{here}\n{below}{url}")
        }
        (Ok(id), None) => format!("{name}{id}: this is no name for a file"),
        (Err(why), _) => match &need.image_url {
            Some(url) => format!("{name}PDB not known: {why}\n{below}its image would tell: {url}"),
            None => format!("{name}PDB not known: {why}"),
        },
    }
}
