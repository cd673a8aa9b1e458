//! Nothing is wrong: a machine to learn what ordinary figures look like, and that "no" is an answer.

use super::{Answer, Find, Scenario, machine};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "healthy",
    title: "A machine without a leak",
    summary: "The same PC, a day earlier. Its owner feels that it is slow, has read about drivers that leak, and sends you a dump \
              to be sure. Does one of them?",
    find: Find {
        text: "Nothing leaks: nonpaged pool is 1.2 % of the memory, paged pool 1.6 %, and the largest tags hold a few megabytes each, \
           much of which comes and goes.",
        verdicts: &["none"],
        confidence: None,
        suspects: &[],
        acquitted: &[],
    },
    answers: &[
        Answer {
            question: "What is the verdict of !leak, in a word?",
            answer: "none",
            command: "!leak",
        },
        Answer {
            question: "Which tag holds the most nonpaged pool?",
            answer: "ConT",
            command: "!poolused 2 /t1",
        },
    ],
    version: "10.0.19041.3570",
    plan: machine::healthy,
};
