//! Scripts as a person uses them: at the prompt, from files, on the practice dumps.

#[path = "script/commands.rs"]
mod commands;
#[path = "script/memory.rs"]
mod memory;
#[path = "script/prompt.rs"]
mod prompt;
#[path = "script/support.rs"]
mod support;
