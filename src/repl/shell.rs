//! Runs what was typed, in either language, and shows what comes of it.

use super::interrupt::{INTERRUPTED_STATUS, Interrupts};
use super::paste;
use crate::command::line::{expand, run_command, table};
use crate::command::{Flow, Sink as _, alias, head, is_command, show_journal, split};
use crate::render::{Outcome, Output, Tee};
use crate::script::{Completeness, Failure, Script};
use crate::session::Session;
use rkd_dump::error::{Error, Result};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

/// An open dump, the two languages, and the screen.
pub struct Shell {
    /// The session.
    pub session: Session,
    /// Rhai, which the line editor asks too.
    pub script: Rc<RefCell<Script>>,
    /// The screen, and the log.
    pub out: Tee,
    interrupts: Interrupts,
    ending: Ending,
}

/// How things went so far, for the program's exit status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// A command or a script reported an error.
    pub failed: bool,
    /// Ctrl-C ended one.
    pub interrupted: bool,
}

impl Ending {
    /// The exit status: 0 all went well, 1 an error was reported, 130 Ctrl-C.
    pub fn status(self) -> u8 {
        match self {
            Ending {
                interrupted: true, ..
            } => INTERRUPTED_STATUS,
            Ending { failed: true, .. } => 1,
            _ => 0,
        }
    }
}

impl Shell {
    /// Takes over a session. `interrupts` must set the session's own flag.
    pub fn new(session: Session, screen: Box<dyn Output>, interrupts: Interrupts) -> Shell {
        let out = Tee::new(screen, session.display.log.clone());
        let script = Rc::new(RefCell::new(Script::new()));
        Shell {
            session,
            script,
            out,
            interrupts,
            ending: Ending::default(),
        }
    }

    /// kd's prompt: the current processor when there are several.
    pub fn prompt(&self) -> String {
        match self.session.target.kernel.processors() {
            0 | 1 => "kd> ".to_string(),
            _ => format!("{}: kd> ", self.session.target.processor),
        }
    }

    /// How things went so far.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Forgets how things went: what a person tries at the prompt is nobody's failure.
    pub fn forgive(&mut self) {
        self.ending = Ending::default();
    }

    /// Whether there is nobody left to show anything to.
    pub fn is_closed(&self) -> bool {
        self.out.is_closed()
    }

    /// Whether a text that is being typed is whole. kd's lines always are.
    pub fn is_whole(&self, source: &str) -> bool {
        is_whole(&self.session.numbers.aliases, &self.script.borrow(), source)
    }

    /// What was typed or pasted, cut into what is run at once: a line of kd's, a block of Rhai.
    pub fn pieces<'t>(&self, text: &'t str) -> Vec<&'t str> {
        paste::split(
            text,
            |line| is_kd(&self.session.numbers.aliases, line),
            |block| self.is_whole(block),
        )
    }

    /// Whether Ctrl-C ended what ran last.
    pub fn was_interrupted(&self) -> bool {
        self.interrupts.were_pressed()
    }

    /// Runs a line of kd commands, or Rhai. Whatever goes wrong in it is shown.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the reader of the output has gone, or why the output cannot be written.
    pub fn run(&mut self, source: &str) -> Result<Flow> {
        if is_kd(&self.session.numbers.aliases, source) {
            self.run_commands(source)
        } else {
            self.run_script(source)
        }
    }

    /// Runs something that shows rows, as if it were a command of the name `name`.
    ///
    /// # Errors
    /// Those of [`Shell::run`].
    pub fn show(
        &mut self,
        name: &str,
        what: impl FnOnce(&mut Session, &mut Tee) -> Result<Flow>,
    ) -> Result<Flow> {
        let Shell {
            session,
            out,
            interrupts,
            ..
        } = self;
        out.begin(name)?;
        let errors = session.control.errors;
        let result = interrupts.during(|| what(session, out));
        show_journal(session, out)?;
        out.end(Outcome::from(&result))?;
        self.ending.failed |= self.session.control.errors > errors;
        match result {
            // A command that failed has counted itself.
            Err(error) if !matches!(error, Error::Stopped) => Ok(Flow::Continue),
            result => self.conclude(result.map_err(Failure::from)),
        }
    }

    /// Each command of a line is a document, a table, an exit status of its own.
    fn run_commands(&mut self, line: &str) -> Result<Flow> {
        let line = expand(&self.session, line);
        for part in split::parts(&line) {
            let name = part.trim_end();
            let flow = self.show(name, |session, out| run_command(session, part, out))?;
            if flow == Flow::Quit || self.interrupts.were_pressed() {
                return Ok(flow);
            }
        }
        Ok(Flow::Continue)
    }

    fn run_script(&mut self, source: &str) -> Result<Flow> {
        self.scripted(source, slip(source), |script, session, out| {
            script.run_line(session, source, out)
        })
    }

    /// Runs a script from a file, or one of the embedded ones, as if `name` had been typed.
    ///
    /// # Errors
    /// Those of [`Shell::run`].
    pub fn run_file(&mut self, name: &str, path: &Path, arguments: &[String]) -> Result<Flow> {
        self.scripted(name, None, |script, session, out| {
            script.run_file(session, path, arguments, out)
        })
    }

    fn scripted(
        &mut self,
        name: &str,
        meant: Option<&'static str>,
        what: impl FnOnce(&mut Script, &mut Session, &mut Tee) -> Result<(), Failure>,
    ) -> Result<Flow> {
        let Shell {
            session,
            script,
            out,
            interrupts,
            ..
        } = self;
        out.begin(name)?;
        let result = interrupts.during(|| what(&mut script.borrow_mut(), session, out));
        show_journal(session, out)?;
        let whole = || session.target.kernel.dump().check_whole();
        let result = result.and_then(|()| whole().map_err(Failure::Outside));
        if let (Err(Failure::Script(_)), Some(command)) = (&result, meant) {
            out.note(&format!("did you mean the command {command} ?"))?;
        }
        out.end(match &result {
            Ok(()) => Outcome::Done,
            Err(Failure::Stopped) => Outcome::Stopped,
            Err(failure) => Outcome::Failed(failure),
        })?;
        let flow = if self.session.control.quit {
            Flow::Quit
        } else {
            Flow::Continue
        };
        self.conclude(result.map(|()| flow))
    }

    /// Keeps how it went. Only an output that takes no more ends the session.
    fn conclude(&mut self, result: Result<Flow, Failure>) -> Result<Flow> {
        match result {
            Ok(flow) => Ok(flow),
            Err(Failure::Stopped) if self.out.is_closed() => Err(Error::Stopped),
            Err(Failure::Stopped) => {
                self.ending.interrupted |= self.interrupts.were_pressed();
                Ok(Flow::Continue)
            }
            Err(_) => {
                self.ending.failed = true;
                Ok(Flow::Continue)
            }
        }
    }
}

/// The command that somebody may have meant whose line was taken for Rhai: `poolused 2`, `pooluesd`.
fn slip(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    let end = line
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let is_rhai = rest.trim_start().starts_with(['(', '=', '.', '[', ':']) || line.contains('\n');
    if is_rhai {
        None
    } else {
        head::suggest(table(), word)
    }
}

/// Whether a line is kd's: its first word decides, also when that is an alias for one of kd's.
pub fn is_kd(aliases: &BTreeMap<String, String>, line: &str) -> bool {
    is_command(line)
        || (!aliases.is_empty()
            && is_command(&alias::substitute(line, &|name| aliases.get(name).cloned())))
}

/// Whether nothing is open in a text. An empty line after an empty line says that nothing more will come.
pub fn is_whole(aliases: &BTreeMap<String, String>, script: &Script, source: &str) -> bool {
    is_kd(aliases, source)
        || source.ends_with("\n\n")
        || script.check_complete(source) != Completeness::Incomplete
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger() {
        for (line, meant) in [
            ("poolused 2", Some("!poolused")),
            ("poolsued", Some("!poolused")),
            ("vertaget", Some("vertarget")),
            ("poolused(2", None),
            ("poolused = x", None),
            ("x", None),
            ("let poolused", None),
            ("", None),
        ] {
            assert_eq!(slip(line), meant, "{line}");
        }
    }

    #[test]
    fn the_exit_status() {
        let ending = |failed, interrupted| {
            Ending {
                failed,
                interrupted,
            }
            .status()
        };
        assert_eq!(
            (
                ending(false, false),
                ending(true, false),
                ending(true, true)
            ),
            (0, 1, 130)
        );
    }
}
