//! Nothing stands out: what leaks is a file that stays open, and every file is made of blocks under many tags.

use super::machine::{self, Leak};
use super::{Answer, Culprit, Find, Scenario};
use crate::plan::{Driver, ModuleBody, Plan, Pool};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "lockstep",
    title: "Six tags in step",
    summary: "A build server must be restarted once a week: a gigabyte of nonpaged pool is gone by then. PoolMon shows six tags that \
              grow, five of them Windows' own, and none of them holds half of it. Which one is to be looked at?",
    find: Find {
        text: "The counts of File, IoNm, FMfn, NtFC and TrcX are equal within half a percent, that of SeAt is twice as large: one \
               thing leaks, and the others are its parts. TrcX is the object, a driver's own and never freed: tracefs.sys keeps a \
               context for each opened file, and with it the file.",
        verdicts: &["lockstep"],
        confidence: Some("proven"),
        suspects: &[Culprit {
            name: "tracefs.sys",
            role: "allocates",
            confidence: "proven",
        }],
        acquitted: &[],
    },
    answers: &[
        Answer {
            question: "Which tag holds most of nonpaged pool?",
            answer: "TrcX",
            command: "!poolused 2 /t1",
        },
        Answer {
            question: "What is the verdict of !leak, in a word?",
            answer: "lockstep",
            command: "!leak",
        },
        Answer {
            question: "Which driver's own is the object?",
            answer: "tracefs.sys",
            command: "!leak",
        },
    ],
    version: "10.0.19041.3570",
    plan,
};

/// The parts of an opened file: tag, pool, count, bytes of each, and how many came and went.
const PARTS: [(&[u8; 4], Pool, u64, u64, u64); 6] = [
    (b"TrcX", Pool::NonPagedNx, 503_677, 0x2d0, 0),
    (b"NtFC", Pool::NonPagedNx, 503_902, 0x230, 118_310),
    (b"File", Pool::NonPagedNx, 504_435, 0x1a0, 9_871_204),
    (b"FMfn", Pool::Paged, 503_911, 0x130, 8_870_006),
    (b"IoNm", Pool::Paged, 504_102, 0xc0, 9_401_370),
    (b"SeAt", Pool::Paged, 1_007_354, 0x60, 2_204_118),
];

fn plan() -> Plan {
    let mut plan = machine::healthy();
    for (tag, pool, count, each, freed) in PARTS {
        let leak = Leak {
            tag: *tag,
            pool,
            count,
            each,
            freed,
            contents: None,
        };
        machine::leak(&mut plan, &leak);
    }
    // the file system's record is in its code
    let ntfs = plan
        .modules
        .iter_mut()
        .find(|module| module.name == "Ntfs.sys");
    if let Some(ModuleBody::Driver(driver)) = ntfs.map(|module| &mut module.body) {
        driver.tags.push(*b"NtFC");
    }
    let driver = Driver {
        tags: vec![*b"TrcX"],
        ..Driver::default()
    };
    plan.modules
        .push(machine::driver("tracefs.sys", 0, "Tracepoint", driver));
    plan
}
