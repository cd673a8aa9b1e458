//! Tags in step: where one thing leaks that is made of several blocks, each block has a tag of its own, and none of them stands
//! out. But their counts are equal, or one is twice or three times the other, and together they hold the pool.

use super::limits;
use super::objects::{ObjectType, ObjectTypes, companion};
use crate::owners::{Answer, Suspect};
use crate::pool::{Tag, TagUse, Use};
use rkd_pooltags::api::Pool;

/// What a tag is in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The thing that leaks: one of the group that is hardly ever freed, and a driver's own.
    Object,
    /// Windows makes it for each of those; what it is, where that is known.
    Companion(Option<String>),
}

/// A tag in step with others.
#[derive(Clone, Debug)]
pub struct Member {
    /// What the tag holds.
    pub usage: TagUse,
    /// The pool of which this is said: a tag may be in step in one pool only.
    pub pool: Pool,
    /// Its blocks to those of the group: (1, 1), (2, 1), (1, 3) ...
    pub ratio: (u64, u64),
    /// What it is in the group.
    pub part: Part,
    /// Modules that allocate under the tag, as far as their code says so.
    pub owners: Vec<String>,
    /// The object type, if the tag is one's.
    pub object_type: Option<ObjectType>,
}

impl Member {
    /// What it holds of the pool.
    pub fn held(&self) -> Use {
        of(&self.usage, self.pool)
    }

    /// Its tag.
    pub fn tag(&self) -> Tag {
        self.usage.tag
    }

    /// The part of all allocations that was freed again, 0 to 1.
    fn freed(&self) -> f64 {
        let held = self.held();
        held.frees as f64 / held.allocs.max(1) as f64
    }
}

/// Tags whose counts are in step.
#[derive(Clone, Debug)]
pub struct Group {
    /// The count that they have in common.
    pub count: u64,
    /// The tags, those that hold most first.
    pub members: Vec<Member>,
}

impl Group {
    /// The tag that leaks, and with which the others come.
    pub fn object(&self) -> Option<&Member> {
        self.members
            .iter()
            .find(|member| member.part == Part::Object)
    }

    /// Bytes that the tags hold in a pool together.
    pub fn bytes(&self, pool: Pool) -> u64 {
        let of_pool = self.members.iter().filter(|member| member.pool == pool);
        of_pool.fold(0, |sum: u64, member| {
            sum.saturating_add(member.held().bytes)
        })
    }

    /// Names the owners, and tells the object from its companions.
    pub(super) fn identify(&mut self, answers: &[Answer]) {
        for member in &mut self.members {
            let answer = answers
                .iter()
                .find(|answer| answer.question.tag == member.usage.tag);
            let proven = answer.into_iter().flat_map(Answer::proven);
            member.owners = proven
                .map(|suspect| suspect.module.image_name.clone())
                .collect();
        }
        let is_own = |member: &&mut Member| {
            let answer = answers
                .iter()
                .find(|answer| answer.question.tag == member.usage.tag);
            let own = |suspect: &Suspect| suspect.service().is_none();
            answer.is_some_and(|answer| answer.proven().any(own))
                && member.object_type.is_none()
                && companion(member.usage.tag).is_none()
        };
        let in_step = |member: &&mut Member| member.ratio == (1, 1);
        let by_frees = |a: &&mut Member, b: &&mut Member| a.freed().total_cmp(&b.freed());
        // Where no driver's own tag is among them, the object is one of the kernel's.
        let mut own: Vec<&mut Member> = self
            .members
            .iter_mut()
            .filter(is_own)
            .filter(in_step)
            .collect();
        own.sort_by(by_frees);
        if let Some(object) = own.into_iter().next() {
            object.part = Part::Object;
            return;
        }
        let kind = |member: &&mut Member| member.object_type.is_some();
        if let Some(object) = self
            .members
            .iter_mut()
            .filter(in_step)
            .filter(kind)
            .min_by(by_frees)
        {
            object.part = Part::Object;
        }
    }
}

fn of(usage: &TagUse, pool: Pool) -> Use {
    match pool {
        Pool::Nonpaged => usage.nonpaged,
        Pool::Paged => usage.paged,
    }
}

/// Groups of tags in step, those that hold most first.
pub(super) fn groups(tags: &[TagUse], types: &ObjectTypes) -> Vec<Group> {
    let mut entries: Vec<(u64, Pool, &TagUse)> = tags
        .iter()
        .flat_map(|usage| {
            [Pool::Nonpaged, Pool::Paged].map(|pool| (of(usage, pool).outstanding(), pool, usage))
        })
        .filter(|(count, ..)| *count >= limits::FEW_IN_STEP)
        .collect();
    entries.sort_by_key(|(count, _, usage)| (*count, usage.tag));
    let mut found: Vec<Group> = Vec::new();
    let mut first = 0;
    while let Some((low, ..)) = entries.get(first) {
        let high = (*low as f64 * (1.0 + limits::IN_STEP)) as u64;
        let until = entries.partition_point(|(count, ..)| *count <= high);
        let together = entries.get(first..until).unwrap_or_default();
        let mut names: Vec<Tag> = together.iter().map(|(.., usage)| usage.tag).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < limits::GROUP_MEMBERS {
            first += 1;
            continue;
        }
        found.push(group(together, &entries, types));
        first = until;
    }
    found.sort_by_key(|group| {
        std::cmp::Reverse(
            group
                .bytes(Pool::Nonpaged)
                .saturating_add(group.bytes(Pool::Paged)),
        )
    });
    found
}

/// The group of those that have the same count, with the others that are in step at another ratio.
fn group(
    together: &[(u64, Pool, &TagUse)],
    all: &[(u64, Pool, &TagUse)],
    types: &ObjectTypes,
) -> Group {
    let sum: u64 = together.iter().map(|(count, ..)| *count).sum();
    let count = sum / together.len().max(1) as u64;
    let near = |a: u64, b: u64| a.abs_diff(b) as f64 <= b as f64 * limits::IN_STEP;
    let member = |usage: &TagUse, pool: Pool, ratio: (u64, u64)| Member {
        usage: *usage,
        pool,
        ratio,
        part: Part::Companion(companion(usage.tag).map(str::to_owned)),
        owners: Vec::new(),
        object_type: types.find(usage.tag).cloned(),
    };
    let mut members: Vec<Member> = together
        .iter()
        .map(|(_, pool, usage)| member(usage, *pool, (1, 1)))
        .collect();
    for ratio in [(2, 1), (3, 1), (1, 2), (1, 3)] {
        let (times, per) = ratio;
        let in_step = all
            .iter()
            .filter(|(own, ..)| near(own.saturating_mul(per), count.saturating_mul(times)));
        members.extend(in_step.map(|(_, pool, usage)| member(usage, *pool, ratio)));
    }
    members.sort_by_key(|member| std::cmp::Reverse(member.held().bytes));
    members.truncate(limits::MAX_GROUP_MEMBERS);
    Group { count, members }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(tag: &[u8; 4], outstanding: u64, bytes: u64, frees: u64) -> TagUse {
        TagUse {
            tag: Tag(*tag),
            nonpaged: Use {
                allocs: outstanding + frees,
                frees,
                bytes,
            },
            paged: Use::default(),
        }
    }

    #[test]
    fn equal_counts_are_a_group_and_their_multiples_belong_to_it() {
        let tags = [
            usage(b"TrCx", 503_677, 300 << 20, 0),
            usage(b"File", 504_435, 200 << 20, 9_000_000),
            usage(b"NtFC", 503_901, 280 << 20, 50),
            usage(b"SeAt", 1_007_354, 90 << 20, 1),
            usage(b"Ones", 711_000, 90 << 20, 1),
            usage(b"Few1", 504, 1 << 20, 1),
        ];
        let types = ObjectTypes::default();
        let found = groups(&tags, &types);
        let [group] = found.as_slice() else {
            panic!("{found:?}");
        };
        let names: Vec<String> = group
            .members
            .iter()
            .map(|m| format!("{} {:?}", m.tag(), m.ratio))
            .collect();
        assert_eq!(
            names,
            ["TrCx (1, 1)", "NtFC (1, 1)", "File (1, 1)", "SeAt (2, 1)"]
        );
        assert_eq!(group.bytes(Pool::Nonpaged), 870 << 20);
        assert!(
            groups(&tags[..2], &types).is_empty(),
            "two may be in step by chance"
        );
    }
}
