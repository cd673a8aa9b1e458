//! What an ordinary Windows machine has anyway: drivers, tags, processes. Scenarios add what is wrong.

pub mod drivers;
pub mod extra_drivers;
pub mod processes;
pub mod tags;
