//! Hits as values of Rhai: a search that a loop takes hits from, one by one. Each hit knows its module and section,
//! and the search knows how much of its range was there to be searched.

use super::addr::Answer;
use super::host::Host;
use super::patterns::Wanted;
use super::registry::stopped;
use super::row::RowObject;
use crate::command::{KdLine, Kept, Record, Row};
use crate::commands::display;
use rhai::{Array, Dynamic};
use rkd_dump::Dump;
use rkd_dump::addr::{Pfn, Phys, Virt};
use rkd_dump::memory::AddressSpace;
use rkd_kernel::{Kernel, Module};
use rkd_scan::{Coverage, Source, Span};
use rkd_symbols::pe::{Image, Section};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// `IMAGE_SCN_MEM_EXECUTE`.
const EXECUTABLE: u32 = 0x2000_0000;

/// How many bytes a hit shows, as kd's `s` does.
const SHOWN_BYTES: usize = 16;

/// How often the progress of a search is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// A search that is not yet done: each loop over it searches anew.
#[derive(Clone)]
pub(super) struct Hits(Arc<Search>);

struct Search {
    host: Arc<Host>,
    kernel: Arc<Kernel>,
    source: Source,
    wanted: Wanted,
    spans: Vec<Span>,
    /// Sections by the place of the module in the kernel's list, read when a hit lies in that module.
    sections: Vec<OnceLock<Vec<Section>>>,
    /// Whether the spans are modules: then a remark tells what was missing.
    modules: bool,
}

impl Hits {
    /// A search for later. `modules` when it goes through modules.
    pub(super) fn new(
        host: &Arc<Host>,
        source: Source,
        spans: Vec<Span>,
        wanted: Wanted,
        modules: bool,
    ) -> Answer<Hits> {
        let kernel = host.kernel()?;
        let sections = kernel.modules().iter().map(|_| OnceLock::new()).collect();
        Ok(Hits(Arc::new(Search {
            host: Arc::clone(host),
            kernel,
            source,
            wanted,
            spans,
            sections,
            modules,
        })))
    }

    /// Begins the search.
    pub(super) fn iter(&self) -> HitsIter {
        let search = Arc::clone(&self.0);
        let hits = search.walk(Arc::clone(&search.wanted.patterns), search.host.stop_flag());
        HitsIter {
            search,
            hits,
            told: Instant::now(),
            over: false,
        }
    }

    /// How much of each span is in the dump. It takes a search to know, for a pattern that is nowhere.
    pub(super) fn coverage(&self) -> Answer<Array> {
        let mut hits = self.iter();
        for hit in hits.by_ref() {
            let _ = hit?;
        }
        let rows = hits
            .hits
            .coverages()
            .iter()
            .zip(&self.0.spans)
            .map(|(coverage, span)| self.0.coverage(coverage, *span));
        Ok(rows.map(Dynamic::from).collect())
    }
}

/// The executable sections of a module; all of it when its headers are not in the dump.
pub(super) fn code(kernel: &Kernel, whole: Span) -> Vec<Span> {
    let Some(module) = kernel.module_at(Virt(whole.start)) else {
        return vec![whole];
    };
    let sections = sections(kernel.space(), module);
    let code = sections
        .iter()
        .filter(|section| section.flags & EXECUTABLE != 0);
    let code = code
        .map(|section| Span::new(module.base + section.rva, u64::from(section.virtual_size)))
        .collect();
    if sections.is_empty() {
        vec![whole]
    } else {
        code
    }
}

fn sections(space: &AddressSpace, module: &Module) -> Vec<Section> {
    Image::read(space, module.base)
        .map(|image| image.headers().sections.clone())
        .unwrap_or_default()
}

impl Search {
    fn walk(&self, patterns: Arc<rkd_scan::Patterns>, stop: Arc<AtomicBool>) -> rkd_scan::Hits {
        rkd_scan::Hits::new(self.source.clone(), self.spans.clone(), patterns, stop)
    }

    fn pattern(&self, hit: rkd_scan::Hit) -> String {
        let name = self.wanted.names.get(hit.pattern as usize);
        name.cloned().unwrap_or_default()
    }

    /// The bytes from a place on, so many as there are.
    fn bytes<'b>(&self, at: u64, room: &'b mut [u8; SHOWN_BYTES]) -> &'b [u8] {
        let there = match &self.source {
            Source::Virtual(space) | Source::Writable(space) => space.read_prefix(Virt(at), room).0,
            Source::Physical(dump) => physical_prefix(dump, Phys(at), room),
        };
        room.get(..there).unwrap_or_default()
    }

    fn line(&self, at: u64) -> String {
        display::line_of_bytes(Virt(at), self.bytes(at, &mut [0; SHOWN_BYTES]))
    }

    fn section(&self, at: Virt) -> Option<&Section> {
        let modules = self.kernel.modules().iter();
        let (index, module) = modules
            .enumerate()
            .find(|(_, module)| module.contains(at))?;
        let sections = self
            .sections
            .get(index)?
            .get_or_init(|| sections(self.kernel.space(), module));
        let offset = at - module.base;
        sections
            .iter()
            .find(|s| offset.wrapping_sub(u64::from(s.rva.0)) < u64::from(s.virtual_size))
    }

    /// The account of a span as a row.
    fn coverage(&self, coverage: &Coverage, span: Span) -> RowObject {
        let start = Virt(span.start);
        let module = self.kernel.module_at(start);
        let module = module.map(|module| module.name.as_str());
        RowObject::new(Kept::of(&CoverageRow {
            line: match module {
                Some(module) => format!("{module}: {coverage}"),
                None => format!("{start}: {coverage}"),
            },
            module,
            start,
            asked_bytes: coverage.asked,
            searched_bytes: coverage.read,
            whole: coverage.is_complete(),
            missing: coverage
                .missing
                .iter()
                .map(|(why, bytes)| format!("{why}: {bytes:#x} bytes"))
                .collect(),
        }))
    }

    /// Said at the end of a search through modules, so that nobody takes "not found" for "not there".
    fn remark(&self, coverage: &Coverage) -> Answer<()> {
        if !self.modules || coverage.is_complete() {
            return Ok(());
        }
        self.host.note(format!(
            "searched {} of {} in modules: the rest is not in the dump (coverage() says what is missing where)",
            size(coverage.read),
            size(coverage.asked)
        ))
    }
}

/// Bytes for a person.
fn size(bytes: u64) -> String {
    match bytes as f64 / 1024.0 {
        kib if kib < 1024.0 => format!("{kib:.0} KiB"),
        kib => format!("{:.1} MiB", kib / 1024.0),
    }
}

/// Fills what it can from a physical address on. The bytes may end in the next page, which may lie anywhere in the file or be
/// missing.
fn physical_prefix(dump: &Dump, at: Phys, room: &mut [u8]) -> usize {
    let memory = dump.physical();
    let there = room.iter_mut().zip(at.0..).map_while(|(byte, at)| {
        let page = memory?.page(Phys(at).pfn())?;
        *byte = *page.get(Phys(at).page_offset() as usize)?;
        Some(())
    });
    there.count()
}

/// How much of a range was searched.
#[derive(Row)]
#[row(kind = "coverage")]
struct CoverageRow<'a> {
    /// The module that lies there.
    module: Option<&'a str>,
    /// Where the range begins.
    start: Virt,
    /// How much was to be searched.
    asked_bytes: u64,
    /// How much was there to be searched.
    searched_bytes: u64,
    /// Whether that is all of it.
    whole: bool,
    /// What is missing, and why.
    missing: Vec<String>,
    #[row(skip, line)]
    line: String,
}

/// A hit in virtual memory, which becomes a row when a script looks at it; not one of `s`, which has other columns.
#[derive(Row)]
#[row(kind = "search_hit", cells = VirtualFound)]
struct VirtualHit {
    search: Arc<Search>,
    hit: rkd_scan::Hit,
}

/// What is told of a hit in virtual memory.
#[derive(Record)]
#[row(absent = "the address lies in no section")]
struct VirtualFound {
    /// Where it is.
    va: Virt,
    /// The module that holds it.
    #[row(absent = "the address lies in no module")]
    module: Option<String>,
    /// How far into the module it is.
    #[row(unit = "bytes", absent = "the address lies in no module")]
    module_offset: Option<u64>,
    /// The section that holds it.
    section: Option<String>,
    /// How far into the section it is.
    #[row(unit = "bytes")]
    section_offset: Option<u64>,
    /// Whether code can be run there.
    executable: Option<bool>,
    /// The pattern that was found.
    pattern: String,
    /// The memory from there on, sixteen bytes at the most.
    bytes: Vec<u8>,
}

impl VirtualHit {
    fn cells(&self) -> VirtualFound {
        let (search, at) = (&self.search, Virt(self.hit.address));
        let module = search.kernel.module_at(at);
        let section = search.section(at);
        let module_offset = module.map(|module| at - module.base);
        VirtualFound {
            va: at,
            module: module.map(|module| module.name.clone()),
            module_offset,
            section: section.map(|section| section.name.clone()),
            section_offset: section
                .zip(module_offset)
                .map(|(section, offset)| offset.wrapping_sub(u64::from(section.rva.0))),
            executable: section.map(|section| section.flags & EXECUTABLE != 0),
            pattern: search.pattern(self.hit),
            bytes: search.bytes(at.0, &mut [0; SHOWN_BYTES]).to_vec(),
        }
    }
}

impl KdLine for VirtualHit {
    fn line(&self) -> String {
        self.search.line(self.hit.address)
    }
}

/// A hit in physical memory, which becomes a row when a script looks at it.
#[derive(Row)]
#[row(kind = "physical_search_hit", cells = PhysicalFound)]
struct PhysicalHit {
    search: Arc<Search>,
    hit: rkd_scan::Hit,
}

/// What is told of a hit in physical memory.
#[derive(Record)]
struct PhysicalFound {
    /// Where it is.
    physical: Phys,
    /// The number of its page.
    pfn: Pfn,
    /// How far into the page it is.
    #[row(unit = "bytes")]
    page_offset: u64,
    /// The pattern that was found.
    pattern: String,
    /// The memory from there on, sixteen bytes at the most.
    bytes: Vec<u8>,
}

impl PhysicalHit {
    fn cells(&self) -> PhysicalFound {
        let (search, at) = (&self.search, Phys(self.hit.address));
        PhysicalFound {
            physical: at,
            pfn: at.pfn(),
            page_offset: at.page_offset(),
            pattern: search.pattern(self.hit),
            bytes: search.bytes(at.0, &mut [0; SHOWN_BYTES]).to_vec(),
        }
    }
}

impl KdLine for PhysicalHit {
    fn line(&self) -> String {
        self.search.line(self.hit.address)
    }
}

/// A loop over hits.
pub(super) struct HitsIter {
    search: Arc<Search>,
    hits: rkd_scan::Hits,
    told: Instant,
    over: bool,
}

impl HitsIter {
    /// The next hit; on the way the screen is told how far it is.
    fn find(&mut self) -> Option<rkd_scan::Hit> {
        loop {
            if let Some(hit) = self.hits.ready() {
                return Some(hit);
            }
            if !self.hits.search() {
                return None;
            }
            if self.told.elapsed() >= PROGRESS_INTERVAL {
                self.told = Instant::now();
                let (done, total) = self.hits.progress();
                // A closed output is seen by whoever asks next.
                let _ = self
                    .search
                    .host
                    .post(move |_, out| out.progress(done, total, "bytes"));
            }
        }
    }
}

impl Iterator for HitsIter {
    type Item = Answer<Dynamic>;

    fn next(&mut self) -> Option<Answer<Dynamic>> {
        if self.over {
            return None;
        }
        let next = self.find();
        // A search that was stopped ends like one that is through.
        if self.search.host.is_stopped() {
            self.over = true;
            return Some(Err(stopped()));
        }
        match next {
            Some(hit) => {
                let search = Arc::clone(&self.search);
                let row = match search.source {
                    Source::Physical(_) => RowObject::later(PhysicalHit { search, hit }),
                    _ => RowObject::later(VirtualHit { search, hit }),
                };
                Some(Ok(Dynamic::from(row)))
            }
            None => {
                self.over = true;
                self.search.remark(&self.hits.coverage()).err().map(Err)
            }
        }
    }
}

impl IntoIterator for Hits {
    type Item = Answer<Dynamic>;
    type IntoIter = HitsIter;

    fn into_iter(self) -> HitsIter {
        self.iter()
    }
}
