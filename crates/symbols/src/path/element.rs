//! One element of a symbol path.

use crate::{home, server};
use std::fmt;
use std::path::PathBuf;

/// An element of a symbol path: a place where symbol files may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathElement {
    /// A folder, or a symbol file.
    Folder(PathBuf),
    /// `cache*`: a store that is looked at, and that gets a copy of everything that is found behind it on the path.
    Cache(PathBuf),
    /// `srv*`: stores, the nearest first. What one has, those before it get.
    Chain(Vec<Level>),
}

/// One store of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// A folder.
    Folder(PathBuf),
    /// A server's address, without a slash at its end.
    Server(String),
}

impl Level {
    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&PathBuf> {
        match self {
            Level::Folder(folder) => Some(folder),
            Level::Server(_) => None,
        }
    }

    /// The server, if it is one.
    pub fn server(&self) -> Option<&str> {
        match self {
            Level::Folder(_) => None,
            Level::Server(server) => Some(server),
        }
    }
}

impl PathElement {
    /// Reads an element of a path. It may stand for nothing, when it asks for the default cache and there is none.
    pub(super) fn parse(element: &str, variable: home::Variable) -> Option<PathElement> {
        let (head, rest) = match element.split_once('*') {
            Some((head, rest)) => (head.trim().to_ascii_lowercase(), rest),
            None if is_address(element) => ("srv".into(), element),
            None => return Some(PathElement::Folder(element.into())),
        };
        let own = || home::symbols_from(variable);
        match head.as_str() {
            "srv" => chain(rest, own),
            // The DLL that speaks with the server: always symsrv.dll.
            "symsrv" => chain(rest.split_once('*').map_or("", |(_, rest)| rest), own),
            "cache" if rest.is_empty() => own().map(PathElement::Cache),
            "cache" => Some(PathElement::Cache(rest.into())),
            _ => Some(PathElement::Folder(element.into())),
        }
    }
}

fn chain(text: &str, own: impl Fn() -> Option<PathBuf>) -> Option<PathElement> {
    let mut levels: Vec<Level> = Vec::new();
    if text.trim().is_empty() {
        levels.extend(own().map(Level::Folder));
        levels.push(Level::Server(server::MICROSOFT.into()));
        return Some(PathElement::Chain(levels));
    }
    for part in text.split('*').map(str::trim) {
        let level = match part {
            "" => own().map(Level::Folder),
            address if is_address(address) => {
                Some(Level::Server(address.trim_end_matches('/').into()))
            }
            folder => Some(Level::Folder(folder.into())),
        };
        levels.extend(level);
    }
    // A server without a store in front of it: the files have to go somewhere.
    if matches!(levels.first(), Some(Level::Server(_)))
        && let Some(own) = own()
    {
        levels.insert(0, Level::Folder(own));
    }
    (!levels.is_empty()).then_some(PathElement::Chain(levels))
}

fn is_address(text: &str) -> bool {
    let is = |scheme: &str| {
        text.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    is("http://") || is("https://")
}

/// In kd's notation.
impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathElement::Folder(folder) => write!(f, "{}", folder.display()),
            PathElement::Cache(folder) => write!(f, "cache*{}", folder.display()),
            PathElement::Chain(levels) => {
                f.write_str("srv")?;
                levels.iter().try_for_each(|level| match level {
                    Level::Folder(folder) => write!(f, "*{}", folder.display()),
                    Level::Server(server) => write!(f, "*{server}"),
                })
            }
        }
    }
}

/// The path with `%NAME%` replaced by the variable of that name, where there is one, and `~/` by the home folder.
pub(super) fn expanded(text: &str, variable: home::Variable) -> String {
    let value = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let mut parts = text.split('%');
    let mut whole = parts.next().unwrap_or_default().to_string();
    let mut open = true;
    while let Some(part) = parts.next() {
        // Behind an odd sign stands a name, if another sign closes it.
        let replaced = if open && !part.is_empty() {
            value(part)
        } else {
            None
        };
        match replaced {
            Some(value) => {
                whole += &value;
                open = false;
                if let Some(rest) = parts.next() {
                    whole += rest;
                    open = true;
                }
            }
            None => {
                whole.push('%');
                whole += part;
            }
        }
    }
    let home = value("HOME").or_else(|| value("USERPROFILE"));
    let at_home = |element: &str| match (element.trim().strip_prefix("~/"), &home) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => element.to_string(),
    };
    let elements: Vec<String> = whole
        .split(';')
        .map(|element| {
            element
                .split('*')
                .map(&at_home)
                .collect::<Vec<_>>()
                .join("*")
        })
        .collect();
    elements.join(";")
}
