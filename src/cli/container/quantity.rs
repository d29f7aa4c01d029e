//! Numbers, times and policies as Docker's flags have them.

use std::time::Duration;

use crate::model::{MemorySwap, RestartPolicy, StopTimeout};

/// Seconds; a negative number means never.
pub(super) fn grace(text: &str) -> Result<StopTimeout, String> {
    match text.parse::<i64>() {
        Ok(seconds) => {
            let after = |seconds| StopTimeout::After(Duration::from_secs(seconds));
            Ok(u64::try_from(seconds).map_or(StopTimeout::Never, after))
        }
        Err(_) => Err("a number of seconds is wanted, or -1 for never".into()),
    }
}

/// `64m`, `1g`, `512k`, `100`: Docker's units are powers of 1024.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || "a size is wanted like 64m or 1g (in units of 1024)".to_owned();
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match lower[digits.len()..].trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong()),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 =
        if part.is_empty() { 0 } else { part.get(..3).unwrap_or(part).parse().map_err(|_| wrong())? };
    let scale = 10_u64
        .pow(u32::try_from(digits.split_once('.').map_or(0, |(_, part)| part.len().min(3))).unwrap_or(0));
    let size = whole.checked_mul(1 << unit).and_then(|size| size.checked_add((part << unit) / scale));
    size.filter(|size| *size > 0).ok_or_else(wrong)
}

/// What Docker takes to be the least that a process can be set up with.
const LEAST_MEMORY: u64 = 6 << 20;

/// A limit on memory.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    let size = bytes(text)?;
    if size < LEAST_MEMORY { Err("minimum memory limit allowed is 6MB".into()) } else { Ok(size) }
}

/// Memory and swap together; -1 for no limit.
pub(super) fn swap(text: &str) -> Result<MemorySwap, String> {
    if text == "-1" { Ok(MemorySwap::Unlimited) } else { bytes(text).map(MemorySwap::Both) }
}

/// A share of a CPU, in the numbers of v1.
pub(super) fn shares(text: &str) -> Result<u32, String> {
    let shares = text.parse().ok().filter(|shares| (2..=262_144).contains(shares));
    shares.ok_or_else(|| "a number from 2 to 262144 is wanted, where 1024 is usual".into())
}

/// `0.5`: CPUs, held in thousandths. More than there are cannot be had.
pub(super) fn cpus(text: &str) -> Result<u32, String> {
    let wanted = thousandths(text)?;
    let there = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_ONLN).ok().flatten();
    match there.and_then(|count| u32::try_from(count).ok()) {
        Some(count) if wanted > count.saturating_mul(1000) => {
            Err(format!("range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available"))
        }
        _ => Ok(wanted),
    }
}

fn thousandths(text: &str) -> Result<u32, String> {
    let wrong = || "a number of CPUs is wanted like 0.5 or 2".to_owned();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let part: u32 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
    let all = whole.checked_mul(1000).and_then(|all| all.checked_add(part));
    all.filter(|all| *all > 0).ok_or_else(wrong)
}

/// How many processes.
pub(super) fn count(text: &str) -> Result<u32, String> {
    let count = text.parse::<u32>().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "a number of processes from 1 on is wanted".into())
}

/// `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:3`.
pub(super) fn policy(text: &str) -> Result<RestartPolicy, String> {
    let wrong = || "no, on-failure[:N], always or unless-stopped is wanted".to_owned();
    match text.split_once(':').unwrap_or((text, "")) {
        ("no", "") => Ok(RestartPolicy::No),
        ("always", "") => Ok(RestartPolicy::Always),
        ("unless-stopped", "") => Ok(RestartPolicy::UnlessStopped),
        ("on-failure", "") => Ok(RestartPolicy::OnFailure { max: 0 }),
        ("on-failure", max) => max.parse().map(|max| RestartPolicy::OnFailure { max }).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// `1m30s`, `500ms`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "a duration is wanted like 30s or 1m30s".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_units_of_1024_as_dockers_are() {
        for (text, size) in [
            ("100", 100),
            ("1k", 1 << 10),
            ("64m", 64 << 20),
            ("1.5g", 3 << 29),
            ("2GiB", 2 << 30),
            ("3kb", 3 << 10),
        ] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "m", "1x", "-1", "0", "1.m.2"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_are_what_the_host_can_keep() {
        assert_eq!(memory("6m"), Ok(6 << 20));
        assert!(memory("5m").is_err_and(|said| said.contains("minimum memory limit")));
        assert_eq!(cpus("0.5"), Ok(500));
        assert!(cpus("1000000").is_err_and(|said| said.contains("range of CPUs")));
    }

    #[test]
    fn a_negative_grace_period_never_ends() {
        assert_eq!(grace("-1"), Ok(StopTimeout::Never));
        assert_eq!(grace("0"), Ok(StopTimeout::After(Duration::ZERO)));
        assert!(grace("soon").is_err());
    }

    #[test]
    fn policies_are_dockers() {
        assert_eq!(policy("on-failure:3"), Ok(RestartPolicy::OnFailure { max: 3 }));
        assert_eq!(policy("unless-stopped"), Ok(RestartPolicy::UnlessStopped));
        assert!(policy("always:3").is_err() && policy("on-failure:x").is_err());
    }
}
