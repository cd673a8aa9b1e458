//! How kd writes times: always in the zone of the person who reads, with the distance to UTC beside it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds from 1601, where a FILETIME begins, to 1970.
const UNIX_EPOCH: i64 = 11_644_473_600;
/// Units of a FILETIME in a second.
const TICKS: u64 = 10_000_000;

/// `Fri Aug  2 22:38:33.721 2019 (UTC + 8:00)`, from a FILETIME in UTC; `None` when no calendar has it.
pub fn filetime(ticks: u64, zone: &TimeZone) -> Option<String> {
    let local = moment(ticks)?.to_zoned(zone.clone());
    let milliseconds = ticks % TICKS / 10_000;
    Some(format!(
        "{}.{milliseconds:03} {} ({})",
        local.strftime("%a %b %e %H:%M:%S"),
        local.strftime("%Y"),
        distance(local.offset().seconds())
    ))
}

/// The second in which a FILETIME lies; `None` when no calendar has it.
pub fn moment(ticks: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(ticks / TICKS).ok()? - UNIX_EPOCH).ok()
}

/// `Fri Sep 30 00:17:31 2022`, from seconds since 1970 in UTC; `None` when they are more than 31 bits, as in kd.
pub fn seconds(seconds: u64, zone: &TimeZone) -> Option<String> {
    let seconds = i32::try_from(seconds).ok()?;
    let local = Timestamp::from_second(seconds.into())
        .ok()?
        .to_zoned(zone.clone());
    Some(local.strftime("%a %b %e %H:%M:%S %Y").to_string())
}

/// `5 days 18:17:47.912`, from units of 100 ns. The hours have no leading zero.
pub fn uptime(ticks: u64) -> String {
    let seconds = ticks / TICKS;
    format!(
        "{} days {}:{:02}:{:02}.{:03}",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        ticks % TICKS / 10_000
    )
}

/// `UTC + 8:00`, from seconds east of UTC.
pub fn distance(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("UTC {sign} {}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::offset;

    #[test]
    fn the_times_of_kds_banners() {
        let china = TimeZone::fixed(offset(8));
        assert_eq!(
            filetime(132092303137210000, &china).as_deref(),
            Some("Fri Aug  2 22:38:33.721 2019 (UTC + 8:00)")
        );
        assert_eq!(
            seconds(0x6335_c51b, &china).as_deref(),
            Some("Fri Sep 30 00:17:31 2022")
        );
        assert_eq!(
            seconds(0x6335_c51b, &TimeZone::UTC).as_deref(),
            Some("Thu Sep 29 16:17:31 2022")
        );
        assert_eq!(uptime(4978679120000), "5 days 18:17:47.912");
        assert_eq!(uptime(529_190_000), "0 days 0:00:52.919");
    }

    #[test]
    fn times_that_no_calendar_has() {
        assert_eq!(filetime(u64::MAX, &TimeZone::UTC), None);
        assert_eq!(seconds(0x8000_0000, &TimeZone::UTC), None);
        assert_eq!(
            filetime(0, &TimeZone::UTC).as_deref(),
            Some("Mon Jan  1 00:00:00.000 1601 (UTC + 0:00)")
        );
    }

    #[test]
    fn distances() {
        assert_eq!(distance(0), "UTC + 0:00");
        assert_eq!(distance(-5 * 3600), "UTC - 5:00");
        assert_eq!(distance(5 * 3600 + 1800), "UTC + 5:30");
    }
}
