//! What to do next.

use super::{Finding, Verdict};
use crate::Kernel;
use crate::owners::{Answer, Outcome, Role};

/// Steps for a person, the most useful first.
pub fn advice(kernel: &Kernel, finding: &Finding, answer: Option<&Answer>) -> Vec<String> {
    let mut steps = Vec::new();
    match (&finding.verdict, answer) {
        (Verdict::None, None) => {
            steps.push(
                "if the machine was slow all the same, look at !vm for what else holds the memory; a second dump and !pooldiff show \
                 what grows"
                    .to_owned(),
            );
            return steps;
        }
        (Verdict::Spread, None) => {
            steps.push(
                "take a second dump an hour later and compare: !pooldiff OTHER.DMP shows which tags grow".to_owned(),
            );
            steps.push("!poolowner * /t20 names the owners of the greatest tags".to_owned());
            return steps;
        }
        _ => {}
    }
    let Some(answer) = answer else {
        return steps;
    };
    let tag = answer.question.tag;
    match answer.outcome() {
        Outcome::Proven => proven(kernel, answer, &mut steps),
        Outcome::Several => {
            let names: Vec<&str> = answer
                .proven()
                .map(|suspect| suspect.module.image_name.as_str())
                .collect();
            steps.push(format!(
                "tell them apart: verifier /flags 0x8 /driver {} tracks the pool of each after a restart, and !verifier 3 in the \
                 next dump says who holds it",
                names.join(" ")
            ));
        }
        Outcome::Likely | Outcome::Unknown => unknown(answer, &mut steps),
    }
    let piles_up = finding.holder.is_some_and(|holder| holder.piles_up());
    steps.push(match piles_up {
        true => format!("a second dump or a PoolMon log and !pooldiff tell how fast '{tag}' grows"),
        false => format!(
            "take a second dump an hour later and compare with !pooldiff: much of '{tag}' is freed again, so it may be a heavy load"
        ),
    });
    steps
}

fn proven(kernel: &Kernel, answer: &Answer, steps: &mut Vec<String>) {
    let Some(suspect) = answer.suspects.iter().find(|suspect| suspect.is_proven()) else {
        return;
    };
    let (name, image) = (&suspect.module.name, &suspect.module.image_name);
    let tag = answer.question.tag;
    let backwards: String = tag.to_string().chars().rev().collect();
    match (suspect.service(), suspect.role == Role::Agent) {
        (Some(_), _) => steps.push(format!(
            "{image} is not the culprit but its tool: record who allocates (wpr -start Pool, or on a debugged machine \
             ed nt!PoolHitTag '{backwards}' breaks at each allocation)"
        )),
        (None, true) => steps.push(format!("{image} allocates for others: suspect the modules that import it first")),
        (None, false) => {
            steps.push(format!("lmvm {name} tells its maker and build: look for an update, or remove it"));
            steps.push(format!(
                "to see which of its allocations are never freed: verifier /flags 0x8 /driver {image}, restart, and !verifier 3 \
                 {image} in the next dump"
            ));
        }
    }
    if let Ok(id) = kernel.pdb_of(&suspect.module) {
        let loaded = kernel.symbols_of(&suspect.module);
        let named = loaded.is_some_and(|table| table.identity() == Some(&id));
        if !named {
            steps.push(format!(
                "its symbols would name the functions: {} {}{:X} on the symbol path",
                id.name, id.guid, id.age
            ));
        }
    }
}

fn unknown(answer: &Answer, steps: &mut Vec<String>) {
    let tag = answer.question.tag;
    if answer.gone.iter().any(|gone| gone.is_suspect()) {
        steps.push(
            "find out what loads and unloads the driver: it leaves its memory behind each time"
                .to_owned(),
        );
    }
    steps.push(
        "give rkd the drivers' files: copy C:\\Windows\\System32\\drivers from the machine and say -i FOLDER (or .exepath FOLDER)".to_owned(),
    );
    steps.push(format!(
        "ask the driver's maker, or the list of tags (pooltag.txt, --pooltag FILE), for '{tag}'"
    ));
}
