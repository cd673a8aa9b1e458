//! SEARCH: patterns over memory at memory speed, with an account of what could not be read.

mod engine;
pub mod pattern;
mod walk;

pub use engine::{Found, MAX_BYTES, MAX_PATTERNS, Patterns};
pub use pattern::Pattern;
pub use walk::{Area, Coverage, search};
