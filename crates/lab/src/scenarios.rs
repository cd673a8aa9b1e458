//! What can be practised: each scenario is one file that says what is wrong in its machine, what a student should find,
//! and how the answers are checked.

mod agent;
mod framework_default;
mod healthy;
mod lockstep;
mod machine;
mod notmyfault;
mod paged_out;
mod shared_tag;
mod unloaded;
mod wrong_pool;

use super::plan::Plan;

/// A practice case.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// The word for it on the command line.
    pub name: &'static str,
    /// A title.
    pub title: &'static str,
    /// What is known at the beginning, as a colleague would tell it.
    pub summary: &'static str,
    /// What there is to find. It gives the case away.
    pub find: Find,
    /// The questions of the case and their answers.
    pub answers: &'static [Answer],
    /// The Windows that it is made for unless another is asked for.
    pub version: &'static str,
    pub(super) plan: fn() -> Plan,
}

/// The truth about a case, which a verdict can be held against.
#[derive(Clone, Copy, Debug)]
pub struct Find {
    /// In a sentence.
    pub text: &'static str,
    /// What is said of the pools, the larger first: `leak`, `lockstep`, `none` ...
    pub verdicts: &'static [&'static str],
    /// How sure it is whose fault it is, in a word; `None` where nobody is to be looked for.
    pub confidence: Option<&'static str>,
    /// All who must be named.
    pub suspects: &'static [Culprit],
    /// Drivers that use the tag and are innocent.
    pub acquitted: &'static [&'static str],
}

/// Somebody who must be named.
#[derive(Clone, Copy, Debug)]
pub struct Culprit {
    /// The file's name.
    pub name: &'static str,
    /// `allocates`, `allocates for others`, `framework default` or `unloaded`.
    pub role: &'static str,
    /// How sure it is, in a word.
    pub confidence: &'static str,
}

/// A question whose answer can be checked.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The question.
    pub question: &'static str,
    /// The answer, as a command prints it.
    pub answer: &'static str,
    /// The command that shows it.
    pub command: &'static str,
}

impl Answer {
    /// Whether what somebody answered is right: case, blanks, back-ticks, `0x` and a `.sys` at the end do not count.
    pub fn accepts(&self, given: &str) -> bool {
        let plain = |text: &str| {
            let text: String = text
                .chars()
                .filter(|c| !c.is_whitespace() && *c != '`')
                .collect();
            let text = text.to_ascii_lowercase();
            let text = text.strip_prefix("0x").unwrap_or(&text);
            text.strip_suffix(".sys").unwrap_or(text).to_owned()
        };
        !given.trim().is_empty() && plain(given) == plain(self.answer)
    }
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scenario")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// All scenarios, the easiest first.
pub(crate) fn all() -> &'static [Scenario] {
    static ALL: [Scenario; 9] = [
        notmyfault::SCENARIO,
        healthy::SCENARIO,
        wrong_pool::SCENARIO,
        shared_tag::SCENARIO,
        paged_out::SCENARIO,
        framework_default::SCENARIO,
        agent::SCENARIO,
        unloaded::SCENARIO,
        lockstep::SCENARIO,
    ];
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_as_people_type_them() {
        let answer = Answer {
            question: "",
            answer: "fffff807`47f51559",
            command: "",
        };
        assert!(answer.accepts("0xFFFFF80747F51559") && answer.accepts(" fffff807`47f51559 "));
        assert!(!answer.accepts("") && !answer.accepts("fffff80747f5155"));
        let driver = Answer {
            question: "",
            answer: "myfault",
            command: "",
        };
        assert!(driver.accepts("MyFault.sys") && !driver.accepts("fault"));
    }
}
