//! How much was seen: without it, "nobody" would mean nothing.

use super::readings::{Origin, Readings};
use super::unread::Unread;
use crate::Kernel;
use rkd_pooltags::{Report, Verdict};

/// A module about which silence means nothing.
#[derive(Clone, Debug)]
pub struct Unsearched {
    /// kd's name of it.
    pub module: String,
    /// Why.
    pub why: Unread,
}

/// How much of the modules was seen.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Loaded modules.
    pub modules: usize,
    /// Modules that were read.
    pub read: usize,
    /// Of those, modules every byte of whose code was there.
    pub whole: usize,
    /// Modules that lack only what Windows discards after the start.
    pub but_discarded: usize,
    /// Modules of whose code pages are missing, the most first: module, bytes missing, bytes of code.
    pub partly: Vec<(String, u64, u64)>,
    /// Modules that could not be searched.
    pub unsearched: Vec<Unsearched>,
    /// Modules that were read from their files.
    pub from_files: usize,
    /// Modules that a tag database knows.
    pub from_database: usize,
    /// Modules that use no interface which takes a tag.
    pub without_interface: usize,
    /// Calls that allocate under a tag which is not known, by module, the most first.
    pub unresolved: Vec<(String, usize)>,
}

impl Account {
    pub(super) fn of(kernel: &Kernel, readings: &Readings) -> Account {
        let mut account = Account {
            modules: kernel.modules().len(),
            ..Account::default()
        };
        for (index, reading) in readings.all() {
            let (Some(module), Some(presence)) = (
                kernel.modules().get(index),
                readings.presence(kernel, index),
            ) else {
                continue;
            };
            account.read += 1;
            let is_file = matches!(reading.origin, Origin::File(_));
            account.from_files += usize::from(is_file);
            let is_stored = reading.origin == Origin::Database;
            account.from_database += usize::from(is_stored);
            let open = reading.unresolved().count();
            if open > 0 {
                account.unresolved.push((module.name.clone(), open));
            }
            let silent = |r: &Report| r.verdict == Verdict::NoInterface;
            account.without_interface += usize::from(reading.report.as_ref().is_ok_and(silent));
            if let Some(why) = reading.unread() {
                account.unsearched.push(Unsearched {
                    module: module.name.clone(),
                    why,
                });
            } else if is_file || is_stored || presence.is_whole() {
                account.whole += 1;
            } else if presence.missing == 0 {
                account.but_discarded += 1;
            } else {
                let partly = (module.name.clone(), presence.missing, presence.code);
                account.partly.push(partly);
            }
        }
        account
            .partly
            .sort_by_key(|(_, missing, _)| std::cmp::Reverse(*missing));
        account
            .unresolved
            .sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        account
    }

    /// Modules whose code was read as far as it can be: all of it, or all but what is gone after the start.
    pub fn fully(&self) -> usize {
        self.whole + self.but_discarded
    }

    /// Whether no code of any module was seen.
    pub fn is_dark(&self) -> bool {
        self.fully() == 0 && self.partly.is_empty()
    }

    /// Unresolved calls in all modules.
    pub fn open(&self) -> usize {
        self.unresolved.iter().map(|(_, count)| count).sum()
    }

    /// The whole account in sentences, each a remark of its own.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = vec![self.first()];
        let names = |list: &mut dyn Iterator<Item = String>, count: usize| -> String {
            let shown: Vec<String> = list.take(SHOWN).collect();
            let more = count.saturating_sub(shown.len());
            match more {
                0 => shown.join(", "),
                _ => format!("{}, and {more} more", shown.join(", ")),
            }
        };
        for (why, modules) in self.reasons() {
            let count = modules.len();
            let mut list = modules.into_iter().map(str::to_owned);
            said.push(format!(
                "could not be searched: {} ({why})",
                names(&mut list, count)
            ));
        }
        if !self.partly.is_empty() {
            let list = self.partly.iter();
            let mut list = list.map(|(name, missing, code)| {
                format!(
                    "{name} ({} of {} KiB of code)",
                    missing.div_ceil(1024),
                    code.div_ceil(1024)
                )
            });
            said.push(format!(
                "pages of code are missing in {}; -i IMAGEPATH or .exepath gives the drivers' files",
                names(&mut list, self.partly.len())
            ));
        }
        if !self.unresolved.is_empty() {
            let mut list = self
                .unresolved
                .iter()
                .map(|(name, count)| format!("{name} ({count})"));
            said.push(format!(
                "tags that are decided at run time: {}",
                names(&mut list, self.unresolved.len())
            ));
        }
        said
    }

    /// The modules that could not be searched, by the reason, without the address that differs for each.
    fn reasons(&self) -> Vec<(String, Vec<&str>)> {
        let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
        for unsearched in &self.unsearched {
            let why = unsearched.why.reason();
            match reasons.iter_mut().find(|(known, _)| *known == why) {
                Some((_, modules)) => modules.push(&unsearched.module),
                None => reasons.push((why, vec![&unsearched.module])),
            }
        }
        reasons
    }

    /// What a person must know of it when somebody was proven: nobody else was looked for in modules without the tag's bytes.
    pub fn short(&self) -> String {
        let skipped = self.modules.saturating_sub(self.read);
        if skipped == 0 {
            return self.first();
        }
        format!(
            "{} of {} modules were read: the others do not hold the bytes of the tag, as far as they are in the dump (-all reads \
             every one, because code can put a tag together)",
            self.read, self.modules
        )
    }

    fn first(&self) -> String {
        let mut text = format!("{} of {} modules fully read", self.fully(), self.modules);
        if self.but_discarded > 0 {
            text += &format!(
                " ({} of them but for the INIT code that Windows discards)",
                self.but_discarded
            );
        }
        if self.from_files > 0 {
            text += &format!(", {} from files", self.from_files);
        }
        if self.from_database > 0 {
            text += &format!(", {} from the tag database", self.from_database);
        }
        if !self.partly.is_empty() {
            text += &format!(", {} in part", self.partly.len());
        }
        if !self.unsearched.is_empty() {
            text += &format!(", {} not at all", self.unsearched.len());
        }
        let skipped = self.modules.saturating_sub(self.read);
        if skipped > 0 {
            text += &format!(
                ", {skipped} not looked at because what the dump has of them does not hold the tag"
            );
        }
        text += &format!("; {} unresolved", plural(self.open(), "site"));
        text
    }
}

/// Names that are listed before the rest is only counted.
const SHOWN: usize = 8;

/// A number and its noun.
pub(super) fn plural(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rkd_dump::addr::Virt;
    use rkd_dump::error::{Error, Fault, Why};

    #[test]
    fn the_denominator_is_said_whole() {
        let account = Account {
            modules: 175,
            read: 174,
            whole: 2,
            but_discarded: 29,
            partly: vec![("ntfs".into(), 0x2000, 0x3000)],
            unsearched: vec![Unsearched {
                module: "cdd".into(),
                why: Unread::Image(Error::Fault(Fault {
                    at: Virt(0xffff_f807_21e0_0000),
                    why: Why::NoBlock,
                })),
            }],
            unresolved: vec![("nt".into(), 3), ("ks".into(), 1)],
            ..Account::default()
        };
        assert_eq!(
            account.sentences(),
            [
                "31 of 175 modules fully read (29 of them but for the INIT code that Windows discards), 1 in part, 1 not at all, \
                 1 not looked at because what the dump has of them does not hold the tag; 4 sites unresolved",
                "could not be searched: cdd (not in the dump, which holds only some blocks of memory)",
                "pages of code are missing in ntfs (8 of 12 KiB of code); -i IMAGEPATH or .exepath gives the drivers' files",
                "tags that are decided at run time: nt (3), ks (1)",
            ]
        );
    }
}
