//! The texts and numbers by which the kernel says which build it is.

use crate::plan::Plan;
use crate::windows::Windows;
use rkd_dump::error::Result;

/// The texts that name the build.
pub(super) fn write(windows: &mut Windows<'_>, plan: &Plan) -> Result<()> {
    let [_, _, build, revision] = windows.version;
    let known = LABELS.iter().find(|(of, ..)| *of == build);
    let (revision, branch) = known
        .map_or((revision, "lab.000000-0000"), |&(_, revision, branch)| {
            (revision, branch)
        });
    if let Some(at) = windows.try_symbol("NtBuildLabEx") {
        windows.memory.write(
            at,
            format!("{build}.{revision}.amd64fre.{branch}\0").as_bytes(),
        )?;
    }
    if let Some(at) = windows.try_symbol("NtBuildLab") {
        windows
            .memory
            .write(at, format!("{build}.{branch}\0").as_bytes())?;
    }
    // 0xf in the highest digit: a free build
    windows.set_u32("NtBuildNumber", 0xf000_0000 | build)?;
    windows.set_u32("NtBuildQfe", windows.version[3])?;
    windows.set_u32("KeNumberProcessors", plan.processors)?;
    if let Some(at) = windows.try_symbol("KeNumberProcessorsGroup0") {
        windows.memory.write(at, &[plan.processors.min(64) as u8])?;
    }
    let service_pack = if build == 7601 { 0x100 } else { 0 };
    windows.set_u32("CmNtCSDVersion", service_pack)?;
    Ok(())
}

/// Build, revision and branch of the releases, as their kernels spell them.
const LABELS: [(u32, u32, &str); 9] = [
    (7601, 17514, "win7sp1_rtm.101119-1850"),
    (9600, 16384, "winblue_rtm.130821-1623"),
    (14393, 0, "rs1_release.160715-1616"),
    (17763, 1, "rs5_release.180914-1434"),
    (18362, 1, "19h1_release.190318-1202"),
    (19041, 1, "vb_release.191206-1406"),
    (20348, 1, "fe_release.210507-1500"),
    (22000, 1, "co_release.210604-1628"),
    (22621, 1, "ni_release.220506-1250"),
];
