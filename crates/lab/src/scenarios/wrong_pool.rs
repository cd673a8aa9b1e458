//! A driver is proven to use the tag, and it is innocent: it allocates paged pool, and what leaks is nonpaged.

use super::machine::{self, Leak};
use super::{Answer, Culprit, Find, Scenario};
use crate::plan::{Driver, Plan, Pool};

const TAG: [u8; 4] = *b"Cfg1";

pub(super) const SCENARIO: Scenario = Scenario {
    name: "wrong-pool",
    title: "Proven, and innocent all the same",
    summary: "A kiosk must be restarted every two days. Its makers searched all drivers for the tag that grows, found it in \
              panelcfg.sys, and have been arguing with that driver's author for a month. Are they right?",
    find: Find {
        text: "panelcfg.sys allocates only paged pool under Cfg1, and the leak is nonpaged: it is ruled out. touchd.sys allocates \
           nonpaged pool under the same tag.",
        verdicts: &["leak"],
        confidence: Some("proven"),
        suspects: &[Culprit {
            name: "touchd.sys",
            role: "allocates",
            confidence: "proven",
        }],
        acquitted: &["panelcfg.sys"],
    },
    answers: &[
        Answer {
            question: "Which pool does the tag hold?",
            answer: "nonpaged",
            command: "!poolowner Cfg1",
        },
        Answer {
            question: "Which driver is ruled out by that?",
            answer: "panelcfg.sys",
            command: "!poolowner Cfg1",
        },
        Answer {
            question: "Which driver leaks?",
            answer: "touchd",
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
        count: 1_703_936,
        each: 0x400,
        freed: 18_220,
        contents: None,
    });
    for (number, name, maker, paged) in [
        (0, "panelcfg.sys", "Kiosk Panels", true),
        (1, "touchd.sys", "Fingertip Systems", false),
    ] {
        let driver = Driver {
            tags: vec![TAG],
            paged: Some(paged),
            ..Driver::default()
        };
        plan.modules
            .push(machine::driver(name, number, maker, driver));
    }
    plan
}
