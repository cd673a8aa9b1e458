//! SEARCH: patterns over memory at memory speed, with an account of what could not be read.
//!
//! [`Pattern`]s become a set ([`Patterns`]) that finds all of them in one pass; [`Hits`] walks it over the [`Span`]s of a
//! [`Source`] on all processors, hands out hits in order, and knows its [`Coverage`].

#![warn(unreachable_pub)]

mod coverage;
mod engine;
mod hits;
pub mod pattern;
mod regex;
mod serial;
mod source;
mod span;
mod strings;
#[cfg(test)]
mod tests;
mod walk;
mod wave;

pub use coverage::Coverage;
pub use engine::{Found, MAX_BYTES, MAX_PATTERNS, Patterns};
pub use hits::{Event, Hit, Hits};
pub use pattern::Pattern;
pub use regex::{MAX_MATCH, Regex};
pub use source::Source;
pub use span::Span;
pub use strings::Strings;
