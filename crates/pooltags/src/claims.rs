//! Abstract values become claims: which tags a call names, how strongly, and why not where nothing can be said.

use super::abi::Abi;
use super::analysis::{Analysis, CallSite, UncalledReference};
use super::api::{self, Interface, Kind};
use super::image::TagImage;
use super::lattice::{Atom, Cause, Fact, How, Why};
use super::report::{Agent, Class, Reason, Report, Site, Verdict};
use super::{Options, tag_text};
use std::collections::{BTreeMap, BTreeSet};

mod contexts;
mod variables;

/// Analyses the image and reports.
pub(super) fn report(image: &TagImage, options: &Options<'_>) -> Report {
    let mut analysis = Analysis::new(image, options);
    let nothing = analysis.references.operands.is_empty()
        && analysis.callees.interface_slots().next().is_none()
        && analysis.callees.own_interfaces().next().is_none();
    if !nothing {
        analysis.run();
    }
    let uncalled = analysis.uncalled_references();
    (
        analysis.coverage.code_bytes,
        analysis.coverage.present_bytes,
    ) = image.code_bytes();
    let writer = Writer {
        open: analysis.open_callers(),
        analysis: &analysis,
    };
    let mut sites: Vec<Site> = Vec::new();
    let mut untagged = Vec::new();
    for call_site in analysis.call_sites.values().flatten() {
        let Some(interface) = api::get(call_site.interface) else {
            continue;
        };
        match interface.tag {
            api::Arg::None => untagged.push(writer.site(call_site, interface)),
            _ => writer.write(call_site, interface, &mut sites),
        }
    }
    sites.extend(
        uncalled
            .iter()
            .filter_map(|reference| writer.uncalled(reference)),
    );
    sites.sort_by(|a, b| {
        (a.call_rva, a.tag, a.class, a.api).cmp(&(b.call_rva, b.tag, b.class, b.api))
    });
    sites.dedup_by(|a, b| (a.call_rva, a.tag, a.api) == (b.call_rva, b.tag, b.api));
    // where a call names a tag, the doubt about another way to the same call adds nothing
    untagged.sort_by_key(|s: &Site| s.call_rva);
    let agents = writer.agents(&sites);
    let mut notes = image.notes.clone();
    notes.extend(analysis.stopped.clone());
    let verdict = verdict(image, &analysis, nothing, &sites, &untagged);
    Report {
        file: image.name.clone(),
        machine: image.machine,
        time_stamp: image.time_stamp,
        image_size: image.size,
        verdict,
        sites,
        untagged,
        functions: analysis.functions.count(),
        coverage: analysis.coverage,
        agents,
        notes,
    }
}

fn verdict(
    image: &TagImage,
    analysis: &Analysis<'_>,
    nothing: bool,
    sites: &[Site],
    untagged: &[Site],
) -> Verdict {
    let coverage = analysis.coverage;
    if coverage.present_bytes == 0 {
        return Verdict::CannotTell("none of its code is there".to_owned());
    }
    if let Some(why) = &analysis.stopped {
        return Verdict::CannotTell(why.clone());
    }
    if let Some(why) = image.looks_packed() {
        return Verdict::CannotTell(why);
    }
    if nothing {
        return match image.imports.iter().all(|i| i.name.is_empty()) && !image.imports.is_empty() {
            true => Verdict::CannotTell("the names of its imports are not there".to_owned()),
            false => Verdict::NoInterface,
        };
    }
    let any = analysis.callees.interface_slots().next().is_some();
    if any && sites.is_empty() && untagged.is_empty() && coverage.references == 0 {
        return Verdict::CannotTell(
            "it imports pool interfaces, and no code that is there names them".to_owned(),
        );
    }
    Verdict::Analysed
}

struct Writer<'e, 'a> {
    analysis: &'e Analysis<'a>,
    /// Functions that pass tags on and may be called from places that are not known.
    open: BTreeSet<u32>,
}

impl<'a> Analysis<'a> {
    /// Wrappers that are exported, or whose address is taken, or that nobody calls.
    fn open_callers(&self) -> BTreeSet<u32> {
        let wrappers: BTreeSet<u32> = self.wrappers().collect();
        if wrappers.is_empty() {
            return wrappers;
        }
        let pointed = self.image.pointers_to(&wrappers);
        let called = |rva: u32| self.references.callers(rva).next().is_some();
        let mut open: BTreeSet<u32> = wrappers
            .iter()
            .copied()
            .filter(|&rva| !called(rva))
            .collect();
        open.extend(pointed);
        open.extend(
            self.image
                .exports
                .iter()
                .map(|(_, rva)| *rva)
                .filter(|rva| wrappers.contains(rva)),
        );
        let places = super::references::References::operands_naming(self.image, &wrappers);
        let taken = places
            .into_iter()
            .filter(|&(at, _)| self.image.takes_address(at));
        open.extend(taken.map(|(_, target)| target));
        open
    }
}

impl Writer<'_, '_> {
    /// A site without a tag.
    fn site(&self, call_site: &CallSite, interface: &'static Interface) -> Site {
        let mut notes = Vec::new();
        let pool = self.number(&call_site.pool, "pool type", &mut notes);
        let size = self.number(&call_site.size, "size", &mut notes);
        let exports = &self.analysis.image.exports;
        let exported = exports
            .iter()
            .find(|(_, rva)| *rva == call_site.function)
            .map(|(name, _)| name.clone());
        if call_site.dynamic {
            notes.push("the function's address is found by its name at run time".to_owned());
        }
        Site {
            call_rva: call_site.at,
            function_rva: call_site.function,
            constant_rvas: Vec::new(),
            api: interface.name,
            kind: interface.kind,
            tag: None,
            class: None,
            pool,
            pool_kind: interface.choice.pool(pool),
            size,
            wrapper: call_site.wrapper,
            exported,
            note: notes.join("; "),
            unresolved: None,
        }
    }

    /// The sites of a call: one for each tag that can reach it, or one that says why there is none.
    fn write(&self, call_site: &CallSite, interface: &'static Interface, sites: &mut Vec<Site>) {
        if interface.kind == Kind::Registration {
            self.contexts(call_site, interface, sites);
            return;
        }
        let base = self.site(call_site, interface);
        let mut tags: BTreeMap<u32, Claim> = BTreeMap::new();
        let mut missing: Option<(Reason, String)> = None;
        let mut doubt: Option<String> = None;
        if let Some(why) = call_site.tag.other() {
            doubt = Some(format!("another value may reach it, too: {}", because(why)));
        }
        for fact in call_site.tag.facts() {
            match fact.atom {
                Atom::Const(number) => {
                    let claim = tags.entry(number as u32).or_default();
                    claim.add(fact);
                    claim.data |= fact.how == How::Data;
                }
                Atom::Global(rva, width) => {
                    let variable = self.variable(rva, width.min(4));
                    for (number, at) in &variable.numbers {
                        let claim = tags.entry(*number as u32).or_default();
                        claim.rvas.push(*at);
                        claim.variable = Some(rva);
                    }
                    if variable.numbers.is_empty() || variable.other {
                        doubt = Some(format!("the variable at {rva:#x} can hold something else"));
                    }
                }
                Atom::Initial(location) | Atom::Field(location, _) => {
                    let reason = self.callers(call_site);
                    let what = Abi::of(self.analysis.image.machine).describe(location);
                    let what = match fact.atom {
                        Atom::Field(_, offset) => {
                            format!("the tag is the field at +{offset:#x} behind {what}")
                        }
                        _ => format!("the tag is {what} of {:#x}", call_site.function),
                    };
                    missing = Some((reason, what));
                }
                Atom::TableEntry(table, ..) => {
                    missing = Some((
                        Reason::RunTime,
                        format!("it is chosen from the table at {table:#x}"),
                    ));
                }
                _ => missing = Some((Reason::RunTime, "it is an address".to_owned())),
            }
        }
        let several = tags.len() + usize::from(missing.is_some()) > 1;
        if missing.is_some() && !tags.is_empty() {
            doubt = doubt.or(missing.take().map(|(_, what)| format!("or {what}")));
        }
        for (tag, claim) in tags {
            sites.push(self.claim(&base, call_site, tag, claim, several, doubt.as_deref()));
        }
        match (missing, call_site.tag.is_known()) {
            (Some((reason, what)), _) => sites.push(with_note(base, what, Some(reason))),
            (None, true) if sites.last().is_none_or(|s| s.call_rva != call_site.at) => {
                sites.push(with_note(
                    base,
                    doubt.unwrap_or_default(),
                    Some(Reason::RunTime),
                ));
            }
            (None, true) => {}
            (None, false) => {
                let why = call_site.tag.other().unwrap_or(Why {
                    cause: Cause::Computed,
                    at: 0,
                });
                sites.push(with_note(base, because(why), Some(reason(why))));
            }
        }
    }

    fn claim(
        &self,
        base: &Site,
        call_site: &CallSite,
        tag: u32,
        claim: Claim,
        several: bool,
        doubt: Option<&str>,
    ) -> Site {
        let mut site = Site {
            tag: Some(tag),
            constant_rvas: claim.rvas,
            ..base.clone()
        };
        let mut notes: Vec<String> = Vec::new();
        notes.extend(Some(std::mem::take(&mut site.note)).filter(|n| !n.is_empty()));
        let weak =
            doubt.is_some() || claim.variable.is_some() || call_site.dynamic || !call_site.certain;
        let default = tag == 0 && base.kind == Kind::Framework;
        site.class = match base.kind {
            _ if default => Some(Class::E4),
            _ if tag == 0 => None,
            _ if weak => Some(Class::E4),
            kind if !kind.allocates() => Some(Class::E3),
            _ if call_site.depth > 0 || several || claim.data => Some(Class::E2),
            _ => Some(Class::E1),
        };
        if default {
            let rule = match base.api {
                "WdfDriverCreate" => {
                    "the framework takes the first four characters of the service's name"
                }
                _ => "the framework takes the driver's default tag",
            };
            notes.push(rule.to_owned());
        } else if tag == 0 {
            notes.push("no tag is given".to_owned());
        }
        if let Some(rva) = claim.variable {
            notes.push(format!(
                "from the variable at {rva:#x}, which can be written"
            ));
        }
        if several {
            notes.push("one of several values that reach it".to_owned());
        }
        if !call_site.certain {
            notes.push("the call may lead elsewhere, too".to_owned());
        }
        notes.extend(doubt.map(str::to_owned));
        if site.is_protected() {
            notes.push(format!("protected (bit 31): {}", tag_text(tag)));
        }
        site.note = notes.join("; ");
        site
    }

    fn callers(&self, call_site: &CallSite) -> Reason {
        if !self.analysis.passes_on(call_site.function) || self.open.contains(&call_site.function) {
            return Reason::UnknownCallers;
        }
        Reason::CallersDecide
    }

    /// A reference without a call.
    fn uncalled(&self, reference: &UncalledReference) -> Option<Site> {
        let image = self.analysis.image;
        let import = image.import(reference.slot)?;
        let interface = api::get(api::by_name(&import.name)?)?;
        if interface.tag == api::Arg::None {
            return None;
        }
        let reason = if reference.seen {
            Reason::PointerTaken
        } else {
            Reason::NotSeen
        };
        let gave_up = reference
            .function
            .and_then(|f| self.analysis.gave_up.get(&f));
        Some(Site {
            call_rva: reference.at,
            function_rva: reference.function.unwrap_or(reference.at),
            constant_rvas: Vec::new(),
            api: interface.name,
            kind: interface.kind,
            tag: None,
            class: None,
            pool: None,
            pool_kind: None,
            size: None,
            wrapper: None,
            exported: None,
            note: gave_up.map(ToString::to_string).unwrap_or_default(),
            unresolved: Some(reason),
        })
    }

    /// Exported functions that allocate for their callers.
    fn agents(&self, sites: &[Site]) -> Vec<Agent> {
        let mut agents: Vec<Agent> = sites
            .iter()
            .filter(|s| s.kind.allocates())
            .filter_map(|site| {
                Some(Agent {
                    name: site.exported.clone()?,
                    rva: site.function_rva,
                    api: site.api,
                    tag: site.tag,
                })
            })
            .collect();
        agents.dedup();
        agents
    }
}

/// What is known of one tag at one call.
#[derive(Default)]
struct Claim {
    rvas: Vec<u32>,
    data: bool,
    variable: Option<u32>,
}

impl Claim {
    fn add(&mut self, fact: &Fact) {
        for rva in [Some(fact.at), fact.with].into_iter().flatten() {
            if rva != 0 && !self.rvas.contains(&rva) {
                self.rvas.push(rva);
            }
        }
    }
}

fn with_note(site: Site, what: String, unresolved: Option<Reason>) -> Site {
    let note = match (site.note.is_empty(), what.is_empty()) {
        (true, _) => what,
        (_, true) => site.note.clone(),
        _ => format!("{what}; {}", site.note),
    };
    Site {
        note,
        unresolved,
        ..site
    }
}

fn reason(why: Why) -> Reason {
    match why.cause {
        Cause::Memory | Cause::Escaped => Reason::RunTime,
        Cause::Unset | Cause::Call | Cause::Computed => Reason::Computed,
        Cause::TooMany => Reason::TooComplex,
    }
}

fn because(why: Why) -> String {
    let text = match why.cause {
        Cause::Unset => "nothing sets it on a way here",
        Cause::Memory => "read from memory",
        Cause::Call => "left behind by a call",
        Cause::Computed => "computed",
        Cause::TooMany => "too many values meet",
        Cause::Escaped => "a call got the address of the memory that it is in",
    };
    match why.at {
        0 => text.to_owned(),
        at => format!("{text} at {at:#x}"),
    }
}
