//! The line editor: history, Tab, hints, colours, and blocks of Rhai over several lines.

use super::complete::{MAX_OFFERS, Offer, Words};
use super::history;
use super::shell::{Shell, is_kd, is_whole};
use crate::command::head;
use crate::command::line::table;
use crate::render::Paint;
use crate::script::Script;
use rkd_dump::error::{Error, Result};
use rkd_kernel::{Kernel, pool};
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter, HistoryHinter};
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, CompletionType, Config, Context};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// How many lines of history are kept.
const MAX_HISTORY: usize = 10_000;

/// What came of asking for a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Something to run.
    Line(String),
    /// Nothing but Enter.
    Empty,
    /// Ctrl-C: whatever was typed is dropped.
    Dropped,
    /// Ctrl-D, or the terminal has gone.
    End,
}

/// rustyline, furnished.
pub struct Editor {
    inner: rustyline::Editor<LineHelper, FileHistory>,
    history: Option<PathBuf>,
    paint: Paint,
}

impl Editor {
    /// An editor on the terminal, with the lines of earlier sessions. Trouble with the history file is no reason not to start.
    ///
    /// # Errors
    /// When there is no terminal to edit on.
    pub fn new(shell: &Shell, paint: Paint) -> Result<Editor> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .completion_prompt_limit(120)
            .color_mode(if paint.on {
                ColorMode::Enabled
            } else {
                ColorMode::Disabled
            })
            .auto_add_history(false)
            .history_ignore_space(true)
            .max_history_size(MAX_HISTORY)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(trouble)?
            .build();
        let mut inner =
            rustyline::Editor::with_history(config.clone(), FileHistory::with_config(&config))
                .map_err(trouble)?;
        inner.set_helper(Some(LineHelper::new(shell, paint)));
        let history = history::path();
        if let Some(path) = &history {
            if let Some(folder) = path.parent() {
                let _ = std::fs::create_dir_all(folder);
            }
            let _ = inner.load_history(path);
        }
        Ok(Editor {
            inner,
            history,
            paint,
        })
    }

    /// Asks for a line, or for several while a block of Rhai is open.
    ///
    /// # Errors
    /// When the terminal fails.
    pub fn read(&mut self, shell: &Shell) -> Result<Typed> {
        if let Some(adviser) = self.inner.helper_mut() {
            adviser.kernel = Arc::clone(&shell.session.target.kernel);
            adviser.aliases.clone_from(&shell.session.numbers.aliases);
        }
        let prompt = shell.prompt();
        let painted = self.paint.prompt(&prompt).into_owned();
        match self.inner.readline(&(prompt.as_str(), painted.as_str())) {
            Ok(line) if line.trim().is_empty() => Ok(Typed::Empty),
            Ok(line) => {
                self.remember(line.trim_end());
                Ok(Typed::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Dropped),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(trouble(error)),
        }
    }

    /// Each line goes to the file at once: a session that is killed keeps its history, and sessions side by side share it.
    fn remember(&mut self, line: &str) {
        if let (Ok(true), Some(path)) = (self.inner.add_history_entry(line), &self.history) {
            let _ = self.inner.append_history(path);
        }
    }
}

fn trouble(error: ReadlineError) -> Error {
    Error::File {
        path: PathBuf::from("the terminal"),
        reason: error.to_string(),
    }
}

/// What the editor asks while a line is typed.
struct LineHelper {
    kernel: Arc<Kernel>,
    aliases: BTreeMap<String, String>,
    script: Rc<RefCell<Script>>,
    files: FilenameCompleter,
    history: HistoryHinter,
    paint: Paint,
}

impl LineHelper {
    fn new(shell: &Shell, paint: Paint) -> LineHelper {
        LineHelper {
            kernel: Arc::clone(&shell.session.target.kernel),
            aliases: shell.session.numbers.aliases.clone(),
            script: Rc::clone(&shell.script),
            files: FilenameCompleter::new(),
            history: HistoryHinter::new(),
            paint,
        }
    }

    fn words(&self) -> Words {
        let shared = || Arc::clone(&self.kernel);
        let (for_tags, for_symbols, for_types) = (shared(), shared(), shared());
        Words {
            commands: table(),
            modules: self
                .kernel
                .modules()
                .iter()
                .map(|module| module.name.clone())
                .collect(),
            script: self.script.borrow().complete_names(),
            tags: Box::new(move || tags(&for_tags)),
            symbols: Box::new(move |module, prefix| symbols(&for_symbols, module, prefix)),
            types: Box::new(move |module, prefix| types(&for_types, module, prefix)),
        }
    }
}

/// The tags of the pool tracker that can be typed.
fn tags(kernel: &Kernel) -> Vec<String> {
    let Ok(tracker) = pool::tracker::tracker(kernel) else {
        return Vec::new();
    };
    let tags = tracker.tags.iter().map(|used| used.tag.to_string());
    tags.filter(|tag| tag.chars().all(|c| c.is_ascii_graphic()))
        .collect()
}

/// The symbols of a module that begin with `prefix`, in any case.
fn symbols(kernel: &Kernel, module: &str, prefix: &str) -> Vec<String> {
    // Tab must not wait for a file or a server.
    let table = kernel
        .module(module)
        .and_then(|module| kernel.known_symbols(module));
    table.map_or_else(Vec::new, |table| {
        first(table.symbols().map(|(name, _)| name), prefix)
    })
}

/// The types of a module that begin with `prefix`, in any case.
fn types(kernel: &Kernel, module: &str, prefix: &str) -> Vec<String> {
    let table = kernel
        .module(module)
        .and_then(|module| kernel.known_symbols(module));
    let Some(table) = table else {
        return Vec::new();
    };
    let udts = table.udts().map(|udt| &*udt.name);
    let enums = table.enumerations().map(|e| &*e.name);
    let mut names: Vec<&str> = udts.chain(enums).collect();
    names.sort_unstable();
    first(names.into_iter(), prefix)
}

/// The first names that begin with `prefix` and can be typed.
fn first<'a>(names: impl Iterator<Item = &'a str>, prefix: &str) -> Vec<String> {
    let begins = |name: &&str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    names
        .filter(begins)
        .filter(|name| name.chars().all(|c| c.is_ascii_graphic()))
        .take(MAX_OFFERS)
        .map(str::to_string)
        .collect()
}

impl rustyline::Helper for LineHelper {}

impl Completer for LineHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..at).unwrap_or(line);
        match self.words().offer(typed, |line| is_kd(&self.aliases, line)) {
            Offer::Files => self.files.complete(line, at, context),
            Offer::Words(start, words) => {
                let pair = |word: String| Pair {
                    display: word.clone(),
                    replacement: word,
                };
                Ok((start, words.into_iter().map(pair).collect()))
            }
        }
    }
}

/// What stands dimmed behind the cursor.
#[derive(Debug, PartialEq, Eq)]
enum LineHint {
    /// The rest of a line from the history, which the right arrow takes over.
    Again(String),
    /// What the command takes: for reading only.
    Usage(String),
}

impl Hint for LineHint {
    fn display(&self) -> &str {
        let (LineHint::Again(text) | LineHint::Usage(text)) = self;
        text
    }

    fn completion(&self) -> Option<&str> {
        match self {
            LineHint::Again(text) => Some(text),
            LineHint::Usage(_) => None,
        }
    }
}

impl Hinter for LineHelper {
    type Hint = LineHint;

    fn hint(&self, line: &str, at: usize, context: &Context<'_>) -> Option<LineHint> {
        if at < line.len() || line.contains('\n') {
            return None;
        }
        self.history
            .hint(line, at, context)
            .map(LineHint::Again)
            .or_else(|| usage(line).map(LineHint::Usage))
    }
}

/// The arguments of the command that was just named: for `!poolused ` the rest of its usage line.
fn usage(line: &str) -> Option<String> {
    let name = line.strip_suffix(' ')?;
    let command = head::named(table(), name)?;
    let usage = command.usage();
    let (first, arguments) = usage.lines().next()?.split_once(' ')?;
    (first == name || command.name == first).then(|| arguments.to_string())
}

impl Highlighter for LineHelper {
    fn highlight<'l>(&self, line: &'l str, _at: usize) -> Cow<'l, str> {
        let end = line.find(char::is_whitespace).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        let is_command = || head::find(table(), line).is_ok() && is_kd(&self.aliases, line);
        if self.paint.on && is_command() {
            Cow::Owned(format!("{}{rest}", self.paint.command(name)))
        } else {
            Cow::Borrowed(line)
        }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.paint.hint(hint)
    }

    fn highlight_char(&self, _line: &str, _at: usize, _kind: CmdKind) -> bool {
        self.paint.on
    }
}

impl Validator for LineHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(
            match is_whole(&self.aliases, &self.script.borrow(), context.input()) {
                true => ValidationResult::Valid(None),
                false => ValidationResult::Incomplete,
            },
        )
    }
}
