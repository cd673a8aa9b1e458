//! The symbol path: where symbol files are looked for, in kd's notation, and what was found there and why not.

mod element;
mod search;

pub use element::{Level, PathElement};
pub use search::{How, Lookup, Reach, Tried};

use super::home;
use std::fmt;
use std::path::{Path, PathBuf};

/// A list of places, as `_NT_SYMBOL_PATH` and `.sympath` have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SymbolPath {
    text: String,
    places: Vec<PathElement>,
}

impl SymbolPath {
    /// Reads a path: places with semicolons between them. A place is a folder, a symbol file, a chain of stores that may end
    /// in a server (`srv*CACHE*SERVER`, `symsrv*DLL*CACHE*SERVER`), or `cache*CACHE`. Nothing is refused.
    ///
    /// A part that is empty stands for the default cache, and `srv*` for Microsoft's server behind the default cache.
    pub fn parse(text: &str) -> SymbolPath {
        SymbolPath::parse_with(text, &home::variable)
    }

    fn parse_with(text: &str, variable: home::Variable) -> SymbolPath {
        let expanded = element::expanded(text.trim(), variable);
        let mut path = SymbolPath {
            text: text.trim().to_owned(),
            places: Vec::new(),
        };
        let elements = expanded.split(';').map(str::trim);
        for element in elements.filter(|element| !element.is_empty()) {
            if let Some(place) = PathElement::parse(element, variable)
                && !path.places.contains(&place)
            {
                path.places.push(place);
            }
        }
        path
    }

    /// The places, each once, in their order.
    pub fn places(&self) -> &[PathElement] {
        &self.places
    }

    /// The folders and files, each once, in their order.
    pub fn directories(&self) -> Vec<&Path> {
        let mut found = Vec::new();
        for place in &self.places {
            let folders: Vec<&PathBuf> = match place {
                PathElement::Folder(folder) | PathElement::Cache(folder) => vec![folder],
                PathElement::Chain(levels) => levels.iter().filter_map(Level::folder).collect(),
            };
            for folder in folders {
                if !found.contains(&folder.as_path()) {
                    found.push(folder.as_path());
                }
            }
        }
        found
    }

    /// The servers' addresses, each once, in their order.
    pub fn servers(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for place in &self.places {
            let PathElement::Chain(levels) = place else {
                continue;
            };
            for server in levels.iter().filter_map(Level::server) {
                if !found.contains(&server) {
                    found.push(server);
                }
            }
        }
        found
    }

    /// What the path means in full: variables replaced, defaults written out.
    pub fn in_full(&self) -> String {
        let places: Vec<String> = self.places.iter().map(PathElement::to_string).collect();
        places.join(";")
    }
}

/// As it was typed.
impl fmt::Display for SymbolPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn parse(text: &str) -> SymbolPath {
        SymbolPath::parse_with(text, &|name| match name {
            "RKD_CACHE" => Some(OsString::from("/own")),
            "HOME" => Some("/home/me".into()),
            "SYM" => Some("/env".into()),
            _ => None,
        })
    }

    #[test]
    fn kds_notation() {
        for (text, full, servers) in [
            ("", "", &[][..]),
            (" ; ", "", &[]),
            ("/a ;/b;/a", "/a;/b", &[]),
            (
                r"srv*C:\sym*https://msdl.example/x",
                r"srv*C:\sym*https://msdl.example/x",
                &["https://msdl.example/x"],
            ),
            (
                "srv*",
                "srv*/own/symbols*https://msdl.microsoft.com/download/symbols",
                &["https://msdl.microsoft.com/download/symbols"],
            ),
            (
                "SRV*https://b.example",
                "srv*/own/symbols*https://b.example",
                &["https://b.example"],
            ),
            (
                "srv**https://b.example",
                "srv*/own/symbols*https://b.example",
                &["https://b.example"],
            ),
            (
                r"srv*/near*\\far\share*http://b.example",
                r"srv*/near*\\far\share*http://b.example",
                &["http://b.example"],
            ),
            (r"SymSrv*symsrv.dll*\\host\share", r"srv*\\host\share", &[]),
            ("cache*/c;/a", "cache*/c;/a", &[]),
            ("cache*", "cache*/own/symbols", &[]),
            ("srv*/only", "srv*/only", &[]),
            ("srv", "srv", &[]),
            (
                "https://c.example/",
                "srv*/own/symbols*https://c.example",
                &["https://c.example"],
            ),
            (
                "~/sym;%SYM%/x;%NONE%/y;100%",
                "/home/me/sym;/env/x;%NONE%/y;100%",
                &[],
            ),
        ] {
            let path = parse(text);
            assert_eq!(path.in_full(), full, "{text}");
            assert_eq!(path.servers(), servers, "{text}");
            assert_eq!(path.to_string(), text.trim());
        }
        let text =
            r" /a ;srv*C:\sym*https://msdl.example/x;cache*/c;SRV*/d*https://b.example;/a;srv";
        let expected = [r"/a", r"C:\sym", "/c", "/d", "srv"].map(Path::new);
        assert_eq!(parse(text).directories(), expected);
    }
}
