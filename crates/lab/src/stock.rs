//! What an ordinary Windows machine has anyway: drivers, tags, processes. Scenarios add what is wrong.

pub(crate) mod drivers;
pub(crate) mod extra_drivers;
pub(crate) mod processes;
pub(crate) mod tags;
