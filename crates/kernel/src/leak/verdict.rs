//! The verdict: who, how sure, and why.

use super::lockstep::Group;
use super::weigh::{Case, Holder, Outcome, PoolVerdict};
use super::{Books, advice, sentence};
use crate::Kernel;
use crate::owners::{Answer, Confidence, Gone, Inquiry, Role, Suspect as Owner};
use crate::pool::Tag;
use rkd_dump::error::Error;
use rkd_pooltags::api::Pool;

/// Somebody who may have allocated what is missing.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// The tag.
    pub tag: Tag,
    /// The pool in which it holds what must be explained; `None` when the dump does not say.
    pub pool: Option<Pool>,
    /// kd's name of the module; of an unloaded driver, its file's name without the ending.
    pub module: String,
    /// The file's name.
    pub image_name: String,
    /// Where the file lay; `None` for unloaded drivers, of which Windows keeps the name only.
    pub path: Option<String>,
    /// Its part.
    pub role: Role,
    /// How sure it is.
    pub confidence: Confidence,
    /// What speaks for it, and what against it, a sentence each.
    pub evidence: Vec<String>,
    /// Bytes of the tag in the pool that it can have allocated: all, where it is the only one; where several are named, each of
    /// them so much at most; none, where it is ruled out.
    pub bytes: u64,
    /// On whose behalf it allocates: the modules that import the function through which it does.
    pub importers: Vec<String>,
    /// What its code says: the number of the answer in [`Verdict::answers`], and of the module in it. `None` for unloaded drivers.
    pub owner: Option<(usize, usize)>,
}

/// What it all comes to.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// The pools that must be talked about, the larger first; empty when the dump does not say who holds how much.
    pub pools: Vec<PoolVerdict>,
    /// Tags in step that hold much of one of them.
    pub groups: Vec<Group>,
    /// All who must be named, the surest first.
    pub suspects: Vec<Suspect>,
    /// Modules that use the tags in question and cannot have filled the pool, or hardly.
    pub acquitted: Vec<Suspect>,
    /// What the code of the modules says about the tags in question.
    pub answers: Vec<Answer>,
    /// What must be known to judge the verdict.
    pub remarks: Vec<String>,
    /// What the dump lacks, and what of the verdict that makes unsure.
    pub missing: Vec<String>,
    /// Steps for a person, the most useful first.
    pub advice: Vec<String>,
}

impl Verdict {
    pub(super) fn new(
        kernel: &Kernel,
        case: Case,
        books: &Books,
        inquiry: Option<Inquiry>,
    ) -> Verdict {
        let mut verdict = Verdict {
            pools: case.pools,
            groups: case.groups,
            ..Verdict::default()
        };
        verdict.take(inquiry);
        for group in &mut verdict.groups {
            group.identify(&verdict.answers);
        }
        for number in 0..verdict.pools.len() {
            let named = verdict
                .pools
                .get(number)
                .and_then(|pool| verdict.tag_of(pool));
            if let Some((tag, pool)) = named {
                verdict.name(tag, Some(pool));
            }
        }
        for pool in &books.pools {
            verdict.remarks.extend(pool.differences());
            verdict.remarks.extend(pool.excessive.then(|| {
                format!(
                    "{} pool is nearly as large as it may be: allocations fail soon, or failed",
                    sentence::word(pool.pool)
                )
            }));
        }
        let failed = books.failures.filter(|count| *count > 0);
        verdict.remarks.extend(failed.map(|count| {
            format!("{count} pool allocations have failed (nt!ExPoolFailures): the pool or the memory was used up")
        }));
        verdict.blocks();
        let loads = verdict
            .holders(Outcome::Leak)
            .any(|holder| !holder.piles_up());
        if loads {
            verdict.remarks.push(
                "much of what the tag ever held was freed again: it may be a heavy load, and one dump cannot tell".to_owned(),
            );
        }
        verdict.missing.extend(books.notes.iter().cloned());
        verdict.advice = advice::advice(kernel, &verdict);
        verdict
    }

    /// A dump that does not say who holds how much: what can still be said of a tag that was asked for.
    pub fn without_books(
        kernel: &Kernel,
        asked: Option<Tag>,
        why: &Error,
        inquiry: Option<Inquiry>,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        verdict.take(inquiry);
        if let Some(tag) = asked {
            verdict.name(tag, None);
        }
        verdict.missing.insert(0, why.to_string());
        verdict.advice = advice::without_books(kernel, asked.is_some());
        verdict
    }

    /// The answers, and how much of the modules was seen for them.
    fn take(&mut self, inquiry: Option<Inquiry>) {
        let Some(inquiry) = inquiry else {
            return;
        };
        match inquiry.answers.iter().all(Answer::is_proven) {
            true => self.remarks.push(inquiry.account.short()),
            false => self.missing.extend(inquiry.account.sentences()),
        }
        self.answers = inquiry.answers;
    }

    fn holders(&self, outcome: Outcome) -> impl Iterator<Item = &Holder> {
        let pools = self
            .pools
            .iter()
            .filter(move |pool| pool.outcome == outcome);
        pools.filter_map(|pool| pool.holder.as_ref())
    }

    /// The tag of which the owner must be named, and the pool: that of the group's object, or the one that holds most.
    fn tag_of(&self, pool: &PoolVerdict) -> Option<(Tag, Pool)> {
        match pool.outcome {
            Outcome::Leak | Outcome::Asked => pool
                .holder
                .as_ref()
                .map(|holder| (holder.usage.tag, pool.pool)),
            Outcome::Lockstep => {
                let object = self.groups.get(pool.group?)?.object()?;
                Some((object.tag(), object.pool))
            }
            Outcome::Spread | Outcome::None => None,
        }
    }

    /// Names everybody for whom something speaks in the matter of a tag.
    fn name(&mut self, tag: Tag, pool: Option<Pool>) {
        let known = self
            .suspects
            .iter()
            .chain(&self.acquitted)
            .any(|suspect| suspect.tag == tag);
        let found = self
            .answers
            .iter()
            .enumerate()
            .find(|(_, answer)| answer.question.tag == tag);
        let Some((number, answer)) = found.filter(|_| !known) else {
            return;
        };
        let held = answer
            .question
            .held
            .zip(pool)
            .map_or(0, |(held, pool)| match pool {
                Pool::Nonpaged => held.nonpaged.bytes,
                Pool::Paged => held.paged.bytes,
            });
        // Where somebody is proven, a mention in another module is none; nobody who was unloaded is needed.
        let is_proven = answer.is_proven();
        for (index, owner) in answer.suspects.iter().enumerate() {
            let suspect = of_owner(tag, pool, owner, held, (number, index));
            let named =
                suspect.confidence.is_suspect() && (!is_proven || suspect.confidence.is_proven());
            match (named, owner.explains) {
                (true, _) => self.suspects.push(suspect),
                (false, crate::owners::Explains::No) => self.acquitted.push(suspect),
                (false, _) => {}
            }
        }
        if !is_proven {
            let gone = answer.gone.iter().filter(|gone| gone.is_suspect());
            self.suspects
                .extend(gone.map(|gone| of_gone(tag, pool, gone, held)));
            self.suspects.sort_by_key(|suspect| suspect.confidence);
        }
    }

    /// What the books of blocks say, and do not.
    fn blocks(&mut self) {
        let several = self.answers.len() > 1;
        for answer in &self.answers {
            let tag = answer.question.tag;
            self.remarks
                .extend(answer.blocks.and_then(|blocks| blocks.unlisted(tag)));
            self.remarks
                .extend(answer.pointers().map(|said| match several {
                    true => format!("{tag}: {said}"),
                    false => said,
                }));
        }
    }

    /// The suspects in the matter of one pool.
    pub fn suspects_of<'a>(&'a self, pool: &PoolVerdict) -> impl Iterator<Item = &'a Suspect> {
        let tag = self.tag_of(pool);
        self.suspects
            .iter()
            .filter(move |suspect| tag.is_some_and(|(tag, _)| tag == suspect.tag))
    }

    /// Modules that use the same tag, and are acquitted.
    pub fn acquitted_of<'a>(&'a self, pool: &PoolVerdict) -> impl Iterator<Item = &'a Suspect> {
        let tag = self.tag_of(pool);
        self.acquitted
            .iter()
            .filter(move |suspect| tag.is_some_and(|(tag, _)| tag == suspect.tag))
    }

    /// How sure the whole chain is, in a word: no surer than the surest suspect. `None` where nobody was looked for.
    pub fn confidence(&self, pool: &PoolVerdict) -> Option<&'static str> {
        self.tag_of(pool)?;
        Some(confidence(self.suspects_of(pool)))
    }

    /// The same for a tag of which the dump does not say what it holds.
    pub fn confidence_of_all(&self) -> &'static str {
        confidence(self.suspects.iter())
    }
}

fn confidence<'a>(suspects: impl Iterator<Item = &'a Suspect>) -> &'static str {
    let suspects: Vec<&Suspect> = suspects.collect();
    match suspects.as_slice() {
        [] => "unknown",
        [first, second, ..] if first.confidence.is_proven() && second.confidence.is_proven() => {
            "proven for several"
        }
        [first, ..] => first.confidence.word(),
    }
}

fn of_owner(
    tag: Tag,
    pool: Option<Pool>,
    owner: &Owner,
    held: u64,
    place: (usize, usize),
) -> Suspect {
    let service = owner.service().map(str::to_owned);
    Suspect {
        tag,
        pool,
        module: owner.module.name.clone(),
        image_name: owner.module.image_name.clone(),
        path: Some(owner.module.image_path.clone()),
        role: owner.role,
        confidence: owner.confidence,
        evidence: [&owner.reason]
            .into_iter()
            .chain(&owner.remarks)
            .cloned()
            .chain(service)
            .collect(),
        bytes: if owner.confidence.is_suspect() {
            held
        } else {
            0
        },
        importers: owner.importers.modules.clone(),
        owner: Some(place),
    }
}

fn of_gone(tag: Tag, pool: Option<Pool>, gone: &Gone, held: u64) -> Suspect {
    let name = &gone.driver.name;
    Suspect {
        tag,
        pool,
        module: name
            .rsplit_once('.')
            .map_or(name.as_str(), |(stem, _)| stem)
            .to_owned(),
        image_name: name.clone(),
        path: None,
        role: Role::Unloaded,
        confidence: gone.confidence(),
        evidence: gone.evidence(),
        bytes: held,
        importers: Vec::new(),
        owner: None,
    }
}
