//! The controllers that limit, and where on this host they can be used: in the unified hierarchy, or in a v1 hierarchy
//! beside it.
//!
//! In the unified hierarchy a cgroup hands a controller on to all its children or to none, and one that hands any on may not
//! have processes of its own. Only the root of the hierarchy may do both.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::directory::{CgroupError, join, processes};
use super::limit::{self, LimitError};

/// What the kernel can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// Memory, and OOM kills where it is exceeded.
    Memory,
    /// CPU time.
    Cpu,
    /// The number of processes.
    Pids,
}

/// Why a controller cannot be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// No hierarchy has it.
    Missing,
    /// A hierarchy has it, and this process may not use it there.
    NotDelegated,
    /// It is handed to a cgroup that cannot hand it on, for there are processes in it.
    Occupied,
}

/// Where a controller is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the unified hierarchy, beneath this directory.
    Unified(PathBuf),
    /// In a v1 hierarchy, beneath this directory.
    V1(PathBuf),
}

/// Where a process is that has made room in its own cgroup, so that it can hand controllers on to containers.
pub(super) const ASIDE: &str = "terrarium-aside";
/// What a cgroup hands on.
const SUBTREE: &str = "cgroup.subtree_control";

impl Controller {
    /// All that a container can be limited with.
    pub(super) const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Pids];

    /// The kernel's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Cpu => "CPU time",
            Self::Pids => "the number of processes",
        })
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => {
                "no cgroup hierarchy of this host has the controller \
                 (take the limit out, or boot with the controller: for memory, cgroup_enable=memory)"
            }
            Self::NotDelegated => {
                "this process may not use the controller \
                 (run as root, or under systemd-run --user --scope -p Delegate=yes)"
            }
            Self::Occupied => {
                "other processes are in the cgroup that would have to hand the controller on \
                 (run as root, or alone under systemd-run --user --scope -p Delegate=yes)"
            }
        })
    }
}

/// Whether a cgroup of the unified hierarchy has a controller to use or to hand on.
pub(super) fn has(cgroup: &Path, controller: Controller) -> bool {
    lists(cgroup, "cgroup.controllers", controller)
}

/// Whether it hands the controller on, or could, if need be without this process. The root of the hierarchy is the one
/// cgroup without a type.
pub(super) fn can_hand_on(cgroup: &Path, controller: Controller) -> bool {
    let is_root = || !cgroup.join("cgroup.type").exists();
    hands_on(cgroup, controller) || is_root() || processes(cgroup).iter().all(|pid| *pid == Pid::this())
}

/// Has a controller handed on from `base` down to the cgroup `path` beneath it.
pub(super) fn hand_on(base: &Path, path: &Path, controller: Controller) -> Result<(), LimitError> {
    let between: Vec<&Path> = path.ancestors().skip(1).collect();
    for cgroup in between.into_iter().rev().map(|way| base.join(way)) {
        if hands_on(&cgroup, controller) {
            continue;
        }
        if cgroup.join("cgroup.type").exists() && processes(&cgroup) == [Pid::this()] {
            step_aside(&cgroup)?;
        }
        limit::set(&cgroup, SUBTREE, &format!("+{}", controller.name())).map_err(|error| match error {
            LimitError::Write { source, .. } if source.kind() == io::ErrorKind::ResourceBusy => {
                LimitError::Lack { controller, lack: Lack::Occupied }
            }
            error => error,
        })?;
    }
    Ok(())
}

/// Moves this process from a cgroup to one beneath it.
fn step_aside(cgroup: &Path) -> Result<(), CgroupError> {
    let aside = cgroup.join(ASIDE);
    // Another thread may just be doing the same.
    fs::create_dir_all(&aside).map_err(|source| {
        let path = aside.clone();
        CgroupError { action: "create", path, source }
    })?;
    join(&aside, Pid::this())
}

fn hands_on(cgroup: &Path, controller: Controller) -> bool {
    lists(cgroup, SUBTREE, controller)
}

fn lists(cgroup: &Path, file: &str, controller: Controller) -> bool {
    let listed = fs::read_to_string(cgroup.join(file)).unwrap_or_default();
    listed.split_whitespace().any(|name| name == controller.name())
}
