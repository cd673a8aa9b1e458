//! `!pooldiff`: which tags grew between another look at the same machine and this dump. Ours.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::commands::poolused::Description;
use crate::session::Session;
use rkd_dump::Dump;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_kernel::growth::{Growth, Look, growth, hours, logs, same_boot};
use rkd_kernel::pool::Tag;
use rkd_kernel::pool::tracker::tracker;
use std::path::Path;

/// `!pooldiff`: which tags grew since another dump of the machine.
pub static COMMAND: Command = Command {
    name: "!pooldiff",
    aliases: &[],
    rhai: "pooldiff",
    topic: Topic::Pool,
    summary: "which tags grew since another dump of the machine",
    grammar: Grammar::of(&[
        Item::required("FILE", Kind::File, "the other dump"),
        Item::optional("TagCount", Kind::Decimal, "a decimal number of tags"),
    ]),
    help: "\
Compares the pool tags of this dump with those of another one of the same machine, or with what another program saw: a log of
PoolMon (poolmon -n FILE), a table of PoolMonX or System Informer, or the CSV of rkd's own !poolused. Growth is in bytes and in
outstanding allocations, and per hour of uptime when both are dumps. The tags that grew most come first; TagCount (decimal, 20
without it) says how many. A table without headings, as PoolMonX v3 saves it, is understood by the dump beside it.

A single dump cannot tell a leak from a heavy load. If the other dump is the later one, the figures are turned round.
This command is rkd's own; in Rhai, pool_diff(a, b) compares the rows of two !poolused in the same way.",
    examples: &[Example {
        line: "!pooldiff",
        shows: "what it wants",
        output: "\
!pooldiff wants the other dump
Usage: !pooldiff FILE [TagCount]",
    }],
    rows: &[GrowthRow::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let file = args.text("FILE").unwrap_or_default();
    let most = args
        .number("TagCount")
        .map_or(20, |most| usize::try_from(most).unwrap_or(usize::MAX));
    session.check_files()?;
    let here = look(&session.target.kernel)?;
    let other = other_look(session, Path::new(file), &here)?;
    let turned = matches!((here.uptime, other.uptime), (Some(here), Some(other)) if other > here);
    let (before, after) = if turned {
        (&here, &other)
    } else {
        (&other, &here)
    };
    let changes = rows(session, before, after);
    out.table(GrowthRow::SCHEMA)?;
    out.text(" Tag      Change in bytes    Allocs      Bytes per hour   Allocs per hour")?;
    for change in changes.iter().take(most) {
        out.row(change)?;
    }
    if turned {
        out.note("the other dump is the later one: the figures say what grew after this dump")?;
    }
    match same_boot(before, after) {
        Some(false) => out.note(
            "the two dumps are of different runs of Windows: growth between them says little",
        )?,
        None => out.note(
            "the other file does not say how long the machine had run: there is no rate, and it is taken for the earlier one",
        )?,
        Some(true) => {}
    }
    if changes.len() > most {
        out.note(&format!(
            "the first {most} of {} tags that changed are shown",
            changes.len()
        ))?;
    }
    Ok(())
}

fn rows(session: &Session, before: &Look, after: &Look) -> Vec<GrowthRow> {
    let hours = hours(before, after);
    let row = |change: Growth| {
        let per_hour = |change: i64| hours.map(|hours| (change as f64 / hours) as i64);
        GrowthRow {
            tag: change.tag,
            nonpaged_bytes: change.nonpaged_bytes,
            nonpaged_allocs: change.nonpaged_allocs,
            paged_bytes: change.paged_bytes,
            paged_allocs: change.paged_allocs,
            bytes_per_hour: per_hour(change.bytes()),
            allocs_per_hour: per_hour(change.allocs()),
            description: Description::of(session, change.tag),
            change,
        }
    };
    growth(before, after).into_iter().map(row).collect()
}

/// Hands over how every tag changed.
///
/// # Errors
/// Those of the sink.
pub fn compare(session: &Session, before: &Look, after: &Look, out: &mut dyn Sink) -> Result<()> {
    rows(session, before, after)
        .iter()
        .try_for_each(|row| out.row(row))
}

/// What a dump says of its pools.
///
/// # Errors
/// Those of the tracker.
pub fn look(kernel: &Kernel) -> Result<Look> {
    let located = kernel.located();
    let uptime = located.up_time.get();
    let booted = located
        .system_time
        .get()
        .zip(uptime)
        .and_then(|(time, uptime)| time.checked_sub(uptime));
    Ok(Look {
        tags: tracker(kernel)?.tags,
        uptime,
        booted,
    })
}

/// What a file says of the pools of a machine: a dump, a log of PoolMon, a table.
///
/// # Errors
/// When it is none of these, or a dump that does not say.
pub fn other_look(session: &Session, path: &Path, near: &Look) -> Result<Look> {
    let mut start = [0; 8];
    let is_dump = std::fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start))
        .is_ok_and(|()| start.starts_with(b"PAGE"));
    match Dump::open(path) {
        Ok(dump) => return look(&Kernel::open(dump, &session.target.options())),
        Err(why) if is_dump => return Err(why),
        // A list of tags is none, of course.
        Err(_) => {}
    }
    let bytes = std::fs::read(path).map_err(|source| Error::open(path, source))?;
    logs::read(&bytes, near).map_err(|error| Error::File {
        path: path.to_path_buf(),
        reason: format!("neither a dump nor a list of pool tags: {error}"),
    })
}

/// How a tag changed between two looks at a machine.
#[derive(Row)]
#[row(kind = "tag_growth")]
struct GrowthRow {
    /// The tag.
    tag: Tag,
    /// How much more nonpaged pool it holds.
    nonpaged_bytes: i64,
    /// How many more allocations of nonpaged pool it holds.
    nonpaged_allocs: i64,
    /// How much more paged pool it holds.
    paged_bytes: i64,
    /// How many more allocations of paged pool it holds.
    paged_allocs: i64,
    /// Its growth in both pools.
    #[row(unit = "bytes an hour", absent = "no time between the two is known")]
    bytes_per_hour: Option<i64>,
    /// Its growth in both pools, in allocations.
    #[row(
        unit = "allocations an hour",
        absent = "no time between the two is known"
    )]
    allocs_per_hour: Option<i64>,
    /// What the list of tags says of it.
    description: Description,
    #[row(skip)]
    change: Growth,
}

impl KdLine for GrowthRow {
    fn line(&self) -> String {
        let rate = |rate: Option<i64>| rate.map_or("-".to_string(), |rate| rate.to_string());
        format!(
            " {:<4} {:>19} {:>9} {:>19} {:>17}\t{}",
            self.tag,
            self.change.bytes(),
            self.change.allocs(),
            rate(self.bytes_per_hour),
            rate(self.allocs_per_hour),
            self.description
        )
    }
}
