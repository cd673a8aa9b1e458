//! `.time`: when the dump was written, and how long Windows had run.

use super::vertarget;
use crate::command::{Args, Command, Example, Grammar, Row, Sink, Topic, clock};
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_kernel::target::Target;

/// `.time`: when the dump was written, and how long Windows had run.
pub static COMMAND: Command = Command {
    name: ".time",
    aliases: &[],
    rhai: "time",
    topic: Topic::Target,
    summary: "when the dump was written, and how long Windows had run",
    grammar: Grammar::NOTHING,
    help: "\
Shows when the dump was written, in the zone that .tz shows, and how long Windows had run until then. Both come from the
dump's header; a line that the header has nothing for is left out, as in kd.",
    examples: &[Example { line: ".time", shows: "the two times", output: "\
Debug session time: Sun Dec 10 21:48:36.492 2023 (UTC + 8:00)
System Uptime: 0 days 3:12:47.203" }],
    rows: &[Time::SCHEMA],
    run,
};

fn run(session: &mut Session, _: &Args, out: &mut dyn Sink) -> Result<()> {
    let target = Target::of(&session.target.kernel);
    out.row(&Time {
        written_filetime: target.time,
        written_local: target
            .time
            .and_then(|ticks| clock::filetime(ticks, &session.display.time_zone)),
        uptime_100ns: target.uptime,
        line: vertarget::times(session, &target).join("\n"),
    })
}

/// When the dump was written, and how long Windows had run.
#[derive(Row)]
#[row(kind = "time", absent = "the dump's header does not say")]
struct Time {
    /// When the dump was written, in UTC.
    written_filetime: Option<u64>,
    /// The same in the session's time zone.
    written_local: Option<String>,
    /// How long Windows had run.
    uptime_100ns: Option<u64>,
    #[row(skip, line)]
    line: String,
}
