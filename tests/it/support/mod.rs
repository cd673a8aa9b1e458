//! What several tests need.

pub mod drivers;
pub mod image;
pub mod writers;
