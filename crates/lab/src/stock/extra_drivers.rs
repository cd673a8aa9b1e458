//! More drivers than an ordinary machine has, each with tags and code of its own: to measure with.

use crate::ExtraDrivers;
use crate::plan::{Driver, Module, ModuleBody, Plan, PoolUse, Tag};
use rkd_dump::addr::Virt;

/// Where they lie, and how far apart.
const FIRST: Virt = Virt(0xffff_f807_6000_0000);

/// Adds them to a machine.
pub(crate) fn add(plan: &mut Plan, extra_drivers: &ExtraDrivers) {
    let size = (extra_drivers.code_kib + 64).next_multiple_of(4) * 1024;
    for number in 0..extra_drivers.drivers {
        let tags: Vec<[u8; 4]> = (0..extra_drivers.tags_each)
            .map(|tag| name(number, tag))
            .collect();
        for tag in &tags {
            plan.tags.push(Tag {
                tag: *tag,
                non_paged: PoolUse {
                    count: 3,
                    bytes: 0x180,
                    freed: 40,
                },
                paged: PoolUse::default(),
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
            body: ModuleBody::Driver(Box::new(Driver {
                tags,
                ballast_kib: extra_drivers.code_kib,
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
