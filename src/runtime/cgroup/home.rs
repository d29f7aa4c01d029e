//! A container's home: the cgroup, or the two of v1, by which it is frozen, killed and counted.

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Pid;

use super::controller::prepare_for_children;
use super::directory::{CgroupError, descend, processes, remove};
use super::{Layout, v1, v2};

/// One container's home.
#[derive(Debug)]
pub(in crate::runtime) enum Home {
    V2(v2::Cgroup),
    V1(v1::Cgroup),
    None,
}

impl Home {
    pub(super) fn make(layout: &Layout, path: &Path) -> Result<Self, CgroupError> {
        match layout {
            Layout::V2 { base } => {
                prepare_for_children(base)?;
                v2::Cgroup::make(base.join(path)).map(Self::V2)
            }
            Layout::V1 { freezer, cpuacct } => {
                let cpuacct = cpuacct.as_ref().map(|base| base.join(path));
                v1::Cgroup::make(freezer.join(path), cpuacct).map(Self::V1)
            }
            Layout::None => Ok(Self::None),
        }
    }

    /// What the clone goes straight into.
    pub(super) fn clone_target(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::V2(cgroup) => Some(cgroup.directory()),
            Self::V1(_) | Self::None => None,
        }
    }

    /// The directories that a process has to be attached to after the clone.
    pub(super) fn attached(&self) -> Vec<PathBuf> {
        match self {
            Self::V1(cgroup) => cgroup.paths().map(Path::to_path_buf).collect(),
            Self::V2(_) | Self::None => Vec::new(),
        }
    }

    pub(in crate::runtime) fn processes(&self) -> Option<Vec<Pid>> {
        match self {
            Self::V2(cgroup) => Some(processes(cgroup.path())),
            Self::V1(cgroup) => Some(processes(cgroup.freezer())),
            Self::None => None,
        }
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        match self {
            Self::V2(cgroup) => cgroup.cpu_time(),
            Self::V1(cgroup) => cgroup.cpu_time(),
            Self::None => None,
        }
    }

    pub(super) fn remove(&self) -> Result<(), CgroupError> {
        match self {
            Self::V2(cgroup) => descend(cgroup.path())?.iter().rev().try_for_each(|path| remove(path)),
            Self::V1(cgroup) => cgroup.paths().try_for_each(remove),
            Self::None => Ok(()),
        }
    }
}
