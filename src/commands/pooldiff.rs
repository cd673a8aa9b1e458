//! `!pooldiff`: which tags grew between another look at the same machine and this dump. Ours.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic};
use crate::commands::poolused::Description;
use crate::session::Session;
use rkd_dump::Dump;
use rkd_dump::error::{Error, Result};
use rkd_kernel::Kernel;
use rkd_kernel::growth::lists::{self, List};
use rkd_kernel::growth::{Changes, Growth, Held, Look, TagHeld, growth, hours, same_boot};
use rkd_kernel::pool::Tag;
use rkd_kernel::pool::tracker::tracker;
use std::path::{Path, PathBuf};

/// A log of PoolMon grows by some 100 KB an hour; what is larger is a raw image of memory, or nothing of the kind.
const MAX_LIST_BYTES: u64 = 256 << 20;

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
<<<<<<< HEAD
Compares the pool tags of this dump with those of another one of the same machine, or with a list that another program wrote:
  - a log of PoolMon (poolmon -n FILE), with /g too
  - the text of !poolused, of kd or of rkd, in a log or pasted and quoted
  - rows of !poolused as JSON, JSON Lines or CSV; these alone keep tags with bytes that are no letters
  - a table of PoolMonX, System Informer or a script: CSV, tab-separated, or in columns with headings
UTF-16, UTF-8 and Windows-1252 are read, and digits that are grouped as anywhere. A unit in a heading (NP_MB, UsedGB, KBytes) is
scaled, 1 KB being 1024 bytes; a heading whose unit is not known is refused. A table without headings, as PoolMonX v3 saves it, is
understood by the dump beside it. Of several lists in one file the last is taken; FILE#2 names the second.

Growth is in bytes and in outstanding allocations, and per hour of uptime when both are dumps. The tags that grew most come first;
TagCount (decimal, 20 without it) says how many. A figure that a list does not give is absent, not zero: a tag that is not in a list
does not appear, and a note counts these tags.
||||||| parent of 61e81ba (Bind seven more commands by their signatures, and show in the help what each flag and argument is)
Compares the pool tags of this dump with those of another one of the same machine, or with what another program saw: a log of
PoolMon (poolmon -n FILE), a table of PoolMonX or System Informer, or the CSV of rkd's own !poolused. Growth is in bytes and in
outstanding allocations, and per hour of uptime when both are dumps. The tags that grew most come first; TagCount (decimal, 20
without it) says how many. A table without headings, as PoolMonX v3 saves it, is understood by the dump beside it.
=======
Compares the pool tags of this dump with those of another one of the same machine, or with what another program saw: a log of
PoolMon (poolmon -n FILE), a table of PoolMonX or System Informer, or the CSV of rkd's own !poolused. Growth is in bytes and in
outstanding allocations, and per hour of uptime when both are dumps. The tags that grew most come first, 20 unless TagCount says
how many. A table without headings, as PoolMonX v3 saves it, is understood by the dump beside it.
>>>>>>> 61e81ba (Bind seven more commands by their signatures, and show in the help what each flag and argument is)

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
    let remarks = other.remarks;
    let other = other.look;
    let turned = matches!((here.uptime, other.uptime), (Some(here), Some(other)) if other > here);
    let (before, after) = if turned {
        (&here, &other)
    } else {
        (&other, &here)
    };
    let Changes { tags, unknown } = growth(before, after);
    let hours = hours(before, after);
    out.table(GrowthRow::SCHEMA)?;
    out.text(" Tag      Change in bytes    Allocs      Bytes per hour   Allocs per hour")?;
    for change in tags.iter().take(most) {
        out.row(&GrowthRow::of(session, change, hours))?;
    }
    for remark in remarks {
        out.note(&remark.to_string())?;
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
    if tags.len() > most {
        out.note(&format!(
            "the first {most} of {} tags that changed are shown",
            tags.len()
        ))?;
    }
    unlisted(&unknown).map_or(Ok(()), |note| out.note(&note))
}

/// How many tags a list lacks, and what they hold.
fn unlisted(unknown: &[TagHeld]) -> Option<String> {
    let of = |held: &TagHeld| {
        let bytes = |held: Held| held.bytes.unwrap_or(0);
        bytes(held.nonpaged).saturating_add(bytes(held.paged))
    };
    let bytes = unknown.iter().map(of).fold(0, u64::saturating_add);
    (!unknown.is_empty()).then(|| {
        format!(
            "{} tags are not in the list, which may be a part of one: whether these grew is not known. They hold {bytes} bytes",
            unknown.len()
        )
    })
}

/// Hands over how every tag changed.
///
/// # Errors
/// Those of the sink.
pub fn compare(session: &Session, before: &Look, after: &Look, out: &mut dyn Sink) -> Result<()> {
    let hours = hours(before, after);
    let Changes { tags, unknown } = growth(before, after);
    for change in &tags {
        out.row(&GrowthRow::of(session, change, hours))?;
    }
    unlisted(&unknown).map_or(Ok(()), |note| out.note(&note))
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
        tags: tracker(kernel)?
            .tags
            .into_iter()
            .map(TagHeld::from)
            .collect(),
        whole: true,
        uptime,
        booted,
    })
}

/// What a file says of the pools of a machine: a dump, or a list that a program wrote. `FILE#2` is the second of several lists in
/// a file, unless a file has that very name.
///
/// # Errors
/// When it is neither, or a dump that does not say.
pub fn other_look(session: &Session, path: &Path, near: &Look) -> Result<List> {
    let (path, which) = numbered(path);
    let path = path.as_path();
    let mut start = [0; 8];
    let is_dump = std::fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start))
        .is_ok_and(|()| start.starts_with(b"PAGE"));
    match Dump::open(path) {
        Ok(dump) => {
            return Ok(List {
                look: look(&Kernel::open(dump, &session.target.options()))?,
                remarks: Vec::new(),
            });
        }
        Err(why) if is_dump => return Err(why),
        // A list of tags is none, of course.
        Err(_) => {}
    }
    let refused = |reason: String| Error::File {
        path: path.to_path_buf(),
        reason: format!("neither a dump nor a list of pool tags: {reason}"),
    };
    let size = std::fs::metadata(path).map_err(|source| Error::open(path, source))?;
    if size.len() > MAX_LIST_BYTES {
        return Err(refused(format!(
            "{} bytes are too many for a list",
            size.len()
        )));
    }
    let bytes = std::fs::read(path).map_err(|source| Error::open(path, source))?;
    lists::read(&bytes, near, which).map_err(|why| refused(why.to_string()))
}

/// A file, and the number behind its name.
fn numbered(path: &Path) -> (PathBuf, Option<usize>) {
    let split = || {
        let (name, number) = path.to_str()?.rsplit_once('#')?;
        Some((PathBuf::from(name), Some(number.parse().ok()?)))
    };
    match path.exists() {
        true => None,
        false => split(),
    }
    .unwrap_or_else(|| (path.to_path_buf(), None))
}

/// How a tag changed between two looks at a machine.
#[derive(Row)]
#[row(kind = "tag_growth", absent = "one of the two does not say")]
struct GrowthRow {
    /// The tag.
    tag: Tag,
    /// How much more nonpaged pool it holds.
    nonpaged_bytes: Option<i64>,
    /// How many more allocations of nonpaged pool it holds.
    nonpaged_allocs: Option<i64>,
    /// How much more paged pool it holds.
    paged_bytes: Option<i64>,
    /// How many more allocations of paged pool it holds.
    paged_allocs: Option<i64>,
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

impl GrowthRow {
    fn of(session: &Session, change: &Growth, hours: Option<f64>) -> GrowthRow {
        let per_hour = |change: Option<i64>| Some((change? as f64 / hours?) as i64);
        GrowthRow {
            tag: change.tag,
            nonpaged_bytes: change.nonpaged_bytes,
            nonpaged_allocs: change.nonpaged_allocs,
            paged_bytes: change.paged_bytes,
            paged_allocs: change.paged_allocs,
            bytes_per_hour: per_hour(change.bytes()),
            allocs_per_hour: per_hour(change.allocs()),
            description: Description::of(session, change.tag),
            change: *change,
        }
    }
}

impl KdLine for GrowthRow {
    fn line(&self) -> String {
        let figure =
            |figure: Option<i64>| figure.map_or("-".to_string(), |figure| figure.to_string());
        format!(
            " {:<4} {:>19} {:>9} {:>19} {:>17}\t{}",
            self.tag,
            figure(self.change.bytes()),
            figure(self.change.allocs()),
            figure(self.bytes_per_hour),
            figure(self.allocs_per_hour),
            self.description
        )
    }
}
