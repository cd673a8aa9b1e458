//! `.time`: when the dump was written, and how long Windows had run.

use super::vertarget;
use crate::command::{Args, Command, Completes, Example, Record, Row, Sink, Topic, Value, clock};
use crate::session::Session;
use rkd_dump::error::Result;
use rkd_kernel::target::Target;

/// See the module.
pub static COMMAND: Command = Command {
    name: ".time",
    aliases: &[],
    rhai: "time",
    topic: Topic::Target,
    summary: "when the dump was written, and how long Windows had run",
    usage: ".time",
    help: "\
Shows when the dump was written, in the zone that .tz shows, and how long Windows had run until then. Both come from the
dump's header; a line that the header has nothing for is left out, as in kd.",
    completes: Completes::Nothing,
    examples: &[Example { line: ".time", shows: "the two times", output: "\
Debug session time: Sun Dec 10 21:48:36.492 2023 (UTC + 8:00)
System Uptime: 0 days 3:12:47.203" }],
    run,
};

fn run(session: &mut Session, _: &Args, out: &mut dyn Sink) -> Result<()> {
    let target = Target::of(&session.kernel);
    let local = target
        .time
        .and_then(|ticks| clock::filetime(ticks, &session.time_zone));
    out.row(&Time {
        local,
        text: vertarget::times(session, &target).join("\n"),
        target,
    })
}

struct Time {
    target: Target,
    local: Option<String>,
    text: String,
}

impl Row for Time {
    fn kind(&self) -> &'static str {
        "time"
    }

    fn record(&self) -> Record {
        let absent = || Value::Absent("the dump's header does not say".into());
        vec![
            (
                "written_filetime",
                self.target.time.map_or_else(absent, Value::U64),
            ),
            (
                "written_local",
                self.local.clone().map_or_else(absent, Value::Str),
            ),
            (
                "uptime_100ns",
                self.target.uptime.map_or_else(absent, Value::U64),
            ),
        ]
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}
