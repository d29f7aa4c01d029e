//! The timers of a container: each is named for what its running out means.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A timer. A container has at most one of each kind, but a grace period for every stop under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Timer {
    /// The grace period of the first (0), second (1), … stop is over: SIGKILL is due.
    Grace(u32),
    /// SIGKILL was sent and no death was seen: send it once more, or give up.
    KillWait,
    /// The wait before the restart policy's next start is over.
    BackOff,
    /// The process has run for so long that its next back-off begins anew.
    SteadyRun,
    /// The next health probe is due.
    Health,
    /// A health probe has taken too long.
    HealthTimeout,
    /// From now on failed health probes count.
    StartPeriod,
}

impl Timer {
    /// The waits of a restart policy's back-off, one after the other.
    pub fn back_offs() -> impl Iterator<Item = Duration> {
        let next = |wait: &Duration| {
            (*wait < LONGEST_BACK_OFF).then(|| (*wait * BACK_OFF_FACTOR).min(LONGEST_BACK_OFF))
        };
        core::iter::successors(Some(FIRST_BACK_OFF), next)
    }
}

/// Docker's `defaultStopTimeout` on Linux.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// How long a death is awaited after the first SIGKILL (moby `daemon/kill.go`).
pub(super) const FIRST_KILL_WAIT: Duration = Duration::from_secs(10);
/// How long a death is awaited after the second SIGKILL (moby `daemon/kill.go`).
pub(super) const SECOND_KILL_WAIT: Duration = Duration::from_secs(2);
/// A run of this length resets the back-off (moby `restartmanager.go`).
pub(super) const STEADY_RUN: Duration = Duration::from_secs(10);
/// The first wait of a back-off (moby `defaultTimeout`).
pub(super) const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
/// Each wait is so many times as long as the one before (moby `backoffMultiplier`).
pub(super) const BACK_OFF_FACTOR: u32 = 2;
/// The longest wait of a back-off (moby `maxRestartTimeout`).
pub(super) const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
