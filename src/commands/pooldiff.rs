//! `!pooldiff`: which tags grew between another look at the same machine and this dump. Ours.

use crate::analysis::growth::{Growth, Look, growth, hours, read_poolmon, same_boot};
use crate::command::{Args, Command, Completes, Example, Record, Row, Sink, Topic, Value};
use crate::dump::Dump;
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernel::pool::tracker::tracker;
use crate::session::Session;
use std::path::Path;

/// See the module.
pub static COMMAND: Command = Command {
    name: "!pooldiff",
    aliases: &[],
    rhai: "pooldiff",
    topic: Topic::Pool,
    summary: "which tags grew since another dump of the machine",
    usage: "!pooldiff FILE [TagCount]",
    help: "\
Compares the pool tags of this dump with those of an earlier one of the same machine, or with a log of PoolMon (poolmon -n FILE):
growth in bytes and in outstanding allocations, and per hour of uptime when both are dumps. The tags that grew most come first;
TagCount (decimal, 20 without it) says how many.

A single dump cannot tell a leak from a heavy load. If the other dump is the later one, the figures are turned round.
This command is rkd's own.",
    completes: Completes::Files,
    examples: &[Example {
        line: "!pooldiff",
        shows: "what it wants",
        output: "\
!pooldiff wants the other dump
Usage: !pooldiff FILE [TagCount]",
    }],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let usage = |why: String| Error::Syntax(format!("{why}\nUsage: {}", COMMAND.usage));
    let words = args.words();
    let (file, most) = match words.as_slice() {
        [file] => (file, 20),
        [file, most] => (
            file,
            most.parse()
                .map_err(|_| usage(format!("'{most}' is no number of tags")))?,
        ),
        _ => return Err(usage("!pooldiff wants the other dump".into())),
    };
    if !session.may_touch_files {
        return Err(Error::Absent("a script may not open files".into()));
    }
    let here = look(&session.kernel)?;
    let other = other_look(session, Path::new(file))?;
    let turned = matches!((here.uptime, other.uptime), (Some(here), Some(other)) if other > here);
    let (before, after) = if turned {
        (&here, &other)
    } else {
        (&other, &here)
    };
    let hours = hours(before, after);
    let changes = growth(before, after);
    out.text(" Tag      Change in bytes    Allocs      Bytes per hour")?;
    for change in changes.iter().take(most) {
        out.row(&GrowthRow {
            change: *change,
            hours,
            description: session.tag_names.describe(change.tag),
        })?;
    }
    if turned {
        out.note("the other dump is the later one: the figures say what grew after this dump")?;
    }
    match same_boot(before, after) {
        Some(false) => out.note(
            "the two dumps are of different runs of Windows: growth between them says little",
        )?,
        None => {
            out.note("the other file does not say how long the machine had run: there is no rate")?
        }
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

fn look(kernel: &Kernel) -> Result<Look> {
    let header = kernel.dump().header();
    let uptime = header.system_up_time;
    let booted = header
        .system_time
        .zip(uptime)
        .and_then(|(time, uptime)| time.checked_sub(uptime));
    Ok(Look {
        tags: tracker(kernel)?.tags,
        uptime,
        booted,
    })
}

fn other_look(session: &Session, path: &Path) -> Result<Look> {
    let mut start = [0; 8];
    let is_dump = std::fs::File::open(path)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start))
        .is_ok_and(|()| start.starts_with(b"PAGE"));
    if is_dump {
        return look(&Kernel::open(Dump::open(path)?, &session.options()));
    }
    let bytes = std::fs::read(path).map_err(|source| Error::Open {
        path: path.to_path_buf(),
        source,
    })?;
    read_poolmon(&String::from_utf8_lossy(&bytes)).map_err(|error| Error::File {
        path: path.to_path_buf(),
        reason: format!("neither a dump nor a log of PoolMon: {error}"),
    })
}

struct GrowthRow {
    change: Growth,
    hours: Option<f64>,
    description: String,
}

impl GrowthRow {
    fn per_hour(&self) -> Option<i64> {
        self.hours
            .map(|hours| (self.change.bytes() as f64 / hours) as i64)
    }
}

impl Row for GrowthRow {
    fn kind(&self) -> &'static str {
        "tag_growth"
    }

    fn record(&self) -> Record {
        let change = &self.change;
        vec![
            ("tag", change.tag.to_string().into()),
            ("nonpaged_bytes", change.nonpaged_bytes.into()),
            ("nonpaged_allocs", change.nonpaged_allocs.into()),
            ("paged_bytes", change.paged_bytes.into()),
            ("paged_allocs", change.paged_allocs.into()),
            (
                "bytes_per_hour",
                self.per_hour().map_or(
                    Value::Absent("no time between the two is known".into()),
                    Value::I64,
                ),
            ),
            ("description", self.description.trim_end().into()),
        ]
    }

    fn text(&self) -> String {
        let rate = self
            .per_hour()
            .map_or("-".to_string(), |rate| rate.to_string());
        format!(
            " {:<4} {:>19} {:>9} {rate:>19}\t{}",
            self.change.tag,
            self.change.bytes(),
            self.change.allocs(),
            self.description
        )
    }
}
