//! Rhai, equipped: limits, the sandbox, the screen, and all that a script can call.

use super::host::Host;
use super::registry::Registry;
use super::resolver::{Resolver, SharedResolver};
use super::{
    addr, bridge, flow, growth, help, kernel, memory, output, pools, row, search, space, typed,
};
use rhai::{Dynamic, Engine, Token};
use std::sync::Arc;

/// How many functions may call each other; the thread's stack is made for it.
const MAX_CALL_DEPTH: usize = 500;

/// How deep expressions may nest, outside and inside of functions.
const MAX_EXPRESSION_DEPTH: (usize, usize) = (128, 128);

/// The most elements of an array or a map, nested ones included. Rhai counts them again at every change: whoever
/// collects more should keep the iterator instead.
const MAX_ELEMENTS: usize = 1 << 24;

/// The longest text, in bytes.
const MAX_TEXT_BYTES: usize = 64 << 20;

/// The flag is looked at once in so many operations: often enough for Ctrl-C to feel immediate (some 20 microseconds),
/// seldom enough to cost nothing.
const OPERATIONS_PER_CHECK: u64 = 64;

/// Makes the engine.
pub(super) fn equip(host: &Arc<Host>, resolver: &Arc<Resolver>) -> Registry {
    let mut r = Registry::new();
    limits(&mut r.engine);
    names(&mut r.engine);
    hooks(&mut r.engine, host);
    r.engine
        .set_module_resolver(SharedResolver(Arc::clone(resolver)));
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
    engine.set_max_call_levels(MAX_CALL_DEPTH);
    engine.set_max_expr_depths(MAX_EXPRESSION_DEPTH.0, MAX_EXPRESSION_DEPTH.1);
    engine.set_max_array_size(MAX_ELEMENTS);
    engine.set_max_map_size(MAX_ELEMENTS);
    engine.set_max_string_size(MAX_TEXT_BYTES);
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
        (operations % OPERATIONS_PER_CHECK == 0 && watch.is_stopped()).then_some(Dynamic::UNIT)
    });
}
