//! Where rkd keeps files of its own between sessions: symbols that were fetched, and facts that the user added.

use std::ffi::OsString;
use std::path::PathBuf;

/// The folder of everything that can be had again: `RKD_CACHE` if it is set (to nothing: none), `%LOCALAPPDATA%\rkd`,
/// `$XDG_CACHE_HOME/rkd`, `~/Library/Caches/rkd` on macOS, `~/.cache/rkd` elsewhere.
pub fn cache() -> Option<PathBuf> {
    cache_from(&variable)
}

/// The default symbol cache, a symbol store: where kd has `C:\ProgramData\Dbg\sym`.
pub fn symbols() -> Option<PathBuf> {
    symbols_from(&variable)
}

/// The user's facts file: `RKD_FACTS` if it is set (to nothing: none), `%APPDATA%\rkd\nt.facts.xz`,
/// `$XDG_DATA_HOME/rkd/nt.facts.xz`, `~/Library/Application Support/rkd/…` on macOS, `~/.local/share/rkd/…` elsewhere.
pub fn facts() -> Option<PathBuf> {
    facts_from(&variable)
}

/// A variable of the environment, as the functions here ask for it.
pub(super) type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

pub(super) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

pub(super) fn symbols_from(variable: Variable) -> Option<PathBuf> {
    cache_from(variable).map(|cache| cache.join("symbols"))
}

fn cache_from(variable: Variable) -> Option<PathBuf> {
    if let Some(chosen) = variable("RKD_CACHE") {
        return (!chosen.is_empty()).then(|| chosen.into());
    }
    base(
        variable,
        "LOCALAPPDATA",
        "XDG_CACHE_HOME",
        "Library/Caches",
        ".cache",
    )
}

fn facts_from(variable: Variable) -> Option<PathBuf> {
    if let Some(chosen) = variable("RKD_FACTS") {
        return (!chosen.is_empty()).then(|| chosen.into());
    }
    let base = base(
        variable,
        "APPDATA",
        "XDG_DATA_HOME",
        "Library/Application Support",
        ".local/share",
    );
    base.map(|base| base.join("nt.facts.xz"))
}

fn base(variable: Variable, windows: &str, xdg: &str, macos: &str, other: &str) -> Option<PathBuf> {
    let folder = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = if cfg!(windows) {
        folder(windows)
    } else {
        let below_home = if cfg!(target_os = "macos") {
            macos
        } else {
            other
        };
        folder(xdg).or_else(|| Some(folder("HOME")?.join(below_home)))
    };
    base.map(|base| base.join("rkd"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        let with = |variables: &'static [(&str, &str)]| {
            move |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            }
        };
        let chosen = with(&[
            ("RKD_CACHE", "mine"),
            ("RKD_FACTS", "my.facts"),
            ("HOME", "/h"),
        ]);
        assert_eq!(symbols_from(&chosen), Some("mine/symbols".into()));
        assert_eq!(facts_from(&chosen), Some("my.facts".into()));
        let none = with(&[("RKD_CACHE", ""), ("RKD_FACTS", ""), ("HOME", "/h")]);
        assert_eq!((symbols_from(&none), facts_from(&none)), (None, None));
        assert_eq!(symbols_from(&with(&[])), None);
        if !cfg!(any(windows, target_os = "macos")) {
            let home = with(&[("HOME", "/h"), ("XDG_DATA_HOME", "not/absolute")]);
            assert_eq!(symbols_from(&home), Some("/h/.cache/rkd/symbols".into()));
            assert_eq!(
                facts_from(&home),
                Some("/h/.local/share/rkd/nt.facts.xz".into())
            );
            let xdg = with(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]);
            assert_eq!(symbols_from(&xdg), Some("/c/rkd/symbols".into()));
        }
    }
}
