//! Machines that are small enough for any test: some pages, no Windows.

use rkd_dump::Dump;
use rkd_dump::addr::{Pfn, Virt};
use rkd_lab::files::{self, Kind, Snapshot};
use rkd_lab::{FrameRun, Memory};

/// 128 MiB with these bytes at these addresses.
pub fn memory(contents: &[(u64, &[u8])]) -> Memory {
    let frames = FrameRun {
        first: Pfn(0x100),
        pages: 0x8000,
    };
    let mut memory = Memory::new(vec![frames], 0x1ed).unwrap();
    for (at, bytes) in contents {
        memory.write(Virt(*at), bytes).unwrap();
    }
    memory
}

/// A complete dump of the machine.
pub fn dump(name: &str, snapshot: &Snapshot) -> Dump {
    let mut bytes = Vec::new();
    files::write(snapshot, Kind::Full, &mut bytes).unwrap();
    Dump::from_bytes(name, bytes).unwrap()
}
