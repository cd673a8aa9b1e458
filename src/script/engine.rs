//! Rhai, equipped: limits, the sandbox, the screen, and all that a script can call.

use super::host::Host;
use super::registry::Registry;
use super::resolver::{Resolver, Shelf};
use super::{
    addr, bridge, flow, growth, help, kernel, memory, output, pools, row, search, space, typed,
};
use rhai::{Dynamic, Engine, Token};
use std::sync::Arc;

/// How many functions may call each other; the thread's stack is made for it.
const DEEPEST_CALLS: usize = 500;

/// How deep expressions may nest, outside and inside of functions.
const DEEPEST_EXPRESSIONS: (usize, usize) = (128, 128);

/// The most elements of an array or a map, nested ones included. Rhai counts them again at every change: whoever
/// collects more should keep the iterator instead.
const MOST_ELEMENTS: usize = 1 << 24;

/// The longest text, in bytes.
const LONGEST_TEXT: usize = 64 << 20;

/// The flag is looked at once in so many operations: often enough for Ctrl-C to feel immediate (some 20 microseconds),
/// seldom enough to cost nothing.
const EVERY: u64 = 64;

/// Makes the engine.
pub(super) fn equip(host: &Arc<Host>, resolver: &Arc<Resolver>) -> Registry {
    let mut r = Registry::new();
    limits(&mut r.engine);
    names(&mut r.engine);
    hooks(&mut r.engine, host);
    r.engine.set_module_resolver(Shelf(Arc::clone(resolver)));
    addr::register(&mut r);
    row::register(&mut r);
    memory::register(&mut r, host);
    kernel::register(&mut r, host);
    growth::register(&mut r, host);
    pools::register(&mut r, host);
    typed::register(&mut r, host);
    search::register(&mut r, host);
    space::register(&mut r, host);
    bridge::register(&mut r, host, crate::commands::ALL);
    output::register(&mut r, host);
    flow::register(&mut r, host);
    help::register(&mut r, host);
    r
}

fn limits(engine: &mut Engine) {
    engine.set_max_call_levels(DEEPEST_CALLS);
    engine.set_max_expr_depths(DEEPEST_EXPRESSIONS.0, DEEPEST_EXPRESSIONS.1);
    engine.set_max_array_size(MOST_ELEMENTS);
    engine.set_max_map_size(MOST_ELEMENTS);
    engine.set_max_string_size(LONGEST_TEXT);
    engine.set_max_modules(1000);
    // A misspelt name is found before the script has run for a minute.
    engine.set_strict_variables(true);
}

/// Words that Rhai keeps for a language that it might become one day, and that a debugger needs: rows have such columns,
/// and `module` is a function.
const ORDINARY: &[&str] = &[
    "call", "default", "match", "module", "new", "package", "shared", "static", "thread",
];

/// The name under which kd's evaluator is registered. `eval` itself would run its text as a script.
pub(super) const EVALUATOR: &str = "masm";

/// Makes those words names, and `eval`, which would run text as a script, kd's evaluator.
fn names(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "Rhai marks what may change so, and says itself that this is not deprecated"
    )]
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(name) if ORDINARY.contains(&name.as_str()) => Token::Identifier(name),
        Token::Reserved(name) if name.as_str() == "eval" => {
            Token::Identifier(Box::new(EVALUATOR.into()))
        }
        token => token,
    });
}

fn hooks(engine: &mut Engine, host: &Arc<Host>) {
    // Both cannot fail; a closed output ends the script at its next step.
    let out = Arc::clone(host);
    engine.on_print(move |text| drop(out.text(text.to_string())));
    let out = Arc::clone(host);
    engine.on_debug(move |text, source, at| {
        let place = source.map_or_else(|| at.to_string(), |source| format!("{source}, {at}"));
        drop(out.text(format!("{text}   ({place})")));
    });
    let watch = Arc::clone(host);
    engine.on_progress(move |operations| {
        (operations % EVERY == 0 && watch.is_stopped()).then_some(Dynamic::UNIT)
    });
}
