#![doc = include_str!("../README.md")]
#![warn(unreachable_pub)]

mod chunk;
mod coverage;
mod engine;
mod error;
mod hits;
mod pattern;
mod regex;
mod serial;
mod source;
mod span;
mod strings;
#[cfg(test)]
mod tests;
mod walk;

pub use coverage::Coverage;
pub use engine::{Found, MAX_BYTES, MAX_PATTERNS, Patterns};
pub use error::PatternError;
pub use hits::{Event, Hit, Hits};
pub use pattern::{MAX_LEN, Pattern};
pub use regex::{MAX_MATCH, Regex};
pub use source::Source;
pub use span::Span;
pub use strings::Strings;
