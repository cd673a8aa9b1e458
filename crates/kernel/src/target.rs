//! What the machine was: version, product, times – from what the dump says and a few of nt's variables.

use super::{DebuggerData, Kernel};
use rkd_dump::addr::Virt;
use rkd_dump::{MACHINE_ARM64, MACHINE_X64};

/// What a dump says of its machine. Times are in units of 100 ns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The build number.
    pub build: Option<u32>,
    /// kd's name for the build: Windows 11 is still `Windows 10` to it.
    pub name: &'static str,
    /// The service pack, where there is one.
    pub service_pack: Option<u32>,
    /// The number of processors.
    pub processors: u32,
    /// `x64`, `ARM 64-bit (AArch64)`.
    pub machine: &'static str,
    /// Whether it is a checked (debug) build: its major version is 12 instead of 15.
    pub checked: bool,
    /// `WinNt`, `LanManNt` or `Server`.
    pub product: Option<&'static str>,
    /// The suites, in the order of their bits.
    pub suites: Vec<&'static str>,
    /// `NtBuildLabEx`: `19041.1.amd64fre.vb_release.191206-1406`.
    pub build_lab: Option<String>,
    /// Where nt was loaded.
    pub kernel_base: Option<Virt>,
    /// The address of the module list.
    pub module_list: Virt,
    /// When the dump was written, as a FILETIME in UTC.
    pub time: Option<u64>,
    /// How long Windows had run.
    pub uptime: Option<u64>,
}

/// The suite bits of `SuiteMask` by the words that kd prints.
const SUITES: &[(u32, &str)] = &[
    (0x0001, "SmallBusiness"),
    (0x0002, "Enterprise"),
    (0x0004, "BackOffice"),
    (0x0008, "CommunicationServer"),
    (0x0010, "TerminalServer"),
    (0x0020, "SmallBusinessRestricted"),
    (0x0040, "EmbeddedNT"),
    (0x0080, "DataCenter"),
    (0x0100, "SingleUserTS"),
    (0x0200, "Personal"),
    (0x0400, "Blade"),
    (0x2000, "StorageServer"),
    (0x4000, "ComputeServer"),
];

impl Target {
    /// Reads what there is.
    pub fn of(kernel: &Kernel) -> Target {
        let located = kernel.located();
        let build = located.build.get();
        let pack = kernel
            .global_u32("CmNtCSDVersion")
            .ok()
            .map(|version| version >> 8 & 0xff);
        Target {
            build,
            name: name_of(build),
            service_pack: pack.filter(|pack| *pack != 0),
            processors: kernel.processors(),
            machine: match located.machine.get() {
                Some(MACHINE_X64) => "x64",
                Some(MACHINE_ARM64) => "ARM 64-bit (AArch64)",
                _ => "unknown machine",
            },
            checked: located.is_checked.get() == Some(true),
            product: match located.product_type.get() {
                Some(1) => Some("WinNt"),
                Some(2) => Some("LanManNt"),
                Some(3) => Some("Server"),
                _ => None,
            },
            suites: located.suite_mask.get().map_or(Vec::new(), |mask| {
                SUITES
                    .iter()
                    .filter(|(bit, _)| mask & bit != 0)
                    .map(|(_, word)| *word)
                    .collect()
            }),
            build_lab: build_lab(kernel),
            kernel_base: kernel.base().ok(),
            module_list: located.module_list.get().unwrap_or_default(),
            time: located.system_time.get(),
            uptime: located.up_time.get(),
        }
    }
}

/// The name is the debugger's, not the target's: nothing in a dump says "Windows 10".
fn name_of(build: Option<u32>) -> &'static str {
    let Some(build) = build else {
        return "Windows";
    };
    match build {
        0..=3789 => "Windows Server 2003",
        3790..=6002 => "Windows Vista",
        6003..=7601 => "Windows 7",
        7602..=9200 => "Windows 8",
        9201..=9600 => "Windows 8.1",
        _ => "Windows 10",
    }
}

/// `NtBuildLabEx`, or the shorter `NtBuildLab` of the debugger data block.
fn build_lab(kernel: &Kernel) -> Option<String> {
    let short = || kernel.debugger_data().and_then(DebuggerData::build_lab);
    let text = |at: Virt| {
        let mut bytes = [0; 128];
        let (read, _) = kernel.space().read_prefix(at, &mut bytes);
        let end = bytes[..read]
            .iter()
            .position(|b| *b == 0)
            .filter(|end| *end > 0)?;
        let text = std::str::from_utf8(&bytes[..end]).ok()?;
        text.chars()
            .all(|c| c.is_ascii_graphic())
            .then(|| text.to_string())
    };
    kernel
        .symbol("NtBuildLabEx")
        .ok()
        .and_then(text)
        .or_else(|| short().and_then(text))
}
