//! From the counters to a verdict: is there a leak, of which pool, which tag, whose, how sure, and what to do next.
//!
//! A single dump cannot tell a leak from a heavy load for certain; what it can tell – how much of the memory the pool is, how
//! much of the pool one tag holds, and how much of what was ever allocated was never freed – is weighed here.

pub mod advice;
pub mod books;

pub use books::{Books, PoolBooks};

use crate::owners::{Answer, Outcome, Question};
use crate::pool::{TagUse, Use};
use rkd_pooltags::api::Pool;

/// A tag that holds more than this part of its pool stands out.
pub const DOMINANT: f64 = 0.4;
/// Where less than this part of all allocations was freed, they pile up.
const PILING_UP: f64 = 0.5;
/// So few allocations say nothing about frees.
const FEW: u64 = 8;

/// What the counters come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A pool is too large, and one tag holds most of it.
    Leak,
    /// A pool is too large, and no tag stands out.
    Spread,
    /// Neither pool is larger than usual.
    None,
    /// The tag was asked for by a person, whatever the pools are like.
    Asked,
}

impl Verdict {
    /// The word for it in rows.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Leak => "leak",
            Verdict::Spread => "spread",
            Verdict::None => "none",
            Verdict::Asked => "asked",
        }
    }
}

/// The tag in question.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    /// What it holds.
    pub usage: TagUse,
    /// The pool in question.
    pub pool: Pool,
    /// Its part of that pool, 0 to 1; `None` when the pool's size is not known.
    pub share: Option<f64>,
}

impl Holder {
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
        held.allocs >= FEW && (held.frees as f64) < held.allocs as f64 * PILING_UP
    }

    /// The question about its owner.
    pub fn question(&self) -> Question {
        Question {
            tag: self.usage.tag,
            held: Some(self.usage),
        }
    }
}

/// What the counters say, before anybody's code is read.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What they come to.
    pub verdict: Verdict,
    /// The pool in question.
    pub pool: Pool,
    /// The tag in question; `None` when nothing is allocated.
    pub holder: Option<Holder>,
}

/// Weighs the books. `asked` is the tag that a person wants to know about.
pub fn weigh(books: &Books, asked: Option<&TagUse>) -> Finding {
    let size = |pool: Pool| books.of(pool).size();
    if let Some(usage) = asked {
        let pool = match (usage.nonpaged.bytes as i64, usage.paged.bytes as i64) {
            (nonpaged, paged) if paged > nonpaged => Pool::Paged,
            _ => Pool::Nonpaged,
        };
        return Finding {
            verdict: Verdict::Asked,
            pool,
            holder: Some(holder(usage, pool, size(pool))),
        };
    }
    let larger = match size(Pool::Paged) > size(Pool::Nonpaged) {
        true => Pool::Paged,
        false => Pool::Nonpaged,
    };
    let abnormal = |pool: &Pool| books.of(*pool).is_abnormal();
    let too_large: Vec<Pool> = [Pool::Nonpaged, Pool::Paged]
        .into_iter()
        .filter(abnormal)
        .collect();
    let pool = match too_large.as_slice() {
        [one] => *one,
        _ => larger,
    };
    let bytes = |usage: &TagUse| match pool {
        Pool::Nonpaged => usage.nonpaged.bytes as i64,
        Pool::Paged => usage.paged.bytes as i64,
    };
    let top = books
        .tags
        .iter()
        .max_by_key(|usage| bytes(usage))
        .filter(|usage| bytes(usage) > 0);
    let holder = top.map(|usage| holder(usage, pool, size(pool)));
    let stands_out = holder.is_some_and(|h| h.share.is_some_and(|share| share >= DOMINANT));
    let verdict = match (too_large.is_empty(), stands_out) {
        (true, _) => Verdict::None,
        (false, true) => Verdict::Leak,
        (false, false) => Verdict::Spread,
    };
    Finding {
        verdict,
        pool,
        holder,
    }
}

fn holder(usage: &TagUse, pool: Pool, size: u64) -> Holder {
    let held = match pool {
        Pool::Nonpaged => usage.nonpaged.bytes,
        Pool::Paged => usage.paged.bytes,
    };
    Holder {
        usage: *usage,
        pool,
        share: (size > 0).then(|| held as i64 as f64 / size as f64),
    }
}

/// How sure the whole chain is, in a word: no surer than the owner is.
pub fn confidence(answer: &Answer) -> &'static str {
    match answer.outcome() {
        Outcome::Proven | Outcome::Likely => answer
            .suspects
            .first()
            .map_or("likely", |suspect| suspect.word()),
        Outcome::Several => "proven for several",
        Outcome::Unknown => "unknown",
    }
}
