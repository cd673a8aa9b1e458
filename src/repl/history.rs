//! Where the lines that were typed are kept from one session to the next.

use std::ffi::OsString;
use std::path::PathBuf;

/// The history file, or none: no home directory, or `RKD_HISTORY` is set to nothing.
pub fn path() -> Option<PathBuf> {
    path_from(|name| std::env::var_os(name))
}

/// `RKD_HISTORY` if it is set; else the place for such files on this system, below a folder `rkd`:
/// `%APPDATA%`, `$XDG_STATE_HOME`, `~/Library/Application Support` on macOS, `~/.local/state` elsewhere.
fn path_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(chosen) = variable("RKD_HISTORY") {
        return (!chosen.is_empty()).then(|| PathBuf::from(chosen));
    }
    let folder = |name| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = if cfg!(windows) {
        folder("APPDATA")
    } else {
        folder("XDG_STATE_HOME").or_else(|| {
            folder("HOME").map(|home| {
                home.join(if cfg!(target_os = "macos") {
                    "Library/Application Support"
                } else {
                    ".local/state"
                })
            })
        })
    };
    base.map(|base| base.join("rkd").join("history"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Option<PathBuf> {
        path_from(|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_environment_decides() {
        assert_eq!(
            with(&[("RKD_HISTORY", "mine"), ("HOME", "/h")]),
            Some("mine".into())
        );
        assert_eq!(
            with(&[("RKD_HISTORY", ""), ("HOME", "/h"), ("APPDATA", "/a")]),
            None
        );
        assert_eq!(with(&[]), None);
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn the_place_follows_the_system() {
        assert_eq!(
            with(&[("HOME", "/h")]),
            Some("/h/.local/state/rkd/history".into())
        );
        assert_eq!(
            with(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]),
            Some("/s/rkd/history".into())
        );
        // The XDG specification: a path that is not absolute is to be ignored.
        assert_eq!(
            with(&[("HOME", "/h"), ("XDG_STATE_HOME", "s")]),
            Some("/h/.local/state/rkd/history".into())
        );
    }
}
