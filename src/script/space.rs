//! Address spaces as values of Rhai, to be searched from end to end: the kernel's, any process's, the physical memory.

use super::addr::{Answer, address};
use super::hits::Hits;
use super::host::Host;
use super::patterns;
use super::registry::{Registry, fail};
use super::search::{Options, source};
use rhai::{Dynamic, Map};
use rkd_dump::addr::PAGE_SIZE;
use rkd_dump::memory::AddressSpace;
use rkd_scan::{Source, Span};
use std::sync::Arc;

/// An address space, virtual or physical.
#[derive(Clone)]
struct Space {
    kind: SpaceKind,
    name: String,
}

#[derive(Clone)]
enum SpaceKind {
    Virtual(AddressSpace),
    Physical,
}

impl Space {
    fn search(
        &self,
        host: &Arc<Host>,
        span: Option<(Dynamic, Dynamic)>,
        pattern: &Dynamic,
        options: &Options,
    ) -> Answer<Hits> {
        let span = match span {
            Some((start, length)) => Some(Span::new(address(&start)?, address(&length)?.0)),
            None => None,
        };
        let wanted = patterns::read(pattern, options.any_case)?;
        let (source, whole) = match &self.kind {
            SpaceKind::Virtual(space) => {
                (source(space.clone(), options)?, Span::everything().to_vec())
            }
            SpaceKind::Physical if options.writable => {
                return Err(fail("physical memory does not know what may be written to"));
            }
            SpaceKind::Physical => {
                let dump = host.kernel()?.dump().clone();
                let whole = physical(&dump)?;
                (Source::Physical(dump), vec![whole])
            }
        };
        let spans = span.map_or(whole, |span| vec![span]);
        Hits::new(host, source, spans, wanted, false)
    }
}

/// From address 0 to the last page of the dump.
fn physical(dump: &rkd_dump::Dump) -> Answer<Span> {
    let memory = dump.physical().ok_or_else(|| {
        fail("there is no physical memory in this dump: it holds blocks of virtual memory only")
    })?;
    let ends = memory
        .runs()
        .map(|run| run.first.0.saturating_add(run.pages));
    Ok(Span {
        start: 0,
        len: ends.max().unwrap_or(0).saturating_mul(PAGE_SIZE),
    })
}

/// Registers the functions.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "space([directory_table_base])",
        "The kernel's address space, or the one whose page tables hang at that physical address (a process's CR3), to be searched from end to end.",
    );
    let on = Arc::clone(host);
    r.engine.register_fn("space", move || -> Answer<Space> {
        Ok(Space {
            kind: SpaceKind::Virtual(on.space()?),
            name: "the kernel's address space".into(),
        })
    });
    let on = Arc::clone(host);
    r.engine
        .register_fn("space", move |root: Dynamic| -> Answer<Space> {
            let root = address(&root)?;
            let kernel = on.space()?;
            if kernel.root().is_none() {
                return Err(fail("this dump has no page tables, and so only one space"));
            }
            Ok(Space {
                kind: SpaceKind::Virtual(kernel.with_root(root.0)),
                name: format!("the address space of CR3 {:x}", root.0),
            })
        });
    r.function(
        "physical()",
        "The physical memory of the dump, to be searched in its own order.",
    );
    let on = Arc::clone(host);
    r.engine.register_fn("physical", move || -> Answer<Space> {
        physical(on.kernel()?.dump())?;
        Ok(Space {
            kind: SpaceKind::Physical,
            name: "the physical memory".into(),
        })
    });
    r.property(
        "space",
        "search([address, length,] patterns[, options])",
        "searches the space or a range of it; hits come one by one, a loop that breaks off stops the search. Options: `any_case`, `writable`",
    );
    r.engine
        .register_type_with_name::<Space>("Space")
        .register_fn("to_string", |space: &mut Space| space.name.clone())
        .register_fn("to_debug", |space: &mut Space| space.name.clone());
    let on = Arc::clone(host);
    r.engine
        .register_fn("search", move |space: &mut Space, pattern: Dynamic| {
            space.search(&on, None, &pattern, &Options::default())
        });
    let on = Arc::clone(host);
    r.engine.register_fn(
        "search",
        move |space: &mut Space, pattern: Dynamic, options: Map| {
            space.search(&on, None, &pattern, &Options::read(&options)?)
        },
    );
    let on = Arc::clone(host);
    r.engine.register_fn(
        "search",
        move |space: &mut Space, start: Dynamic, length: Dynamic, pattern: Dynamic| {
            space.search(&on, Some((start, length)), &pattern, &Options::default())
        },
    );
    // Of its own, lest Rhai take the map for the options of the function `search`, and the space for an address.
    let on = Arc::clone(host);
    r.engine.register_fn(
        "search",
        move |space: &mut Space, start: Dynamic, length: Dynamic, pattern: Map| {
            let pattern = Dynamic::from(pattern);
            space.search(&on, Some((start, length)), &pattern, &Options::default())
        },
    );
    let on = Arc::clone(host);
    r.engine.register_fn(
        "search",
        move |space: &mut Space,
              start: Dynamic,
              length: Dynamic,
              pattern: Dynamic,
              options: Map| {
            let options = Options::read(&options)?;
            space.search(&on, Some((start, length)), &pattern, &options)
        },
    );
}
