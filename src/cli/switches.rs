//! kd's command line, made into one that a modern parser reads: `-cf FILE` is one switch, `/z` is `-z`, and the
//! switches that mean nothing here are taken without a word, so that an old batch file still works.

use std::ffi::OsString;
use std::path::Path;

/// What becomes of one of kd's switches.
#[derive(Clone, Copy)]
enum Meaning {
    /// It is called otherwise here; its value, if it has one, follows.
    Is(&'static str, usize),
    /// It steers what this program does not do; that many values after it are skipped.
    Ignored(usize),
    /// It asks for a live target.
    Live,
}

use Meaning::{Ignored, Is, Live};

/// kd's switches (kd-command-line-options in Microsoft's documentation), without their `-` or `/`.
const SWITCHES: &[(&str, Meaning)] = &[
    ("z", Is("-z", 1)),
    ("y", Is("-y", 1)),
    ("i", Is("-i", 1)),
    ("c", Is("-c", 1)),
    ("cf", Is("--command-file", 1)),
    ("cfr", Is("--command-file", 1)),
    ("logo", Is("--logo", 1)),
    ("logou", Is("--logo", 1)),
    ("loga", Is("--loga", 1)),
    ("logau", Is("--loga", 1)),
    ("version", Is("--version", 0)),
    ("?", Is("--help", 0)),
    ("bonc", Ignored(0)),
    ("failinc", Ignored(0)),
    ("kqm", Ignored(0)),
    ("lines", Ignored(0)),
    ("n", Is("--noisy", 0)),
    ("noinh", Ignored(0)),
    ("noshell", Ignored(0)),
    ("r", Ignored(0)),
    ("s", Ignored(0)),
    ("sdce", Ignored(0)),
    ("secure", Ignored(0)),
    ("ses", Ignored(0)),
    ("sicv", Ignored(0)),
    ("sins", Ignored(0)),
    ("snc", Ignored(0)),
    ("snul", Ignored(0)),
    ("sup", Ignored(0)),
    ("v", Ignored(0)),
    ("clines", Ignored(1)),
    ("ee", Ignored(1)),
    ("lsrcpath", Ignored(1)),
    ("sflags", Ignored(1)),
    ("srcpath", Ignored(1)),
    ("zp", Ignored(1)),
    ("b", Live),
    ("d", Live),
    ("k", Live),
    ("kl", Live),
    ("kx", Live),
    ("x", Live),
];

/// Switches without values that kd lets people run together (`-rnv`).
const JOINABLE: &[u8] = b"nrsv";

/// Our own switches whose value is a word of its own, which must not be taken for a switch or a subcommand.
const WITH_VALUE: &[&str] = &[
    "--format",
    "--color",
    "--tz",
    "--pooltag",
    "--tag-database",
    "--command-file",
    "--logo",
    "--loga",
];

/// A switch that asks for a running machine.
#[derive(Debug, thiserror::Error)]
#[error("{0}: rkd opens dump files, it cannot debug a running machine")]
pub(super) struct LiveTarget(String);

/// Translates the arguments, without the program's name. From a subcommand or a `--` on they stay as they are.
///
/// `exists` tells whether a file is there: elsewhere than on Windows `/z` is also a path, and a file wins.
///
/// # Errors
/// [`LiveTarget`] for a switch that asks for a running machine.
pub(super) fn from_kd(
    arguments: impl IntoIterator<Item = OsString>,
    subcommands: &[&str],
    exists: impl Fn(&Path) -> bool,
) -> Result<Vec<OsString>, LiveTarget> {
    let mut translated = Vec::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_str().unwrap_or_default();
        if text == "--" || subcommands.contains(&text) {
            translated.push(argument);
            translated.extend(arguments);
            break;
        }
        if WITH_VALUE.contains(&text) {
            translated.push(argument);
            translated.extend(arguments.next());
            continue;
        }
        let name = match text.strip_prefix('-') {
            Some(name) => Some(name),
            None => text
                .strip_prefix('/')
                .filter(|_| cfg!(windows) || !exists(Path::new(text))),
        };
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            translated.push(argument);
            continue;
        };
        match SWITCHES.iter().find(|(known, _)| *known == name) {
            Some((_, Is(ours, values))) => {
                translated.push(OsString::from(ours));
                translated.extend(arguments.by_ref().take(*values));
            }
            Some((_, Ignored(values))) => drop(arguments.by_ref().take(*values).count()),
            Some((_, Live)) => {
                return Err(LiveTarget(text.to_owned()));
            }
            None if name.bytes().all(|letter| JOINABLE.contains(&letter)) => {
                translated.extend(name.contains('n').then(|| OsString::from("--noisy")));
            }
            None => translated.push(argument),
        }
    }
    Ok(translated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translate(line: &str) -> Result<String, LiveTarget> {
        let arguments = line
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(OsString::from);
        let translated = from_kd(arguments, &["run", "demo"], |path| path == Path::new("/r"))?;
        Ok(translated
            .iter()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" "))
    }

    #[test]
    fn kds_switches_become_ours() {
        for (typed, read) in [
            ("", ""),
            ("MEMORY.DMP", "MEMORY.DMP"),
            ("-z a.dmp -y srv* -i . -c q", "-z a.dmp -y srv* -i . -c q"),
            ("/z a.dmp /c q", "-z a.dmp -c q"),
            ("-cf a.txt x", "--command-file a.txt x"),
            ("-cfr a.txt", "--command-file a.txt"),
            ("-loga l x", "--loga l x"),
            ("-logou l x", "--logo l x"),
            (
                "-v -n -rnv -lines -ee masm -sflags 0x10 -z a",
                "--noisy --noisy -z a",
            ),
            ("-srcpath -z -z a", "-z a"),
            ("-version", "--version"),
            ("-?", "--help"),
            ("-c -v -z a", "-c -v -z a"),
            ("--format run a.dmp -v", "--format run a.dmp"),
            ("--format=csv run a -v -cf b", "--format=csv run a -v -cf b"),
            ("-- -cf", "-- -cf"),
            ("/cores/MEMORY.DMP", "/cores/MEMORY.DMP"),
            ("- /", "- /"),
            ("-q --quiet", "-q --quiet"),
            ("-z demo", "-z demo"),
        ] {
            assert_eq!(translate(typed).unwrap(), read, "{typed}");
        }
        if !cfg!(windows) {
            assert_eq!(
                translate("/r /n").unwrap(),
                "/r --noisy",
                "a file of that name is a file"
            );
        }
    }

    #[test]
    fn a_live_target_is_refused() {
        assert_eq!(
            translate("-k com:port=1").unwrap_err().to_string(),
            "-k: rkd opens dump files, it cannot debug a running machine"
        );
    }
}
