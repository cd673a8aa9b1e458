//! The code that would prove it was written to the page file: memory was short, because the driver leaks.

use super::machine::{self, Leak};
use super::{Answer, Find, Scenario};
use crate::plan::{Driver, Plan, Pool};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "paged-out",
    title: "The witness has left",
    summary: "A file server pages all day long; its paged pool has grown to two gigabytes under the tag ScnQ. No driver is seen to use \
              it. The dump does not hold the code of every driver, but you may have their files \
              (rkd lab make paged-out -o DUMP --drivers FOLDER).",
    find: Find {
        text: "scanq.sys allocates under ScnQ. Its code is paged out, so the dump alone cannot convict it; with its file (-i FOLDER), \
           which has the time stamp and the size of the loaded image, it is proven.",
        verdicts: &["leak"],
        confidence: Some("unknown"),
        suspects: &[],
        acquitted: &[],
    },
    answers: &[
        Answer {
            question: "Which pool is too large?",
            answer: "paged",
            command: "!leak",
        },
        Answer {
            question: "What does the dump alone say of the owner, in a word?",
            answer: "unknown",
            command: "!leak",
        },
    ],
    version: "10.0.19041.3570",
    plan,
};

fn plan() -> Plan {
    let mut plan = machine::leaking(&Leak {
        tag: *b"ScnQ",
        pool: Pool::Paged,
        count: 1_048_576,
        each: 0x800,
        freed: 40_960,
        contents: None,
    });
    let driver = Driver {
        tags: vec![*b"ScnQ"],
        away: true,
        ..Driver::default()
    };
    plan.modules
        .push(machine::driver("scanq.sys", 0, "Quiet Scan", driver));
    plan
}
