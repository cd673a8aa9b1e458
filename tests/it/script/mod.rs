//! Scripts as a person uses them: at the prompt, from files, on the practice dumps.

mod commands;
mod docs;
mod memory;
mod nonsense;
mod practice;
mod prompt;
mod real;
mod stdlib;
mod support;
