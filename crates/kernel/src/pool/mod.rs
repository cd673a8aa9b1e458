//! Pool: what the kernel's own books say of it.

pub mod big;
pub mod headers;
pub mod names;
pub mod regions;
pub mod tag;
pub mod tracker;

pub use big::{BigBlock, BigTable};
pub use names::TagNames;
pub use tag::{Tag, TagPattern};
pub use tracker::{TagUse, Tracker, Use};
