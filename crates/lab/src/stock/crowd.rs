//! More drivers than an ordinary machine has, each with tags and code of its own: to measure with.

use crate::Crowd;
use crate::plan::{Body, Driver, Module, Plan, Tag, Use};
use rkd_dump::addr::Virt;

/// Where they lie, and how far apart.
const FIRST: Virt = Virt(0xffff_f807_6000_0000);

/// Adds them to a machine.
pub fn join(plan: &mut Plan, crowd: &Crowd) {
    let size = (crowd.code_kib + 64).next_multiple_of(4) * 1024;
    for number in 0..crowd.drivers {
        let tags: Vec<[u8; 4]> = (0..crowd.tags_each).map(|tag| name(number, tag)).collect();
        for tag in &tags {
            plan.tags.push(Tag {
                tag: *tag,
                non_paged: Use {
                    count: 3,
                    bytes: 0x180,
                    freed: 40,
                },
                paged: Use::default(),
            });
        }
        plan.modules.push(Module {
            name: format!("crowd{number:03}.sys"),
            alias: None,
            folder: "\\SystemRoot\\System32\\drivers\\",
            base: FIRST + u64::from(number) * u64::from(size.next_multiple_of(0x1_0000)),
            size,
            time_stamp: 0x6400_0000 + number,
            checksum: 0x1_0000 + number,
            body: Body::Driver(Box::new(Driver {
                tags,
                ballast_kib: crowd.code_kib,
                ..Driver::default()
            })),
        });
    }
}

/// Tags that nobody else has: `q00a`, `q00b` …
fn name(driver: u32, tag: u32) -> [u8; 4] {
    let letter = |n: u32| b"0123456789abcdefghijklmnopqrstuv"[(n & 31) as usize];
    [b'q', letter(driver >> 5), letter(driver), letter(tag)]
}
