//! An image's sites as rows, and as text for a person.

use super::is_answered;
use crate::command::{Kept, Record, Value};
use crate::render::Output;
use rkd_dump::error::Result;
use rkd_pooltags::{Class, Line, Report, Site, TagImage, Verdict, api, tag_text};
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
            out.row(&Kept {
                kind: "image",
                record: image_record(self.report),
                text: heading,
            })?;
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
            out.row(&Kept {
                kind: "site",
                record: site_record(line),
                text: if is_silent(site) {
                    String::new()
                } else {
                    self.text(line, site)
                },
            })?;
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

    fn text(&self, line: &Line<'_>, site: &Site) -> String {
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

fn image_record(report: &Report) -> Record {
    let hex = |n: u32| Value::Str(format!("{n:#x}"));
    let why = match &report.verdict {
        Verdict::CannotTell(why) => Value::Str(why.clone()),
        _ => Value::Absent(String::new()),
    };
    let agents = report.agents.iter().map(|a| Value::from(a.name.as_str()));
    vec![
        ("file", report.file.as_str().into()),
        ("arch", report.machine.name().into()),
        ("time_stamp", hex(report.time_stamp)),
        ("size_of_image", hex(report.image_size)),
        ("answered", is_answered(&report.verdict).into()),
        ("why_not", why),
        ("sites", (report.sites.len() + report.untagged.len()).into()),
        ("unresolved", report.unresolved().count().into()),
        ("functions", report.functions.into()),
        ("code_bytes", report.coverage.code_bytes.into()),
        ("present_bytes", report.coverage.present_bytes.into()),
        ("agents", agents.collect::<Vec<Value>>().into()),
    ]
}

fn site_record(line: &Line<'_>) -> Record {
    vec![
        ("file", line.file.into()),
        ("arch", line.arch.into()),
        ("call_rva", line.call_rva.as_str().into()),
        ("function_rva", line.function_rva.as_str().into()),
        ("constant_rva", line.constant_rva.clone().into()),
        ("api", line.api.into()),
        ("tag", line.tag.clone().into()),
        ("tag_u32", line.tag_u32.clone().into()),
        ("class", line.class.map(|c| format!("{c:?}")).into()),
        ("pool", line.pool.into()),
        ("size", line.size.into()),
        ("note", line.note.as_str().into()),
    ]
}
