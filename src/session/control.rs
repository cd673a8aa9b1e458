//! The flow of commands: stopping, leaving, loops, and what has failed.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Where the flow of commands stands.
#[derive(Debug, Default)]
pub struct Control {
    /// Set by Ctrl-C; long runs look at it, and it is cleared before each command.
    pub stop: Arc<AtomicBool>,
    /// How many commands have failed; the exit code of the program depends on it.
    pub errors: u64,
    /// Set by `q`.
    pub quit: bool,
    /// How deep commands are calling commands at the moment.
    pub depth: u32,
    /// How many loops of commands are running inside each other.
    pub loops: u32,
    /// Set by `.break` and `.continue` until a loop has seen it.
    pub jump: Option<Jump>,
}

/// Where control goes inside a loop of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// Out of the innermost loop.
    Break,
    /// To its next turn.
    Continue,
}
