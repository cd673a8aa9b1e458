//! What `!analyze` prints, in kd's layout.

use super::crash::{Crash, Exception};
use crate::command::{Record, Row, Value};
use rkd_dump::addr::Virt;
use rkd_kernel::bugcheck::{Access, exception_name, named};

/// Characters on a line of a description.
const WIDTH: usize = 79;

/// A bug check and its arguments in words.
pub(super) struct Meaning {
    /// The code.
    pub code: u32,
    /// The arguments.
    pub arguments: [u64; 4],
}

impl Meaning {
    /// What each argument is; `None` when the bug check is not known.
    fn texts(&self) -> Option<[&'static str; 4]> {
        let (check, _) = named(self.code)?;
        Some(
            check
                .arguments(self.arguments)
                .map(|argument| argument.text),
        )
    }

    fn fields(&self) -> Record {
        let found = named(self.code);
        let arguments = self.arguments.iter().map(|value| Value::Addr(Virt(*value)));
        let unknown = || Value::Absent("the bug check is not known".into());
        let texts = self.texts();
        vec![
            ("code", format!("{:#x}", self.code).into()),
            (
                "name",
                found
                    .as_ref()
                    .map_or_else(unknown, |(_, name)| Value::Str(name.clone())),
            ),
            (
                "what",
                found
                    .as_ref()
                    .map_or_else(unknown, |(check, _)| check.what.into()),
            ),
            ("arguments", Value::List(arguments.collect())),
            (
                "argument_texts",
                match texts {
                    Some(texts) => Value::List(texts.into_iter().map(Value::from).collect()),
                    None => unknown(),
                },
            ),
        ]
    }
}

impl Row for Meaning {
    fn kind(&self) -> &'static str {
        "bugcheck_meaning"
    }

    fn record(&self) -> Record {
        self.fields()
    }

    fn text(&self) -> String {
        let mut text = match named(self.code) {
            Some((check, name)) => {
                let what = fold(check.what);
                format!("{name} ({:x})\n{what}\nArguments:", self.code)
            }
            None => format!(
                "Unknown bugcheck code ({:x})\nUnknown bugcheck description\nArguments:",
                self.code
            ),
        };
        let texts = self.texts();
        for (number, value) in self.arguments.iter().enumerate() {
            text.push_str(&format!("\nArg{}: {value:016x}", number + 1));
            if let Some(meaning) = texts.and_then(|texts| texts.get(number).copied()) {
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

/// The whole of an analysis.
pub(super) struct Report<'a> {
    /// The bug check.
    pub meaning: Meaning,
    /// What the dump tells.
    pub crash: &'a Crash,
    /// Whether everything is shown.
    pub is_verbose: bool,
}

fn box_of_stars() -> String {
    let stars = "*".repeat(79);
    let empty = format!("*{}*", " ".repeat(77));
    let title = format!("*{:24}{:<53}*", "", "Bugcheck Analysis");
    format!("{stars}\n{empty}\n{title}\n{empty}\n{stars}\n")
}

impl Report<'_> {
    fn short(&self) -> String {
        let Meaning { code, arguments } = &self.meaning;
        let arguments: Vec<String> = arguments.iter().map(|value| format!("{value:x}")).collect();
        let blame = match &self.crash.culprit {
            Some(culprit) => format!(
                "Probably caused by : {} ( {} )\n\n",
                culprit.image, culprit.symbol
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
            self.meaning.text(),
            self.meaning.code
        );
        for (number, value) in self.meaning.arguments.iter().enumerate() {
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
        if !crash.stack.is_empty() {
            text.push_str(&format!("STACK_TEXT:  \n{}\n\n\n", crash.stack.join("\n")));
        }
        if let Some(culprit) = &crash.culprit {
            text.push_str(&format!(
                "SYMBOL_NAME:  {}\n\nMODULE_NAME: {}\n\nIMAGE_NAME:  {}\n\n",
                culprit.symbol, culprit.module, culprit.image
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
        .filter(|culprit| culprit.at == *address)
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

impl Row for Report<'_> {
    fn kind(&self) -> &'static str {
        "analysis"
    }

    fn record(&self) -> Record {
        let mut record = self.meaning.fields();
        let culprit = self.crash.culprit.as_ref();
        let unknown = || Value::Absent("nothing in the dump tells".into());
        record.extend([
            (
                "process",
                match &self.crash.process {
                    Ok(process) => Value::Str(process.clone()),
                    Err(why) => Value::Absent(why.clone()),
                },
            ),
            (
                "module",
                culprit.map_or_else(unknown, |culprit| culprit.module.as_str().into()),
            ),
            (
                "image",
                culprit.map_or_else(unknown, |culprit| culprit.image.as_str().into()),
            ),
            (
                "address",
                culprit.map_or_else(unknown, |culprit| culprit.at.into()),
            ),
            (
                "symbol",
                culprit.map_or_else(unknown, |culprit| culprit.symbol.as_str().into()),
            ),
            (
                "because",
                culprit.map_or_else(unknown, |culprit| culprit.because.into()),
            ),
            (
                "stack",
                Value::List(
                    self.crash
                        .sites
                        .iter()
                        .map(|(at, site)| {
                            Value::Record(vec![
                                ("address", (*at).into()),
                                ("site", site.as_str().into()),
                            ])
                        })
                        .collect(),
                ),
            ),
        ]);
        record
    }

    fn text(&self) -> String {
        if self.is_verbose {
            self.verbose()
        } else {
            self.short()
        }
    }
}
