//! `!poolused`: which tag holds how much pool.

use crate::command::signature::{Item, Kind, Tags};
use crate::command::{
    Args, Cell, CellKind, Command, Example, Grammar, KdLine, Row, Sink, Topic, Value,
};
use crate::session::Session;
use rkd_dump::error::{Error, Result};
use rkd_kernel::pool::Tag;
use rkd_kernel::pool::tracker::{TagUse, Use, tracker};
use std::fmt;

/// `!poolused`: which tag holds how much pool.
pub static COMMAND: Command = Command {
    name: "!poolused",
    aliases: &[],
    rhai: "poolused",
    topic: Topic::Pool,
    summary: "which tag holds how much pool",
    grammar: Grammar::of(&[
        Item::most("a decimal number of tags"),
        Item::optional(
            "Flags",
            Kind::Flags(0xf),
            "hexadecimal, added up:\n\
             0  sort by tag (the default)\n\
             1  verbose: allocations and frees since boot, too\n\
             2  sort by nonpaged bytes\n\
             4  sort by paged bytes",
        ),
        Item::optional(
            "TagString",
            Kind::Tags,
            "case-sensitive: * stands for any run of characters, ? for one; shorter tags are padded with blanks",
        ),
    ]),
    help: "\
Adds up the pool tracker of every processor and lists the tags.
With /tN, before or after the flags, it is the first N of them only. Quote a tag that holds a blank: !poolused 0 \"AB C\".

Allocs is what is outstanding (with flag 1: since boot), Used is in bytes as charged. Tags with nothing in either pool are
left out. What a tag stands for comes from your pooltag.txt (--pooltag FILE, or the one of an installed WinDbg), and
behind it from a small table of rkd's own. The file may be UTF-8, UTF-16 or Windows-1252, indented, or have tabs or commas
between tag, driver and description; PoolMon's localtag.txt will do. Session pool (flag 8) has books of its own in each session
and is not shown.",
    examples: &[
        Example {
            line: "!poolused 2 Leak",
            shows: "one tag",
            output: "\
.
 Sorting by NonPaged Pool Consumed

               NonPaged                  Paged
 Tag     Allocs         Used     Allocs         Used

 Leak       119   4991221760          0            0\tUNKNOWN pooltag 'Leak', please update pooltag.txt

TOTAL       119   4991221760          0            0",
        },
    ],
    rows: &[TagRow::SCHEMA],
    run,
};

struct Request {
    verbose: bool,
    order: Order,
    tags: Option<Tags>,
    most: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Tag,
    NonPaged,
    Paged,
}

impl Request {
    fn of(args: &Args) -> Result<Request> {
        let flags = args.number("Flags").unwrap_or(0);
        if flags & 8 != 0 {
            return Err(Error::NotSupported("session pool (flag 8) is booked in each session's own space, which rkd does not read yet".into()));
        }
        Ok(Request {
            verbose: flags & 1 != 0,
            order: match flags & 6 {
                0 => Order::Tag,
                4 => Order::Paged,
                _ => Order::NonPaged,
            },
            tags: args.tags("TagString").cloned(),
            most: args.most(),
        })
    }
}

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let request = Request::of(args)?;
    let kernel = session.target.kernel.clone();
    let tracker = tracker(&kernel)?;
    let mut tags: Vec<&TagUse> = tracker
        .tags
        .iter()
        .filter(|tag| wanted(tag, &request))
        .collect();
    // The list is in the order of the tags; a stable sort keeps that order among equals.
    match request.order {
        Order::Tag => {}
        Order::NonPaged => tags.sort_by_key(|tag| std::cmp::Reverse(tag.nonpaged.bytes as i64)),
        Order::Paged => tags.sort_by_key(|tag| std::cmp::Reverse(tag.paged.bytes as i64)),
    }
    let mut total = Total::default();
    tags.iter().for_each(|tag| total.add(tag));
    out.table(TagRow::SCHEMA)?;
    out.text(&heading(&request))?;
    let shown = request.most.unwrap_or(usize::MAX);
    for tag in tags.iter().take(shown) {
        out.row(&TagRow::new(session, tag, request.verbose))?;
    }
    out.text(&format!("\n{}", total.line(request.verbose)))?;
    if shown < tags.len() {
        out.note(&format!(
            "the first {shown} of {} tags are shown; TOTAL counts all of them",
            tags.len()
        ))?;
    }
    tracker.notes.iter().try_for_each(|note| out.note(note))
}

/// A tag with nothing in either pool is not shown; the counts decide, and bytes where the counts went astray.
fn wanted(tag: &TagUse, request: &Request) -> bool {
    let holds = |usage: &Use| usage.outstanding() != 0 || usage.bytes != 0;
    (holds(&tag.nonpaged) || holds(&tag.paged))
        && request
            .tags
            .as_ref()
            .is_none_or(|tags| tags.matches(tag.tag))
}

/// kd prints dots while it reads, one for each batch of entries; one line of them is what scripts that read kd's output expect.
fn heading(request: &Request) -> String {
    let order = match request.order {
        Order::Tag => "Tag",
        Order::NonPaged => "NonPaged Pool Consumed",
        Order::Paged => "Paged Pool Consumed",
    };
    let columns = if request.verbose {
        "                            NonPaged                                         Paged\n \
         Tag       Allocs       Frees      Diff         Used       Allocs       Frees      Diff         Used"
    } else {
        "               NonPaged                  Paged\n Tag     Allocs         Used     Allocs         Used"
    };
    format!(".\n Sorting by {order}\n\n{columns}\n")
}

fn columns(nonpaged: &Use, paged: &Use, verbose: bool) -> String {
    if verbose {
        format!(
            "{:>11} {:>11} {:>9} {:>12} {:>12} {:>11} {:>9} {:>12}",
            nonpaged.allocs,
            nonpaged.frees,
            nonpaged.outstanding(),
            nonpaged.bytes,
            paged.allocs,
            paged.frees,
            paged.outstanding(),
            paged.bytes
        )
    } else {
        format!(
            "{:>9} {:>12} {:>10} {:>12}",
            nonpaged.outstanding(),
            nonpaged.bytes,
            paged.outstanding(),
            paged.bytes
        )
    }
}

/// The sums of what is shown.
#[derive(Default)]
struct Total {
    nonpaged: Use,
    paged: Use,
}

impl Total {
    fn add(&mut self, tag: &TagUse) {
        for (sum, usage) in [
            (&mut self.nonpaged, &tag.nonpaged),
            (&mut self.paged, &tag.paged),
        ] {
            sum.allocs = sum.allocs.wrapping_add(usage.allocs);
            sum.frees = sum.frees.wrapping_add(usage.frees);
            sum.bytes = sum.bytes.wrapping_add(usage.bytes);
        }
    }

    fn line(&self, verbose: bool) -> String {
        format!("TOTAL {}", columns(&self.nonpaged, &self.paged, verbose))
    }
}

/// A pool tag, and what it holds.
#[derive(Row)]
#[row(kind = "tag")]
struct TagRow {
    /// The tag, as text.
    tag: Tag,
    /// The tag, byte by byte.
    tag_bytes: [u8; 4],
    /// How often nonpaged pool was allocated since the start.
    nonpaged_allocs: u64,
    /// How often nonpaged pool was freed since the start.
    nonpaged_frees: u64,
    /// The difference: allocations of nonpaged pool that are held.
    nonpaged_outstanding: u64,
    /// How much nonpaged pool is held.
    nonpaged_bytes: u64,
    /// How often paged pool was allocated since the start.
    paged_allocs: u64,
    /// How often paged pool was freed since the start.
    paged_frees: u64,
    /// The difference: allocations of paged pool that are held.
    paged_outstanding: u64,
    /// How much paged pool is held.
    paged_bytes: u64,
    /// What the list of tags says of it.
    description: Description,
    #[row(skip)]
    columns: String,
}

impl TagRow {
    fn new(session: &Session, usage: &TagUse, verbose: bool) -> TagRow {
        let TagUse {
            tag,
            nonpaged,
            paged,
        } = usage;
        TagRow {
            tag: *tag,
            tag_bytes: tag.0,
            nonpaged_allocs: nonpaged.allocs,
            nonpaged_frees: nonpaged.frees,
            nonpaged_outstanding: nonpaged.outstanding(),
            nonpaged_bytes: nonpaged.bytes,
            paged_allocs: paged.allocs,
            paged_frees: paged.frees,
            paged_outstanding: paged.outstanding(),
            paged_bytes: paged.bytes,
            description: Description::of(session, *tag),
            columns: columns(nonpaged, paged, verbose),
        }
    }
}

impl KdLine for TagRow {
    fn line(&self) -> String {
        format!(" {:<4} {}\t{}", self.tag, self.columns, self.description)
    }
}

/// What the list of tags says of a tag, as kd writes it: with the blanks at its end, which data leave out.
pub(super) struct Description(String);

impl Description {
    /// The description of a tag; kd's words for one that is in no list.
    pub(super) fn of(session: &Session, tag: Tag) -> Description {
        Description(session.target.tag_names.describe(tag))
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Cell for Description {
    const KIND: CellKind = CellKind::Text;

    fn value(&self) -> Value {
        self.0.trim_end().into()
    }
}
