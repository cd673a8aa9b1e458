//! An image's sites as rows, and as text for a person.

use super::is_answered;
use crate::command::Row;
use crate::render::Output;
use rkd_dump::error::Result;
use rkd_pooltags::{Class, Report, Site, SiteRecord, TagImage, Verdict, api, tag_text};
use std::collections::{BTreeMap, BTreeSet};

/// Columns of an instruction's bytes; longer ones push the text to the right.
const BYTES: usize = 20;

/// The rows of one image.
pub(super) struct Rows<'r> {
    /// Where the instructions are read from.
    pub image: &'r TagImage,
    /// What was found.
    pub report: &'r Report,
    /// Whether the instructions are left out of the text.
    pub brief: bool,
    /// Whether only rows of one kind are wanted.
    pub table: bool,
}

impl Rows<'_> {
    /// Shows the image and its sites.
    ///
    /// # Errors
    /// Those of the output.
    pub(super) fn show(&self, first: bool, out: &mut dyn Output) -> Result<()> {
        let mut heading = summary(self.report);
        if !first {
            heading.insert(0, '\n');
        }
        if self.table {
            out.text(&heading)?;
        } else {
            out.row(&ImageRow::new(self.report, heading))?;
        }
        let tags = tags(self.report);
        if !tags.is_empty() {
            out.text(&format!("\n{}", tags.join("\n")))?;
        }
        let lines = self.report.lines();
        let shown = self.in_order();
        if shown.iter().any(|(_, site)| !is_silent(site)) {
            out.text(&format!(
                "\n{:<9} {:<5} {:<10} {:<32} {:<9} {:>7}  Note",
                "Tag", "Class", "Call", "Interface", "Pool", "Size"
            ))?;
        }
        for (at, site) in shown {
            let Some(line) = lines.get(at) else { continue };
            let text = match is_silent(site) {
                true => String::new(),
                false => self.text(line, site),
            };
            out.row(&SiteRow::new(line, text))?;
        }
        Ok(())
    }

    /// The sites with their place among the lines, in the order of the calls.
    fn in_order(&self) -> Vec<(usize, &Site)> {
        let mut sites: Vec<&Site> = self
            .report
            .sites
            .iter()
            .chain(&self.report.untagged)
            .collect();
        sites.sort_by_key(|site| site.call_rva);
        sites.into_iter().enumerate().collect()
    }

    fn text(&self, line: &SiteRecord<'_>, site: &Site) -> String {
        let tag = site.tag.map(shown).or_else(|| line.tag.clone());
        let tag = tag.as_deref().unwrap_or("?");
        let class = line.class.map_or("-".to_owned(), |c| format!("{c:?}"));
        let mut text = format!(
            "{tag:<9} {class:<5} {:<10} {:<32} {:<9} {:>7}  {}",
            line.call_rva,
            line.api,
            pool(site),
            site.size.map_or("-".to_owned(), |size| size.to_string()),
            line.note
        );
        text.truncate(text.trim_end().len());
        if !self.brief {
            for proof in self.image.proofs(site) {
                let bytes: String = proof.bytes.iter().map(|b| format!("{b:02x}")).collect();
                text.push_str(&format!(
                    "\n          {:08x} {bytes:<BYTES$} {}",
                    proof.rva, proof.text
                ));
            }
        }
        text
    }
}

/// A tag as a person reads it: four zeros are none at all.
fn shown(tag: u32) -> String {
    match tag {
        0 => "(none)".to_owned(),
        tag => tag_text(tag),
    }
}

/// Frees that give no tag say nothing to a person.
fn is_silent(site: &Site) -> bool {
    !site.kind.allocates() && site.tag == Some(0)
}

fn pool(site: &Site) -> &'static str {
    match site.pool_kind {
        Some(api::Pool::Paged) => "paged",
        Some(api::Pool::Nonpaged) => "nonpaged",
        None => "-",
    }
}

/// `1 file`, `3 files`.
pub(super) fn count(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// What must be known before silence about a tag is believed.
pub(super) fn remarks(report: &Report) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Verdict::CannotTell(why) = &report.verdict {
        remarks.push(format!("cannot tell: {why}"));
    }
    let unresolved = report.unresolved().count();
    if unresolved > 0 {
        let all = report.sites.len();
        remarks.push(format!(
            "{unresolved} of {} could not be resolved",
            count(all, "site", "sites")
        ));
    }
    remarks.extend(report.notes.iter().cloned());
    remarks
}

/// What is said of an image before its sites.
fn summary(report: &Report) -> String {
    let mut text = format!(
        "{}: {}, time stamp {:08x}, size {:x}",
        report.file,
        report.machine.name(),
        report.time_stamp,
        report.image_size
    );
    let silent = report.sites.iter().filter(|site| is_silent(site)).count();
    let sites = count(report.sites.len() + report.untagged.len(), "site", "sites");
    text.push_str(&match &report.verdict {
        Verdict::NoInterface => "\n  it imports no interface that takes a pool tag".to_owned(),
        _ if silent > 0 => format!(
            "\n  {sites} in {}, {} without a tag (not listed)",
            count(report.functions, "function", "functions"),
            count(silent, "free", "frees"),
        ),
        _ => format!(
            "\n  {sites} in {}",
            count(report.functions, "function", "functions")
        ),
    });
    for remark in remarks(report) {
        text.push_str(&format!("\n  {remark}"));
    }
    for agent in &report.agents {
        let under = match agent.tag {
            Some(tag) => format!("under {}", tag_text(tag)),
            None => "under the tag that they pass".to_owned(),
        };
        text.push_str(&format!(
            "\n  its export {} allocates for other modules {under} ({})",
            agent.name, agent.api
        ));
    }
    text
}

/// A line for each tag: the best class, and how often it is allocated and freed.
fn tags(report: &Report) -> Vec<String> {
    #[derive(Default)]
    struct Tag {
        class: Option<Class>,
        allocations: usize,
        others: usize,
        pools: BTreeSet<&'static str>,
    }
    // in the order of their letters
    let mut tags: BTreeMap<[u8; 4], Tag> = BTreeMap::new();
    let untagged = report
        .untagged
        .iter()
        .map(|s| (rkd_pooltags::UNTAGGED, Some(Class::E4), s));
    let sites = report
        .sites
        .iter()
        .filter_map(|s| Some((s.tag?, s.class, s)));
    for (number, class, site) in sites
        .chain(untagged)
        .filter(|(_, _, site)| !is_silent(site))
    {
        let tag = tags.entry(number.to_le_bytes()).or_default();
        tag.class = [tag.class, class].into_iter().flatten().min();
        if site.kind.allocates() {
            tag.allocations += 1;
            tag.pools.insert(match site.pool_kind {
                Some(_) => pool(site),
                None => "unknown",
            });
        } else {
            tag.others += 1;
        }
    }
    let line = |(number, tag): (&[u8; 4], &Tag)| {
        let word = tag.class.map_or("unknown", Class::word);
        let mut parts = Vec::new();
        if tag.allocations > 0 {
            let pools: Vec<&str> = tag.pools.iter().copied().collect();
            parts.push(format!(
                "{} ({})",
                count(tag.allocations, "allocation", "allocations"),
                pools.join(", ")
            ));
        }
        if tag.others > 0 {
            parts.push(count(tag.others, "other use", "other uses"));
        }
        format!(
            "  {:<9} {word}: {}",
            shown(u32::from_le_bytes(*number)),
            parts.join(", ")
        )
    };
    tags.iter().map(line).collect()
}

/// An image whose code was read.
#[derive(Row)]
#[row(kind = "image")]
struct ImageRow<'a> {
    /// Its file.
    file: &'a str,
    /// What kind of processor it is for.
    arch: &'static str,
    /// When it was linked, or a hash of its contents, in hexadecimal.
    time_stamp: String,
    /// Its size in memory, in hexadecimal.
    size_of_image: String,
    /// Whether silence about a tag means that it does not use it.
    answered: bool,
    /// Why not.
    why_not: Option<&'a str>,
    /// How many calls pass a tag.
    sites: usize,
    /// Of how many of them the tag is not known.
    unresolved: usize,
    /// How many functions were read.
    functions: usize,
    /// How much code it has.
    code_bytes: u64,
    /// How much of that was there to be read.
    present_bytes: u64,
    /// Its exports that allocate for others.
    agents: Vec<&'a str>,
    #[row(skip, line)]
    heading: String,
}

impl<'a> ImageRow<'a> {
    fn new(report: &'a Report, heading: String) -> ImageRow<'a> {
        ImageRow {
            file: &report.file,
            arch: report.machine.name(),
            time_stamp: format!("{:#x}", report.time_stamp),
            size_of_image: format!("{:#x}", report.image_size),
            answered: is_answered(&report.verdict),
            why_not: match &report.verdict {
                Verdict::CannotTell(why) => Some(why),
                _ => None,
            },
            sites: report.sites.len() + report.untagged.len(),
            unresolved: report.unresolved().count(),
            functions: report.functions,
            code_bytes: report.coverage.code_bytes,
            present_bytes: report.coverage.present_bytes,
            agents: report
                .agents
                .iter()
                .map(|agent| agent.name.as_str())
                .collect(),
            heading,
        }
    }
}

/// A call that passes a tag.
#[derive(Row)]
#[row(kind = "site")]
struct SiteRow<'a> {
    /// The file of the image.
    file: &'a str,
    /// What kind of processor it is for.
    arch: &'a str,
    /// Where the call is, in hexadecimal.
    call_rva: &'a str,
    /// Where its function begins, in hexadecimal.
    function_rva: &'a str,
    /// Where the tag is, in hexadecimal.
    constant_rva: Option<&'a str>,
    /// What is called.
    api: &'a str,
    /// The tag.
    tag: Option<&'a str>,
    /// The tag as a number, in hexadecimal.
    tag_u32: Option<&'a str>,
    /// The class of the evidence, E1 to E7.
    class: Option<String>,
    /// The number of the kind of pool.
    pool: Option<u64>,
    /// The size that is asked for.
    #[row(unit = "bytes")]
    size: Option<u64>,
    /// What else there is to say.
    note: &'a str,
    #[row(skip, line)]
    text: String,
}

impl<'a> SiteRow<'a> {
    fn new(line: &'a SiteRecord<'_>, text: String) -> SiteRow<'a> {
        SiteRow {
            file: line.file,
            arch: line.arch,
            call_rva: &line.call_rva,
            function_rva: &line.function_rva,
            constant_rva: line.constant_rva.as_deref(),
            api: line.api,
            tag: line.tag.as_deref(),
            tag_u32: line.tag_u32.as_deref(),
            class: line.class.map(|class| format!("{class:?}")),
            pool: line.pool,
            size: line.size,
            note: &line.note,
            text,
        }
    }
}
