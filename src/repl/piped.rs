//! Commands that nobody types: from a pipe, or from a file. What comes out reads like a session at the prompt.

use super::shell::Shell;
use crate::command::Flow;
use rkd_dump::error::{Error, Result};
use std::io::BufRead;
use std::path::PathBuf;

/// Whether the lines are shown before their output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// With the prompt, as they would stand on the screen.
    Shown,
    /// Only in the log.
    Logged,
}

/// Runs the lines of `input` until it ends or one of them says `q`. Empty lines are passed over: nothing is repeated
/// that nobody asked for.
///
/// # Errors
/// Those of [`Shell::run`], and when `input`, called `name`, cannot be read.
pub fn feed(shell: &mut Shell, name: &str, mut input: impl BufRead, echo: Echo) -> Result<Flow> {
    let mut open = String::new();
    let mut first = true;
    loop {
        let mut bytes = Vec::new();
        let read = input
            .read_until(b'\n', &mut bytes)
            .map_err(|why| Error::File {
                path: PathBuf::from(name),
                reason: why.to_string(),
            })?;
        let text = String::from_utf8_lossy(&bytes);
        // A file from Notepad begins with a mark of its encoding and has carriage returns.
        let line = if std::mem::take(&mut first) {
            text.trim_start_matches('\u{feff}')
        } else {
            &text
        };
        if !open.is_empty() {
            open.push('\n');
        }
        open.push_str(line.trim_end_matches(['\n', '\r']));
        if open.trim().is_empty() {
            open.clear();
        } else if read == 0 || shell.is_whole(&open) {
            let source = std::mem::take(&mut open);
            let source = source.trim_end();
            let prompt = shell.prompt();
            crate::render::Output::echo(&mut shell.out, &prompt, source, echo == Echo::Logged)?;
            if shell.run(source)? == Flow::Quit {
                return Ok(Flow::Quit);
            }
            if shell.ending().interrupted {
                return Ok(Flow::Continue);
            }
        }
        if read == 0 {
            return Ok(Flow::Continue);
        }
    }
}
