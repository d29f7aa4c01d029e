//! What the process inside a container does, written once: the simulator computes it, the lab program acts it out.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{FileDeed, Signal};

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
    /// What it tries that root may do on a host. Of each it writes what came of it.
    pub tries: Vec<Feat>,
    /// What it does to files. Of each it writes what came of it.
    pub files: Vec<FileDeed>,
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

/// Something that takes root on a host. Whoever is root in a container of the usual kind may do a few of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feat {
    /// Another root directory.
    Chroot,
    /// A socket that sees packets as they come.
    RawSocket,
    /// A file system, mounted.
    Mount,
    /// Another host name.
    HostName,
    /// Another time.
    Clock,
    /// The end of the machine.
    Reboot,
    /// Code for the kernel.
    KernelModule,
    /// What the kernel has logged.
    KernelLog,
    /// A setting beneath /proc/sys.
    KernelSetting,
    /// A user namespace, in which one has all rights.
    UserNamespace,
}

impl Feat {
    /// All of them; first those that may be done.
    pub const ALL: [Self; 10] = [
        Self::Chroot,
        Self::RawSocket,
        Self::Mount,
        Self::HostName,
        Self::Clock,
        Self::Reboot,
        Self::KernelModule,
        Self::KernelLog,
        Self::KernelSetting,
        Self::UserNamespace,
    ];

    /// Its word in scenarios.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chroot => "chroot",
            Self::RawSocket => "raw-socket",
            Self::Mount => "mount",
            Self::HostName => "host-name",
            Self::Clock => "clock",
            Self::Reboot => "reboot",
            Self::KernelModule => "kernel-module",
            Self::KernelLog => "kernel-log",
            Self::KernelSetting => "kernel-setting",
            Self::UserNamespace => "user-namespace",
        }
    }

    /// What root of a container of the usual kind finds.
    pub const fn usual(self) -> Found {
        match self {
            Self::Chroot | Self::RawSocket => Found::Done,
            _ => Found::Refused,
        }
    }

    /// The line that says so.
    pub fn told(self, found: Found) -> String {
        format!("{}: {}\n", self.word(), if found == Found::Done { "done" } else { "refused" })
    }
}

/// What comes of trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It can be done.
    Done,
    /// The kernel refuses it.
    Refused,
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
