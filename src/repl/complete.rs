//! What Tab offers: commands, modules, `module!symbol`, pool tags, files, and the words of Rhai.

use crate::command::{Command, Completes, head};

/// The words that completion chooses from, gathered between two lines.
pub struct Words {
    /// All commands.
    pub commands: &'static [&'static Command],
    /// Names of the loaded modules.
    pub modules: Vec<String>,
    /// Names of Rhai: functions, variables, modules.
    pub script: Vec<String>,
    /// Pool tags of the dump, asked for only when they are wanted.
    pub tags: Box<dyn Fn() -> Vec<String>>,
    /// The symbols of a module, asked for likewise.
    pub symbols: Box<Symbols>,
    /// The types of a module, asked for likewise.
    pub types: Box<Symbols>,
}

/// The symbols or types of a module that begin with a text, in any case: `(module, prefix)`.
pub type Symbols = dyn Fn(&str, &str) -> Vec<String>;

/// What can stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// These words, from that byte of the line on.
    Words(usize, Vec<String>),
    /// Names of files.
    Files,
}

/// The most symbols that are offered; nobody reads more.
pub const MAX_OFFERS: usize = 500;

/// Where kd's words end. `!`, `.`, `$`, `@`, `_` and the back-tick are part of them.
const KD_BREAKS: &[char] = &[
    ' ', '\t', '\n', '(', ')', '[', ']', '{', '}', '+', '-', '*', '/', ',', ';', '"', '=', '<',
    '>', '&', '|',
];

impl Words {
    /// What fits at the end of `line`, the text left of the cursor. `is_kd` judges a line by its first word.
    pub fn offer(&self, line: &str, is_kd: impl Fn(&str) -> bool) -> Offer {
        // After a `;` another command begins.
        let segment_start = line.rfind(';').map_or(0, |at| at + 1);
        let segment_start = line.len() - line[segment_start..].trim_start().len();
        let segment = &line[segment_start..];
        let Some((_, rest)) = segment.split_once(char::is_whitespace) else {
            return self.first(line, segment_start);
        };
        match head::find(self.commands, segment) {
            Ok((command, _)) if is_kd(segment) => self.argument(command, line, rest),
            _ => self.rhai(line),
        }
    }

    /// The first word: a command, or a word of Rhai.
    fn first(&self, line: &str, start: usize) -> Offer {
        let typed = &line[start..];
        let every = || self.commands.iter().flat_map(|command| names(command));
        let mut found: Vec<String> = every()
            .filter(|name| begins(name, typed))
            .map(str::to_string)
            .collect();
        // Without the mark of its family a command is still found: `poolu` is `!poolused`.
        if found.is_empty() && !typed.is_empty() {
            found = every()
                .filter(|name| begins(name.trim_start_matches(['!', '.']), typed))
                .map(str::to_string)
                .collect();
        }
        match self.rhai(line) {
            Offer::Words(place, words) if place == start && !typed.is_empty() => {
                found.extend(words)
            }
            rhai if found.is_empty() => return rhai,
            _ => {}
        }
        Offer::Words(start, tidy(found))
    }

    fn argument(&self, command: &Command, line: &str, rest: &str) -> Offer {
        let start = line.rfind(KD_BREAKS).map_or(0, |at| at + 1);
        let typed = &line[start..];
        let pick = |words: Vec<String>| {
            Offer::Words(
                start,
                tidy(
                    words
                        .into_iter()
                        .filter(|word| begins(word, typed))
                        .collect(),
                ),
            )
        };
        let completes = command.grammar.completes(rest);
        match completes {
            Completes::Nothing => Offer::Words(start, Vec::new()),
            Completes::Files => Offer::Files,
            Completes::Modules => pick(self.modules.clone()),
            Completes::Tags => pick((self.tags)()),
            Completes::Commands => pick(
                self.commands
                    .iter()
                    .flat_map(|command| names(command))
                    .map(str::to_string)
                    .collect(),
            ),
            Completes::Symbols | Completes::Types => match typed.split_once('!') {
                Some((module, prefix)) => {
                    // Behind the type stands an address.
                    let is_first = rest.trim_start() == typed;
                    let wants_types = completes == Completes::Types && is_first;
                    let of = if wants_types {
                        &self.types
                    } else {
                        &self.symbols
                    };
                    let symbols = of(module, prefix);
                    Offer::Words(
                        start,
                        tidy(
                            symbols
                                .iter()
                                .map(|name| format!("{module}!{name}"))
                                .collect(),
                        ),
                    )
                }
                // A quote is open: what is typed there is text to search for.
                None if rest.matches('"').count() % 2 == 1 => Offer::Words(start, Vec::new()),
                None => pick(self.modules.clone()),
            },
        }
    }

    /// The words of Rhai that begin as the one at the end of the line.
    fn rhai(&self, line: &str) -> Offer {
        let start = line
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |at| {
                at + line[at..].chars().next().map_or(1, char::len_utf8)
            });
        let typed = &line[start..];
        let after_dot = line[..start].ends_with('.');
        let words = self.script.iter().filter(|word| word.starts_with(typed));
        // Without a letter everything would be offered; behind a dot that is just what is wanted.
        let words = if typed.is_empty() && !after_dot {
            Vec::new()
        } else {
            words.cloned().collect()
        };
        Offer::Words(start, tidy(words))
    }
}

fn names(command: &'static Command) -> impl Iterator<Item = &'static str> {
    std::iter::once(command.name).chain(command.aliases.iter().copied())
}

fn begins(word: &str, typed: &str) -> bool {
    word.get(..typed.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(typed))
}

fn tidy(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words.dedup();
    words.truncate(MAX_OFFERS);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Grammar, Topic};

    macro_rules! command {
        ($name:ident, $kd:literal, $aliases:expr, $completes:ident) => {
            static $name: Command = Command {
                name: $kd,
                aliases: $aliases,
                rhai: "",
                topic: Topic::Session,
                summary: "",
                help: "",
                grammar: Grammar::own("", Completes::$completes),
                examples: &[],
                rows: &[],
                run: |_, _, _| Ok(()),
            };
        };
    }

    command!(LM, "lm", &[], Modules);
    command!(DB, "d", &["db", "dd", "dps"], Symbols);
    command!(DT, "dt", &[], Types);
    command!(POOL, "!poolused", &[], Tags);
    command!(VM, "!vm", &[], Nothing);
    command!(LOG, ".logopen", &[], Files);
    command!(HELP, "help", &[".hh"], Commands);
    static ALL: &[&Command] = &[&LM, &DB, &DT, &POOL, &VM, &LOG, &HELP];

    fn offer(line: &str) -> String {
        let words = Words {
            commands: ALL,
            modules: ["nt", "myfault", "hal", "mountmgr"]
                .map(String::from)
                .to_vec(),
            script: ["lm", "lmx", "leak", "len", "print"]
                .map(String::from)
                .to_vec(),
            tags: Box::new(|| ["Leak", "LeaX", "ConT"].map(String::from).to_vec()),
            symbols: Box::new(|module, prefix| {
                let all = [
                    "PsInitialSystemProcess",
                    "PsLoadedModuleList",
                    "MmUserProbe",
                ];
                let fit = all
                    .iter()
                    .filter(|name| module == "nt" && begins(name, prefix));
                fit.map(|name| name.to_string()).collect()
            }),
            types: Box::new(|module, prefix| {
                let all = ["_EPROCESS", "_ETHREAD", "_POOL_HEADER"];
                let fit = all
                    .iter()
                    .filter(|name| module == "nt" && begins(name, prefix));
                fit.map(|name| name.to_string()).collect()
            }),
        };
        match words.offer(line, |line| !line.contains(" = ")) {
            Offer::Words(start, words) => format!("{start}: {}", words.join(" ")),
            Offer::Files => "files".into(),
        }
    }

    #[test]
    fn what_tab_offers() {
        for (line, offered) in [
            ("!", "0: !poolused !vm"),
            ("!po", "0: !poolused"),
            ("!PO", "0: !poolused"),
            ("poolu", "0: !poolused"),
            ("l", "0: leak len lm lmx"),
            ("lm; d", "4: d db dd dps dt"),
            ("!vm;.l", "4: .logopen"),
            ("lmvm my", "5: myfault"),
            ("lm m M", "5: mountmgr myfault"),
            (
                "db nt!ps",
                "3: nt!PsInitialSystemProcess nt!PsLoadedModuleList",
            ),
            ("db poi(nt!PsL", "7: nt!PsLoadedModuleList"),
            ("db hal!x", "3: "),
            ("dt nt!_e", "3: nt!_EPROCESS nt!_ETHREAD"),
            ("dt nt!_EPROCESS nt!PsI", "16: nt!PsInitialSystemProcess"),
            ("dt m", "3: mountmgr myfault"),
            ("db ", "3: hal mountmgr myfault nt"),
            ("db nt+h", "6: hal"),
            ("db \"my", "4: "),
            ("!poolused 2 L", "12: LeaX Leak"),
            ("!vm 2", "4: "),
            (".logopen /tmp", "files"),
            ("help !v", "5: !vm"),
            ("let x = pri", "8: print"),
            ("for m in lm() { m.le", "18: leak len"),
            ("x.", "2: leak len lm lmx print"),
            ("x = ", "4: "),
            ("lm = le", "5: leak len"),
            ("pri", "0: print"),
            ("leak(le", "5: leak len"),
            ("größe(le", "8: leak len"),
            ("zzz", "0: "),
        ] {
            assert_eq!(offer(line), offered, "{line}");
        }
        assert!(offer("").starts_with("0: !poolused !vm .hh .logopen d db"));
    }
}
