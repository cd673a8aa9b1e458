//! The driver is gone, what it allocated is not.

use super::machine::{self, Leak};
use super::{Answer, Culprit, Find, Scenario};
use crate::plan::{Driver, Gone, Plan, Pool};

/// Where the driver was.
const NUMBER: u64 = 4;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "unloaded",
    title: "The driver that is not there any more",
    summary: "A technician plugged a measuring device in and out all morning; each time a little memory was gone. Now the device is in \
              its box, its driver is unloaded, and the memory is still gone. Which driver was it?",
    find: Find {
        text: "probe7.sys was unloaded ten minutes before the dump. Blocks of the tag Prb7 still hold pointers into the place where it was, \
           and its file allocates under that tag.",
        verdicts: &["leak"],
        confidence: Some("likely"),
        suspects: &[Culprit {
            name: "probe7.sys",
            role: "unloaded",
            confidence: "likely",
        }],
        acquitted: &[],
    },
    answers: &[
        Answer {
            question: "Which tag holds most of nonpaged pool?",
            answer: "Prb7",
            command: "!poolused 2 /t1",
        },
        Answer {
            question: "Into the place of which unloaded driver do its blocks point?",
            answer: "probe7.sys",
            command: "!leak",
        },
    ],
    version: "10.0.19041.3570",
    plan,
};

fn plan() -> Plan {
    let start = machine::place(NUMBER);
    let mut plan = machine::leaking(&Leak {
        tag: *b"Prb7",
        pool: Pool::NonPagedNx,
        count: 417,
        each: 0x38_0000,
        freed: 0,
        contents: Some([start + 0x1040, start + 0x3010, start + 0x1100]),
    });
    plan.gone.push(Gone {
        name: "probe7.sys",
        start,
        end: start + u64::from(machine::SIZE),
        seconds_ago: 600,
    });
    let driver = Driver {
        tags: vec![*b"Prb7"],
        ..Driver::default()
    };
    plan.files.push(machine::driver(
        "probe7.sys",
        NUMBER,
        "Probe Instruments",
        driver,
    ));
    plan
}
