//! Finding out whether containers work here, by making one: some hosts allow the namespaces and deny the mounts.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use thiserror::Error;

use super::bundle::{Bundle, CreateOptions, Durability, Root};
use super::cgroup::Cgroups;
use super::container::{Container, ControlError, DeleteError};
use super::create::{CreateError, create};
use super::default_spec::{Isolation, default_spec};
use super::message::Progress;
use super::root::clear_work;
use super::steps::StepError;

/// Why containers do not work here.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The throw-away root file system could not be made.
    #[error(
        "cannot make a container to try under {path}: {source} (choose a directory that you can write to)"
    )]
    Directory {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There was no child.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A step failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// It could not be asked or ended.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Something of it stays.
    #[error(transparent)]
    Delete(#[from] DeleteError),
    /// It did not get to its end.
    #[error("a container to try was not set up within {0:?} (look at the kernel's log: dmesg)")]
    Stuck(Duration),
    /// Somebody ended it.
    #[error("a container to try died before it was set up (look at the kernel's log: dmesg)")]
    Died,
}

const DEADLINE: Duration = Duration::from_secs(10);

static PROBES: AtomicU32 = AtomicU32::new(0);

/// What a container of the default configuration finds on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Namespaces of its own.
    pub namespaces: usize,
    /// Mounts that it sees.
    pub mounts: usize,
}

/// Sets up a container with an empty root file system of layers beneath `scratch`, and throws it away before it executes
/// anything. `scratch` should be where layers will be: overlayfs does not work on every file system. `cgroup` is its
/// place as in [`CreateOptions`]: whoever is killed while this runs leaves it behind, so it should be where one clears.
pub fn probe(isolation: Isolation, scratch: &Path, cgroup: PathBuf) -> Result<Found, ProbeError> {
    let name = format!("terrarium-probe-{}-{}", process::id(), PROBES.fetch_add(1, Ordering::Relaxed));
    let directory = scratch.join(name);
    let root =
        layers(&directory).map_err(|source| ProbeError::Directory { path: directory.clone(), source })?;
    let result = try_one(isolation, root, cgroup);
    let removed = clear_work(&directory.join("work")).and_then(|()| fs::remove_dir_all(&directory));
    let found = result?;
    removed.map_err(|source| ProbeError::Directory { path: directory, source })?;
    Ok(found)
}

fn layers(directory: &Path) -> io::Result<Root> {
    let make = |path: PathBuf| DirBuilder::new().mode(0o700).create(&path).map(|()| path);
    make(directory.to_path_buf())?;
    Ok(Root::Layers {
        lower: vec![make(directory.join("lower"))?],
        upper: make(directory.join("upper"))?,
        work: make(directory.join("work"))?,
        merged: make(directory.join("merged"))?,
        durability: Durability::Volatile,
    })
}

fn try_one(isolation: Isolation, root: Root, cgroup: PathBuf) -> Result<Found, ProbeError> {
    let mut spec = default_spec(isolation);
    spec.set_hostname(Some("probe".to_owned()));
    if let Some(process) = spec.process_mut() {
        process.set_args(Some(vec!["/never".to_owned()]));
    }
    let options = CreateOptions { cgroup, ..CreateOptions::default() };
    let mut container = create(&Bundle { spec, root }, &Cgroups::detect(), options)?;
    let progress = next_progress(&mut container)?;
    let found = Found { namespaces: container.namespaces(), mounts: container.mounts() };
    if container.reap()?.is_none() {
        let _ = container.kill_all();
        wait_for(container.pidfd())?;
        container.reap()?;
    }
    container.delete()?;
    match progress {
        Progress::Failed(error) => Err(error.into()),
        Progress::Parked => Ok(found),
        Progress::Executed | Progress::ExecFailed(_) | Progress::Ended => Err(ProbeError::Died),
    }
}

fn next_progress(container: &mut Container) -> Result<Progress, ProbeError> {
    loop {
        if let Some(progress) = container.progress()? {
            return Ok(progress);
        }
        match container.status_fd() {
            Some(status) => wait_for(status)?,
            None => return Err(ProbeError::Died),
        }
    }
}

fn wait_for(descriptor: std::os::fd::BorrowedFd<'_>) -> Result<(), ProbeError> {
    let timeout = PollTimeout::try_from(DEADLINE).unwrap_or(PollTimeout::NONE);
    match poll(&mut [PollFd::new(descriptor, PollFlags::POLLIN)], timeout) {
        Ok(0) => Err(ProbeError::Stuck(DEADLINE)),
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(ControlError::Kernel { action: "wait for", errno }.into()),
    }
}
