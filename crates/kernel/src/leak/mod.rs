//! From the counters to a verdict: is there a leak, of which pool, which tag, whose, how sure, and what to do next.
//!
//! There is one [`Verdict`], which commands, scripts and reports show; nobody else judges. A single dump cannot tell a leak from a
//! heavy load for certain; what it can tell – how much of the memory the pool is, how much of the pool one tag or a group of tags
//! in step holds, how much of what was ever allocated was never freed, and whose code makes such blocks – is weighed here.
//!
//! [`weigh`] looks at the counters, the owners of the tags in question are asked for ([`Case::questions`],
//! [`inquire`](crate::owners::inquire)), and [`Case::decide`] puts both together.
//!
//! | file | idea |
//! |---|---|
//! | `limits` | all thresholds, with their reasons |
//! | `books` | the three books that Windows keeps of its pools |
//! | `weigh` | which pool, which tag |
//! | `lockstep` | tags whose counts are in step |
//! | `objects` | tags of objects, which no driver is blamed for |
//! | `verdict` | who, how sure, and why |
//! | `sentence` | the same in a sentence |
//! | `advice` | what to do next |

mod advice;
pub mod books;
pub mod limits;
pub mod lockstep;
mod objects;
mod sentence;
mod verdict;
mod weigh;

pub use books::{Books, PoolBooks};
pub use lockstep::{Group, Member, Part};
pub use objects::{ObjectType, ObjectTypes};
pub use sentence::CANNOT_TELL;
pub use verdict::{Suspect, Verdict};
pub use weigh::{Case, Holder, Outcome, PoolVerdict, weigh};
