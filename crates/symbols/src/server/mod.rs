//! Symbol servers, asked as symsrv asks them. The only room that uses the network, and only when the symbol path names a server
//! and nobody said `--offline`.
//!
//! A server that hangs, lies or is not there costs time once: what it did is remembered until [`Servers::forgive`]. What it
//! sends is checked before it gets a name in the cache.

mod address;
mod hosts;
mod journal;
mod limits;
#[cfg(feature = "fetch")]
mod transfer;
#[cfg(not(feature = "fetch"))]
#[path = "no_transfer.rs"]
mod transfer;

pub use address::{file_address, image_address};
pub use journal::{Entry, Journal};
pub use limits::{Limits, Watch};

use super::PdbId;
use super::store::{Content, Incoming, Pointer, layout, msf};
use hosts::Hosts;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use transfer::Connections;

/// Microsoft's server, which has the PDBs of Windows.
pub const MICROSOFT: &str = "https://msdl.microsoft.com/download/symbols";

/// How a session deals with symbol servers. Clones are one and the same. The default is offline.
#[derive(Clone, Default)]
pub struct Servers(Arc<State>);

#[derive(Default)]
struct State {
    /// `None`: the network is not used.
    connections: Option<Connections>,
    limits: Limits,
    stop: Arc<AtomicBool>,
    held: AtomicBool,
    watch: Option<Box<dyn Watch>>,
    hosts: Hosts,
    journal: Journal,
}

/// Why there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Ctrl-C, or nobody is to be asked now.
    Stopped,
    /// The server has no such file.
    Missing,
    /// The file is not what it should be, or did not come whole.
    File(String),
    /// The server is no good at all for now.
    Server(String),
    /// The cache cannot be written to.
    Cache(String),
}

impl Servers {
    /// Servers that are asked. `stop` ends a download, `watch` is told how far it is.
    pub fn online(limits: Limits, stop: Arc<AtomicBool>, watch: Option<Box<dyn Watch>>) -> Servers {
        Servers(Arc::new(State {
            connections: Some(Connections::new(&limits)),
            limits,
            stop,
            watch,
            ..State::default()
        }))
    }

    /// Whether the network may be used.
    pub fn are_online(&self) -> bool {
        self.0.connections.is_some()
    }

    /// Asks nobody for a while, and keeps no answer to what was not asked.
    pub fn hold(&self, hold: bool) {
        self.0.held.store(hold, Ordering::Relaxed);
    }

    /// What happened, for the person.
    pub fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// Why a server is left alone, if it is.
    pub fn trouble(&self, server: &str) -> Option<String> {
        self.0.hosts.trouble(server)
    }

    /// Forgets what servers did: they are asked again.
    pub fn forgive(&self) {
        self.0.hosts.forgive();
    }

    /// Fetches the PDB of a build into a store: plain, or compressed, or from where the server points. What is returned is
    /// checked: it has the GUID and the age.
    ///
    /// # Errors
    /// Every [`Failure`]. Nothing is left in the store then.
    pub fn fetch(&self, server: &str, id: &PdbId, store: &Path) -> Result<PathBuf, Failure> {
        if !self.are_online() {
            return Err(Failure::Server("the network is not used".into()));
        }
        if let Some(why) = self.trouble(server) {
            return Err(Failure::Server(format!("left alone: {why}")));
        }
        if self.0.held.load(Ordering::Relaxed) {
            return Err(Failure::Stopped);
        }
        let Some(name) = layout::safe_name(id) else {
            return Err(Failure::Missing);
        };
        let result = self.fetch_named(server, name, id, store);
        if let Some(watch) = &self.0.watch {
            watch.end();
        }
        match &result {
            Err(Failure::Server(why)) if self.0.hosts.leave_alone(server, why) => {
                self.0.journal.remark(format!(
                    "{server}: {why}; it is left alone until the next .reload"
                ));
            }
            Err(Failure::File(why)) => {
                self.0
                    .journal
                    .remark(format!("{name} from {server} is not used: {why}"));
            }
            _ => {}
        }
        result
    }

    fn fetch_named(
        &self,
        server: &str,
        name: &str,
        id: &PdbId,
        store: &Path,
    ) -> Result<PathBuf, Failure> {
        let tiers: &[bool] = match self.0.hosts.has_three_tiers(server) {
            Some(true) => &[true],
            Some(false) => &[false],
            None => &[false, true],
        };
        for &three in tiers {
            if three && !self.has_three_tiers(server)? {
                break;
            }
            let address = |file: &str| file_address(server, name, &id.store_name(), file, three);
            for file in [name.to_string(), layout::packed_name(name)] {
                match self.download(&address(&file), name, id, store) {
                    Err(Failure::Missing) => {}
                    other => return other,
                }
            }
            let pointer = address("file.ptr");
            match self.small_file(&pointer) {
                Ok(text) => {
                    let followed = self.follow(&Pointer::parse(&text), name, id, store);
                    if let Err(Failure::File(why)) = &followed {
                        self.0.hosts.note_missing(&pointer, why);
                    }
                    return followed;
                }
                Err(Failure::Missing) => {}
                Err(other) => return Err(other),
            }
        }
        Err(Failure::Missing)
    }

    /// A server that is a store of three tiers has the file `index2.txt`; asked once, when the usual place was empty.
    fn has_three_tiers(&self, server: &str) -> Result<bool, Failure> {
        if let Some(known) = self.0.hosts.has_three_tiers(server) {
            return Ok(known);
        }
        let has = match self.small_file(&address::join(server, &["index2.txt"])) {
            Ok(_) => true,
            Err(Failure::Missing | Failure::File(_)) => false,
            Err(other) => return Err(other),
        };
        self.0.hosts.note_tiers(server, has);
        Ok(has)
    }

    /// A server may point to another one, but not into this machine or its neighbourhood.
    fn follow(
        &self,
        pointer: &Pointer,
        name: &str,
        id: &PdbId,
        store: &Path,
    ) -> Result<PathBuf, Failure> {
        match pointer {
            Pointer::Url(url) => self.download(url, name, id, store),
            Pointer::File(path) => Err(Failure::File(format!(
                "its file.ptr points to {}, and a server is not followed there",
                path.display()
            ))),
            Pointer::Message(text) => Err(Failure::File(format!("its file.ptr says: {text}"))),
        }
    }

    /// Fetches the file at an address that is known from elsewhere, such as a store's `file.ptr`.
    ///
    /// # Errors
    /// Every [`Failure`].
    pub(crate) fn fetch_from(
        &self,
        url: &str,
        id: &PdbId,
        store: &Path,
    ) -> Result<PathBuf, Failure> {
        if !self.are_online() {
            return Err(Failure::Server("the network is not used".into()));
        }
        if self.0.held.load(Ordering::Relaxed) {
            return Err(Failure::Stopped);
        }
        let name = layout::safe_name(id).ok_or(Failure::Missing)?;
        let result = self.download(url, name, id, store);
        if let Some(watch) = &self.0.watch {
            watch.end();
        }
        result
    }

    fn download(
        &self,
        url: &str,
        name: &str,
        id: &PdbId,
        store: &Path,
    ) -> Result<PathBuf, Failure> {
        let mut open: Option<Incoming> = None;
        let begun = std::time::Instant::now();
        let mut write = |bytes: &[u8]| -> Result<(), Failure> {
            use std::io::Write as _;
            let file = match &mut open {
                Some(file) => file,
                None => open.insert(
                    Incoming::new(store).map_err(|error| Failure::Cache(error.to_string()))?,
                ),
            };
            file.write_all(bytes)
                .map_err(|e| Failure::Cache(format!("{} is full: {e}", store.display())))
        };
        let length = self.request(
            url,
            name,
            self.0.limits.max_bytes,
            &check_symbols,
            &mut write,
        )?;
        let file = open.ok_or_else(|| Failure::File("an empty file".into()))?;
        let path = file.file(id).map_err(|error| {
            let why = error.to_string();
            self.0.hosts.note_missing(url, &why);
            self.0.journal.noise(|| format!("SYMSRV:  {url} - {why}"));
            Failure::File(why)
        })?;
        self.0
            .journal
            .noise(|| format!("SYMSRV:  {name} from {url}: {length} bytes - copied"));
        self.0.journal.remark(format!(
            "fetched {name} ({:.1} MiB in {:.1} s) from {url}; it is kept as {}",
            length as f64 / f64::from(1 << 20),
            begun.elapsed().as_secs_f64(),
            path.display()
        ));
        Ok(path)
    }

    /// A few bytes of text, such as `file.ptr`.
    fn small_file(&self, url: &str) -> Result<String, Failure> {
        let mut text = Vec::new();
        let mut write = |bytes: &[u8]| {
            text.extend_from_slice(bytes);
            Ok(())
        };
        self.request(url, "file.ptr", 64 << 10, &|_| Ok(None), &mut write)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// One request, unless it is known to be in vain.
    fn request(
        &self,
        url: &str,
        name: &str,
        size: u64,
        check: &Check,
        write: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let state = &*self.0;
        if let Some(why) = state.hosts.missing(url) {
            state
                .journal
                .noise(|| format!("SYMSRV:  HTTPGET: {url} - not asked again: {why}"));
            return Err(match why.as_str() {
                NOT_FOUND => Failure::Missing,
                _ => Failure::File(why),
            });
        }
        let Some(connections) = &state.connections else {
            return Err(Failure::Server("the network is not used".into()));
        };
        state.journal.noise(|| format!("SYMSRV:  HTTPGET: {url}"));
        if let Some(watch) = &state.watch {
            watch.begin(name, address::host(url));
        }
        let mut progress = |done, total| {
            if let Some(watch) = &state.watch {
                watch.progress(done, total);
            }
        };
        let result = connections.get(
            url,
            &Limits {
                max_bytes: size,
                ..state.limits.clone()
            },
            &state.stop,
            &mut transfer::Receiver {
                check,
                write,
                progress: &mut progress,
            },
        );
        match &result {
            Ok(_) | Err(Failure::Stopped | Failure::Cache(_)) => {}
            Err(Failure::Missing) => {
                state.hosts.note_missing(url, NOT_FOUND);
                state
                    .journal
                    .noise(|| format!("SYMSRV:  {url} - not found"));
            }
            Err(Failure::File(why)) => {
                state.hosts.note_missing(url, why);
                state.journal.noise(|| format!("SYMSRV:  {url} - {why}"));
            }
            Err(Failure::Server(why)) => {
                state.journal.noise(|| format!("SYMSRV:  {url} - {why}"));
            }
        }
        result
    }
}

/// Looks at the first bytes of what comes: how long it must be, if they say so, or why it is not wanted.
type Check = dyn Fn(&[u8]) -> Result<Option<u64>, Failure>;

/// What is remembered of an address without a file.
const NOT_FOUND: &str = "not found";

/// A symbol file, plain or packed. A web page where a file was asked for is what gates of hotels and airports send.
fn check_symbols(head: &[u8]) -> Result<Option<u64>, Failure> {
    match Content::of(head) {
        Content::Pdb => msf::Head::parse(head)
            .map(|head| Some(head.length()))
            .map_err(|error| Failure::File(error.to_string())),
        Content::Cabinet | Content::Isf => Ok(None),
        Content::Other(what) if head.trim_ascii_start().starts_with(b"<") => Err(Failure::Server(
            format!("it sends {what}; perhaps the network wants a login first"),
        )),
        Content::Other(what) => Err(Failure::File(what.into())),
    }
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.are_online() {
            true => "Servers(online)",
            false => "Servers(offline)",
        })
    }
}
