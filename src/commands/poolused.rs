//! `!poolused`: which tag holds how much pool.

use crate::command::signature::{Item, Kind, Tags};
use crate::command::{Args, Command, Example, Grammar, Record, Row, Sink, Topic};
use crate::session::Session;
use rkd_dump::error::{Error, Result};
use rkd_kernel::pool::Tag;
use rkd_kernel::pool::tracker::{TagUse, Use, tracker};

/// See the module.
pub static COMMAND: Command = Command {
    name: "!poolused",
    aliases: &[],
    rhai: "poolused",
    topic: Topic::Pool,
    summary: "which tag holds how much pool",
    grammar: Grammar::of(&[
        Item::most("a decimal number of tags"),
        Item::optional("Flags", Kind::Flags(0xf), "flags"),
        Item::optional("TagString", Kind::Tags, "a tag"),
    ]),
    help: "\
Adds up the pool tracker of every processor and lists the tags.

Flags (hexadecimal, added up):
  0  sort by tag (the default)
  1  verbose: allocations and frees since boot, too
  2  sort by nonpaged bytes
  4  sort by paged bytes
/tN, before or after the flags, shows the first N tags only.

TagString is case-sensitive: * stands for any run of characters, ? for one; shorter tags are padded with blanks.
Quote a tag that holds a blank: !poolused 0 \"AB C\".

Allocs is what is outstanding (with flag 1: since boot), Used is in bytes as charged. Tags with nothing in either pool are
left out. What a tag stands for comes from your pooltag.txt (--pooltag FILE, or the one of an installed WinDbg), and
behind it from a small table of rkd's own. Session pool (flag 8) has books of its own in each session and is not shown.",
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
    rows: &[],
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
    out.text(&heading(&request))?;
    let shown = request.most.unwrap_or(usize::MAX);
    for tag in tags.iter().take(shown) {
        let description = session.target.tag_names.describe(tag.tag);
        out.row(&TagRow {
            usage: **tag,
            description,
            verbose: request.verbose,
        })?;
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

/// A tag's line.
struct TagRow {
    usage: TagUse,
    description: String,
    verbose: bool,
}

impl Row for TagRow {
    fn kind(&self) -> &'static str {
        "tag"
    }

    fn record(&self) -> Record {
        let Tag(bytes) = self.usage.tag;
        let (nonpaged, paged) = (&self.usage.nonpaged, &self.usage.paged);
        vec![
            ("tag", self.usage.tag.to_string().into()),
            ("tag_bytes", bytes.to_vec().into()),
            ("nonpaged_allocs", nonpaged.allocs.into()),
            ("nonpaged_frees", nonpaged.frees.into()),
            ("nonpaged_outstanding", nonpaged.outstanding().into()),
            ("nonpaged_bytes", nonpaged.bytes.into()),
            ("paged_allocs", paged.allocs.into()),
            ("paged_frees", paged.frees.into()),
            ("paged_outstanding", paged.outstanding().into()),
            ("paged_bytes", paged.bytes.into()),
            ("description", self.description.trim_end().into()),
        ]
    }

    fn text(&self) -> String {
        let columns = columns(&self.usage.nonpaged, &self.usage.paged, self.verbose);
        format!(" {:<4} {columns}\t{}", self.usage.tag, self.description)
    }
}
