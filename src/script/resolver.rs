//! Where `import` looks: beside the script that runs, in the user's own directory, in the program. Nowhere else.

use super::host::Host;
use super::library;
use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The longest module that is read from a file.
const MAX_MODULE_BYTES: u64 = 4 << 20;

/// Finds, compiles and keeps modules.
pub(super) struct Resolver {
    host: Arc<Host>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The directories to look in before the embedded modules, in order.
    places: Vec<PathBuf>,
    /// The script that runs. It cannot mean itself: `pool.rhai` that imports `pool` wants the library's.
    running: Option<PathBuf>,
    known: BTreeMap<String, Known>,
    /// What is being loaded, to see a circle.
    loading: Vec<String>,
}

/// A module that was loaded, and the state of its file then: a file that was edited is loaded again.
struct Known {
    changed: Option<SystemTime>,
    module: Shared<Module>,
}

/// A text that was found.
struct Found {
    name: String,
    text: String,
    changed: Option<SystemTime>,
}

/// The user's own modules: `RKD_STDLIB`, or `rkd/stdlib` in the directory where the system keeps settings.
pub(super) fn user_directory() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("RKD_STDLIB").or_else(|| {
        let settings = if cfg!(windows) {
            set("APPDATA")
        } else if cfg!(target_os = "macos") {
            set("HOME").map(|home| home.join("Library").join("Application Support"))
        } else {
            set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))
        };
        settings.map(|settings| settings.join("rkd").join("stdlib"))
    })
}

impl Resolver {
    /// A resolver that knows the embedded modules only.
    pub(super) fn new(host: Arc<Host>) -> Resolver {
        Resolver {
            host,
            state: Mutex::default(),
        }
    }

    /// Sets the directories that come before the embedded modules, and the file of the script that is about to run.
    pub(super) fn look_in(&self, places: Vec<PathBuf>, running: Option<PathBuf>) {
        let mut state = self.state();
        state.places = places;
        state.running = running;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loads a module, or takes it from the shelf.
    pub(super) fn load(
        &self,
        engine: &Engine,
        path: &str,
        at: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let found = self.find(path, at)?;
        {
            let mut state = self.state();
            if let Some(known) = state
                .known
                .get(&found.name)
                .filter(|known| known.changed == found.changed)
            {
                return Ok(Shared::clone(&known.module));
            }
            if state.loading.contains(&found.name) {
                let circle = format!("{} -> {}", state.loading.join(" -> "), found.name);
                return Err(Box::new(EvalAltResult::ErrorRuntime(
                    format!("modules import each other in a circle: {circle}").into(),
                    at,
                )));
            }
            state.loading.push(found.name.clone());
        }
        let loaded = self.compile(engine, &found, at);
        let mut state = self.state();
        state.loading.retain(|name| *name != found.name);
        let module = loaded?;
        state.known.insert(
            found.name,
            Known {
                changed: found.changed,
                module: Shared::clone(&module),
            },
        );
        Ok(module)
    }

    fn compile(
        &self,
        engine: &Engine,
        found: &Found,
        at: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        self.host.sources.keep(&found.name, &found.text);
        let inside = |error| Box::new(EvalAltResult::ErrorInModule(found.name.clone(), error, at));
        let mut ast: AST = engine
            .compile(&found.text)
            .map_err(|error| inside(error.into()))?;
        ast.set_source(found.name.as_str());
        Module::eval_ast_as_new(Scope::new(), &ast, engine)
            .map(Shared::new)
            .map_err(inside)
    }

    fn find(&self, path: &str, at: Position) -> Result<Found, Box<EvalAltResult>> {
        let name = path.strip_suffix(".rhai").unwrap_or(path);
        let proper = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        };
        if !name.split('/').all(proper) {
            let why = format!(
                "'{path}' is not the name of a module: letters, digits, _ and - only, with / between folders"
            );
            return Err(Box::new(EvalAltResult::ErrorRuntime(why.into(), at)));
        }
        let (places, running) = {
            let state = self.state();
            (state.places.clone(), state.running.clone())
        };
        for place in &places {
            let file = place.join(format!("{name}.rhai"));
            let Ok(about) = std::fs::metadata(&file) else {
                continue;
            };
            if !about.is_file() || running.as_ref() == Some(&file) {
                continue;
            }
            let text = if about.len() > MAX_MODULE_BYTES {
                Err(format!("{} is too long for a module", file.display()))
            } else {
                std::fs::read_to_string(&file)
                    .map_err(|why| format!("cannot read {}: {why}", file.display()))
            };
            return match text {
                Ok(text) => Ok(Found {
                    name: file.display().to_string(),
                    text,
                    changed: about.modified().ok(),
                }),
                Err(why) => Err(Box::new(EvalAltResult::ErrorRuntime(why.into(), at))),
            };
        }
        match library::module(name) {
            Some(module) => Ok(Found {
                name: module.path.into(),
                text: module.text.into(),
                changed: None,
            }),
            None => Err(Box::new(EvalAltResult::ErrorModuleNotFound(
                path.into(),
                at,
            ))),
        }
    }
}

/// The engine owns its resolver, a [`Script`](super::Script) wants to reach it too.
pub(super) struct SharedResolver(pub Arc<Resolver>);

impl ModuleResolver for SharedResolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        at: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        self.0.load(engine, path, at)
    }
}
