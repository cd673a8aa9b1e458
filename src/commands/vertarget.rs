//! `vertarget`: which Windows the dump is of. The start-up banner prints the same lines.

use crate::command::{Args, Command, Example, Grammar, Row, Sink, Topic, clock};
use crate::session::Session;
use rkd_dump::addr::Virt;
use rkd_dump::error::Result;
use rkd_kernel::target::Target;

/// `vertarget`: which Windows the dump is of.
pub static COMMAND: Command = Command {
    name: "vertarget",
    aliases: &[],
    rhai: "vertarget",
    topic: Topic::Target,
    summary: "which Windows the dump is of",
    grammar: Grammar::NOTHING,
    help: "\
Shows the version of Windows, the number of processors, product and suite, the build lab, where the kernel and its list of
modules lie, when the dump was written and how long Windows had run: the lines of the start-up banner.

The name is the debugger's, by the build number: Windows 11 is Windows 10 to kd. Lines that the dump has nothing for are
left out.",
    examples: &[Example { line: "vertarget", shows: "the machine of the practice dump", output: "\
Windows 10 Kernel Version 19041 MP (8 procs) Free x64
Product: WinNt, suite: TerminalServer SingleUserTS
Edition build lab: 19041.1.amd64fre.vb_release.191206-1406
Kernel base = 0xfffff807`22600000 PsLoadedModuleList = 0xfffff807`2322a360
Debug session time: Sun Dec 10 21:48:36.492 2023 (UTC + 8:00)
System Uptime: 0 days 3:12:47.203" }],
    rows: &[Version::SCHEMA],
    run,
};

fn run(session: &mut Session, _: &Args, out: &mut dyn Sink) -> Result<()> {
    let target = Target::of(&session.target.kernel);
    out.row(&Version {
        line: lines(session, &target).join("\n"),
        name: target.name,
        build: target.build,
        service_pack: target.service_pack,
        processors: target.processors,
        machine: target.machine,
        product: target.product,
        suites: target.suites,
        build_lab: target.build_lab,
        kernel_base: target.kernel_base,
        module_list: target.module_list,
        written_filetime: target.time,
        uptime_100ns: target.uptime,
    })
}

/// The lines from `Windows 10 Kernel Version` to `System Uptime`.
pub fn lines(session: &Session, target: &Target) -> Vec<String> {
    let pack = target
        .service_pack
        .map_or(String::new(), |pack| format!(" (Service Pack {pack})"));
    let processors = match target.processors {
        1 => "UP".to_string(),
        number => format!("MP ({number} procs)"),
    };
    let built = if target.checked { "Checked" } else { "Free" };
    let build = target
        .build
        .map_or("unknown".to_string(), |build| build.to_string());
    let mut lines = vec![format!(
        "{} Kernel Version {build}{pack} {processors} {built} {}",
        target.name, target.machine
    )];
    if let Some(product) = target.product {
        let suites = if target.suites.is_empty() {
            String::new()
        } else {
            format!(", suite: {}", target.suites.join(" "))
        };
        lines.push(format!("Product: {product}{suites}"));
    }
    if let Some(lab) = &target.build_lab {
        lines.push(format!("Edition build lab: {lab}"));
    }
    if let Some(base) = target.kernel_base {
        lines.push(format!(
            "Kernel base = 0x{base} PsLoadedModuleList = 0x{}",
            target.module_list
        ));
    }
    lines.extend(times(session, target));
    lines
}

/// The lines with the two times.
pub fn times(session: &Session, target: &Target) -> Vec<String> {
    let written = target
        .time
        .filter(|ticks| *ticks != 0)
        .and_then(|ticks| clock::filetime(ticks, &session.display.time_zone));
    written
        .map(|time| format!("Debug session time: {time}"))
        .into_iter()
        .chain(
            target
                .uptime
                .map(|ticks| format!("System Uptime: {}", clock::uptime(ticks))),
        )
        .collect()
}

/// Which Windows the dump is of.
#[derive(Row)]
#[row(kind = "target")]
struct Version {
    /// kd's name for the build: Windows 11 is Windows 10 to it.
    name: &'static str,
    /// The build number.
    #[row(absent = "the build is not in the dump")]
    build: Option<u32>,
    /// The service pack.
    #[row(absent = "none")]
    service_pack: Option<u32>,
    /// How many processors the machine has.
    processors: u32,
    /// What kind of processors, in kd's words.
    machine: &'static str,
    /// `WinNt`, `LanManNt` or `Server`.
    #[row(absent = "the product is not in the dump")]
    product: Option<&'static str>,
    /// The suites that are installed.
    suites: Vec<&'static str>,
    /// Where and when this Windows was built.
    #[row(absent = "the build lab is not in the dump")]
    build_lab: Option<String>,
    /// Where nt was loaded.
    #[row(absent = "the kernel's base is not in the dump")]
    kernel_base: Option<Virt>,
    /// Where the list of modules lies.
    module_list: Virt,
    /// When the dump was written, in UTC.
    #[row(absent = "the time is not in the dump")]
    written_filetime: Option<u64>,
    /// How long Windows had run.
    #[row(absent = "the time is not in the dump")]
    uptime_100ns: Option<u64>,
    #[row(skip, line)]
    line: String,
}
