//! Scripts as a person uses them: at the prompt, from files, on the practice dumps.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "script/commands.rs"]
mod commands;
#[path = "script/docs.rs"]
mod docs;
#[path = "script/memory.rs"]
mod memory;
#[path = "script/nonsense.rs"]
mod nonsense;
#[path = "script/practice.rs"]
mod practice;
#[path = "script/prompt.rs"]
mod prompt;
#[path = "script/real.rs"]
mod real;
#[path = "script/stdlib.rs"]
mod stdlib;
#[path = "script/support.rs"]
mod support;
