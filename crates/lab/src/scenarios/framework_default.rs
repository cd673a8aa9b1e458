//! A framework driver that names no tag: no code holds the four letters, the framework made them of the service's name.

use super::machine::{self, Leak};
use super::{Answer, Culprit, Find, Scenario};
use crate::plan::{Driver, Plan, Pool, Style};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "framework-default",
    title: "A tag that stands in no code",
    summary: "A laptop's nonpaged pool grows whenever its dock is plugged in. The tag is Dock, no list knows it, and a search finds it \
              in no driver at all. Whose is it?",
    find: Find {
        text: "dockhub.sys is bound to the driver framework and names no pool tag, so the framework allocates for it under the first four \
           characters of its service's name, DockHub: WDF_DRIVER_GLOBALS says so.",
        verdicts: &["leak"],
        confidence: Some("very likely"),
        suspects: &[Culprit {
            name: "DockHub.sys",
            role: "framework default",
            confidence: "very likely",
        }],
        acquitted: &[],
    },
    answers: &[
        Answer {
            question: "What is the service called of whose name the framework made the tag?",
            answer: "DockHub",
            command: "!poolowner Dock",
        },
        Answer {
            question: "Which driver is it, most likely?",
            answer: "DockHub",
            command: "!poolowner Dock",
        },
        Answer {
            question: "How sure is that, in a word?",
            answer: "very likely",
            command: "!leak",
        },
    ],
    version: "10.0.19041.3570",
    plan,
};

fn plan() -> Plan {
    let mut plan = machine::leaking(&Leak {
        tag: *b"Dock",
        pool: Pool::NonPagedNx,
        count: 2_211_840,
        each: 0x410,
        freed: 96_004,
        contents: None,
    });
    let driver = Driver {
        style: Style::Framework,
        leaves_tag: true,
        ..Driver::default()
    };
    plan.modules
        .push(machine::driver("DockHub.sys", 0, "Portside", driver));
    plan
}
