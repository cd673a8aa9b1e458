//! What the counters say, before anybody's code is read: which pool is too large, and which tag or group of tags holds it.

use super::limits;
use super::lockstep::{Group, groups};
use super::objects::{ObjectType, ObjectTypes};
use super::{Books, Verdict};
use crate::Kernel;
use crate::owners::{Inquiry, Question};
use crate::pool::{TagUse, Use};
use rkd_pooltags::api::Pool;

/// What is said of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is too large, and one tag holds most of it.
    Leak,
    /// It is too large, and several tags that are in step hold most of it together.
    Lockstep,
    /// It is too large, and nothing stands out.
    Spread,
    /// It is not larger than usual.
    None,
    /// A person asked for the tag, whatever the pools are like.
    Asked,
}

impl Outcome {
    /// The word for it in rows.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Leak => "leak",
            Outcome::Lockstep => "lockstep",
            Outcome::Spread => "spread",
            Outcome::None => "none",
            Outcome::Asked => "asked",
        }
    }
}

/// The tag that holds most of a pool, or that was asked for.
#[derive(Clone, Debug)]
pub struct Holder {
    /// What it holds.
    pub usage: TagUse,
    /// The pool in question.
    pub pool: Pool,
    /// Its part of that pool, 0 to 1; `None` when the pool's size is not known.
    pub share: Option<f64>,
    /// The object type whose tag it is. Who allocates under it is nobody's fault then.
    pub object_type: Option<ObjectType>,
}

impl Holder {
    fn new(usage: &TagUse, pool: Pool, size: u64, types: &ObjectTypes) -> Holder {
        Holder {
            usage: *usage,
            pool,
            share: (size > 0).then(|| bytes_of(usage, pool) as f64 / size as f64),
            object_type: types.find(usage.tag).cloned(),
        }
    }

    /// What it holds of that pool.
    pub fn held(&self) -> Use {
        match self.pool {
            Pool::Nonpaged => self.usage.nonpaged,
            Pool::Paged => self.usage.paged,
        }
    }

    /// Bytes of one allocation, if all may be of one size.
    pub fn each(&self) -> Option<u64> {
        let held = self.held();
        let count = held.outstanding();
        (count > 0 && held.bytes.is_multiple_of(count)).then(|| held.bytes / count)
    }

    /// What its books say about frees, in words.
    pub fn frees(&self) -> String {
        let held = self.held();
        match (held.frees, held.allocs) {
            (0, _) => "not one was freed since the start".to_owned(),
            (frees, allocs) => {
                let kept = held.outstanding() as f64 / allocs.max(1) as f64 * 100.0;
                format!(
                    "{frees} of {allocs} were freed since the start, {kept:.1} % are still held"
                )
            }
        }
    }

    /// Whether allocations pile up: most of those that were ever made are still there.
    pub fn piles_up(&self) -> bool {
        let held = self.held();
        held.allocs >= limits::FEW_ALLOCATIONS
            && (held.frees as f64) < held.allocs as f64 * limits::PILING_UP
    }

    fn stands_out(&self) -> bool {
        self.share.is_some_and(|share| share >= limits::DOMINANT)
    }

    fn question(&self) -> Question {
        Question {
            tag: self.usage.tag,
            held: Some(self.usage),
        }
    }
}

/// What the counters say of a pool.
#[derive(Clone, Debug)]
pub struct PoolVerdict {
    /// The pool.
    pub pool: Pool,
    /// What they come to.
    pub outcome: Outcome,
    /// Bytes of the pool.
    pub bytes: u64,
    /// Its part of the memory, 0 to 1; `None` when one of both is not known.
    pub share: Option<f64>,
    /// The tag that holds most of it, or that was asked for; `None` when nothing is allocated from it.
    pub holder: Option<Holder>,
    /// The group of tags that holds most of it together, by its number in [`Verdict::groups`].
    pub group: Option<usize>,
}

/// What the counters say of the machine.
#[derive(Clone, Debug)]
pub struct Case {
    /// The pools that must be talked about: all that are too large, or else the larger one; the larger first.
    pub pools: Vec<PoolVerdict>,
    /// Tags in step that hold much of one of them.
    pub groups: Vec<Group>,
}

impl Case {
    /// Whose code must be read: the owners of the tags in question. None, where no tag is, or where the tags are those of objects.
    pub fn questions(&self) -> Vec<Question> {
        let mut questions: Vec<Question> = Vec::new();
        for pool in &self.pools {
            let of_tag = pool.holder.iter().filter(|holder| {
                let asks = matches!(pool.outcome, Outcome::Leak | Outcome::Asked);
                asks && holder.object_type.is_none()
            });
            let group = pool.group.and_then(|number| self.groups.get(number));
            let of_group = group.into_iter().flat_map(|group| &group.members);
            let of_group = of_group.filter(|member| member.object_type.is_none());
            let of_group = of_group.map(|member| Question {
                tag: member.usage.tag,
                held: Some(member.usage),
            });
            questions.extend(of_tag.map(Holder::question).chain(of_group));
        }
        let mut seen = std::collections::BTreeSet::new();
        questions.retain(|question| seen.insert(question.tag));
        questions
    }

    /// The verdict, from what the code of the modules says about [`Case::questions`].
    pub fn decide(self, kernel: &Kernel, books: &Books, inquiry: Option<Inquiry>) -> Verdict {
        Verdict::new(kernel, self, books, inquiry)
    }
}

/// Weighs the books. `asked` is the tag that a person wants to know about.
pub fn weigh(books: &Books, types: &ObjectTypes, asked: Option<&TagUse>) -> Case {
    if let Some(usage) = asked {
        let pool = match bytes_of(usage, Pool::Paged) > bytes_of(usage, Pool::Nonpaged) {
            true => Pool::Paged,
            false => Pool::Nonpaged,
        };
        let holder = Holder::new(usage, pool, books.of(pool).size(), types);
        return Case {
            pools: vec![said(books, pool, Outcome::Asked, Some(holder), None)],
            groups: Vec::new(),
        };
    }
    let mut by_size = [Pool::Nonpaged, Pool::Paged];
    by_size.sort_by_key(|pool| std::cmp::Reverse(books.of(*pool).size()));
    let too_large: Vec<Pool> = by_size
        .into_iter()
        .filter(|pool| books.of(*pool).is_abnormal())
        .collect();
    if too_large.is_empty() {
        let larger = by_size.into_iter().take(1);
        let pools =
            larger.map(|pool| said(books, pool, Outcome::None, top(books, pool, types), None));
        return Case {
            pools: pools.collect(),
            groups: Vec::new(),
        };
    }
    let share =
        |group: &Group, pool: Pool| group.bytes(pool) as f64 / books.of(pool).size().max(1) as f64;
    let mut groups = groups(&books.tags, types);
    groups.retain(|group| {
        too_large
            .iter()
            .any(|pool| share(group, *pool) >= limits::DOMINANT)
    });
    let pools = too_large.into_iter().map(|pool| {
        let holder = top(books, pool, types);
        let stands_out = holder.as_ref().is_some_and(Holder::stands_out);
        let group = groups
            .iter()
            .position(|group| share(group, pool) >= limits::DOMINANT);
        let outcome = match (stands_out, group) {
            (true, _) => Outcome::Leak,
            (false, Some(_)) => Outcome::Lockstep,
            (false, None) => Outcome::Spread,
        };
        said(books, pool, outcome, holder, group)
    });
    Case {
        pools: pools.collect(),
        groups,
    }
}

fn said(
    books: &Books,
    pool: Pool,
    outcome: Outcome,
    holder: Option<Holder>,
    group: Option<usize>,
) -> PoolVerdict {
    let of = books.of(pool);
    PoolVerdict {
        pool,
        outcome,
        bytes: of.size(),
        share: of.share,
        holder,
        group,
    }
}

/// The tag that holds most of the pool.
fn top(books: &Books, pool: Pool, types: &ObjectTypes) -> Option<Holder> {
    let size = books.of(pool).size();
    let most = books.tags.iter().max_by_key(|usage| bytes_of(usage, pool));
    let most = most.filter(|usage| bytes_of(usage, pool) > 0)?;
    Some(Holder::new(most, pool, size, types))
}

/// Bytes that a tag holds; less than zero where a processor's books are missing.
fn bytes_of(usage: &TagUse, pool: Pool) -> i64 {
    match pool {
        Pool::Nonpaged => usage.nonpaged.bytes as i64,
        Pool::Paged => usage.paged.bytes as i64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leak::PoolBooks;
    use crate::pool::Tag;

    const GIB: u64 = 1 << 30;

    /// A machine of 8 GiB whose pools have these sizes, with tags that hold these bytes of nonpaged and paged pool.
    fn books(nonpaged: u64, paged: u64, tags: &[(&[u8; 4], u64, u64, u64)]) -> Books {
        let pool = |pool, bytes: u64| PoolBooks {
            pool,
            pages: Ok(bytes),
            tags: bytes,
            large: Ok(0),
            share: Some(bytes as f64 / (8 * GIB) as f64),
            excessive: false,
        };
        let usage = |count: u64, bytes: u64| Use {
            allocs: count,
            frees: 0,
            bytes,
        };
        Books {
            pools: [pool(Pool::Nonpaged, nonpaged), pool(Pool::Paged, paged)],
            tags: tags
                .iter()
                .map(|(tag, count, nonpaged, paged)| TagUse {
                    tag: Tag(**tag),
                    nonpaged: usage(*count * u64::from(*nonpaged > 0), *nonpaged),
                    paged: usage(*count * u64::from(*paged > 0), *paged),
                })
                .collect(),
            memory: Some(8 * GIB),
            failures: None,
            notes: Vec::new(),
        }
    }

    fn outcomes(books: &Books) -> Vec<String> {
        let case = weigh(books, &ObjectTypes::default(), None);
        let pools = case.pools.iter();
        pools
            .map(|pool| {
                let tag = pool
                    .holder
                    .as_ref()
                    .map_or("-".to_owned(), |holder| holder.usage.tag.to_string());
                format!("{:?} {} {tag}", pool.pool, pool.outcome.word())
            })
            .collect()
    }

    #[test]
    fn every_pool_that_is_too_large_is_talked_about() {
        let (a, b) = (b"AAAA", b"BBBB");
        for (books, expected) in [
            (
                books(
                    GIB / 10,
                    GIB / 5,
                    &[(a, 9, GIB / 20, 0), (b, 9, 0, GIB / 10)],
                ),
                &["Paged none BBBB"][..],
            ),
            (
                books(2 * GIB, GIB, &[(a, 9, GIB, 0)]),
                &["Nonpaged leak AAAA"],
            ),
            (
                books(2 * GIB, GIB, &[(a, 9, GIB / 2, 0)]),
                &["Nonpaged spread AAAA"],
            ),
            (
                books(GIB, 2 * GIB, &[(a, 9, GIB / 2, 0), (b, 9, 0, GIB / 2)]),
                &["Paged spread BBBB", "Nonpaged leak AAAA"],
            ),
            (books(0, 0, &[]), &["Nonpaged none -"]),
        ] {
            assert_eq!(outcomes(&books), expected);
        }
    }

    #[test]
    fn tags_in_step_stand_out_together() {
        let quarter = GIB / 4;
        let three = [
            (b"AAAA", 50_000, quarter + 1, 0),
            (b"BBBB", 50_100, quarter, 0),
            (b"CCCC", 50_010, quarter, 0),
        ];
        assert_eq!(outcomes(&books(GIB, 0, &three)), ["Nonpaged lockstep AAAA"]);
        assert_eq!(
            outcomes(&books(GIB, 0, &three[..2])),
            ["Nonpaged spread AAAA"]
        );
    }

    #[test]
    fn nobody_is_asked_about_a_tag_of_objects() {
        let case = |tag| {
            weigh(
                &books(2 * GIB, 0, &[(tag, 90_000, GIB, 0)]),
                &ObjectTypes::well_known(),
                None,
            )
        };
        let token = case(b"Toke");
        let holder = token.pools[0].holder.as_ref().unwrap();
        let kind = holder.object_type.as_ref().unwrap();
        assert_eq!((kind.name.as_str(), kind.in_dump), ("Token", false));
        assert!(token.questions().is_empty());
        assert_eq!(case(b"Tokx").questions().len(), 1);
    }

    #[test]
    fn a_pool_that_is_nearly_as_large_as_it_may_be_is_too_large() {
        let mut small = books(GIB / 10, 0, &[(b"AAAA", 9, GIB / 11, 0)]);
        assert_eq!(outcomes(&small), ["Nonpaged none AAAA"]);
        small.pools[0].excessive = true;
        assert_eq!(outcomes(&small), ["Nonpaged leak AAAA"]);
    }
}
