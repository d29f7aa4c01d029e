//! The nine states, their words in Docker's and OCI's language, and a sentence on each.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is none of this name.
    Absent,
    /// Its name and its file system are being claimed and made.
    Creating,
    /// Made, not started.
    Created,
    /// Its process runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// It has been asked to end.
    Stopping,
    /// It has ended and will be started again by its policy.
    Restarting,
    /// Its process has ended.
    Stopped,
    /// It is being taken apart.
    Removing,
    /// Taking it apart failed half-way.
    Dead,
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 10] = [
        Self::Absent,
        Self::Creating,
        Self::Created,
        Self::Running,
        Self::Paused,
        Self::Stopping,
        Self::Restarting,
        Self::Stopped,
        Self::Removing,
        Self::Dead,
    ];

    /// Our word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
            Self::Removing => "removing",
            Self::Dead => "dead",
        }
    }

    /// Docker's word for it.
    pub const fn docker(self) -> &'static str {
        match self {
            Self::Stopping => "running",
            Self::Stopped => "exited",
            Self::Creating => "absent",
            other => other.word(),
        }
    }

    /// The OCI runtime specification's word: it knows four states.
    pub const fn oci(self) -> &'static str {
        match self {
            Self::Absent | Self::Dead => "absent",
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running | Self::Paused | Self::Stopping => "running",
            Self::Restarting | Self::Stopped | Self::Removing => "stopped",
        }
    }

    /// What the state means, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Absent => "No container has this name.",
            Self::Creating => {
                "Its name is being claimed, its file system and its parked process are being made."
            }
            Self::Created => {
                "Everything is in place and one process is parked before its first instruction: some memory, no CPU."
            }
            Self::Running => "Its process runs.",
            Self::Paused => {
                "Its processes are frozen where they stood: memory and ports are kept, no CPU is used."
            }
            Self::Stopping => "It has been asked to end and has until the end of its grace period.",
            Self::Restarting => {
                "Its process has ended; the restart policy starts it again when the back-off is over."
            }
            Self::Stopped => {
                "Its process has ended; only its writable layer, its name and its exit code are left."
            }
            Self::Removing => "It is being taken apart.",
            Self::Dead => "Taking it apart failed half-way; it can only be removed again.",
        }
    }

    /// Whether a process of the container's own program exists.
    pub const fn has_process(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Stopping)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
