//! One line of a journal: `CHECKSUM JSON`.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::clock::{BootId, Moment};
use crate::model::{Command, HostFacts, Observation, Ticket};

/// What went into the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The first of all.
    Opened(Opening),
    /// Somebody asked for something.
    Asked(Ticket, Command),
    /// The world saw something.
    Seen(Observation),
    /// The keeper was killed.
    KeeperLost,
    /// The host went down and came up again.
    Woke,
    /// In place of all that was before: what it had come to.
    Compacted(Box<Account>),
}

/// What a journal begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The version of this format.
    pub version: u32,
    /// Whose it is.
    pub id: String,
    /// What the host could do, as the model was told.
    pub facts: HostFacts,
}

/// The version that this program writes and reads.
pub(super) const VERSION: u32 = 1;

/// An input with its time. The host's life is only written where it is another one than before.
#[derive(Debug, Serialize, Deserialize)]
struct Line<I> {
    wall: Duration,
    up: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<BootId>,
    input: I,
}

/// Digits of the checksum.
const DIGITS: usize = 8;

/// The line, with its end.
pub(super) fn write(input: &Input, at: Moment, boot_before: Option<BootId>) -> serde_json::Result<String> {
    let wall = at.wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let boot = (boot_before != Some(at.boot)).then_some(at.boot);
    let json = serde_json::to_string(&Line { wall, up: at.since_boot, boot, input })?;
    Ok(format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())))
}

/// Reads a line without its end; none if it is not as it was written.
pub(super) fn read(line: &[u8], boot_before: Option<BootId>) -> Option<(Moment, Input)> {
    let (checksum, json) = line.split_at_checked(DIGITS)?;
    let json = json.strip_prefix(b" ")?;
    let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
    if crc32fast::hash(json) != checksum {
        return None;
    }
    let line: Line<Input> = serde_json::from_slice(json).ok()?;
    // No clock has ever shown what is too far away for it.
    let wall = SystemTime::UNIX_EPOCH.checked_add(line.wall)?;
    Some((Moment { boot: line.boot.or(boot_before)?, since_boot: line.up, wall }, line.input))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> String {
        format!("{:08x} {json}", crc32fast::hash(json.as_bytes()))
    }

    #[test]
    fn a_time_that_no_clock_has_shown_is_damage_and_no_reason_to_panic() {
        let at = |seconds: u64| {
            let wall = format!(r#"{{"secs":{seconds},"nanos":0}}"#);
            line(&format!(r#"{{"wall":{wall},"up":{{"secs":1,"nanos":0}},"boot":7,"input":"Woke"}}"#))
        };
        assert!(read(at(1).as_bytes(), None).is_some());
        assert!(read(at(u64::MAX).as_bytes(), None).is_none());
    }
}
