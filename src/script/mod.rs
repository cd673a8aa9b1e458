//! RHAI: the commands and the typed kernel as a language.
//!
//! [`Script`] holds one conversation: its variables, functions and imports stay from line to line. What a script can
//! call is registered in the files of this room (`registry` keeps the descriptions); `host` says how a script
//! reaches the session and the screen.

mod addr;
mod bridge;
mod complete;
mod engine;
mod failure;
mod flow;
mod growth;
mod help;
mod hits;
mod host;
mod kernel;
pub mod library;
mod memory;
mod output;
mod patterns;
mod pools;
mod queue;
mod registry;
mod resolver;
mod row;
mod search;
mod sources;
mod space;
mod typed;
mod value;

use crate::command::Sink;
use crate::session::Session;
pub use complete::Completeness;
pub use failure::{Call, Failure, Report, ScriptPosition};
use host::Host;
pub use registry::{Entry, Group};
use resolver::{Resolver, user_directory};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Expr, Position, Scope, Stmt};
use rkd_dump::error::Error;
use sources::PROMPT;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest script that is read from a file.
const MAX_SCRIPT_BYTES: u64 = 16 << 20;

/// A conversation in Rhai.
pub struct Script {
    engine: Engine,
    host: Arc<Host>,
    resolver: Arc<Resolver>,
    /// The user's own modules come before the embedded ones.
    own_modules: Option<PathBuf>,
    scope: Scope<'static>,
    /// The functions that were typed so far.
    functions: AST,
    /// The names of the modules that were imported at the prompt.
    imports: Vec<String>,
}

impl Default for Script {
    fn default() -> Script {
        Script::new()
    }
}

impl Script {
    /// A new conversation. The user's own modules are looked for in `RKD_STDLIB`, or in `rkd/stdlib` in the directory
    /// where the system keeps settings.
    pub fn new() -> Script {
        Script::with_modules(user_directory())
    }

    /// A new conversation with the user's own modules in `directory`.
    pub fn with_modules(directory: Option<PathBuf>) -> Script {
        let host = Arc::new(Host::default());
        let resolver = Arc::new(Resolver::new(Arc::clone(&host)));
        let mut equipped = engine::equip(&host, &resolver);
        library::describe(&mut equipped.entries);
        // The first and only setting.
        let _ = host.entries.set(equipped.entries);
        Script {
            engine: equipped.engine,
            host,
            resolver,
            own_modules: directory,
            scope: Scope::new(),
            functions: AST::empty(),
            imports: Vec::new(),
        }
    }

    /// Runs what was typed at the prompt, one line or a whole block. A result that is not `()` is shown as rows.
    pub fn run_line(
        &mut self,
        session: &mut Session,
        source: &str,
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        self.resolver
            .look_in(self.own_modules.iter().cloned().collect(), None);
        let text = self.host.sources.typed(source);
        let mut ast = self.compile(&self.scope, &text, PROMPT)?;
        ast.set_source(PROMPT);
        let whole = self.functions.merge(&ast);
        let Script {
            engine,
            host,
            scope,
            ..
        } = self;
        let outcome = host.run(session, sink, || evaluate(engine, host, scope, &whole))?;
        // Functions stay even when the line failed further on.
        self.functions = whole.clone_functions_only();
        self.keep_imports(&ast);
        outcome.map_err(|error| Failure::of(&error, PROMPT, &self.host))
    }

    /// Runs a script: a file, or an investigation of [`library::SCRIPTS`] by its name. The script sees `args`, and
    /// may import from its own directory; nothing of it stays.
    pub fn run_file(
        &mut self,
        session: &mut Session,
        path: &Path,
        args: &[String],
        sink: &mut dyn Sink,
    ) -> Result<(), Failure> {
        let (name, text, directory) = read(path)?;
        let running = directory
            .as_ref()
            .zip(path.file_name())
            .map(|(directory, file)| directory.join(file));
        let places = directory.into_iter().chain(self.own_modules.clone());
        self.resolver.look_in(places.collect(), running);
        self.host.sources.keep(&name, &text);
        let mut scope = Scope::new();
        let args: Vec<Dynamic> = args.iter().map(|arg| Dynamic::from(arg.clone())).collect();
        scope.push_constant("args", args);
        let mut ast = self.compile(&scope, &text, &name)?;
        ast.set_source(name.as_str());
        let Script { engine, host, .. } = self;
        let outcome = host.run(session, sink, || evaluate(engine, host, &mut scope, &ast))?;
        outcome.map_err(|error| Failure::of(&error, &name, &self.host))
    }

    /// Whether a text is whole, or more lines are wanted.
    pub fn check_complete(&self, source: &str) -> Completeness {
        complete::check(&self.engine, &self.scope, source)
    }

    /// The names that Tab can offer: functions, methods, modules, and what was defined at the prompt.
    pub fn complete_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .entries()
            .iter()
            .map(|entry| entry.name().to_string())
            .collect();
        names.extend(self.scope.iter().map(|(name, ..)| name.to_string()));
        names.extend(self.functions.iter_functions().map(|f| f.name.to_string()));
        names.extend(self.imports.iter().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// The descriptions of all that a script can call, for `help` and the reference.
    pub fn entries(&self) -> &[Entry] {
        self.host.known()
    }

    fn compile(&self, scope: &Scope, text: &str, name: &str) -> Result<AST, Failure> {
        self.engine
            .compile_with_scope(scope, text)
            .map_err(|error| Failure::of_parse(&error, name, &self.host))
    }

    /// Rhai forgets imports at the end of a run. Those of the prompt are made modules of the engine instead, so that
    /// `pool::top()` works on the next line too.
    fn keep_imports(&mut self, ast: &AST) {
        for statement in ast.statements() {
            if let Stmt::Import(import, _) = statement
                && let Expr::StringConstant(path, _) = &import.0
                && !import.1.name.is_empty()
                && let Ok(module) = self.resolver.load(&self.engine, path, Position::NONE)
            {
                self.engine
                    .register_static_module(import.1.name.as_str(), module);
                self.imports.push(import.1.name.to_string());
            }
        }
    }
}

/// Runs on the script's thread.
fn evaluate(
    engine: &Engine,
    host: &Host,
    scope: &mut Scope,
    ast: &AST,
) -> Result<(), Box<EvalAltResult>> {
    let result = engine.eval_ast_with_scope::<Dynamic>(scope, ast)?;
    output::show(host, &result)
}

/// The name of a script for messages, its text, and its directory when it is a file.
fn read(path: &Path) -> Result<(String, String, Option<PathBuf>), Failure> {
    let trouble = |reason: String| {
        Failure::Outside(Error::File {
            path: path.to_path_buf(),
            reason,
        })
    };
    match std::fs::metadata(path) {
        Ok(about) if !about.is_file() => Err(trouble("is not a file".into())),
        Ok(about) if about.len() > MAX_SCRIPT_BYTES => {
            Err(trouble("is too long for a script".into()))
        }
        Ok(_) => {
            let text = std::fs::read_to_string(path).map_err(|why| trouble(why.to_string()))?;
            let directory = path.parent().map(|p| {
                if p.as_os_str().is_empty() {
                    PathBuf::from(".")
                } else {
                    p.to_path_buf()
                }
            });
            Ok((path.display().to_string(), text, directory))
        }
        Err(why) => match path.to_str().and_then(library::script) {
            Some(known) => Ok((known.path.to_string(), known.text.to_string(), None)),
            None => {
                let names: Vec<&str> = library::SCRIPTS.iter().map(|known| known.name).collect();
                Err(trouble(format!(
                    "{why}; the investigations that come with rkd are {}",
                    names.join(", ")
                )))
            }
        },
    }
}
