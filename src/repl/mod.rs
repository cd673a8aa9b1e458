//! TERMINAL: the prompt, and what a person does at it.
//!
//! A line is kd's or Rhai's by its first word ([`shell`]); it comes from a person ([`editor`]), from a pipe or a file
//! ([`piped`]), or from the demo (`demo`).

pub mod banner;
pub mod complete;
pub mod editor;
pub mod history;
pub mod interrupt;
mod paste;
pub mod piped;
pub mod shell;

use crate::command::Flow;
use crate::render::{Output as _, Paint};
use editor::{Editor, Typed};
use rkd_dump::error::Result;
use shell::Shell;

/// Asks for lines and runs them, until `q` or Ctrl-D.
///
/// # Errors
/// When the terminal fails, or nobody is there any more.
pub fn converse(shell: &mut Shell, paint: Paint) -> Result<()> {
    let mut editor = Editor::new(shell, paint)?;
    loop {
        let line = match editor.read(shell)? {
            Typed::Line(line) => line,
            Typed::Empty => match &shell.session.display.again {
                Some(line) => line.clone(),
                None => continue,
            },
            Typed::Dropped => continue,
            Typed::End => return Ok(()),
        };
        for source in shell.pieces(&line) {
            let prompt = shell.prompt();
            shell.out.echo(&prompt, source, true)?;
            if shell.run(source)? == Flow::Quit {
                return Ok(());
            }
            if shell.was_interrupted() {
                break;
            }
        }
    }
}
