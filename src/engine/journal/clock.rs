//! Two clocks: one for lengths of time, which nobody sets, and one for people.

use std::time::{Duration, Instant, SystemTime};
use std::{fmt, fs};

use serde::{Deserialize, Serialize};

/// Which of the host's lives this is: a number that it draws when it comes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(u128);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// When something was, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// In which of the host's lives.
    pub boot: BootId,
    /// How long that had lasted.
    pub since_boot: Duration,
    /// What the clock on the wall said, which may be set at any time.
    pub wall: SystemTime,
}

/// What tells the time.
pub trait Clock {
    /// Now.
    fn now(&self) -> Moment;
}

/// This host's clocks.
#[derive(Clone, Copy, Debug)]
pub struct HostClock {
    boot: BootId,
    began: Instant,
    /// How long the host had been up then.
    up: Duration,
}

impl Moment {
    /// How long it took from `earlier` to here; none over a reboot, which nobody has measured.
    pub fn since(&self, earlier: &Self) -> Option<Duration> {
        (self.boot == earlier.boot).then(|| self.since_boot.saturating_sub(earlier.since_boot))
    }
}

impl HostClock {
    /// Finds out which life of the host this is. Tests stage another one with `TERRARIUM_BOOT_ID`.
    pub fn new() -> Self {
        let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let text = std::env::var("TERRARIUM_BOOT_ID").unwrap_or_else(|_| read());
        let boot = u128::from_str_radix(&text.trim().replace('-', ""), 16).unwrap_or_default();
        let up = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let up = up.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0.0);
        Self { boot: BootId(boot), began: Instant::now(), up: Duration::from_secs_f64(up) }
    }
}

impl Default for HostClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for HostClock {
    fn now(&self) -> Moment {
        Moment { boot: self.boot, since_boot: self.up + self.began.elapsed(), wall: SystemTime::now() }
    }
}
