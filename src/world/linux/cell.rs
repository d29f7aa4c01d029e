//! One container on this host: what the runtime holds of it, and what is being waited for.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;
use thiserror::Error;

use super::bundle::{self, WishError};
use super::network::Surroundings;
use super::user::{self, Account, NoSuchUser};
use crate::lab;
use crate::model::{ContainerSpec, Name, Resources};
use crate::runtime::{
    self, Cgroups, Container, ControlError, CreateError, CreateOptions, DeleteError, Isolation, Stdio,
};

/// How long a killed process may take to end before it is left to the kernel.
const DEATH_DEADLINE: Duration = Duration::from_secs(5);

/// A container with its kernel objects.
pub(super) struct Cell {
    container: Container,
    spec: ContainerSpec,
    /// Where its users are listed, the topmost layer first.
    layers: Vec<PathBuf>,
    /// Becomes readable when the lab program is ready; none once that has been heard.
    pub(super) ready: Option<OwnedFd>,
    /// How many of its processes are known to have been killed for want of memory.
    oom_kills: u64,
    /// While it is being frozen: until when.
    pub(super) freezing_until: Option<Duration>,
}

/// What can go wrong with a container's kernel objects.
#[derive(Debug, Error)]
pub(super) enum CellError {
    #[error(transparent)]
    Wish(#[from] WishError),
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Delete(#[from] DeleteError),
    #[error("cannot open {what} for it: {source} (are too many files open?)")]
    Open { what: &'static str, source: io::Error },
    #[error(
        "it was killed and has not ended within {DEATH_DEADLINE:?} (it hangs in the kernel: look at it with ps)"
    )]
    Undying,
}

impl Cell {
    /// Makes a container up to its parked process, which reports later.
    pub(super) fn make(
        around: &Surroundings,
        stdio: Stdio,
        name: &Name,
        spec: &ContainerSpec,
        run: u32,
        isolation: Isolation,
        cgroups: &Cgroups,
    ) -> Result<Self, CellError> {
        let (ready, preserve_fds) = if lab::acts_out(spec) {
            let (ready, far_end) = pipe2(OFlag::O_CLOEXEC)
                .map_err(|errno| CellError::Open { what: "a pipe", source: errno.into() })?;
            (Some(ready), vec![far_end])
        } else {
            (None, Vec::new())
        };
        let (cgroup, address) = (around.place.cgroup.clone(), around.address);
        let options = CreateOptions { cgroup, stdio, address, preserve_fds, stall: stall() };
        let bundle = bundle::of(around, name, spec, run, isolation)?;
        let container = runtime::create(&bundle, cgroups, options)?;
        Ok(Self {
            container,
            spec: spec.clone(),
            layers: around.place.layers(),
            ready,
            oom_kills: 0,
            freezing_until: None,
        })
    }

    pub(super) fn container(&self) -> &Container {
        &self.container
    }

    pub(super) fn container_mut(&mut self) -> &mut Container {
        &mut self.container
    }

    /// What was asked for.
    pub(super) fn spec(&self) -> &ContainerSpec {
        &self.spec
    }

    /// A user of its image.
    pub(super) fn user(&self, wanted: &str) -> Result<Account, NoSuchUser> {
        user::resolve(Some(wanted), &self.layers)
    }

    /// Whether somebody was killed for want of memory since this was last asked.
    pub(super) fn new_oom_kills(&mut self) -> bool {
        let kills = self.container.oom_kills();
        std::mem::replace(&mut self.oom_kills, kills) < kills
    }

    /// Counted now, from /proc and the cgroup.
    pub(super) fn resources(&self) -> Resources {
        let count = |number: usize| Some(number as u64);
        Resources {
            processes: count(self.container.processes().len()),
            cpu_seconds: self.container.cpu_time().map(|time| time.as_secs_f64()),
            memory_bytes: self.container.memory(),
            namespaces: count(self.container.namespaces()),
            mounts: count(self.container.mounts()),
            ..Resources::zero()
        }
    }

    /// Ends what is left of it and gives everything back but its writable layer.
    pub(super) fn end(mut self) -> Result<(), CellError> {
        if self.container.reap()?.is_none() {
            let _ = self.container.kill_all();
            let timeout = PollTimeout::try_from(DEATH_DEADLINE).unwrap_or(PollTimeout::ZERO);
            let _ = poll(&mut [PollFd::new(self.container.pidfd(), PollFlags::POLLIN)], timeout);
            if self.container.reap()?.is_none() {
                return Err(CellError::Undying);
            }
        }
        Ok(self.container.delete()?)
    }
}

/// For tests that kill a replay at every step of a container's set-up: the step to stay at.
fn stall() -> Option<runtime::Step> {
    let wanted = std::env::var("TERRARIUM_STALL").ok()?;
    runtime::steps().iter().copied().find(|step| step.name() == wanted)
}
