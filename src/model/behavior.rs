//! What the process inside a container does, written once: the simulator computes it, the lab program acts it out.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Signal;

/// The conduct of one process. The default is idle for ever without a handler for any signal.
///
/// Its times are wall time, as for sleep(2): what falls due while the process is frozen happens at the thaw.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behavior {
    /// Share of one CPU that it burns, in percent.
    pub cpu: u32,
    /// Memory that it holds beyond its own needs.
    pub memory: Option<Memory>,
    /// TCP ports on which it answers HTTP 200 with `NAME:PORT`.
    pub listen: Vec<u16>,
    /// What it writes to standard output at once.
    pub output: Option<String>,
    /// Processes that it forks at once.
    pub children: Option<Children>,
    /// When it ends by itself.
    pub exits: Option<Exit>,
    /// What its health check answers, one phase after the other; the last one lasts.
    pub health: Vec<HealthPhase>,
    /// How it takes signals; one that is not named keeps its default action.
    pub signals: BTreeMap<Signal, Reaction>,
    /// The conduct of the first, second, … run; the last repeats. When given, only this counts.
    pub runs: Vec<Behavior>,
}

/// Memory that a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Bytes, all of them touched.
    pub size: u64,
    /// How long after its start it takes them.
    pub after: Duration,
}

/// Child processes, all alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Children {
    /// How many.
    pub count: u32,
    /// Bytes that each holds.
    pub memory: Option<u64>,
    /// When each ends by itself; else they live as long as their parent.
    pub exits: Option<Exit>,
    /// Whether the parent waits for those that ended, or leaves zombies.
    pub reap: bool,
}

/// An end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// How long after its start, or after the signal that it answers.
    pub after: Duration,
    /// The exit code.
    pub code: u8,
}

/// How a process takes a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// The disposition is `SIG_IGN`.
    Ignore,
    /// A handler catches it, and the process goes on.
    Handle,
    /// A handler catches it and ends the process after a while.
    Exit(Exit),
}

/// What the health check answers for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthPhase {
    /// How long this phase lasts.
    #[serde(rename = "for")]
    pub lasts: Duration,
    /// Whether the check succeeds in it.
    pub ok: bool,
}

impl Behavior {
    /// What its health check says so long after its start; nothing if the behaviour has no word on that.
    pub fn is_healthy(&self, after: Duration) -> Option<bool> {
        let mut ends = Duration::ZERO;
        let current = self.health.iter().find(|phase| {
            ends = ends.saturating_add(phase.lasts);
            after < ends
        });
        current.or(self.health.last()).map(|phase| phase.ok)
    }

    /// The conduct of one run, counted from zero.
    pub fn of_run(&self, run: usize) -> &Self {
        match self.runs.len() {
            0 => self,
            count => &self.runs[run.min(count - 1)],
        }
    }
}
