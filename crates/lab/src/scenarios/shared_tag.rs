//! Two drivers with one library: its tag stands in both, and no counter tells whose allocations they are.

use super::machine::{self, Leak};
use super::{Answer, Culprit, Find, Scenario};
use crate::plan::{Driver, Plan, Pool};

const TAG: [u8; 4] = *b"AcLb";

pub(super) const SCENARIO: Scenario = Scenario {
    name: "shared-tag",
    title: "One tag, two drivers",
    summary: "A gaming PC loses a gigabyte of memory an hour. Its owner has two gadgets of different makers, both bought last month: \
              a keyboard and a headset. Which driver is it?",
    find: Find {
        text: "Both acmekey.sys and auricle.sys are proven to allocate under AcLb: they were built with the same library, so the tag \
           convicts neither. Driver Verifier's pool tracking for both tells them apart.",
        verdicts: &["leak"],
        confidence: Some("proven for several"),
        suspects: &[
            Culprit {
                name: "acmekey.sys",
                role: "allocates",
                confidence: "proven",
            },
            Culprit {
                name: "auricle.sys",
                role: "allocates",
                confidence: "proven",
            },
        ],
        acquitted: &[],
    },
    answers: &[
        Answer {
            question: "Which tag holds most of nonpaged pool?",
            answer: "AcLb",
            command: "!poolused 2 /t1",
        },
        Answer {
            question: "Which driver, besides acmekey.sys, is proven to allocate under it?",
            answer: "auricle.sys",
            command: "!poolowner AcLb",
        },
        Answer {
            question: "How sure can you be whose it is?",
            answer: "proven for several",
            command: "!leak",
        },
    ],
    version: "10.0.19041.3570",
    plan,
};

fn plan() -> Plan {
    let mut plan = machine::leaking(&Leak {
        tag: TAG,
        pool: Pool::NonPagedNx,
        count: 24_576,
        each: 0x1_4000,
        freed: 311,
        contents: None,
    });
    for (number, name, maker) in [
        (0, "acmekey.sys", "Acme Input Devices"),
        (1, "auricle.sys", "Auricle Audio"),
    ] {
        let driver = Driver {
            tags: vec![TAG],
            ..Driver::default()
        };
        plan.modules
            .push(machine::driver(name, number, maker, driver));
    }
    plan
}
