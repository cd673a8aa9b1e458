//! All that speaks for and against the modules in the matter of one tag.

use super::account::plural;
use super::agents::Importers;
use super::framework::Framework;
use super::gate::Hit;
use super::gone::{Contents, Gone, gone};
use super::mentions;
use super::readings::{Reading, Readings};
use super::suspect::{Claim, Explains, Instruction, LONGEST, Role, Suspect};
use super::{Question, Search};
use crate::pool::{Tag, TagUse};
use crate::{Kernel, Module};
use rkd_pooltags::api::Pool;
use rkd_pooltags::{Class, Report, Site};

/// The tag under which Windows files what is allocated without one.
const UNTAGGED: Tag = Tag(*b"None");

/// What an answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// One module is proven to allocate under the tag.
    Proven,
    /// Several are.
    Several,
    /// None is proven; something speaks for one or more.
    Likely,
    /// Nothing speaks for anybody.
    Unknown,
}

/// The answer about one tag.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// The suspects, the strongest first.
    pub suspects: Vec<Suspect>,
    /// Drivers that were unloaded, those for which something speaks first.
    pub gone: Vec<Gone>,
    /// Blocks of the tag whose contents are in the dump.
    pub blocks_seen: usize,
    /// Loaded modules into which these blocks point, and from how many of them; the most first.
    pub pointed: Vec<(String, usize)>,
}

impl Answer {
    /// Whether somebody is proven to allocate under the tag from the pool in question.
    pub fn is_proven(&self) -> bool {
        self.proven().next().is_some()
    }

    /// Those who are, the strongest first.
    pub fn proven(&self) -> impl Iterator<Item = &Suspect> {
        self.suspects.iter().filter(|suspect| suspect.is_proven())
    }

    /// What it comes to.
    pub fn outcome(&self) -> Outcome {
        let proven = self.proven().count();
        let likely = |s: &Suspect| s.explains != Explains::No && s.class <= Class::E5;
        match proven {
            1 => Outcome::Proven,
            0 if self.suspects.iter().any(likely) => Outcome::Likely,
            0 if self.gone.iter().any(Gone::is_suspect) => Outcome::Likely,
            0 => Outcome::Unknown,
            _ => Outcome::Several,
        }
    }
}

impl Question {
    /// The pool in which the tag holds most; `None` if it holds nothing or the dump does not say.
    pub fn pool(&self) -> Option<Pool> {
        let held = self.held?;
        match (held.nonpaged.bytes as i64, held.paged.bytes as i64) {
            (nonpaged, paged) if nonpaged.max(paged) <= 0 => None,
            (nonpaged, paged) if nonpaged >= paged => Some(Pool::Nonpaged),
            _ => Some(Pool::Paged),
        }
    }

    /// Bytes of one allocation in that pool, if all may be of one size.
    pub fn each(&self) -> Option<u64> {
        let TagUse {
            nonpaged, paged, ..
        } = self.held?;
        let held = if self.pool()? == Pool::Paged {
            paged
        } else {
            nonpaged
        };
        let count = held.outstanding();
        (count > 0 && held.bytes.is_multiple_of(count)).then(|| held.bytes / count)
    }
}

pub(super) fn is_untagged(question: &Question) -> bool {
    question.tag.without_protection() == UNTAGGED
}

/// The answer about one tag. Looking closely means into the blocks of the tag and for importers, which takes searches of its own.
pub(super) fn judge(
    kernel: &Kernel,
    readings: &Readings,
    question: &Question,
    hits: &[&Hit],
    search: &Search,
    closely: bool,
) -> Answer {
    let mut suspects = Vec::new();
    for (index, reading) in readings.all() {
        let Some(module) = kernel.modules().get(index) else {
            continue;
        };
        let proven = of_code(kernel, module, reading, question);
        let suspect = proven.or_else(|| {
            let own: Vec<&Hit> = hits.iter().copied().filter(|h| h.module == index).collect();
            let tag = question.tag.to_u32();
            (!own.is_empty())
                .then(|| mentions::suspect(kernel, module, reading, &own, tag, search.mentions))?
        });
        suspects.extend(suspect);
    }
    share(&mut suspects);
    suspects.sort_by_cached_key(Suspect::rank);
    let mut answer = Answer {
        question: *question,
        suspects,
        gone: Vec::new(),
        blocks_seen: 0,
        pointed: Vec::new(),
    };
    if closely {
        look_closer(kernel, readings, search, &mut answer);
    }
    answer
}

/// The module as a suspect by what its code does.
fn of_code(
    kernel: &Kernel,
    module: &Module,
    reading: &Reading,
    question: &Question,
) -> Option<Suspect> {
    let report = reading.report.as_ref().ok()?;
    let mut claims: Vec<Claim> = report
        .of_tag(question.tag.to_u32())
        .filter_map(|site| Some((site, site.class?)))
        .map(|(site, class)| claim(kernel, module, reading, site, class))
        .collect();
    if is_untagged(question) {
        let untagged = report.untagged.iter().filter(|site| site.kind.allocates());
        claims.extend(untagged.map(|site| claim(kernel, module, reading, site, Class::E4)));
    }
    let same = |f: &&Framework| f.tag.without_protection() == question.tag.without_protection();
    let framework = reading.framework.as_ref().filter(same);
    if claims.is_empty() && framework.is_none() {
        return None;
    }
    if claims.is_empty()
        && let Some(call) = framework.and_then(|f| f.call_rva)
    {
        let create = report.sites.iter().find(|site| site.call_rva == call);
        claims.extend(create.map(|site| claim(kernel, module, reading, site, Class::E4)));
    }
    let pool = question.pool();
    claims.sort_by_key(|claim| {
        let frees = !claim.site.kind.allocates();
        (
            frees,
            explains(&claim.site, pool),
            claim.class,
            claim.site.call_rva,
        )
    });
    let class = claims
        .iter()
        .map(|claim| claim.class)
        .min()
        .unwrap_or(Class::E4);
    let allocating: Vec<&Claim> = claims.iter().filter(|c| c.site.kind.allocates()).collect();
    let explained = allocating
        .iter()
        .map(|claim| explains(&claim.site, pool))
        .min()
        .unwrap_or(Explains::Unknown);
    let exported = exported(&claims);
    let is_agent = !exported.is_empty() || super::agents::service(&module.name).is_some();
    let (reason, remarks) = reasons(report, &claims, class, framework, question, explained);
    Some(Suspect {
        module: module.clone(),
        arch: report.machine,
        class,
        explains: explained,
        role: if is_agent { Role::Agent } else { Role::Owner },
        claims,
        reason,
        remarks,
        exported,
        importers: Importers::default(),
        origin: reading.origin.clone(),
    })
}

fn exported(claims: &[Claim]) -> Vec<String> {
    let allocating = claims.iter().filter(|claim| claim.site.kind.allocates());
    let mut names: Vec<String> = allocating.filter_map(|c| c.site.exported.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn claim(kernel: &Kernel, module: &Module, reading: &Reading, site: &Site, class: Class) -> Claim {
    let mut constants = site.constant_rvas.clone();
    constants.sort_unstable();
    constants.dedup();
    constants.retain(|rva| *rva != site.call_rva);
    let instruction = |rva: u32, is_call: bool| {
        let va = module.base + u64::from(rva);
        let kept = || reading.code.get(&rva).cloned();
        let there = || {
            let space = kernel.space();
            space.slice(va, LONGEST as usize).ok().map(<[u8]>::to_vec)
        };
        Instruction {
            va,
            bytes: kept().or_else(there).unwrap_or_default(),
            is_call,
            is_data: !is_call && !reading.is_code(rva),
        }
    };
    let mut proof: Vec<Instruction> = constants
        .iter()
        .map(|&rva| instruction(rva, false))
        .collect();
    proof.push(instruction(site.call_rva, true));
    Claim {
        site: site.clone(),
        class,
        proof,
    }
}

fn explains(site: &Site, pool: Option<Pool>) -> Explains {
    match (site.pool_kind, pool) {
        (Some(own), Some(pool)) if own == pool => Explains::Yes,
        (Some(_), Some(_)) => Explains::No,
        _ => Explains::Unknown,
    }
}

/// Why the word is what it is, and what else must be known.
fn reasons(
    report: &Report,
    claims: &[Claim],
    class: Class,
    framework: Option<&Framework>,
    question: &Question,
    explained: Explains,
) -> (String, Vec<String>) {
    let mut remarks = Vec::new();
    let of_class: Vec<&Claim> = claims.iter().filter(|claim| claim.class == class).collect();
    let apis = apis(&of_class);
    let sites = plural(of_class.len(), "site");
    let note = of_class
        .first()
        .map(|claim| claim.site.note.clone())
        .unwrap_or_default();
    let untagged = is_untagged(question);
    let reason = match (class, framework) {
        (Class::E1, _) => format!("the tag is the only value that reaches {apis} at {sites}"),
        (Class::E2, _) => {
            let wrapped = of_class.iter().any(|claim| claim.site.wrapper.is_some());
            let how = match wrapped {
                true => "through functions of the driver".to_owned(),
                false => note.clone(),
            };
            format!("the tag reaches {apis} at {sites}: {how}")
        }
        (Class::E3, _) => {
            format!("it passes the tag to {apis} at {sites}; where it allocates is not seen")
        }
        (Class::E4, Some(framework)) => by_framework(framework),
        (Class::E4, None) if untagged => {
            format!("it calls {apis} at {sites}, which takes no tag: Windows files that under None")
        }
        (Class::E4, None) => format!("the tag can reach {apis} at {sites}: {note}"),
        _ => note.clone(),
    };
    if let (Class::E1 | Class::E2, Some(pool)) = (class, question.pool()) {
        let (name, other) = match pool {
            Pool::Nonpaged => ("nonpaged", "paged"),
            Pool::Paged => ("paged", "nonpaged"),
        };
        match explained {
            Explains::Yes => {}
            Explains::Unknown => remarks.push(format!(
                "which pool it allocates from is decided at run time; the tag holds {name} pool"
            )),
            Explains::No => remarks.push(format!(
                "all its sites allocate {other} pool, and what the tag holds is {name} pool: it cannot have filled it"
            )),
        }
    }
    let size = |claim: &&Claim| claim.site.size.is_some() && claim.site.size == question.each();
    if let Some(claim) = claims.iter().find(size)
        && let Some(size) = claim.site.size
    {
        remarks.push(format!(
            "it asks for {size:#x} bytes, which is what each allocation has"
        ));
    }
    if claims.iter().any(|claim| claim.site.is_protected()) {
        remarks.push("bit 31 of the tag is set: it must be freed with the same tag".to_owned());
    }
    let open = report
        .unresolved()
        .filter(|site| site.kind.allocates())
        .count();
    if open > 0 && class > Class::E2 {
        let open = plural(open, "allocation");
        remarks.push(format!(
            "{open} of this driver are made under a tag that is not known"
        ));
    }
    (reason, remarks)
}

fn apis(claims: &[&Claim]) -> String {
    let mut names: Vec<&str> = claims.iter().map(|claim| claim.site.api).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

fn by_framework(framework: &Framework) -> String {
    let Framework {
        service, noted_at, ..
    } = framework;
    match noted_at {
        Some(at) => format!(
            "the driver framework allocates for it under this tag, which it made of the service's name, {service}: \
             WDF_DRIVER_GLOBALS at {at} says so"
        ),
        None => format!(
            "the driver framework allocates for it under the first four characters of its service's name, and that is \
             {service} if it is called like the file"
        ),
    }
}

/// A tag that several modules are proven to use is a static library's, or one that drivers share on purpose.
fn share(suspects: &mut [Suspect]) {
    let names: Vec<String> = suspects
        .iter()
        .filter(|s| s.class <= Class::E2)
        .map(|s| s.module.image_name.clone())
        .collect();
    if names.len() < 2 {
        return;
    }
    for suspect in suspects.iter_mut().filter(|s| s.class <= Class::E2) {
        let others: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| *name != suspect.module.image_name)
            .collect();
        suspect.remarks.push(format!(
            "{} proven to use the tag, too: it is a library's, or drivers share it",
            match others.as_slice() {
                [one] => format!("{one} is"),
                many => format!("{} are", many.join(", ")),
            }
        ));
        if suspect.role == Role::Owner {
            suspect.role = Role::Shared;
        }
    }
}

/// What takes a search of its own: importers of agents, contents of blocks, unloaded drivers.
fn look_closer(kernel: &Kernel, readings: &Readings, search: &Search, answer: &mut Answer) {
    for suspect in answer
        .suspects
        .iter_mut()
        .filter(|s| !s.exported.is_empty())
    {
        let functions = suspect.claims.iter().filter(|c| c.site.exported.is_some());
        let mut places: Vec<u32> = functions.map(|c| c.site.function_rva).collect();
        places.sort_unstable();
        places.dedup();
        for rva in places {
            let va = suspect.module.base + u64::from(rva);
            if let Ok(found) = Importers::of(kernel, va, &search.stop) {
                suspect.importers.modules.extend(found.modules);
            }
        }
        suspect.importers.modules.sort_unstable();
        suspect.importers.modules.dedup();
    }
    let tag = answer.question.tag;
    let contents = Contents::of(kernel, tag, &search.stop);
    answer.blocks_seen = contents.seen;
    let name = |index: usize| kernel.modules().get(index).map(|m| m.name.clone());
    answer.pointed = contents
        .modules
        .iter()
        .filter_map(|(index, count)| Some((name(*index)?, *count)))
        .collect();
    answer
        .pointed
        .sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    answer.gone = gone(kernel, readings.images(), tag, &contents, &search.stop);
}
