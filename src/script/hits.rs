//! Hits as values of Rhai: a search that a loop takes hits from, one by one. Each hit knows its module and section,
//! and the search knows how much of its range was there to be searched.

use super::addr::Answer;
use super::host::Host;
use super::patterns::Wanted;
use super::registry::stopped;
use super::row::RowObject;
use crate::command::{Kept, Record, Row, Value};
use crate::commands::display;
use rhai::{Array, Dynamic};
use rkd_dump::Dump;
use rkd_dump::addr::{Phys, Virt};
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
const SHOWN: usize = 16;

/// How often the progress of a search is told.
const TELL: Duration = Duration::from_millis(100);

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

    fn pattern(&self, hit: rkd_scan::Hit) -> Value {
        let name = self.wanted.names.get(hit.pattern as usize);
        name.cloned().unwrap_or_default().into()
    }

    /// The bytes from a place on, so many as there are.
    fn bytes<'b>(&self, at: u64, room: &'b mut [u8; SHOWN]) -> &'b [u8] {
        let there = match &self.source {
            Source::Virtual(space) | Source::Writable(space) => space.read_prefix(Virt(at), room).0,
            Source::Physical(dump) => physical_prefix(dump, Phys(at), room),
        };
        room.get(..there).unwrap_or_default()
    }

    fn physical_record(&self, hit: rkd_scan::Hit) -> Record {
        let at = Phys(hit.address);
        vec![
            ("physical", Virt(at.0).into()),
            ("pfn", at.pfn().0.into()),
            ("page_offset", at.page_offset().into()),
            ("pattern", self.pattern(hit)),
            ("bytes", self.bytes(at.0, &mut [0; SHOWN]).to_vec().into()),
        ]
    }

    fn virtual_record(&self, hit: rkd_scan::Hit) -> Record {
        let at = Virt(hit.address);
        let module = self
            .kernel
            .modules()
            .iter()
            .enumerate()
            .find(|(_, module)| module.contains(at));
        let section = module.and_then(|(index, module)| {
            let sections = self
                .sections
                .get(index)?
                .get_or_init(|| sections(self.kernel.space(), module));
            let offset = at - module.base;
            let section = sections
                .iter()
                .find(|s| offset.wrapping_sub(u64::from(s.rva.0)) < u64::from(s.virtual_size))?;
            Some((section, at - (module.base + section.rva)))
        });
        let or_outside = |value: Option<Value>, what: &str| {
            value.unwrap_or_else(|| Value::Absent(format!("the address lies in no {what}")))
        };
        vec![
            ("va", at.into()),
            (
                "module",
                or_outside(module.map(|(_, m)| m.name.as_str().into()), "module"),
            ),
            (
                "module_offset",
                or_outside(module.map(|(_, m)| (at - m.base).into()), "module"),
            ),
            (
                "section",
                or_outside(section.map(|(s, _)| s.name.as_str().into()), "section"),
            ),
            (
                "section_offset",
                or_outside(section.map(|(_, offset)| offset.into()), "section"),
            ),
            (
                "executable",
                or_outside(
                    section.map(|(s, _)| (s.flags & EXECUTABLE != 0).into()),
                    "section",
                ),
            ),
            ("pattern", self.pattern(hit)),
            ("bytes", self.bytes(at.0, &mut [0; SHOWN]).to_vec().into()),
        ]
    }

    /// The account of a span as a row.
    fn coverage(&self, coverage: &Coverage, span: Span) -> RowObject {
        let module = self
            .kernel
            .module_at(Virt(span.start))
            .map(|module| module.name.clone());
        let text = format!(
            "{}: {coverage}",
            module.as_deref().unwrap_or(&Virt(span.start).to_string())
        );
        let missing: Vec<(&str, u64)> = coverage.missing.clone();
        let record = vec![
            ("module", Value::from(module)),
            ("start", Virt(span.start).into()),
            ("asked_bytes", coverage.asked.into()),
            ("searched_bytes", coverage.read.into()),
            ("whole", coverage.is_complete().into()),
            (
                "missing",
                Value::List(
                    missing
                        .iter()
                        .map(|(why, bytes)| format!("{why}: {bytes:#x} bytes").into())
                        .collect(),
                ),
            ),
        ];
        RowObject::new(Kept {
            kind: "coverage",
            record,
            text,
        })
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

/// A hit that becomes a row when a script looks at it.
struct Hit {
    search: Arc<Search>,
    hit: rkd_scan::Hit,
}

/// Not of the kinds of the rows of `s`, which have other columns.
impl Row for Hit {
    fn kind(&self) -> &'static str {
        match self.search.source {
            Source::Physical(_) => "physical_search_hit",
            _ => "search_hit",
        }
    }

    fn record(&self) -> Record {
        match self.search.source {
            Source::Physical(_) => self.search.physical_record(self.hit),
            _ => self.search.virtual_record(self.hit),
        }
    }

    fn text(&self) -> String {
        let at = self.hit.address;
        display::line_of_bytes(Virt(at), self.search.bytes(at, &mut [0; SHOWN]))
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
            if self.told.elapsed() >= TELL {
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
                Some(Ok(Dynamic::from(RowObject::later(Hit { search, hit }))))
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
