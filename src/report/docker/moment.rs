//! Moments, as Docker writes and reads them. All of them in UTC: it is the same everywhere.

use std::time::{Duration, SystemTime};

use thiserror::Error;

/// A moment by the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Calendar {
    year: i64,
    month: i64,
    day: i64,
    seconds: i64,
    nanos: u32,
}

/// Why a text is no moment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "cannot read the time `{0}` (write it like 10m, 1h30m, 2026-02-14, 2026-02-14T09:30:00Z, or as seconds since 1970)"
)]
pub struct InvalidMoment(String);

const DAY: i64 = 86_400;
/// What stands for a moment that never was.
pub const NEVER: &str = "0001-01-01T00:00:00Z";

/// `2026-02-14T09:30:00.123Z`: as many digits as it takes.
pub fn exact(at: SystemTime) -> String {
    let Calendar { nanos, .. } = calendar(at);
    let digits = format!("{nanos:09}");
    let digits = digits.trim_end_matches('0');
    let fraction = if digits.is_empty() { String::new() } else { format!(".{digits}") };
    format!("{}T{}{fraction}Z", date(at), clock(at))
}

/// `2026-02-14T09:30:00.123000000Z`: always nine digits.
pub fn fixed(at: SystemTime) -> String {
    format!("{}T{}.{:09}Z", date(at), clock(at), calendar(at).nanos)
}

/// `2026-02-14 09:30:00 +0000 UTC`.
pub fn spelled(at: SystemTime) -> String {
    format!("{} {} +0000 UTC", date(at), clock(at))
}

/// `2026-02-14`.
pub fn date(at: SystemTime) -> String {
    let Calendar { year, month, day, .. } = calendar(at);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `09:30:00`.
pub fn clock(at: SystemTime) -> String {
    let seconds = calendar(at).seconds;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Since 1970.
pub fn since_epoch(at: SystemTime) -> Duration {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Reads what `--since` and `--until` take: a span before `now`, a moment by the calendar, or seconds since 1970.
pub fn read(text: &str, now: SystemTime) -> Result<SystemTime, InvalidMoment> {
    let found = seconds(text).or_else(|| by_calendar(text)).or_else(|| before(text, now));
    found.ok_or_else(|| InvalidMoment(text.into()))
}

fn seconds(text: &str) -> Option<SystemTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let since = Duration::new(whole.parse().ok()?, format!("{fraction:0<9}").parse().ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// `1h30m`, `10m`, `1.5s`, `250ms`; ahead of now with a minus, as Go has it.
fn before(text: &str, now: SystemTime) -> Option<SystemTime> {
    let (ahead, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, behind) = rest.split_at(digits);
        let length =
            behind.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(behind.len());
        let unit = match &behind[..length] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        sum = sum.checked_add(Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()?)?;
        rest = &behind[length..];
    }
    if ahead { now.checked_add(sum) } else { now.checked_sub(sum) }
}

fn by_calendar(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if date.len() != 10 || !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let (time, east) = offset(time)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut seconds = 0;
    let units = [3600, 60, 1];
    let limits = [24, 60, 61];
    let parts: Vec<&str> = if time.is_empty() { Vec::new() } else { time.split(':').collect() };
    if parts.len() > 3 || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    for (nth, part) in parts.iter().enumerate() {
        let number: i64 = part.parse().ok().filter(|number| (0..limits[nth]).contains(number))?;
        seconds += number * units[nth];
    }
    let since = u64::try_from(days(year, month, day) * DAY + seconds - east).ok()?;
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(since, nanos))
}

/// The time without its zone, and how many seconds that lies to the east.
fn offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (time, zone) = time.split_at(at);
    let (hours, minutes) = zone[1..].split_once(':')?;
    let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
    let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
    Some((time, if zone.starts_with('-') { -seconds } else { seconds }))
}

fn calendar(at: SystemTime) -> Calendar {
    let since = since_epoch(at);
    let whole = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let (year, month, day) = civil(whole / DAY);
    Calendar { year, month, day, seconds: whole % DAY, nanos: since.subsec_nanos() }
}

/// Days since 1970 of a date. Years begin in March here, so that the odd day of a leap year is their last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, nanos: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
    }

    #[test]
    fn moments_are_written_as_docker_writes_them() {
        let moment = at(1_795_564_576, 64_391_379);
        assert_eq!(fixed(moment), "2026-11-24T23:56:16.064391379Z");
        assert_eq!(exact(at(1_795_564_576, 60_000_000)), "2026-11-24T23:56:16.06Z");
        assert_eq!(exact(at(951_782_400, 0)), "2000-02-29T00:00:00Z");
        assert_eq!(spelled(moment), "2026-11-24 23:56:16 +0000 UTC");
    }

    #[test]
    fn every_day_reads_back() {
        for day in 0..40_000 {
            let noon = at(day * 86_400 + 43_200, 0);
            assert_eq!(read(&exact(noon), at(0, 0)), Ok(noon));
        }
    }

    #[test]
    fn moments_are_read_as_docker_reads_them() {
        let now = at(1_000_000, 0);
        for (text, expected) in [
            ("10m", at(999_400, 0)),
            ("1h30m", at(994_600, 0)),
            ("1.5s", at(999_998, 500_000_000)),
            ("-1s", at(1_000_001, 0)),
            ("1136073845", at(1_136_073_845, 0)),
            ("1136073845.5", at(1_136_073_845, 500_000_000)),
            ("0", at(0, 0)),
            ("1970-01-02", at(86_400, 0)),
            ("1970-01-02T01:00", at(90_000, 0)),
            ("1970-01-02T01:00:01.25Z", at(90_001, 250_000_000)),
            ("1970-01-02T01:00:00+01:00", at(86_400, 0)),
        ] {
            assert_eq!(read(text, now), Ok(expected), "{text}");
        }
        let ages = "18446744073709549568s18446744073709549568s";
        let far = "1970-01-02T01:00+9223372036854775807:00";
        for text in ["", "xx", "10", "10x", "1970-13-01", "1970-01-02T25:00", "-", ages, far] {
            assert_eq!(read(text, now).is_ok(), text == "10", "{text}");
        }
    }
}
