//! Who allocates for others: what stands under such a module's tag may be somebody else's doing.

use crate::Kernel;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_scan::{Hits, Pattern, Patterns, Source, Span};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Modules of Windows whose business is to allocate on request, and on whose request.
const SERVICES: &[(&str, &str)] = &[
    (
        "nt",
        "the kernel allocates for every driver and process: look for who makes it do so",
    ),
    (
        "fltmgr",
        "the filter manager allocates for file system filters: !fltkd.filters lists them on the running machine",
    ),
    (
        "wdf01000",
        "the driver framework allocates for the drivers that are bound to it: !wdfkd.wdfldr lists them on the running machine",
    ),
    (
        "pshed",
        "the platform's error driver allocates for its plug-ins",
    ),
    ("ndis", "the network layer allocates for network drivers"),
    (
        "netio",
        "the network layer allocates for filters of network traffic",
    ),
    (
        "storport",
        "the port driver allocates for storage miniports",
    ),
    (
        "ks",
        "the streaming layer allocates for sound and camera drivers",
    ),
    (
        "portcls",
        "the sound port driver allocates for sound drivers",
    ),
    ("usbport", "the USB port driver allocates for USB drivers"),
    (
        "videoprt",
        "the video port driver allocates for display miniports",
    ),
    (
        "dxgkrnl",
        "the graphics kernel allocates for display drivers and programs",
    ),
];

/// On whose behalf a module of Windows allocates, by its name; `None` for modules that allocate for themselves.
pub fn service(module: &str) -> Option<&'static str> {
    let known = SERVICES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(module));
    known.map(|(_, text)| *text)
}

/// Modules that hold a pointer to an exported function: the loader wrote it into their import tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Importers {
    /// kd's names of the modules.
    pub modules: Vec<String>,
}

impl Importers {
    /// Looks through all modules but the one that exports it.
    ///
    /// # Errors
    /// Those of the search.
    pub(super) fn of(kernel: &Kernel, function: Virt, stop: &Arc<AtomicBool>) -> Result<Importers> {
        let pattern = Pattern::bytes(function.0.to_le_bytes()).aligned(8);
        let spans = kernel.modules().iter().map(|m| Span::new(m.base, m.size));
        let source = Source::Virtual(kernel.space().clone());
        let patterns = Arc::new(Patterns::new(vec![pattern])?);
        let hits = Hits::new(source, spans.collect(), patterns, Arc::clone(stop));
        let found: BTreeSet<u32> = hits.map(|hit| hit.span).collect();
        let modules = found
            .iter()
            .filter_map(|&span| kernel.modules().get(span as usize))
            .filter(|module| !module.contains(function))
            .map(|module| module.name.clone());
        Ok(Importers {
            modules: modules.collect(),
        })
    }
}
