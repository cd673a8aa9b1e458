//! All that speaks for and against the modules in the matter of one tag.

use super::account::plural;
use super::agents::Importers;
use super::blocks::Blocks;
use super::fit::{self, Fit};
use super::framework::Framework;
use super::gate::Hit;
use super::gone::{Contents, Gone, gone};
use super::mentions;
use super::readings::{Origin, Reading, Readings};
use super::suspect::{Claim, Confidence, Explains, Instruction, LONGEST, Role, Suspect};
use super::{Question, Search};
use crate::pool::Tag;
use crate::{Kernel, Module};
use rkd_pooltags::api::{Kind, Pool};
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
    /// What the books say of the tag's blocks; `None` where it holds nothing, or the dump does not say what.
    pub blocks: Option<Blocks>,
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

    /// Where the contents of the blocks point to most, in a sentence; `None` where they point into no module.
    pub fn pointers(&self) -> Option<String> {
        let (module, blocks) = self.pointed.first()?;
        Some(format!(
            "{blocks} of the {} large blocks of the tag that are in the dump hold pointers into {module}",
            self.blocks_seen
        ))
    }

    /// What it comes to.
    pub fn outcome(&self) -> Outcome {
        let proven = self.proven().count();
        let likely = |s: &Suspect| s.confidence.is_suspect();
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
    let mut blocks = Blocks::of(question);
    let contents =
        closely.then(|| Contents::of(kernel, question.tag, blocks.as_ref(), &search.stop));
    if let (Some(blocks), Some(contents)) = (&mut blocks, &contents) {
        blocks.large = contents.large;
        blocks.small = contents.small;
    }
    let mut suspects = Vec::new();
    for (index, reading) in readings.all() {
        let Some(module) = kernel.modules().get(index) else {
            continue;
        };
        let is_whole = readings
            .presence(kernel, index)
            .is_some_and(|p| p.missing == 0)
            || reading.origin != Origin::Dump;
        let proven = of_code(kernel, module, reading, is_whole, question, blocks.as_ref());
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
        blocks,
        suspects,
        gone: Vec::new(),
        blocks_seen: 0,
        pointed: Vec::new(),
    };
    if let Some(contents) = contents {
        look_closer(kernel, readings, search, &contents, &mut answer);
    }
    answer
}

/// The module as a suspect by what its code does.
fn of_code(
    kernel: &Kernel,
    module: &Module,
    reading: &Reading,
    is_whole: bool,
    question: &Question,
    blocks: Option<&Blocks>,
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
    let is_default = claims.is_empty();
    if let (true, Some(framework)) = (is_default, framework) {
        // The call that leaves the tag to the framework, and those that take what was left to it.
        let left = report.sites.iter().filter(|site| {
            framework.call_rva == Some(site.call_rva)
                || site.kind == Kind::Framework && site.tag == Some(0)
        });
        claims.extend(left.map(|site| claim(kernel, module, reading, site, Class::E4)));
    }
    claims.sort_by_key(|claim| {
        let frees = !claim.site.kind.allocates();
        (
            frees,
            fit::of_site(claim, blocks),
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
    let fit = fit::of_sites(&allocating, blocks);
    let exported = exported(&claims);
    let is_agent = !exported.is_empty() || super::agents::service(&module.name).is_some();
    let other_pool = |claim: &&Claim| {
        let pool = claim.site.pool_kind.zip(blocks.map(|blocks| blocks.pool));
        pool.is_some_and(|(own, held)| own != held)
    };
    let rules_out =
        is_whole && report.unresolved().next().is_none() || allocating.iter().all(other_pool);
    let confidence = match fit.explains {
        Explains::No if rules_out => Confidence::RuledOut,
        Explains::No if class <= Class::E2 => Confidence::Unlikely,
        _ => Confidence::of(class, fit.agrees),
    };
    let (reason, remarks) = reasons(report, &claims, class, framework, question, &fit);
    Some(Suspect {
        module: module.clone(),
        arch: report.machine,
        class,
        confidence,
        explains: fit.explains,
        role: match (is_agent, is_default) {
            (true, _) => Role::ForOthers,
            (false, true) => Role::FrameworkDefault,
            (false, false) => Role::Allocates,
        },
        shared_with: Vec::new(),
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

/// Why the word is what it is, and what else must be known.
fn reasons(
    report: &Report,
    claims: &[Claim],
    class: Class,
    framework: Option<&Framework>,
    question: &Question,
    fit: &Fit,
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
    if class <= Class::E4 {
        remarks.extend(fit.said.iter().cloned());
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
        suspect.shared_with = names.clone();
        suspect
            .shared_with
            .retain(|name| *name != suspect.module.image_name);
        suspect.remarks.push(format!(
            "{} proven to use the tag, too: it is a library's, or drivers share it",
            match suspect.shared_with.as_slice() {
                [one] => format!("{one} is"),
                many => format!("{} are", many.join(", ")),
            }
        ));
    }
}

/// What takes a search of its own: importers of agents, contents of blocks, unloaded drivers.
fn look_closer(
    kernel: &Kernel,
    readings: &Readings,
    search: &Search,
    contents: &Contents,
    answer: &mut Answer,
) {
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
    // What the blocks point to is a second witness for a driver that is not proven.
    for suspect in &mut answer.suspects {
        let pointing = answer
            .pointed
            .iter()
            .find(|(name, _)| *name == suspect.module.name);
        if let (Confidence::Likely, Some((_, blocks))) = (suspect.confidence, pointing) {
            suspect.confidence = Confidence::VeryLikely;
            suspect
                .remarks
                .push(format!("{blocks} blocks of the tag hold pointers into it"));
        }
    }
    answer.gone = gone(kernel, readings.images(), tag, contents, &search.stop);
}
