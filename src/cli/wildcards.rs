//! `*.dmp` on systems whose shell leaves it to the program.

use std::path::{Path, PathBuf};

/// The files that each argument stands for: itself, or, when no such file exists and its last part holds `*` or `?`,
/// the names in its folder that match, sorted. A pattern without a match stays, so that it is reported as it was typed.
pub(super) fn expand(arguments: &[PathBuf]) -> Vec<PathBuf> {
    arguments
        .iter()
        .flat_map(|argument| matches(argument))
        .collect()
}

fn matches(argument: &Path) -> Vec<PathBuf> {
    let pattern = argument
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let Some(pattern) = pattern.filter(|name| name.contains(['*', '?']) && !argument.exists())
    else {
        return vec![argument.to_path_buf()];
    };
    let parent = argument.parent().unwrap_or(Path::new(""));
    let folder = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| {
            fits(
                pattern.as_bytes(),
                entry.file_name().to_string_lossy().as_bytes(),
            )
        })
        .map(|entry| parent.join(entry.file_name()))
        .collect();
    found.sort();
    if found.is_empty() {
        vec![argument.to_path_buf()]
    } else {
        found
    }
}

/// Whether a name fits a pattern of `*` and `?`, in any case, as file names on Windows do.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stood, and how much of the name it swallows so far.
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = name.get(n) {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&want) if want == b'?' || want.eq_ignore_ascii_case(&c) => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, swallowed)) => {
                    star = Some((at, swallowed + 1));
                    (p, n) = (at + 1, swallowed + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, fit) in [
            ("*.dmp", "a.dmp", true),
            ("*.dmp", "A.DMP", true),
            ("*.dmp", "a.dmp.txt", false),
            ("*", "", true),
            ("?", "", false),
            ("m?m*.d*p", "memory.dmp", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXbY", false),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                fit,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.dmp", "a.dmp", "c.txt", "x*y"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let at = |name: &str| folder.path().join(name);
        assert_eq!(
            expand(&[at("*.dmp"), at("x*y"), at("none*"), at("gone.dmp")]),
            [
                at("a.dmp"),
                at("b.dmp"),
                at("x*y"),
                at("none*"),
                at("gone.dmp")
            ]
        );
    }
}
