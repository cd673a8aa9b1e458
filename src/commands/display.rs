//! `db`, `dd`, `dq`, `da`, `dps` and their kin: what is in memory.

mod form;
mod memory;
mod rows;

pub(super) use memory::{Memory, number};
pub use rows::printable;

use crate::command::range::Range;
use crate::command::{Args, Command, Completes, Example, Grammar, KdLine, Sink, Topic, masm, sink};
use crate::session::Session;
use form::{Form, Look};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rows::{Numbers, Pointer, Text};

/// `d`: show memory as bytes, numbers, text, pointers, symbols.
pub static COMMAND: Command = Command {
    name: "d",
    aliases: &[
        "da", "db", "dc", "dd", "dD", "df", "dp", "dq", "du", "dw", "dW", "dds", "dps", "dqs", "dpa", "dpu", "dpp", "dda", "ddu",
        "ddp", "dqa", "dqu", "dqp", "!db", "!dc", "!dd", "!dp", "!dq", "!du", "!dw",
    ],
    rhai: "d",
    topic: Topic::Memory,
    summary: "show memory as bytes, numbers, text, pointers, symbols",
    // How many bytes the L of a range counts follows from the spelling, which a kind does not know.
    grammar: Grammar::own("d{a|b|c|d|D|f|p|q|u|w|W} [/cN] [/p] [Range]", Completes::Symbols),
    help: "\
Shows memory from an address on. Without a range each command goes on where the last one ended; d alone repeats the last form.

  db        bytes and text                    da, du    text of bytes, of 16-bit characters, up to a zero
  dw, dW    16-bit numbers, with text         dd, dc    32-bit numbers, with text
  dq, dp    64-bit numbers, pointers          df, dD    floating point numbers of 4 and 8 bytes
  dps, dqs, dds   one pointer a line, with the symbol it points at
  dpa, dpu, dpp   one pointer a line, with the text or the pointer that it points at

The range is an address alone (128 bytes are shown), addr L n (n objects), addr L?n (more than 256 MB), addr L-n (up to addr), or
two addresses. /cN shows N columns; /p, or !db !dd ..., takes a physical address.
What is not in the dump shows as ??, and a note says why.",
    examples: &[
        Example {
            line: "db fffff807`47f51559 L10",
            shows: "the instruction that holds the tag",
            output: "fffff807`47f51559  4c 65 61 6b 0f 42 c1 41-8d 49 fd 8b d0 ff 15 0c  Leak.B.A.I......",
        },
        Example {
            line: "dc fffff807`47f51559 L1",
            shows: "a short line keeps its columns",
            output: "fffff807`47f51559  6b61654c                             Leak",
        },
        Example {
            line: "dw nt L1",
            shows: "the signature of an image",
            output: "fffff807`22600000  5a4d",
        },
        Example {
            line: "dps @rsp L2",
            shows: "a stack",
            output: "\
ffffa500`00007d38  fffff807`34bf1020 kbdhid+0x1020
ffffa500`00007d40  00000000`000000e2",
        },
        Example {
            line: "da nt!NtBuildLabEx",
            shows: "a text of the kernel",
            output: "\
fffff807`2324c1c0  \"19041.1.amd64fre.vb_release.1912\"
fffff807`2324c1e0  \"06-1406\"",
        },
        Example {
            line: "dq 0 L2",
            shows: "memory that is not there",
            output: "00000000`00000000  ????????`???????? ????????`????????",
        },
    ],
    rows: &[Numbers::SCHEMA, Text::SCHEMA, Pointer::SCHEMA],
    run,
};

/// Text without a length ends after this many bytes, when no zero ends it before.
const LONGEST_TEXT: u64 = 0x1000;

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let name = match args.name.as_str() {
        "d" => session
            .display
            .cursor
            .command
            .clone()
            .unwrap_or_else(|| "db".into()),
        name => name.to_string(),
    };
    let form = Form::named(&name)
        .ok_or_else(|| Error::Syntax(format!("Couldn't resolve error at '{name}'")))?;
    let options = Options::parse(session, &args.text, &form, name.starts_with('!'))?;
    let columns = options.columns.unwrap_or(form.columns);
    let (start, length) = match options.range {
        Some(range) => (range.start, range.length),
        None => (default_start(session), None),
    };
    session.display.again = Some(name.clone());
    session.display.cursor.command = Some(name);
    session.display.cursor.next = start;
    let kernel = session.target.kernel.clone();
    let memory = if options.physical {
        Memory::physical(&kernel)?
    } else {
        Memory::of(&kernel)
    };
    let mut show = Show {
        session,
        memory,
        form,
        columns,
        start,
        out,
    };
    match form.look {
        Look::Ascii | Look::Unicode => show.text(length),
        Look::Numbers { .. } | Look::Floats => show.numbers(length),
        Look::Symbols | Look::Follow(_) => show.pointers(length),
    }?;
    show.why()
}

/// Where a command without a range begins: behind the last one, or at the current instruction.
fn default_start(session: &Session) -> Virt {
    if session.display.cursor.command.is_some() {
        return session.display.cursor.next;
    }
    session
        .target
        .kernel
        .context(session.target.processor)
        .map_or(Virt(0), |context| context.instruction())
}

/// One command at work: it moves the session's cursor behind every line that it has shown.
struct Show<'a> {
    session: &'a mut Session,
    memory: Memory<'a>,
    form: Form,
    columns: usize,
    start: Virt,
    out: &'a mut dyn Sink,
}

impl Show<'_> {
    /// Lines of numbers, the last one perhaps shorter.
    fn numbers(&mut self, length: Option<u64>) -> Result<()> {
        let unit = self.form.unit;
        let total = length.unwrap_or(self.form.count * unit).div_ceil(unit) * unit;
        let step = unit * self.columns as u64;
        let mut done = 0;
        while done < total {
            sink::check(&self.session.control.stop)?;
            let at = self.start + done;
            let length = step.min(total - done);
            let bytes = self.memory.read(at, length as usize);
            let row = Numbers {
                at,
                bytes,
                form: self.form,
                columns: self.columns,
                is_physical: self.memory.is_physical(),
            };
            self.out.row(&row)?;
            done += length;
            self.session.display.cursor.next = self.start + done;
            self.session.display.cursor.last = row.last();
        }
        Ok(())
    }

    /// Lines of text up to a zero or the end of the range.
    fn text(&mut self, length: Option<u64>) -> Result<()> {
        const LINE: u64 = 32;
        let unit = self.form.unit;
        let total = length.unwrap_or(LONGEST_TEXT);
        let mut done = 0;
        // Nobody wants pages of question marks: without a length, text ends where memory does.
        loop {
            sink::check(&self.session.control.stop)?;
            let at = self.start + done;
            let bytes = self
                .memory
                .read(at, (LINE * unit).min(total - done) as usize);
            let row = Text::new(at, &bytes, unit);
            let characters = row.length() as u64;
            self.out.row(&row)?;
            let is_lost = length.is_none() && self.memory.fault().is_some();
            let is_over =
                is_lost || row.is_ended || characters < LINE || done + characters * unit >= total;
            done += (characters + u64::from(row.is_ended)) * unit;
            self.session.display.cursor.next = self.start + done;
            if is_over {
                return Ok(());
            }
        }
    }

    /// One pointer a line, and what it points at.
    fn pointers(&mut self, length: Option<u64>) -> Result<()> {
        let unit = self.form.unit;
        let total = length.unwrap_or(self.form.count * unit).div_ceil(unit) * unit;
        let kernel = self.session.target.kernel.clone();
        let mut done = 0;
        while done < total {
            sink::check(&self.session.control.stop)?;
            let at = self.start + done;
            let value = memory::number(&self.memory.read(at, unit as usize));
            self.out
                .row(&Pointer::new(&kernel, at, value, &self.form))?;
            done += unit;
            self.session.display.cursor.next = self.start + done;
            self.session.display.cursor.last = value.unwrap_or(0);
        }
        Ok(())
    }

    /// The reason for the question marks.
    fn why(&mut self) -> Result<()> {
        match self.memory.fault() {
            Some(why) => self.out.note(&why),
            None => Ok(()),
        }
    }
}

/// What stands between the name and the end of the line.
struct Options {
    columns: Option<usize>,
    physical: bool,
    range: Option<Range>,
}

impl Options {
    fn parse(session: &Session, text: &str, form: &Form, mut physical: bool) -> Result<Options> {
        let mut rest = text.trim_start();
        let mut columns = None;
        loop {
            if let Some(after) = rest.strip_prefix("/c") {
                let (count, after) = masm::evaluate_prefix(session, after)?;
                let count = usize::try_from(count)
                    .ok()
                    .filter(|count| (1..=128).contains(count));
                columns =
                    Some(count.ok_or_else(|| Error::Syntax("/c takes 1 to 128 columns".into()))?);
                rest = after;
            } else if let Some(after) = rest.strip_prefix("/p") {
                physical = true;
                rest = after.trim_start();
            } else if let Some(after) = ["[c]", "[uc]", "[wc]"]
                .iter()
                .find_map(|cache| rest.strip_prefix(cache))
                .filter(|_| physical)
            {
                // How memory is cached does not matter in a dump.
                rest = after.trim_start();
            } else {
                break;
            }
        }
        let range = match rest.trim() {
            "" => None,
            rest => {
                let (range, rest) = Range::parse(session, rest, form.unit)?;
                if !rest.trim().is_empty() {
                    return Err(Error::Syntax(format!("Extra character error in '{rest}'")));
                }
                Some(range)
            }
        };
        Ok(Options {
            columns,
            physical,
            range,
        })
    }
}

/// The line that a member of the family shows for the sixteen bytes at an address; empty for a name that is none.
pub fn line_at(kernel: &Kernel, at: Virt, name: &str) -> String {
    line_of(at, name, |length| Memory::of(kernel).read(at, length))
}

/// The line of `db` for bytes that were read already; what there is less than sixteen is shown as missing.
pub fn line_of_bytes(at: Virt, bytes: &[u8]) -> String {
    line_of(at, "db", |length| {
        let known = bytes.iter().copied().map(Some);
        known.chain(std::iter::repeat(None)).take(length).collect()
    })
}

fn line_of(at: Virt, name: &str, read: impl FnOnce(usize) -> Vec<Option<u8>>) -> String {
    let Some(form) = Form::named(name) else {
        return String::new();
    };
    let row = Numbers {
        at,
        bytes: read(form.columns * form.unit as usize),
        form,
        columns: form.columns,
        is_physical: false,
    };
    row.line()
}
