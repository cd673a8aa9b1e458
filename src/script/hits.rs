//! Hits as values of Rhai: a search that a loop takes hits from, one by one. Each hit knows its module and section,
//! and the search knows how much of its range was there to be searched.

use super::addr::Answer;
use super::host::Host;
use super::patterns::Wanted;
use super::registry::stopped;
use super::row::RowObject;
use crate::addr::{Phys, Virt};
use crate::command::{Kept, Value};
use crate::dump::Dump;
use crate::error::Error;
use crate::kernel::{Kernel, Module};
use crate::memory::AddressSpace;
use crate::scan::{self, Coverage, Event, Source, Span};
use crate::symbols::pe::{Image, Section};
use rhai::{Array, Dynamic};
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
    pub fn new(
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
    pub fn iter(&self) -> HitsIter {
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
    pub fn coverage(&self) -> Answer<Array> {
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
    fn walk(&self, patterns: Arc<scan::Patterns>, stop: Arc<AtomicBool>) -> scan::Hits {
        scan::Hits::new(self.source.clone(), self.spans.clone(), patterns, stop)
    }

    /// A hit as a row.
    fn row(&self, hit: scan::Hit) -> Kept {
        match &self.source {
            Source::Virtual(space) | Source::Writable(space) => self.virtual_row(space, hit),
            Source::Physical(dump) => self.physical_row(dump, hit),
        }
    }

    fn pattern(&self, hit: scan::Hit) -> Value {
        let name = self.wanted.names.get(hit.pattern as usize);
        name.cloned().unwrap_or_default().into()
    }

    fn physical_row(&self, dump: &Dump, hit: scan::Hit) -> Kept {
        let at = Phys(hit.address);
        let mut bytes = [0; SHOWN];
        let memory = dump.physical();
        // A hit may end in the next page, which may lie anywhere in the file or be missing.
        let there = bytes.iter_mut().zip(at.0..).map_while(|(byte, at)| {
            let page = memory?.page(Phys(at).pfn())?;
            *byte = *page.get(Phys(at).page_offset() as usize)?;
            Some(())
        });
        let there = there.count();
        let bytes = bytes.get(..there).unwrap_or_default();
        Kept {
            kind: "physical_search_hit",
            record: vec![
                ("physical", Virt(at.0).into()),
                ("pfn", at.pfn().0.into()),
                ("page_offset", at.page_offset().into()),
                ("pattern", self.pattern(hit)),
                ("bytes", bytes.to_vec().into()),
            ],
            text: line(Virt(at.0), bytes),
        }
    }

    fn virtual_row(&self, space: &AddressSpace, hit: scan::Hit) -> Kept {
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
        let mut bytes = [0; SHOWN];
        let (there, _) = space.read_prefix(at, &mut bytes);
        let bytes = bytes.get(..there).unwrap_or_default();
        let record = vec![
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
            ("bytes", bytes.to_vec().into()),
        ];
        // Not of the kind of the rows of `s`, which have other columns.
        Kept {
            kind: "search_hit",
            record,
            text: line(at, bytes),
        }
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

/// kd's line of a hit: the address, sixteen bytes, the text.
fn line(at: Virt, context: &[u8]) -> String {
    let mut bytes = String::new();
    let mut text = String::new();
    for i in 0..SHOWN {
        let between = if i == SHOWN / 2 { "-" } else { " " };
        match context.get(i) {
            Some(&b) => {
                bytes += &format!("{between}{b:02x}");
                text.push(if (0x20..0x7f).contains(&b) {
                    char::from(b)
                } else {
                    '.'
                });
            }
            None => {
                bytes += &format!("{between}??");
                text.push('?');
            }
        }
    }
    format!("{at} {bytes}  {text}")
}

/// A loop over hits.
pub(super) struct HitsIter {
    search: Arc<Search>,
    hits: scan::Hits,
    told: Instant,
    over: bool,
}

impl HitsIter {
    /// The next hit; on the way the screen is told how far it is.
    fn find(&mut self) -> Option<scan::Hit> {
        let HitsIter {
            search, hits, told, ..
        } = self;
        let mut found = None;
        // The first hit is taken, and the search stands still again.
        let _ = hits.each(|event| match event {
            Event::Hit(hit) => {
                found = Some(hit);
                Err(Error::Stopped)
            }
            Event::Progress { done, total } => {
                if told.elapsed() >= TELL {
                    *told = Instant::now();
                    // A closed output is seen by whoever asks next.
                    let _ = search
                        .host
                        .post(move |_, out| out.progress(done, total, "bytes"));
                }
                Ok(())
            }
        });
        found
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
                Some(Ok(Dynamic::from(RowObject::later(move || search.row(hit)))))
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
