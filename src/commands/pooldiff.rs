//! `!pooldiff`: which tags grew between another look at the same machine and this dump. Ours.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, Record, Row, Sink, Topic, Value};
use crate::session::Session;
use rkd_dump::Dump;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_kernel::growth::{Growth, Look, growth, hours, logs, same_boot};
use rkd_kernel::pool::tracker::tracker;
use std::path::Path;

/// See the module.
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
    rows: &[],
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
    let row = |change: Growth| GrowthRow {
        change,
        hours,
        description: session.target.tag_names.describe(change.tag),
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

/// How a tag changed.
pub struct GrowthRow {
    /// The change.
    pub change: Growth,
    /// Hours between the two looks, where that is known.
    pub hours: Option<f64>,
    /// What the tag stands for.
    pub description: String,
}

impl GrowthRow {
    fn per_hour(&self, change: i64) -> Option<i64> {
        self.hours.map(|hours| (change as f64 / hours) as i64)
    }
}

impl Row for GrowthRow {
    fn kind(&self) -> &'static str {
        "tag_growth"
    }

    fn record(&self) -> Record {
        let change = &self.change;
        let rate = |rate: Option<i64>| {
            let why = "no time between the two is known";
            rate.map_or(Value::Absent(why.into()), Value::I64)
        };
        vec![
            ("tag", change.tag.to_string().into()),
            ("nonpaged_bytes", change.nonpaged_bytes.into()),
            ("nonpaged_allocs", change.nonpaged_allocs.into()),
            ("paged_bytes", change.paged_bytes.into()),
            ("paged_allocs", change.paged_allocs.into()),
            ("bytes_per_hour", rate(self.per_hour(change.bytes()))),
            ("allocs_per_hour", rate(self.per_hour(change.allocs()))),
            ("description", self.description.trim_end().into()),
        ]
    }

    fn text(&self) -> String {
        let rate = |change: i64| {
            self.per_hour(change)
                .map_or("-".to_string(), |r| r.to_string())
        };
        format!(
            " {:<4} {:>19} {:>9} {:>19} {:>17}\t{}",
            self.change.tag,
            self.change.bytes(),
            self.change.allocs(),
            rate(self.change.bytes()),
            rate(self.change.allocs()),
            self.description
        )
    }
}
