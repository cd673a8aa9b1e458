//! What comes with the program: the modules of the standard library and the ready investigations, by name.

use super::registry::{Entry, Group};

/// A text that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// The name to import or run: `pool`, `pool-leak`.
    pub name: &'static str,
    /// Where it stands in the repository; error messages name it so.
    pub path: &'static str,
    /// The text.
    pub text: &'static str,
}

macro_rules! embedded {
    ($($folder:literal / $name:literal),* $(,)?) => {
        &[$(Embedded {
            name: $name,
            path: concat!($folder, "/", $name, ".rhai"),
            text: include_str!(concat!("../../", $folder, "/", $name, ".rhai")),
        }),*]
    };
}

/// The standard library: `import "pool" as pool;`.
pub static MODULES: &[Embedded] = embedded![
    "stdlib" / "check",
    "stdlib" / "format",
    "stdlib" / "modules",
    "stdlib" / "pool",
];

/// The investigations: `rkd run pool-leak DUMP`.
pub static SCRIPTS: &[Embedded] = embedded!["scripts" / "pool-leak", "scripts" / "tag-everywhere"];

/// A module of the standard library.
pub fn module(name: &str) -> Option<&'static Embedded> {
    MODULES.iter().find(|known| known.name == name)
}

/// An investigation, by its bare name, its file name or its path in the repository.
pub fn script(name: &str) -> Option<&'static Embedded> {
    let name = name.replace('\\', "/");
    let name = name.strip_prefix("./").unwrap_or(&name);
    SCRIPTS.iter().find(|known| {
        known.name == name
            || known.path == name
            || known.path.strip_prefix("scripts/") == Some(name)
    })
}

/// The first paragraph of a text's opening comment (`//!` or `//`): what it is, in a sentence or two.
pub fn summary(text: &str) -> String {
    text.lines()
        .map_while(|line| line.strip_prefix("//"))
        .map(|line| line.trim_start_matches(['!', '/']).trim())
        .take_while(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Describes the functions of the standard library, from the comments above them.
pub(super) fn describe(entries: &mut Vec<Entry>) {
    for module in MODULES {
        for (signature, text) in functions(module.text) {
            entries.push(Entry {
                usage: format!("{}::{signature}", module.name),
                text,
                group: Group::Module,
            });
        }
    }
}

/// The public functions of a module, each as `name(parameters)`, and what stands above it in `///`.
fn functions(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut about: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("///") {
            about.push(comment.trim());
        } else {
            if let Some(signature) = line
                .strip_prefix("fn ")
                .and_then(|rest| rest.split_once(" {"))
            {
                found.push((signature.0.trim().to_string(), about.join(" ")));
            }
            about.clear();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// A file that is not listed is silently absent from the program: refuse it.
    #[test]
    fn every_file_of_the_folders_is_embedded() {
        for (folder, listed) in [("stdlib", MODULES), ("scripts", SCRIPTS)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let files: BTreeSet<String> = std::fs::read_dir(&folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|e| e == "rhai"))
                .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            let listed: BTreeSet<String> = listed.iter().map(|e| e.name.to_string()).collect();
            assert_eq!(files, listed, "{}", folder.display());
        }
    }

    #[test]
    fn every_public_function_is_described() {
        for module in MODULES {
            assert!(!functions(module.text).is_empty(), "{}", module.path);
            for (signature, about) in functions(module.text) {
                assert!(
                    about.ends_with(['.', '`']),
                    "{}: {signature} is not described",
                    module.path
                );
            }
        }
    }

    #[test]
    fn every_file_says_what_it_is() {
        for file in MODULES.iter().chain(SCRIPTS) {
            assert!(
                summary(file.text).ends_with('.'),
                "{} opens with no sentence",
                file.path
            );
        }
    }
}
