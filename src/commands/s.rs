//! `s`: search memory.

mod request;
mod strings;

use super::display;
use crate::addr::Virt;
use crate::command::{Args, Command, Completes, Example, Record, Row, Sink, Topic, Value};
use crate::error::{Error, Fault, Result};
use crate::kernel::Kernel;
use crate::scan::{Area, Coverage, Patterns, search};
use crate::session::Session;
use request::{Kind, Request, What};

/// See the module.
pub static COMMAND: Command = Command {
    name: "s",
    aliases: &[],
    rhai: "s",
    topic: Topic::Memory,
    summary: "search memory for bytes, numbers or text",
    usage: "s [-[[Flags]]Type] Range Pattern | s -[[Flags]]sa Range | s -[[Flags]]su Range",
    help: "\
Lists every place in the range where the pattern stands, with the memory from there on.

Type: b bytes (the default), w d q numbers of 2, 4, 8 bytes at addresses that are multiples of their size, a text, u UTF-16
text; sa and su list all strings. No blank is needed before the hyphen (s-a).
Pattern: for a and u one text in double quotes; else numbers in the current radix, or characters in single quotes, the first
one in the highest byte (s -d nt L?100000 'kaeL' finds Leak).
Range: addr L n (n units of the type), addr L?n (the same above 256 MB), addr L-n (before addr), addr end (end belongs to it).
Flags, in brackets: 1 addresses only; l N the least length of strings (3 without it); w only memory that may be written;
s keeps the hits, at most 1024 or N with n N, and r searches among the kept ones instead of the range.

Overlapping occurrences are all found. Memory that is not in the dump is passed over; a note says how much of the range was
there, because nothing found in what is missing means nothing. In all modules, at once: search_all(\"Leak\") in Rhai, or
!for_each_module s -a @#Base @#End \"Leak\".",
    completes: Completes::Symbols,
    examples: &[
        Example {
            line: "s -a fffff807`47f50000 L?0x9000 \"Leak\"",
            shows: "a tag in one driver",
            output: "\
fffff807`47f51559  4c 65 61 6b 0f 42 c1 41-8d 49 fd 8b d0 ff 15 0c  Leak.B.A.I......
fffff807`47f515c7  4c 65 61 6b 0f 42 c1 33-c9 8b d0 ff 15 a0 1a 00  Leak.B.3........",
        },
        Example {
            line: "s -[1]b myfault L?9000 4c 65 61 6b",
            shows: "addresses only",
            output: "0xfffff807`47f51559\n0xfffff807`47f515c7",
        },
    ],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let request = Request::parse(session, &args.text)?;
    let kernel = session.kernel.clone();
    if matches!(request.what, What::Strings { .. }) {
        let coverage = strings::list(session, &kernel, &request, out)?;
        return account(session, coverage, out);
    }
    let What::Pattern(pattern) = &request.what else {
        return Ok(());
    };
    let patterns = Patterns::new(vec![pattern.clone()])?;
    let mut kept = Kept::new(&request);
    let mut show = |at: Virt, out: &mut dyn Sink| -> Result<()> {
        if request.writable && !may_be_written(&kernel, at) {
            return Ok(());
        }
        kept.keep(at);
        out.row(&Hit {
            kernel: &kernel,
            at,
            kind: request.kind,
            bare: request.bare,
        })
    };
    if request.among_kept {
        let saved = session.saved_hits.clone();
        for at in saved {
            let mut bytes = vec![0; patterns.longest()];
            if kernel.space().read(at, &mut bytes).is_ok() && pattern.matches(&bytes) {
                show(at, out)?;
            }
        }
        return Ok(());
    }
    let area = Area {
        start: request.start,
        length: request.length,
    };
    let shared = std::cell::RefCell::new(out);
    let outcome = search(
        kernel.space(),
        &[area],
        &patterns,
        &session.stop,
        |found| show(Virt(found.address), &mut **shared.borrow_mut()),
        |done| shared.borrow_mut().progress(done, area.length, "bytes"),
    );
    let out = shared.into_inner();
    if let Some(hits) = kept.hits {
        session.saved_hits = hits;
        if kept.overflow {
            out.text("Overflow error")?;
        }
    }
    account(session, outcome?, out)
}

/// kd says nothing of memory that is missing. A note does – once, when many searches run inside of one command.
fn account(session: &mut Session, coverage: Coverage, out: &mut dyn Sink) -> Result<()> {
    session.searched.0 = session.searched.0.saturating_add(coverage.asked);
    session.searched.1 = session.searched.1.saturating_add(coverage.read);
    if session.depth > 1 {
        return Ok(());
    }
    session.searched = (0, 0);
    match coverage.missing {
        None => Ok(()),
        Some(fault) if coverage.read == 0 => Err(Error::Absent(format!(
            "nothing of this range is in the dump: {fault}"
        ))),
        Some(Fault { at, why }) => {
            let Coverage { asked, read, .. } = coverage;
            out.note(&format!(
                "searched {read:#x} of {asked:#x} bytes; the first that is missing is {at}: {why}"
            ))
        }
    }
}

fn may_be_written(kernel: &Kernel, at: Virt) -> bool {
    kernel
        .space()
        .translate(at)
        .is_ok_and(|translation| translation.writable)
}

/// The hits that `s -[s]` keeps for `s -[r]`.
struct Kept {
    hits: Option<Vec<Virt>>,
    most: usize,
    overflow: bool,
}

impl Kept {
    fn new(request: &Request) -> Kept {
        Kept {
            hits: request.keep.then(Vec::new),
            most: request.most_kept,
            overflow: false,
        }
    }

    fn keep(&mut self, at: Virt) {
        if let Some(hits) = &mut self.hits {
            if hits.len() < self.most {
                hits.push(at);
            } else {
                self.overflow = true;
            }
        }
    }
}

/// A hit.
struct Hit<'a> {
    kernel: &'a Kernel,
    at: Virt,
    kind: Kind,
    bare: bool,
}

impl Row for Hit<'_> {
    fn kind(&self) -> &'static str {
        "hit"
    }

    fn record(&self) -> Record {
        let outside = || Value::Absent("the address lies in no module".into());
        let module = self.kernel.module_at(self.at);
        let mut context = [0; 16];
        let (there, _) = self.kernel.space().read_prefix(self.at, &mut context);
        vec![
            ("va", self.at.into()),
            (
                "module",
                module.map_or_else(outside, |module| module.name.as_str().into()),
            ),
            (
                "module_offset",
                module.map_or_else(outside, |module| (self.at - module.base).into()),
            ),
            ("bytes", context[..there].to_vec().into()),
        ]
    }

    fn text(&self) -> String {
        if self.bare {
            return format!("0x{}", self.at);
        }
        let form = match self.kind {
            Kind::Bytes | Kind::Ascii => "db",
            Kind::Words | Kind::Unicode => "dW",
            Kind::Dwords => "dc",
            Kind::Qwords => "dq",
        };
        display::line_at(self.kernel, self.at, form)
    }
}
