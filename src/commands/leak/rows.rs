//! What `!leak` shows.

use crate::command::{KdLine, Row};
use crate::commands::poolowner::proof;
use crate::commands::poolowner::row::{self, pool_word};
use crate::session::Session;
use rkd_dump::error::Error;
use rkd_kernel::leak::{CANNOT_TELL, books::human};
use rkd_kernel::leak::{
    Holder, Member, ObjectType, Part, PoolBooks, PoolVerdict, Suspect, Verdict,
};
use rkd_kernel::pool::Tag;

/// A pool, in the three books that Windows keeps of it.
#[derive(Row)]
#[row(kind = "pool")]
pub(super) struct PoolRow {
    /// `nonpaged` or `paged`.
    pool: &'static str,
    /// Its size: by its pages, or else by its tags.
    bytes: u64,
    /// Pages that the memory manager counts.
    pages_bytes: Result<u64, Error>,
    /// The sum of the tags.
    tags_bytes: u64,
    /// The sum of the big-page table.
    large_bytes: Result<u64, Error>,
    /// The part of the memory that it is, 0 to 1.
    #[row(absent = "the dump does not say how much memory there was")]
    share: Option<f64>,
    /// Above which part it is too large.
    limit: f64,
    /// Whether it is too large.
    abnormal: bool,
    /// Whether it is nearly as large as it may be, which `!vm` calls excessive.
    excessive: bool,
    /// Why the books differ, in sentences.
    differences: Vec<String>,
}

impl PoolRow {
    pub(super) fn new(pool: &PoolBooks) -> PoolRow {
        PoolRow {
            pool: pool_word(pool.pool),
            bytes: pool.size(),
            pages_bytes: pool.pages.clone(),
            tags_bytes: pool.tags,
            large_bytes: pool.large.clone(),
            share: pool.share,
            limit: pool.limit(),
            abnormal: pool.is_abnormal(),
            excessive: pool.excessive,
            differences: pool.differences(),
        }
    }
}

impl KdLine for PoolRow {
    fn line(&self) -> String {
        let size =
            |bytes: &Result<u64, Error>| bytes.as_ref().map_or("-".to_owned(), |b| human(*b));
        let share = self
            .share
            .map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0));
        let verdict = match (self.excessive, self.abnormal) {
            (true, _) => "   too large: nearly as large as it may be".to_owned(),
            (false, true) => format!("   too large: more than {:.0} %", self.limit * 100.0),
            (false, false) => String::new(),
        };
        format!(
            "  {:<9} {:>14} {:>12} {:>12} {share:>12}{verdict}",
            self.pool,
            size(&self.pages_bytes),
            human(self.tags_bytes),
            size(&self.large_bytes),
        )
    }
}

/// The tag in question, in a few words.
pub(super) fn holder(session: &Session, holder: &Holder) -> String {
    let held = holder.held();
    let tag = holder.usage.tag;
    let share = holder.share.map_or(String::new(), |share| {
        format!(
            ", {:.1} % of {} pool",
            share * 100.0,
            pool_word(holder.pool)
        )
    });
    let each = holder
        .each()
        .map_or(String::new(), |each| format!(" of {}", human(each)));
    let mut text = format!(
        "  {tag} holds {}{share}, in {} allocations{each}; {}",
        human(held.bytes),
        held.outstanding(),
        holder.frees()
    );
    let uptime = session.target.kernel.located().up_time.get();
    if let Some(hours) = uptime
        .map(|ticks| ticks as f64 / 36_000_000_000.0)
        .filter(|h| *h > 0.01)
    {
        let rate = human((held.bytes as f64 / hours) as u64);
        text += &format!(
            "\n  that is {rate} an hour, if it grew evenly since the start {hours:.1} hours ago"
        );
    }
    if let Some(name) = session.target.tag_names.find(tag) {
        text += &format!("\n  the list of tags says: {}", name.describe().trim_end());
    }
    text
}

/// Why nobody is named for a tag of objects.
pub(super) fn objects(kind: &ObjectType) -> String {
    let source = match kind.in_dump {
        true => "the dump's own object types say so",
        false => "it is a well-known one: the dump does not hold the object types",
    };
    format!(
        "  the tag is that of the object type {} ({source}): Windows allocates it for whoever opens or makes such an object",
        kind.name
    )
}

/// The heading above the tags of a group.
pub(super) const MEMBERS: &str = "  Tag  Pool         Blocks  Ratio        Bytes      Freed  What";

/// A tag in step with others.
#[derive(Row)]
#[row(kind = "group")]
pub(super) struct MemberRow {
    /// Blocks that the tags of the group have in common, on average.
    group_blocks: u64,
    /// The tag.
    tag: Tag,
    /// The pool in which it is in step: `nonpaged` or `paged`.
    pool: &'static str,
    /// Blocks that were not freed.
    outstanding: u64,
    /// Its blocks to those of the group: `1:1`, `2:1`, `1:3`.
    ratio: String,
    /// What it holds of the pool.
    bytes: u64,
    /// Blocks that were freed since the start.
    frees: u64,
    /// `object`, what leaks, or `companion`, what comes with it.
    part: &'static str,
    /// What it is, where that is known.
    #[row(absent = "not known")]
    what: Option<String>,
    /// Modules that are proven to allocate under it.
    owners: Vec<String>,
}

impl MemberRow {
    pub(super) fn new(group_blocks: u64, member: &Member) -> MemberRow {
        let held = member.held();
        let (times, per) = member.ratio;
        let kind = member.object_type.as_ref();
        let kind = kind.map(|kind| format!("object type {}", kind.name));
        let (part, what) = match &member.part {
            Part::Object => ("object", None),
            Part::Companion(what) => ("companion", what.clone()),
        };
        MemberRow {
            group_blocks,
            tag: member.tag(),
            pool: pool_word(member.pool),
            outstanding: held.outstanding(),
            ratio: format!("{times}:{per}"),
            bytes: held.bytes,
            frees: held.frees,
            part,
            what: kind.or(what),
            owners: member.owners.clone(),
        }
    }
}

impl KdLine for MemberRow {
    fn line(&self) -> String {
        let mut words = vec![self.part];
        words.extend(self.what.as_deref());
        let owners = self.owners.join(", ");
        words.extend(Some(owners.as_str()).filter(|owners| !owners.is_empty()));
        format!(
            "  {:<4} {:<8} {:>10}  {:<5} {:>12} {:>10}  {}",
            self.tag,
            self.pool,
            self.outstanding,
            self.ratio,
            human(self.bytes),
            self.frees,
            words.join("; ")
        )
    }
}

/// Somebody who may have allocated what is missing, or who uses the tag and is acquitted.
#[derive(Row)]
#[row(kind = "suspect")]
pub(super) struct SuspectRow {
    /// The tag.
    tag: Tag,
    /// The pool that must be explained: `nonpaged` or `paged`.
    #[row(absent = "the dump does not say what the tag holds")]
    pool: Option<&'static str>,
    /// kd's name of the module.
    module: String,
    /// The file's name.
    image_name: String,
    /// Where the file lay.
    #[row(absent = "Windows keeps no path of unloaded drivers")]
    image_path: Option<String>,
    /// `allocates`, `allocates for others`, `framework default` or `unloaded`.
    role: &'static str,
    /// How sure it is: `proven` to `ruled out`.
    confidence: &'static str,
    /// The class of the evidence, E1 to E7.
    #[row(absent = "its code was not read")]
    class: Option<String>,
    /// What it can have allocated of what the tag holds in that pool, at most.
    explained_bytes: u64,
    /// What speaks for it and what against it, in sentences.
    evidence: Vec<String>,
    /// Modules on whose behalf it allocates, by imports.
    importers: Vec<String>,
    /// Places in its code that name the tag.
    sites: usize,
    /// The instructions that prove each of them.
    proof: Vec<Vec<String>>,
    #[row(skip, line)]
    shown: String,
}

impl SuspectRow {
    /// The number is that on the screen: a blank line stands between two.
    pub(super) fn new(
        session: &Session,
        verdict: &Verdict,
        suspect: &Suspect,
        number: usize,
    ) -> SuspectRow {
        let owner = suspect
            .owner
            .and_then(|(answer, index)| verdict.answers.get(answer)?.suspects.get(index));
        let proof: Vec<Vec<String>> = owner.map_or(Vec::new(), |owner| {
            let claims = owner.claims.iter();
            claims
                .map(|claim| proof::lines(&session.target.kernel, owner, claim))
                .collect()
        });
        SuspectRow {
            tag: suspect.tag,
            pool: suspect.pool.map(pool_word),
            module: suspect.module.clone(),
            image_name: suspect.image_name.clone(),
            image_path: suspect.path.clone(),
            role: suspect.role.word(),
            confidence: suspect.confidence.word(),
            class: owner.map(|owner| format!("{:?}", owner.class)),
            explained_bytes: suspect.bytes,
            evidence: suspect.evidence.clone(),
            importers: suspect.importers.clone(),
            sites: proof.len(),
            shown: match owner {
                Some(owner) => row::text(owner, &proof, number, false),
                None => format!(
                    "  {} was unloaded: {} ({})",
                    suspect.image_name,
                    suspect.evidence.join(", and "),
                    suspect.confidence.word()
                ),
            },
            proof,
        }
    }
}

/// A step that helps.
#[derive(Row)]
#[row(kind = "advice")]
pub(super) struct AdviceRow {
    /// The step, in a sentence.
    pub step: String,
}

impl KdLine for AdviceRow {
    fn line(&self) -> String {
        format!("  - {}", self.step)
    }
}

/// What it all comes to, for one pool.
#[derive(Row)]
#[row(kind = "verdict")]
pub(super) struct VerdictRow {
    /// `leak`, `lockstep`, `spread`, `none`, `asked` (for a tag of one's own choice) or `unknown`.
    verdict: &'static str,
    /// `nonpaged` or `paged`.
    pool: Result<&'static str, Error>,
    /// The pool's size.
    pool_bytes: Result<u64, Error>,
    /// The part of the memory that the pool is, 0 to 1.
    #[row(absent = "the dump does not say how much memory there was")]
    pool_share: Option<f64>,
    /// The tag that holds most of it, or that was asked for.
    tag: Result<Tag, Error>,
    /// What the tag holds of the pool.
    tag_bytes: Result<u64, Error>,
    /// Blocks of the tag that were not freed.
    tag_allocations: Result<u64, Error>,
    /// Blocks of it that were freed since the start.
    tag_frees: Result<u64, Error>,
    /// The part of the pool that the tag holds, 0 to 1.
    tag_share: Result<f64, Error>,
    /// Files of all who must be named, the surest first.
    suspects: Vec<String>,
    /// How sure the whole chain is.
    #[row(absent = "nobody was looked for")]
    confidence: Option<&'static str>,
    /// The verdict in a sentence.
    sentence: String,
    /// What must be known to judge it.
    remarks: Vec<String>,
    /// What the dump lacks.
    missing: Vec<String>,
    #[row(skip, line)]
    shown: String,
}

impl VerdictRow {
    pub(super) fn new(verdict: &Verdict, pool: &PoolVerdict) -> VerdictRow {
        let sentence = verdict.sentence(pool);
        let holder = pool.holder.as_ref();
        let holder = || holder.ok_or_else(|| Error::NotFound("nothing is allocated".to_owned()));
        VerdictRow {
            verdict: pool.outcome.word(),
            pool: Ok(pool_word(pool.pool)),
            pool_bytes: Ok(pool.bytes),
            pool_share: pool.share,
            tag: holder().map(|holder| holder.usage.tag),
            tag_bytes: holder().map(|holder| holder.held().bytes),
            tag_allocations: holder().map(|holder| holder.held().outstanding()),
            tag_frees: holder().map(|holder| holder.held().frees),
            tag_share: holder().and_then(|holder| {
                let unknown = "the size of the pool is not known";
                holder
                    .share
                    .ok_or_else(|| Error::NotInDump(unknown.to_owned()))
            }),
            suspects: names(verdict.suspects_of(pool)),
            confidence: verdict.confidence(pool),
            shown: format!("  {sentence}"),
            sentence,
            remarks: verdict.remarks.clone(),
            missing: verdict.missing.clone(),
        }
    }

    /// A dump that does not say who holds how much. The screen leaves the reason to the error that follows, if one does.
    pub(super) fn without_books(verdict: &Verdict, why: &Error) -> VerdictRow {
        let sentence = verdict.sentence_without_books();
        let tag = verdict.suspects.first().map(|suspect| suspect.tag);
        VerdictRow {
            verdict: "unknown",
            pool: Err(why.clone()),
            pool_bytes: Err(why.clone()),
            pool_share: None,
            tag: tag.ok_or_else(|| why.clone()),
            tag_bytes: Err(why.clone()),
            tag_allocations: Err(why.clone()),
            tag_frees: Err(why.clone()),
            tag_share: Err(why.clone()),
            suspects: names(verdict.suspects.iter()),
            confidence: Some(verdict.confidence_of_all()),
            shown: match sentence.starts_with(CANNOT_TELL) {
                true => format!("  {CANNOT_TELL}"),
                false => format!("  {sentence}"),
            },
            sentence,
            remarks: verdict.remarks.clone(),
            missing: verdict.missing.clone(),
        }
    }
}

fn names<'a>(suspects: impl Iterator<Item = &'a Suspect>) -> Vec<String> {
    suspects.map(|suspect| suspect.image_name.clone()).collect()
}
