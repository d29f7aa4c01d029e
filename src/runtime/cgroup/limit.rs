//! Limits, and how each is written into a cgroup.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::controller::{Controller, Lack};
use super::directory::CgroupError;

/// What a living container may use at most from now on. What is none stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Swap beside it; with a limit on memory and no word on this there is none.
    pub swap: Option<Swap>,
    /// Thousandths of a CPU.
    pub cpus: Option<u32>,
    /// A share of a CPU that others want, too: 1024 is usual.
    pub shares: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

/// How much swap there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// So many bytes.
    Bytes(u64),
    /// As much as the host has.
    Unlimited,
}

/// One limit. None is an explicit lack of one: the container is counted, so that it can be limited later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Limit {
    Memory(Option<u64>),
    /// Beside the memory; without this there is none.
    Swap(Option<u64>),
    /// In relation to others, as v1 writes it: 2 to 262144, and 1024 is usual.
    Shares(u64),
    Cpu {
        quota: Option<Duration>,
        period: Duration,
    },
    Pids(Option<u64>),
}

/// A limit that the host does not enforce.
#[derive(Debug, Error)]
pub enum LimitError {
    /// The host cannot do it.
    #[error("cannot limit {controller}: {lack}")]
    Lack {
        /// What.
        controller: Controller,
        /// Why not.
        lack: Lack,
    },
    /// What a process has taken before it came into a v1 memory cgroup is not counted there.
    #[error(
        "cannot limit memory of a container that runs without a memory cgroup: the kernel would not count what it \
         holds already (create it with a limit, or with -1 for none yet)"
    )]
    TooLate,
    /// The kernel did not take the value.
    #[error("cannot write {value} to {path}: {source} ({})", advice(.source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What was to be in it.
        value: String,
        /// Why not.
        source: io::Error,
    },
    /// Its cgroup could not be made or joined.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
}

/// The kernel's own: how often a CPU quota is filled up.
pub(in crate::runtime) const CPU_PERIOD: Duration = Duration::from_millis(100);

impl Limits {
    pub(in crate::runtime) fn each(self) -> Vec<Limit> {
        let quota = |thousandths: u32| CPU_PERIOD * thousandths / 1000;
        let memory = self.memory.map(|bytes| Limit::Memory(Some(bytes)));
        let swap = self.swap.map(|swap| match swap {
            Swap::Bytes(bytes) => Limit::Swap(Some(bytes)),
            Swap::Unlimited => Limit::Swap(None),
        });
        let shares = self.shares.map(|shares| Limit::Shares(shares.into()));
        let cpu = self.cpus.map(|cpus| Limit::Cpu { quota: Some(quota(cpus)), period: CPU_PERIOD });
        let pids = self.pids.map(|count| Limit::Pids(Some(count.into())));
        [memory, swap, cpu, shares, pids].into_iter().flatten().collect()
    }
}

impl Limit {
    pub(super) fn controller(self) -> Controller {
        match self {
            Self::Memory(_) | Self::Swap(_) => Controller::Memory,
            Self::Cpu { .. } | Self::Shares(_) => Controller::Cpu,
            Self::Pids(_) => Controller::Pids,
        }
    }

    /// Into a cgroup of the unified hierarchy.
    pub(super) fn write_v2(self, directory: &Path) -> Result<(), LimitError> {
        match self {
            Self::Memory(bytes) => {
                set(directory, "memory.max", &number_or(bytes, "max"))?;
                // Else what the limit pushes out would only move to swap.
                let swap = if bytes.is_some() { "0" } else { "max" };
                set_if_there(directory, "memory.swap.max", swap)
            }
            Self::Swap(bytes) => set_if_there(directory, "memory.swap.max", &number_or(bytes, "max")),
            Self::Shares(shares) => set(directory, "cpu.weight", &weight(shares).to_string()),
            Self::Cpu { quota, period } => {
                let quota = number_or(quota.map(|quota| quota.as_micros()), "max");
                set(directory, "cpu.max", &format!("{quota} {}", period.as_micros()))
            }
            Self::Pids(count) => set(directory, "pids.max", &number_or(count, "max")),
        }
    }

    /// Into the cgroup of its controller in a v1 hierarchy.
    pub(super) fn write_v1(self, directory: &Path) -> Result<(), LimitError> {
        match self {
            Self::Memory(bytes) => write_memory_v1(directory, bytes),
            Self::Swap(bytes) => write_swap_v1(directory, bytes),
            Self::Shares(shares) => set(directory, "cpu.shares", &shares.to_string()),
            Self::Cpu { quota, period } => {
                set(directory, "cpu.cfs_period_us", &period.as_micros().to_string())?;
                let quota = number_or(quota.map(|quota| quota.as_micros()), "-1");
                set(directory, "cpu.cfs_quota_us", &quota)
            }
            Self::Pids(count) => set(directory, "pids.max", &number_or(count, "max")),
        }
    }
}

/// The limit on memory and swap together is never below the one on memory: so it goes up first and comes down last.
fn write_memory_v1(directory: &Path, bytes: Option<u64>) -> Result<(), LimitError> {
    let (memory, both) = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
    let before = super::directory::read(directory, memory, "read the limit of")?;
    let before: u64 = before.trim().parse().unwrap_or(u64::MAX);
    let value = number_or(bytes, "-1");
    if bytes.is_none_or(|bytes| bytes > before) {
        set_if_there(directory, both, &value)?;
        set(directory, memory, &value)
    } else {
        set(directory, memory, &value)?;
        set_if_there(directory, both, &value)
    }
}

/// v1 limits both together.
fn write_swap_v1(directory: &Path, bytes: Option<u64>) -> Result<(), LimitError> {
    let memory = super::directory::read(directory, "memory.limit_in_bytes", "read the limit of")?;
    let memory: u64 = memory.trim().parse().unwrap_or(u64::MAX);
    let both = number_or(bytes.map(|bytes| memory.saturating_add(bytes)), "-1");
    set_if_there(directory, "memory.memsw.limit_in_bytes", &both)
}

/// The unified hierarchy counts from 1 to 10000, and 100 is usual there.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9_999 / 262_142
}

fn number_or(number: Option<impl ToString>, none: &str) -> String {
    number.map_or_else(|| none.to_owned(), |number| number.to_string())
}

pub(super) fn set(directory: &Path, file: &str, value: &str) -> Result<(), LimitError> {
    let path = directory.join(file);
    let value = value.to_owned();
    std::fs::write(&path, &value).map_err(|source| LimitError::Write { path, value, source })
}

/// Where the kernel does not count swap there is no such file, and mostly no swap either.
fn set_if_there(directory: &Path, file: &str, value: &str) -> Result<(), LimitError> {
    match set(directory, file, value) {
        Err(LimitError::Write { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ResourceBusy => {
            "its processes hold more than that already: end some of them, or set a higher limit"
        }
        io::ErrorKind::InvalidInput => {
            "the kernel takes CPU quotas from 1 ms, periods from 1 ms to 1 s, and no more than the cgroup above has"
        }
        io::ErrorKind::PermissionDenied => "run as root, or under systemd-run --user --scope -p Delegate=yes",
        _ => "look at the cgroup mounts of this host",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_cpu_is_half_of_each_period() {
        let limits = Limits { cpus: Some(500), ..Limits::default() };
        let half = Limit::Cpu { quota: Some(Duration::from_millis(50)), period: Duration::from_millis(100) };
        assert_eq!(limits.each(), [half]);
        assert_eq!(Limits::default().each(), []);
    }

    #[test]
    fn swap_comes_after_the_memory_that_it_is_beside() {
        let limits = Limits {
            memory: Some(4096),
            swap: Some(Swap::Bytes(8192)),
            shares: Some(2),
            ..Limits::default()
        };
        let all = [Limit::Memory(Some(4096)), Limit::Swap(Some(8192)), Limit::Shares(2)];
        assert_eq!(limits.each(), all);
        let unlimited = Limits { swap: Some(Swap::Unlimited), ..Limits::default() };
        assert_eq!(unlimited.each(), [Limit::Swap(None)]);
    }

    #[test]
    fn shares_keep_their_ends_as_weights() {
        assert_eq!([2, 1024, 262_144].map(weight), [1, 39, 10_000]);
    }

    #[test]
    fn a_lack_says_what_why_and_what_to_do() {
        let error = LimitError::Lack { controller: Controller::Memory, lack: Lack::NotDelegated };
        assert_eq!(
            error.to_string(),
            "cannot limit memory: this process may not use the controller \
             (run as root, or under systemd-run --user --scope -p Delegate=yes)"
        );
    }
}
