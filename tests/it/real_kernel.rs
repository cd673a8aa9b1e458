//! The kernel of a real triage dump (Windows 10 19041.804): what rkd finds out about it, against figures that were read
//! by hand and with other people's tools.

use crate::support::data::data;
use rkd_dump::Dump;
use rkd_kernel::target::Target;
use rkd_kernel::vm::vm;
use rkd_kernel::{Kernel, Options};

fn open() -> Option<Kernel> {
    let path = data("dumps/triage_x64.dmp")?;
    Some(Kernel::open(
        Dump::open(&path).unwrap(),
        &Options::default(),
    ))
}

#[test]
fn the_kernel_is_recognised_without_its_header_page() {
    let Some(kernel) = open() else { return };
    let id = kernel.table().unwrap().identity().unwrap();
    assert_eq!(
        id.to_string(),
        "ntkrnlmp.pdb 5278AFF86C341677D7D7835C85B7B844-1"
    );
    assert_eq!(kernel.notes().len(), 1, "{:#?}", kernel.notes());
}

#[test]
fn modules_are_the_loaders() {
    let Some(kernel) = open() else { return };
    assert_eq!(kernel.modules().len(), 151);
    let nt = &kernel.modules()[0];
    assert_eq!(
        (nt.name.as_str(), nt.size, nt.time_stamp, nt.checksum),
        ("nt", 0x0104_6000, Some(0x0d83_33e6), Some(0x00a5_938c))
    );
    assert!(kernel.module("amdppm").is_some());
    assert!(
        kernel
            .unloaded()
            .iter()
            .any(|module| module.name == "hwpolicy.sys"),
        "{:?}",
        kernel.unloaded()
    );
}

/// The five counters that the dump's blocks cover; the others carry a reason.
#[test]
fn five_counters_are_in_the_dump() {
    let Some(kernel) = open() else { return };
    let vm = vm(&kernel).unwrap();
    let pages = |key: &str| vm.counter(key).unwrap().pages.clone();
    assert_eq!(pages("physical_pages").unwrap(), 8_366_927);
    assert_eq!(pages("available_pages").unwrap(), 8_023_204);
    assert_eq!(pages("modified_pages").unwrap(), 320);
    assert_eq!(vm.committed.as_ref().ok(), Some(&363_348));
    assert!(vm.page_files.as_ref().unwrap().is_empty());
    assert!(vm.limit.is_err());
    assert!(pages("boot_commit_pages").is_err());
}

#[test]
fn the_target_is_described() {
    let Some(kernel) = open() else { return };
    let target = Target::of(&kernel);
    assert_eq!(
        (target.build, target.name, target.processors, target.machine),
        (Some(19041), "Windows 10", 16, "x64")
    );
}
