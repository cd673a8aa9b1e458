//! The verdict in a sentence.

use super::books::human;
use super::lockstep::{Group, Member};
use super::verdict::{Suspect, Verdict};
use super::weigh::{Holder, Outcome, PoolVerdict};
use crate::owners::Role;
use rkd_pooltags::api::Pool;

impl Verdict {
    /// What is said of one pool, in a sentence for people.
    pub fn sentence(&self, pool: &PoolVerdict) -> String {
        let name = word(pool.pool);
        let size = human(pool.bytes);
        let Some(holder) = &pool.holder else {
            return "Nothing is allocated from either pool, which cannot be: the books are damaged.".to_owned();
        };
        let tag = holder.usage.tag;
        let bytes = human(holder.held().bytes);
        let part = match holder.share {
            Some(share) => format!("{:.1} % of {name} pool", share * 100.0),
            None => format!("of {name} pool"),
        };
        match pool.outcome {
            Outcome::None => format!(
                "Neither pool is larger than usual: {name}, the larger one, has {size}, and {tag} holds the most of it, {bytes}."
            ),
            Outcome::Spread => format!(
                "The {name} pool is too large, {size}, but no tag stands out: {tag} holds the most, {part} only."
            ),
            Outcome::Lockstep => match pool.group.and_then(|number| self.groups.get(number)) {
                Some(group) => self.of_group(pool, group),
                None => String::new(),
            },
            Outcome::Leak | Outcome::Asked => {
                let blocks = match holder.each() {
                    Some(each) => format!(
                        "{} allocations of {}",
                        holder.held().outstanding(),
                        human(each)
                    ),
                    None => format!("{} allocations", holder.held().outstanding()),
                };
                let does = if pool.outcome == Outcome::Leak {
                    "leaks"
                } else {
                    "holds"
                };
                let who = self.who(pool, holder, does);
                format!(
                    "{who}: {blocks} with the tag {tag} hold {bytes}, {part}; {}.",
                    holder.frees()
                )
            }
        }
    }

    fn who(&self, pool: &PoolVerdict, holder: &Holder, does: &str) -> String {
        let name = word(pool.pool);
        if let Some(object) = &holder.object_type {
            return format!(
                "Objects of the type {} {}, and whoever keeps handles or references to them is to be found, not who allocates them",
                object.name,
                if does == "leaks" {
                    format!("fill {name} pool")
                } else {
                    format!("are in {name} pool")
                }
            );
        }
        let suspects: Vec<&Suspect> = self.suspects_of(pool).collect();
        named(&suspects, does, name)
    }

    fn of_group(&self, pool: &PoolVerdict, group: &Group) -> String {
        let name = word(pool.pool);
        let bytes = group.bytes(pool.pool);
        let share = bytes as f64 / pool.bytes.max(1) as f64 * 100.0;
        let together = format!(
            "{} tags are in step, about {} blocks each, and hold {}, {share:.1} % of {name} pool, together",
            group.members.len(),
            group.count,
            human(bytes)
        );
        let Some(object) = group.object() else {
            return format!("What leaks {name} pool is not known: {together}.");
        };
        let companions = group
            .members
            .iter()
            .filter(|member| member.tag() != object.tag());
        let names: Vec<String> = companions
            .map(|member| member.tag().to_string().trim_end().to_owned())
            .collect();
        let thing = match &object.object_type {
            Some(kind) => format!(
                "objects of the type {} fill it with what comes with them",
                kind.name
            ),
            None => {
                let suspects: Vec<&Suspect> = self.suspects_of(pool).collect();
                named(&suspects, "leaks", name)
            }
        };
        format!(
            "{thing}: {together}; {} is the object, {}, and {} come with it.",
            object.tag(),
            frees(object),
            names.join(", ")
        )
    }

    /// The sentence for a dump that does not say who holds how much.
    pub fn sentence_without_books(&self) -> String {
        let why = self.missing.first().map_or("", String::as_str);
        let proven: Vec<&Suspect> = self
            .suspects
            .iter()
            .filter(|suspect| suspect.confidence.is_proven())
            .collect();
        match proven.as_slice() {
            [] => format!("{CANNOT_TELL}: {why}"),
            [first, ..] => format!(
                "Proven to allocate under '{}': {}. How much that is this dump cannot tell: {why}",
                first.tag,
                list(&proven)
            ),
        }
    }
}

/// How the sentence about a dump that cannot tell begins.
pub const CANNOT_TELL: &str = "This dump cannot tell who uses the pool";

pub(super) fn word(pool: Pool) -> &'static str {
    match pool {
        Pool::Nonpaged => "nonpaged",
        Pool::Paged => "paged",
    }
}

fn frees(member: &Member) -> String {
    let held = member.held();
    match held.frees {
        0 => "of which not one was freed".to_owned(),
        frees => format!("of which {frees} of {} were freed", held.allocs),
    }
}

fn list(suspects: &[&Suspect]) -> String {
    let names: Vec<&str> = suspects
        .iter()
        .map(|suspect| suspect.image_name.as_str())
        .collect();
    names.join(", ")
}

/// Who it is, and how sure that is.
fn named(suspects: &[&Suspect], does: &str, pool: &str) -> String {
    let unknown = format!("Who {does} {pool} pool is not known");
    let [first, rest @ ..] = suspects else {
        return unknown;
    };
    let (name, sure) = (&first.image_name, first.confidence.word());
    let several =
        first.confidence.is_proven() && rest.iter().any(|other| other.confidence.is_proven());
    match first.role {
        _ if several => format!("One of {} {does} {pool} pool", list(suspects)),
        Role::ForOthers => match first.importers.as_slice() {
            [] => {
                format!("{name} allocates it ({sure}), but for others: look for who makes it do so")
            }
            importers => format!(
                "{name} allocates it ({sure}), but for others: look at {}, which call it",
                importers.join(", ")
            ),
        },
        Role::Unloaded => format!("{name}, which was unloaded, has left it behind, {sure}"),
        _ if first.confidence == crate::owners::Confidence::Uses => {
            format!("{unknown}, and {name} uses the tag")
        }
        Role::Allocates | Role::FrameworkDefault => format!("{name} {does} {pool} pool, {sure}"),
    }
}
