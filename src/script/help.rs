//! `help("name")`: what a script can call, from the descriptions that were made when it was registered.

use super::addr::Answer;
use super::host::Host;
use super::library;
use super::registry::{Entry, Group, Registry, fail};
use std::sync::Arc;

/// Registers the functions.
pub(super) fn register(r: &mut Registry, host: &Arc<Host>) {
    r.function(
        "help([name])",
        "What a script can call; with a name, what that function, method or module does. For commands of the prompt: `help` without brackets.",
    );
    let of = Arc::clone(host);
    r.engine
        .register_fn("help", move || of.text(overview(of.known())));
    let of = Arc::clone(host);
    r.engine
        .register_fn("help", move |name: &str| -> Answer<()> {
            let name = name.trim_end_matches("()");
            match describe(of.known(), name) {
                Some(text) => of.text(text),
                None => Err(fail(match of.similar(name) {
                    Some(usage) => format!("there is no '{name}'; did you mean {usage}?"),
                    None => format!("there is no '{name}': help() lists what there is"),
                })),
            }
        });
}

/// All names, by group.
fn overview(entries: &[Entry]) -> String {
    let mut text = String::new();
    for (group, heading) in [
        (Group::Function, "Functions"),
        (Group::Property, "Methods and properties"),
        (Group::Command, "Commands"),
    ] {
        text += &format!("{heading}:");
        let mut width = usize::MAX;
        for entry in entries.iter().filter(|entry| entry.group == group) {
            // Lines of at most 100 columns.
            if width.saturating_add(entry.usage.len() + 2) > 100 {
                text += "\n ";
                width = 1;
            }
            text += &format!(" {}", entry.usage);
            width += entry.usage.len() + 1;
        }
        text += "\n";
    }
    text += "Modules (import \"pool\" as pool; help(\"pool\") describes one):";
    for module in library::MODULES {
        text += &format!("\n  {:<9} {}", module.name, library::summary(module.text));
    }
    text
}

/// What is known of a name: of a function, of a method of several types, of a module with all that is in it.
fn describe(entries: &[Entry], name: &str) -> Option<String> {
    let of_module = format!("{name}::");
    let bare = name.rsplit(['.', ':']).next().unwrap_or(name);
    let fits = |entry: &&Entry| {
        entry.usage.starts_with(&of_module)
            || (entry.name() == bare
                && entry
                    .usage
                    .split('(')
                    .next()
                    .is_some_and(|usage| usage.ends_with(name)))
    };
    let found: Vec<String> = entries
        .iter()
        .filter(fits)
        .map(|entry| format!("{}\n    {}", entry.usage, entry.text))
        .collect();
    (!found.is_empty()).then(|| found.join("\n"))
}
