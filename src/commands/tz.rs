//! `.tz`: the zone in which times are shown. Ours: kd knows only the zone of its own machine.

use crate::command::signature::{Item, Kind};
use crate::command::{Args, Command, Example, Grammar, KdLine, Row, Sink, Topic, clock};
use crate::session::Session;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use rkd_dump::error::{Error, Result};

/// `.tz`: show or set the time zone in which times are shown.
pub static COMMAND: Command = Command {
    name: ".tz",
    aliases: &[],
    rhai: "",
    topic: Topic::Session,
    summary: "show or set the time zone in which times are shown",
    grammar: Grammar::of(&[Item::optional("Zone | local", Kind::Text, "a name (Asia/Shanghai, UTC), a distance to UTC (+8, -5:30), or local for the zone of this machine")]),
    help: "\
kd shows every time in the zone of the machine that it runs on, so that the same dump gives different text in different
places. .tz shows the zone in use, and sets another one. The variable TZ overrides the zone of this machine.",
    examples: &[
        Example { line: ".tz", shows: "the zone in use", output: "Time zone: Asia/Shanghai (UTC + 8:00)" },
        Example {
            line: ".tz -5:30; .time; .tz Asia/Shanghai",
            shows: "the same moment elsewhere",
            output: "\
Time zone: UTC - 5:30
Debug session time: Sun Dec 10 08:18:36.492 2023 (UTC - 5:30)
System Uptime: 0 days 3:12:47.203
Time zone: Asia/Shanghai (UTC + 8:00)",
        },
    ],
    rows: &[Zone::SCHEMA],
    run,
};

fn run(session: &mut Session, args: &Args, out: &mut dyn Sink) -> Result<()> {
    let text = args.text("Zone | local").unwrap_or_default();
    if !text.is_empty() {
        session.display.time_zone = parse(text)?;
    }
    let ticks = session.target.kernel.located().system_time.get();
    let at = ticks.and_then(clock::moment).unwrap_or_else(Timestamp::now);
    out.row(&Zone {
        name: session.display.time_zone.iana_name(),
        utc_offset_seconds: session.display.time_zone.to_offset(at).seconds(),
    })
}

/// A zone by what a person calls it.
///
/// # Errors
/// [`Error::NotFound`] for a name that this machine's list of zones does not hold.
pub fn parse(text: &str) -> Result<TimeZone> {
    if text.eq_ignore_ascii_case("local") {
        return Ok(TimeZone::system());
    }
    if let Some(seconds) = distance(text) {
        return Ok(TimeZone::fixed(seconds));
    }
    TimeZone::get(text).map_err(|_| {
        Error::NotFound(format!(
            "There is no time zone '{text}': try Asia/Shanghai, UTC, +8, -5:30 or local."
        ))
    })
}

/// `+8`, `-5:30`, `UTC+8`.
fn distance(text: &str) -> Option<Offset> {
    let text = text.strip_prefix("UTC").unwrap_or(text).trim_start();
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest
        .trim_start()
        .split_once(':')
        .unwrap_or((rest.trim(), "0"));
    let (hours, minutes): (i32, i32) = (
        hours.parse::<u8>().ok()?.into(),
        minutes.parse::<u8>().ok()?.into(),
    );
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// The time zone in use.
#[derive(Row)]
#[row(kind = "time_zone")]
struct Zone<'a> {
    /// The name of the zone; empty for a mere distance to UTC.
    name: Option<&'a str>,
    /// How far its clocks are ahead of UTC when the dump was written.
    utc_offset_seconds: i32,
}

impl KdLine for Zone<'_> {
    fn line(&self) -> String {
        let distance = clock::distance(self.utc_offset_seconds);
        match self.name {
            Some(name) => format!("Time zone: {name} ({distance})"),
            None => format!("Time zone: {distance}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_to_utc() {
        for (text, seconds) in [
            ("+8", 28800),
            ("-5:30", -19800),
            ("UTC+8", 28800),
            ("UTC + 8:00", 28800),
            ("+0", 0),
            ("- 3", -10800),
        ] {
            assert_eq!(
                distance(text).map(|offset| offset.seconds()),
                Some(seconds),
                "{text}"
            );
        }
        for text in ["8", "+", "+x", "+99", "é", "+1:2:3", "+300"] {
            assert_eq!(distance(text), None, "{text}");
        }
        assert!(parse("Nowhere/Atall").is_err());
    }
}
