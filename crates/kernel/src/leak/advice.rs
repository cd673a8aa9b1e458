//! What to do next.

use super::lockstep::{Group, Member};
use super::weigh::{Holder, Outcome, PoolVerdict};
use super::{Suspect, Verdict};
use crate::Kernel;
use crate::owners::{Answer, Role};
use crate::pool::Tag;

/// Steps for a person, the most useful first.
pub(super) fn advice(kernel: &Kernel, verdict: &Verdict) -> Vec<String> {
    let mut steps = Vec::new();
    for pool in &verdict.pools {
        of_pool(kernel, verdict, pool, &mut steps);
    }
    let mut seen = std::collections::BTreeSet::new();
    steps.retain(|step| seen.insert(step.clone()));
    steps
}

fn of_pool(kernel: &Kernel, verdict: &Verdict, pool: &PoolVerdict, steps: &mut Vec<String>) {
    match (pool.outcome, &pool.holder) {
        (Outcome::None, _) | (_, None) => steps.push(
            "if the machine was slow all the same, look at !vm for what else holds the memory; a second dump and !pooldiff show \
             what grows"
                .to_owned(),
        ),
        (Outcome::Spread, _) => {
            steps.push(
                "take a second dump an hour later and compare: !pooldiff OTHER.DMP shows which tags grow".to_owned(),
            );
            steps.push("!poolowner * /t20 names the owners of the greatest tags".to_owned());
        }
        (Outcome::Lockstep, _) => {
            let group = pool.group.and_then(|number| verdict.groups.get(number));
            if let Some(object) = group.and_then(Group::object) {
                of_member(kernel, verdict, pool, object, steps);
            }
            steps.push(
                "find out what opens or makes so many of them: the tags in step are the parts of one thing, and only that one is to \
                 be looked for"
                    .to_owned(),
            );
        }
        (Outcome::Leak | Outcome::Asked, Some(holder)) => {
            match &holder.object_type {
                Some(_) => handles(holder.usage.tag, steps),
                None => suspects(kernel, verdict, pool, holder.usage.tag, steps),
            }
            steps.push(growth(holder));
        }
    }
}

fn of_member(
    kernel: &Kernel,
    verdict: &Verdict,
    pool: &PoolVerdict,
    member: &Member,
    steps: &mut Vec<String>,
) {
    match &member.object_type {
        Some(_) => handles(member.tag(), steps),
        None => suspects(kernel, verdict, pool, member.tag(), steps),
    }
}

/// The object manager allocates such blocks for everybody: the code of drivers says nothing.
fn handles(tag: Tag, steps: &mut Vec<String>) {
    steps.push(format!(
        "look for who holds the objects: a process with very many handles (Task Manager's column Handles on the running machine), or \
         a driver that takes references and gives none back; '{}' is allocated by Windows for all of them",
        tag.to_string().trim_end()
    ));
    steps.push(
        "gflags /k+ObTrace on the running machine, or handle.exe -s, says what kind of handles grow and in which process".to_owned(),
    );
}

fn growth(holder: &Holder) -> String {
    let tag = holder.usage.tag;
    match holder.piles_up() {
        true => format!("a second dump or a PoolMon log and !pooldiff tell how fast '{tag}' grows"),
        false => format!(
            "take a second dump an hour later and compare with !pooldiff: much of '{tag}' is freed again, so it may be a heavy load"
        ),
    }
}

fn suspects(
    kernel: &Kernel,
    verdict: &Verdict,
    pool: &PoolVerdict,
    tag: Tag,
    steps: &mut Vec<String>,
) {
    let named: Vec<&Suspect> = verdict.suspects_of(pool).collect();
    let proven: Vec<&&Suspect> = named
        .iter()
        .filter(|suspect| suspect.confidence.is_proven())
        .collect();
    match proven.as_slice() {
        [] => unknown(&named, tag, steps),
        [one] => self::proven(kernel, verdict, one, steps),
        several => {
            let names: Vec<&str> = several
                .iter()
                .map(|suspect| suspect.image_name.as_str())
                .collect();
            steps.push(format!(
                "tell them apart: verifier /flags 0x8 /driver {} tracks the pool of each after a restart, and !verifier 3 in the \
                 next dump says who holds it",
                names.join(" ")
            ));
        }
    }
}

fn proven(kernel: &Kernel, verdict: &Verdict, suspect: &Suspect, steps: &mut Vec<String>) {
    let (name, image) = (&suspect.module, &suspect.image_name);
    let backwards: String = suspect.tag.to_string().chars().rev().collect();
    match (suspect.role, suspect.importers.as_slice()) {
        (Role::ForOthers, []) => steps.push(format!(
            "{image} is not the culprit but its tool: record who allocates (wpr -start Pool, or on a debugged machine \
             ed nt!PoolHitTag '{backwards}' breaks at each allocation)"
        )),
        (Role::ForOthers, importers) => steps.push(format!(
            "{image} allocates for others: suspect the modules that import it first ({})",
            importers.join(", ")
        )),
        _ => {
            steps.push(format!("lmvm {name} tells its maker and build: look for an update, or remove it"));
            steps.push(format!(
                "to see which of its allocations are never freed: verifier /flags 0x8 /driver {image}, restart, and !verifier 3 \
                 {image} in the next dump"
            ));
        }
    }
    let owner = suspect.owner.and_then(|(answer, number)| {
        let answer: &Answer = verdict.answers.get(answer)?;
        answer.suspects.get(number)
    });
    let Some(owner) = owner else {
        return;
    };
    if let Ok(id) = kernel.pdb_of(&owner.module) {
        let loaded = kernel.symbols_of(&owner.module);
        let named = loaded.is_some_and(|table| table.identity() == Some(&id));
        if !named {
            steps.push(format!(
                "its symbols would name the functions: {} {}{:X} on the symbol path",
                id.name, id.guid, id.age
            ));
        }
    }
}

fn unknown(named: &[&Suspect], tag: Tag, steps: &mut Vec<String>) {
    if named.iter().any(|suspect| suspect.role == Role::Unloaded) {
        steps.push(
            "find out what loads and unloads the driver: it leaves its memory behind each time"
                .to_owned(),
        );
    }
    if let Some(loaded) = named.iter().find(|suspect| suspect.owner.is_some()) {
        steps.push(format!(
            "lmvm {} tells its maker and build: look for an update, or see whether '{tag}' still grows without it",
            loaded.module
        ));
    }
    steps.push(
        "give rkd the drivers' files: copy C:\\Windows\\System32\\drivers from the machine and say -i FOLDER (or .exepath FOLDER)".to_owned(),
    );
    steps.push(format!(
        "ask the driver's maker, or the list of tags (pooltag.txt, --pooltag FILE), for '{tag}'"
    ));
}

/// What helps with a dump that does not say who holds how much.
pub(super) fn without_books(kernel: &Kernel, is_asked: bool) -> Vec<String> {
    let mut steps = Vec::new();
    if kernel.dump().triage().is_some() {
        steps.push(
            "set the machine to write kernel memory dumps (System Properties, Startup and Recovery), or take a live kernel dump with \
             Task Manager while it leaks"
                .to_owned(),
        );
    } else if kernel.table().is_err() {
        let nt = kernel
            .modules()
            .first()
            .and_then(|nt| kernel.pdb_of(nt).ok());
        steps.push(match nt {
            Some(id) => format!(
                "nt's symbols are needed: {} {}{:X} on the symbol path (.sympath, then .reload)",
                id.name, id.guid, id.age
            ),
            None => "nt's symbols are needed, and the dump does not even say which".to_owned(),
        });
    } else {
        steps.push(
            "the pages with the pool tracker are not in the dump: ask for a complete or a new dump"
                .to_owned(),
        );
    }
    if !is_asked {
        steps.push("!leak Tag looks for the owner of a tag that you know from PoolMon".to_owned());
    }
    steps
}
