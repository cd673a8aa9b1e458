//! `s`: search memory.

mod hit;
mod request;
mod strings;

use crate::command::{Args, Command, Completes, Example, Grammar, Sink, Topic};
use crate::session::{SearchAccount, Session};
use hit::{Hit, Places};
use request::{Area, Request, What};
use rkd_dump::addr::Virt;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_scan::{Coverage, Event, Hits, Pattern, Patterns, Regex, Source};
use std::sync::Arc;

/// `s`: search memory for bytes, numbers or text.
pub static COMMAND: Command = Command {
    name: "s",
    aliases: &[],
    rhai: "s",
    topic: Topic::Memory,
    summary: "search memory for bytes, numbers or text",
    grammar: Grammar::own("s [-[[Flags]]Type] Range|* Pattern | s -[[Flags]]sa Range|* | s -[[Flags]]su Range|* | s -re Range|* Expression", Completes::Symbols),
    help: "\
Lists every place in the range where the pattern stands, with the memory from there on.

Type: b bytes (the default), w d q numbers of 2, 4, 8 bytes at addresses that are multiples of their size, a text, u UTF-16
text; sa and su list all strings. No blank is needed before the hyphen (s-a). Of rkd's own: ai and ui are a and u in either
case, m bytes with ? for a half-byte that may be anything, re a regular expression over bytes in double quotes, where . is
any byte and matches do not overlap (one of more than 4096 bytes may be cut).
Pattern: for a and u one text in double quotes (or several: all are searched for in one pass); else numbers in the current
radix, or characters in single quotes, the first one in the highest byte (s -d nt L?100000 'kaeL' finds Leak).
Range: addr L n (n units of the type), addr L?n (the same above 256 MB), addr L-n (before addr), addr end (end belongs to it;
any distance). Of rkd's own: * is all loaded modules, in one pass (write the type too: s -b * 4c 65).
Flags, in brackets: 1 addresses only; l N the least length of strings (3 without it); w only memory that may be written;
s keeps the hits, at most 1024 or N with n N, and r searches among the kept ones instead of the range.

Overlapping occurrences are all found. Memory that is not in the dump is passed over; a note says how much of the range was
there, because nothing found in what is missing means nothing. In all modules kd's way is
!for_each_module s -a @#Base @#End \"Leak\"; s -a * \"Leak\" finds the same at once, and search_all(\"Leak\") does in Rhai.",
    examples: &[
        Example {
            line: "s -a fffff807`47f50000 L?0x9000 \"Leak\"",
            shows: "a tag in one driver",
            output: "\
fffff807`47f51559  4c 65 61 6b 0f 42 c1 41-8d 49 fd 8b d0 ff 15 0c  Leak.B.A.I......
fffff807`47f515c7  4c 65 61 6b 0f 42 c1 33-c9 8b d0 ff 15 a0 1a 00  Leak.B.3........",
        },
        Example {
            line: "s -a * \"Leak\" \"eyfault\"",
            shows: "all modules in one pass, for as many texts as you like",
            output: "\
fffff807`47f51559  4c 65 61 6b 0f 42 c1 41-8d 49 fd 8b d0 ff 15 0c  Leak.B.A.I......
fffff807`47f515c7  4c 65 61 6b 0f 42 c1 33-c9 8b d0 ff 15 a0 1a 00  Leak.B.3........",
        },
        Example {
            line: "s -[1]b myfault L?9000 4c 65 61 6b",
            shows: "addresses only",
            output: "0xfffff807`47f51559\n0xfffff807`47f515c7",
        },
        Example {
            line: "s -m myfault L?9000 41 b? 4c 65 61 6b",
            shows: "the instructions that load the tag into a register",
            output: "\
fffff807`47f51557  41 b8 4c 65 61 6b 0f 42-c1 41 8d 49 fd 8b d0 ff  A.Leak.B.A.I....
fffff807`47f515c5  41 b8 4c 65 61 6b 0f 42-c1 33 c9 8b d0 ff 15 a0  A.Leak.B.3......",
        },
        Example {
            line: "s -re myfault L?9000 \"Leak.{3}[A3]\"",
            shows: "a regular expression",
            output: "\
fffff807`47f51559  4c 65 61 6b 0f 42 c1 41-8d 49 fd 8b d0 ff 15 0c  Leak.B.A.I......
fffff807`47f515c7  4c 65 61 6b 0f 42 c1 33-c9 8b d0 ff 15 a0 1a 00  Leak.B.3........",
        },
    ],
    rows: &[Hit::SCHEMA, strings::Text::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let request = Request::parse(session, &args.text)?;
    let kernel = session.target.kernel.clone();
    if matches!(request.area, Area::Modules) {
        kernel.loaded_modules()?;
    }
    let mut kept = Kept::new(&request);
    let coverage = match &request.what {
        What::Patterns(patterns) if request.among_kept => {
            return among_kept(session, &kernel, &request, patterns, out);
        }
        What::Patterns(patterns) => search(session, &kernel, &request, patterns, &mut kept, out),
        What::Strings(strings) => {
            strings::list(session, &kernel, &request, *strings, &mut kept, out)
        }
        What::Regex(regex) => matches(session, &kernel, &request, regex, &mut kept, out),
    };
    if request.keep {
        session.display.saved_hits = kept.hits;
    }
    if kept.overflow {
        out.text("Overflow error")?;
    }
    account(session, &coverage?, kept.count, out)
}

/// The memory that is searched.
fn source(kernel: &Kernel, request: &Request) -> Result<Source> {
    let space = kernel.space().clone();
    if !request.writable {
        return Ok(Source::Virtual(space));
    }
    if space.root().is_none() {
        return Err(Error::NotInDump("this dump has no page tables, which say what may be written to: search without the flag w".into()));
    }
    Ok(Source::Writable(space))
}

fn search(
    session: &Session,
    kernel: &Kernel,
    request: &Request,
    patterns: &[(Pattern, String)],
    kept: &mut Kept,
    out: &mut dyn Sink,
) -> Result<Coverage> {
    let set = Patterns::new(
        patterns
            .iter()
            .map(|(pattern, _)| pattern.clone())
            .collect(),
    )?;
    let mut hits = Hits::new(
        source(kernel, request)?,
        request.spans(kernel),
        Arc::new(set),
        Arc::clone(&session.control.stop),
    );
    let places = Places::new(kernel);
    out.table(Hit::SCHEMA)?;
    let end = hits.each(|event| match event {
        Event::Hit(hit) => {
            let at = Virt(hit.address);
            kept.keep(at);
            let (length, name) = patterns
                .get(hit.pattern as usize)
                .map_or((0, ""), |(pattern, name)| (pattern.len(), name.as_str()));
            out.row(&Hit {
                places: &places,
                at,
                length,
                pattern: name,
                kind: request.kind,
                bare: request.bare,
            })
        }
        Event::Progress { done, total } => out.progress(done, total, "bytes"),
    });
    match end {
        Ok(()) => Ok(hits.coverage()),
        // Ctrl-C reaches the screen before it reaches the search.
        Err(Error::Stopped) => Ok(hits.break_off()),
        Err(error) => Err(error),
    }
}

/// `s -re`: one match after the other, where they do not overlap.
fn matches(
    session: &Session,
    kernel: &Kernel,
    request: &Request,
    regex: &Regex,
    kept: &mut Kept,
    out: &mut dyn Sink,
) -> Result<Coverage> {
    let places = Places::new(kernel);
    out.table(Hit::SCHEMA)?;
    regex.find(
        &source(kernel, request)?,
        &request.spans(kernel),
        &session.control.stop,
        |at, bytes| {
            kept.keep(Virt(at));
            out.row(&Hit {
                places: &places,
                at: Virt(at),
                length: bytes.len(),
                pattern: regex.as_str(),
                kind: request.kind,
                bare: request.bare,
            })
        },
    )
}

/// `s -[r]`: of the hits that were kept, those where the pattern stands too.
fn among_kept(
    session: &Session,
    kernel: &Kernel,
    request: &Request,
    patterns: &[(Pattern, String)],
    out: &mut dyn Sink,
) -> Result<()> {
    let places = Places::new(kernel);
    let mut found = false;
    out.table(Hit::SCHEMA)?;
    for &at in &session.display.saved_hits {
        for (pattern, name) in patterns {
            let mut bytes = vec![0; pattern.len()];
            if pattern.may_be_at(at.0)
                && kernel.space().read(at, &mut bytes).is_ok()
                && pattern.matches(&bytes)
            {
                found = true;
                out.row(&Hit {
                    places: &places,
                    at,
                    length: pattern.len(),
                    pattern: name,
                    kind: request.kind,
                    bare: request.bare,
                })?;
            }
        }
    }
    match session.display.saved_hits.len() {
        0 => out.note("no hits are kept: s -[s]b Range Pattern keeps them"),
        kept if !found => out.note(&format!(
            "nothing found: none of the {kept} kept hits begins with the pattern"
        )),
        _ => Ok(()),
    }
}

/// kd says nothing of memory that is missing. A note does – once, when many searches run inside of one command.
fn account(
    session: &mut Session,
    coverage: &Coverage,
    hits: u64,
    out: &mut dyn Sink,
) -> Result<()> {
    session.search.add(coverage.asked, coverage.read);
    let stopped = coverage.stopped_at.is_some();
    if session.control.depth <= 1 {
        session.search = SearchAccount::default();
        if coverage.read == 0 && coverage.asked > 0 && !stopped {
            return Err(Error::NotInDump(format!(
                "nothing of this range can be searched: {coverage}"
            )));
        }
        if hits == 0 || !coverage.is_complete() {
            let nothing = if hits == 0 && !stopped {
                "nothing found: "
            } else {
                ""
            };
            out.note(&format!("{nothing}{coverage}"))?;
        }
    }
    if stopped { Err(Error::Stopped) } else { Ok(()) }
}

/// What was found: `s -[s]` keeps it for `s -[r]`.
struct Kept {
    count: u64,
    hits: Vec<Virt>,
    most: usize,
    overflow: bool,
}

impl Kept {
    fn new(request: &Request) -> Kept {
        Kept {
            count: 0,
            hits: Vec::new(),
            most: if request.keep { request.most_kept } else { 0 },
            overflow: false,
        }
    }

    fn keep(&mut self, at: Virt) {
        self.count += 1;
        if self.hits.len() < self.most {
            self.hits.push(at);
        } else {
            self.overflow = self.most > 0;
        }
    }
}
