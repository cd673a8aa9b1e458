//! One driver allocates for others: the tag names the agent, not the culprit.

use super::machine::{self, Leak};
use super::{Answer, Culprit, Find, Scenario};
use crate::plan::{Driver, Plan, Pool};

const TAG: [u8; 4] = *b"VmBf";

pub(super) const SCENARIO: Scenario = Scenario {
    name: "agent",
    title: "The one who only delivers",
    summary: "A video wall runs out of memory. All of it stands under VmBf, and that tag is vmcore.sys's, whose makers say that their \
              driver allocates nothing by itself. Who else has to be asked?",
    find: Find {
        text: "vmcore.sys exports VmcAllocateBuffer, which allocates under VmBf for whoever calls it: vmwall.sys and vmcap.sys import it. \
           One of the two asks and does not give back.",
        verdicts: &["leak"],
        confidence: Some("proven"),
        suspects: &[Culprit {
            name: "vmcore.sys",
            role: "allocates for others",
            confidence: "proven",
        }],
        acquitted: &[],
    },
    answers: &[
        Answer {
            question: "Through which exported function is it allocated?",
            answer: "VmcAllocateBuffer",
            command: "!poolowner VmBf",
        },
        Answer {
            question: "Which drivers import it? (in the order of !poolowner, with a comma)",
            answer: "vmcap, vmwall",
            command: "!poolowner VmBf",
        },
    ],
    version: "10.0.19041.3570",
    plan,
};

fn plan() -> Plan {
    let mut plan = machine::leaking(&Leak {
        tag: TAG,
        pool: Pool::NonPagedNx,
        count: 9_216,
        each: 0x4_0000,
        freed: 120,
        contents: None,
    });
    let agent = Driver {
        allocator: Some(("VmcAllocateBuffer", TAG)),
        ..Driver::default()
    };
    plan.modules
        .push(machine::driver("vmcore.sys", 0, "Video Matrix", agent));
    for (number, name) in [(1, "vmwall.sys"), (2, "vmcap.sys")] {
        let driver = Driver {
            uses: Some(("vmcore.sys", &["VmcAllocateBuffer"])),
            ..Driver::default()
        };
        plan.modules
            .push(machine::driver(name, number, "Video Matrix", driver));
    }
    plan
}
