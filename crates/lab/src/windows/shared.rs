//! `KUSER_SHARED_DATA`: the page that the kernel shows to every program, at the same address on every machine.

use super::Windows;
use crate::plan::Plan;
use rkd_dump::addr::{PAGE_SIZE, Virt};
use rkd_dump::error::Result;

/// Where the kernel sees the page.
const SHARED_DATA: Virt = Virt(0xffff_f780_0000_0000);

/// Writes the page.
pub(super) fn write(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    let [major, minor, build, _] = windows.version;
    let mut structure = windows.structure("_KUSER_SHARED_DATA")?;
    let root: Vec<u8> = "C:\\Windows"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    structure.put("NtSystemRoot", &root)?;
    let bias = i64::from(plan.minutes_east) * -600_000_000;
    for (name, value) in [
        ("SystemTime", plan.time),
        ("InterruptTime", plan.up_time),
        ("TimeZoneBias", bias as u64),
    ] {
        structure.set(&format!("{name}.LowPart"), value & 0xffff_ffff)?;
        structure.set(&format!("{name}.High1Time"), value >> 32)?;
        structure.set(&format!("{name}.High2Time"), value >> 32)?;
    }
    for (name, value) in [
        ("ImageNumberLow", 0x8664),
        ("ImageNumberHigh", 0x8664),
        ("NtProductType", 1),
        ("ProductTypeIsValid", 1),
        ("NtMajorVersion", u64::from(major)),
        ("NtMinorVersion", u64::from(minor)),
        ("NtBuildNumber", u64::from(build)),
        ("NativeProcessorArchitecture", 9),
        ("SuiteMask", 0x110),
        ("ActiveProcessorCount", u64::from(plan.processors)),
        ("ActiveGroupCount", 1),
        ("NumberOfPhysicalPages", plan.counters.physical),
        ("LargePageMinimum", 0x20_0000),
        ("ActiveConsoleId", 1),
        ("BootId", 0x3f),
        ("QpcFrequency", 10_000_000),
        // clock ticks of 15.625 ms
        ("TickCountQuad", plan.up_time / 156_250),
        ("TickCountMultiplier", 0x0fa0_0000),
    ] {
        structure.set_if(name, value);
    }
    let mut page = structure.bytes().to_vec();
    page.resize(PAGE_SIZE as usize, 0);
    windows.memory.write(SHARED_DATA, &page)
}
