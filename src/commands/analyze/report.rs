//! What `!analyze` prints, in kd's layout.

use super::crash::{Crash, Exception};
use crate::command::{KdLine, Record, Row};
use rkd_dump::addr::Virt;
use rkd_dump::error::Error;
use rkd_kernel::bugcheck::{Access, exception_name, named};

/// Characters on a line of a description.
const WIDTH: usize = 79;

/// What a bug check and its arguments mean.
#[derive(Row)]
#[row(kind = "bugcheck_meaning", absent = "the bug check is not known")]
pub(super) struct Meaning {
    /// The code, in hexadecimal.
    code: String,
    /// Its name.
    name: Option<String>,
    /// What it says of the machine.
    what: Option<&'static str>,
    /// Its four arguments.
    arguments: [Virt; 4],
    /// What each of them stands for.
    argument_texts: Option<[&'static str; 4]>,
    #[row(skip)]
    number: u32,
}

impl Meaning {
    /// The meaning of a code and its arguments.
    pub(super) fn of(number: u32, arguments: [u64; 4]) -> Meaning {
        let (check, name) = named(number).unzip();
        Meaning {
            code: format!("{number:#x}"),
            name,
            what: check.map(|check| check.what),
            arguments: arguments.map(Virt),
            argument_texts: check
                .map(|check| check.arguments(arguments).map(|argument| argument.text)),
            number,
        }
    }
}

impl KdLine for Meaning {
    fn line(&self) -> String {
        let mut text = match (&self.name, self.what) {
            (Some(name), Some(what)) => {
                format!("{name} ({:x})\n{}\nArguments:", self.number, fold(what))
            }
            _ => format!(
                "Unknown bugcheck code ({:x})\nUnknown bugcheck description\nArguments:",
                self.number
            ),
        };
        for (number, Virt(value)) in self.arguments.iter().enumerate() {
            text.push_str(&format!("\nArg{}: {value:016x}", number + 1));
            if let Some(meaning) = self
                .argument_texts
                .and_then(|texts| texts.get(number).copied())
            {
                text.push_str(", ");
                text.push_str(meaning);
            }
        }
        text
    }
}

/// Breaks a sentence into lines.
fn fold(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, String::len);
        if line > 0 && line + 1 + word.len() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// Why the machine crashed.
#[derive(Row)]
#[row(kind = "analysis", absent = "nothing in the dump tells")]
pub(super) struct Report<'a> {
    /// The bug check code, in hexadecimal.
    code: String,
    /// Its name.
    #[row(absent = "the bug check is not known")]
    name: Option<String>,
    /// What it says of the machine.
    #[row(absent = "the bug check is not known")]
    what: Option<&'static str>,
    /// Its four arguments.
    arguments: [Virt; 4],
    /// What each of them stands for.
    #[row(absent = "the bug check is not known")]
    argument_texts: Option<[&'static str; 4]>,
    /// The process that ran.
    process: Result<&'a str, &'a Error>,
    /// The thread (`_KTHREAD`) that ran.
    thread: Result<Virt, &'a Error>,
    /// The request (`_IRP`) that the arguments lead to.
    #[row(absent = "the arguments lead to none")]
    irp: Option<Virt>,
    /// The device object that they lead to.
    #[row(absent = "the arguments lead to none")]
    device_object: Option<Virt>,
    /// The driver object that they lead to.
    #[row(absent = "the arguments lead to none")]
    driver_object: Option<Virt>,
    /// The module that is to blame.
    module: Option<&'a str>,
    /// The name of that module's file.
    image: Option<&'a str>,
    /// The instruction that is to blame.
    address: Option<Virt>,
    /// What that instruction is called.
    symbol: Option<&'a str>,
    /// What the blame is concluded from.
    because: Option<&'a str>,
    /// The calls, the innermost first.
    stack: Vec<CallSite<'a>>,
    #[row(skip)]
    meaning: Meaning,
    #[row(skip)]
    crash: &'a Crash,
    #[row(skip)]
    is_verbose: bool,
}

/// A call on the stack.
#[derive(Record)]
struct CallSite<'a> {
    /// Where it stands.
    address: Virt,
    /// What that place is called.
    site: &'a str,
}

impl<'a> Report<'a> {
    /// What the dump tells of a crash; all of it in kd's text when `is_verbose`.
    pub(super) fn new(meaning: Meaning, crash: &'a Crash, is_verbose: bool) -> Report<'a> {
        let culprit = crash.culprit.as_ref();
        let sites = crash.sites.iter();
        Report {
            code: meaning.code.clone(),
            name: meaning.name.clone(),
            what: meaning.what,
            arguments: meaning.arguments,
            argument_texts: meaning.argument_texts,
            process: crash.process.as_deref(),
            thread: crash.thread.as_ref().copied(),
            irp: crash.trail.request,
            device_object: crash.trail.device,
            driver_object: crash.trail.driver,
            module: culprit.map(|culprit| culprit.blame.module.as_str()),
            image: culprit.map(|culprit| culprit.blame.image.as_str()),
            address: culprit.and_then(|culprit| culprit.blame.at),
            symbol: culprit.map(|culprit| culprit.symbol.as_str()),
            because: culprit.map(|culprit| culprit.blame.because.as_str()),
            stack: sites
                .map(|(address, site)| CallSite {
                    address: *address,
                    site,
                })
                .collect(),
            meaning,
            crash,
            is_verbose,
        }
    }
}

fn box_of_stars() -> String {
    let stars = "*".repeat(79);
    let empty = format!("*{}*", " ".repeat(77));
    let title = format!("*{:24}{:<53}*", "", "Bugcheck Analysis");
    format!("{stars}\n{empty}\n{title}\n{empty}\n{stars}\n")
}

impl Report<'_> {
    fn short(&self) -> String {
        let code = self.meaning.number;
        let arguments = self.arguments.map(|Virt(value)| format!("{value:x}"));
        let blame = match &self.crash.culprit {
            Some(culprit) => format!(
                "Probably caused by : {} ( {} )\n\n",
                culprit.blame.image, culprit.symbol
            ),
            None => String::new(),
        };
        format!(
            "{}\nUse !analyze -v to get detailed debugging information.\n\nBugCheck {code:X}, {{{}}}\n\n{blame}Followup:     MachineOwner\n---------\n",
            box_of_stars(),
            arguments.join(", ")
        )
    }

    fn verbose(&self) -> String {
        let crash = self.crash;
        let mut text = format!(
            "{}\n{}\n\nDebugging Details:\n------------------\n\n\nBUGCHECK_CODE:  {:x}\n\n",
            box_of_stars(),
            self.meaning.line(),
            self.meaning.number
        );
        for (number, Virt(value)) in self.arguments.iter().enumerate() {
            text.push_str(&format!("BUGCHECK_P{}: {value:x}\n\n", number + 1));
        }
        if let Some(exception) = &crash.exception {
            text.push_str(&exception_text(exception, crash));
        }
        if let Some((at, place, context)) = &crash.context {
            text.push_str(&format!(
                "CONTEXT:  {at:x} -- (.cxr 0x{at:x})\n{}\nResetting default scope\n\n",
                crate::commands::registers::whole_text(context, place)
            ));
        }
        if let Some((at, access)) = &crash.touched {
            text.push_str(&format!("{}:  {at:x} \n\n", access.heading()));
        }
        if let Ok(process) = &crash.process {
            text.push_str(&format!("PROCESS_NAME:  {process}\n\n"));
        }
        let trail = [
            ("IRP_ADDRESS", self.irp),
            ("DEVICE_OBJECT", self.device_object),
            ("DRIVER_OBJECT", self.driver_object),
        ];
        for (heading, at) in trail {
            if let Some(at) = at {
                text.push_str(&format!("{heading}: {at:x}\n\n"));
            }
        }
        if !crash.stack.is_empty() {
            text.push_str(&format!("STACK_TEXT:  \n{}\n\n\n", crash.stack.join("\n")));
        }
        if let Some(culprit) = &crash.culprit {
            text.push_str(&format!(
                "SYMBOL_NAME:  {}\n\nMODULE_NAME: {}\n\nIMAGE_NAME:  {}\n\n",
                culprit.symbol, culprit.blame.module, culprit.blame.image
            ));
        }
        text.push_str("Followup:     MachineOwner\n---------\n");
        text
    }
}

/// The exception record, as `.exr` shows it.
fn exception_text(exception: &Exception, crash: &Crash) -> String {
    let Exception {
        at,
        code,
        flags,
        address,
        parameters,
    } = exception;
    let symbol = crash
        .culprit
        .as_ref()
        .filter(|culprit| culprit.blame.at == Some(*address))
        .map(|culprit| format!(" ({})", long_offset(&culprit.symbol)))
        .unwrap_or_default();
    let name = match exception_name(*code) {
        "" => String::new(),
        name => format!(" ({name})"),
    };
    let mut text = format!(
        "EXCEPTION_RECORD:  {at:x} -- (.exr 0x{at:x})\nExceptionAddress: {address:x}{symbol}\n   ExceptionCode: {code:08x}{name}\n  ExceptionFlags: {flags:08x}\nNumberParameters: {}\n",
        parameters.len()
    );
    for (number, value) in parameters.iter().enumerate() {
        text.push_str(&format!("   Parameter[{number}]: {value:016x}\n"));
    }
    if let Some((how, at)) = exception.access() {
        let how = match how {
            Access::Read => "read from",
            Access::Write => "write to",
            Access::Execute => "execute non-executable",
        };
        text.push_str(&format!("Attempt to {how} address {at:x}\n"));
    }
    text.push('\n');
    text
}

/// `amdppm+0x000000000000334c`: kd writes the distance with sixteen digits here.
fn long_offset(symbol: &str) -> String {
    match symbol.rsplit_once('+') {
        Some((name, digits)) => format!("{name}+0x{digits:0>16}"),
        None => format!("{symbol}+0x{:016x}", 0),
    }
}

impl KdLine for Report<'_> {
    fn line(&self) -> String {
        if self.is_verbose {
            self.verbose()
        } else {
            self.short()
        }
    }
}
