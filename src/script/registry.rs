//! The list of what a script can call: each function is registered with Rhai and described here, once, so that `help`,
//! completion and the reference in the documentation cannot disagree with the language.

use rhai::{Dynamic, Engine, EvalAltResult, Position};

/// The engine while it is being equipped, and the descriptions that go with it.
pub(super) struct Registry {
    /// Rhai.
    pub engine: Engine,
    /// The descriptions, in the order in which they were made.
    pub entries: Vec<Entry>,
}

/// What `help` knows of one function, property or command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How it is written: `read_u32(address)`, `row.why(field)`.
    pub usage: String,
    /// What it does, in a sentence or two.
    pub text: String,
    /// Where it belongs.
    pub group: Group,
}

/// The kinds of things that a script can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// A function.
    Function,
    /// A method or property of a value.
    Property,
    /// A command of the prompt, callable by its Rhai name.
    Command,
    /// A module of the standard library.
    Module,
}

impl Entry {
    /// The bare name: `read_u32` of `read_u32(address)`, `why` of `row.why(field)`.
    pub fn name(&self) -> &str {
        let head = self.usage.split(['(', '[', ' ']).next().unwrap_or_default();
        head.rsplit(['.', ':']).next().unwrap_or(head)
    }
}

impl Registry {
    /// An engine with Rhai's standard packages and nothing of ours.
    pub(super) fn new() -> Registry {
        Registry {
            engine: Engine::new(),
            entries: Vec::new(),
        }
    }

    /// Describes a function that is registered next to this call.
    pub(super) fn function(&mut self, usage: &str, text: &str) {
        self.entry(Group::Function, usage.to_string(), text);
    }

    /// Describes a property or method of a type.
    pub(super) fn property(&mut self, of: &str, usage: &str, text: &str) {
        self.entry(Group::Property, format!("{of}.{usage}"), text);
    }

    /// Describes anything.
    pub(super) fn entry(&mut self, group: Group, usage: String, text: &str) {
        self.entries.push(Entry {
            usage,
            text: text.to_string(),
            group,
        });
    }
}

/// An error of a native function. Rhai adds the place of the call.
pub(super) fn fail(message: impl Into<String>) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(
        Dynamic::from(message.into()),
        Position::NONE,
    ))
}

/// The end of a script by Ctrl-C or a closed output: no `catch` holds it up.
pub(super) fn stopped() -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorTerminated(
        Dynamic::UNIT,
        Position::NONE,
    ))
}

/// The type of a value in plain words, for error messages.
pub(super) fn type_name(value: &Dynamic) -> &'static str {
    match value.type_name() {
        "i64" => "a number",
        "f64" => "a floating point number",
        "bool" => "a truth value",
        "char" => "a character",
        "string" => "text",
        "array" => "an array",
        "blob" => "bytes",
        "map" => "a map",
        "()" => "nothing",
        "Fn" => "a function",
        name if name.ends_with("Virt") => "an address",
        name if name.ends_with("RowObject") => "a row",
        name if name.ends_with("StructObject") => "a structure",
        name if name.ends_with("Hits") => "search hits",
        name if name.ends_with("Space") => "an address space",
        name if name.contains("Range") => "a range",
        _ => "a value of another type",
    }
}
