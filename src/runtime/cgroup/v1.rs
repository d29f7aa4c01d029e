//! A container's cgroups in two v1 hierarchies: the freezer's, and if there is one the one that counts CPU time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::directory::{self, CgroupError};

/// One container's directories.
#[derive(Debug)]
pub(in crate::runtime) struct Cgroup {
    freezer: PathBuf,
    cpuacct: Option<PathBuf>,
}

impl Cgroup {
    pub(super) fn make(freezer: PathBuf, cpuacct: Option<PathBuf>) -> Result<Self, CgroupError> {
        directory::make(&freezer)?;
        // The two controllers may be in one hierarchy.
        if let Some(cpuacct) = cpuacct.as_ref().filter(|cpuacct| **cpuacct != freezer) {
            directory::make(cpuacct).inspect_err(|_| {
                let _ = directory::remove(&freezer);
            })?;
        }
        Ok(Self { freezer, cpuacct })
    }

    pub(super) fn freezer(&self) -> &Path {
        &self.freezer
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.freezer), self.cpuacct.as_ref()].into_iter().flatten().map(PathBuf::as_path)
    }

    pub(in crate::runtime) fn freeze(&self) -> Result<(), CgroupError> {
        directory::write(&self.freezer, "freezer.state", "FROZEN", "freeze")
    }

    pub(in crate::runtime) fn thaw(&self) -> Result<(), CgroupError> {
        thaw(&self.freezer)
    }

    /// Reading is also what lets the kernel go on from FREEZING to FROZEN, once all processes have arrived there.
    pub(in crate::runtime) fn is_frozen(&self) -> Result<bool, CgroupError> {
        Ok(directory::read(&self.freezer, "freezer.state", "read the state of")?.trim() == "FROZEN")
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let text = directory::read(self.cpuacct.as_ref()?, "cpuacct.usage", "read the CPU time of").ok()?;
        text.trim().parse().ok().map(Duration::from_nanos)
    }
}

/// Ends what is in a cgroup that is nobody's any more. What is frozen does not die before it is thawed; what forks in
/// between dies with the first process of its pid namespace.
pub(super) fn end(path: &Path) -> Result<(), CgroupError> {
    if path.join("freezer.state").exists() {
        thaw(path)?;
    }
    for pid in directory::processes(path) {
        match nix::sys::signal::kill(pid, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => {
                return Err(CgroupError { action: "kill", path: path.to_path_buf(), source: errno.into() });
            }
        }
    }
    Ok(())
}

fn thaw(path: &Path) -> Result<(), CgroupError> {
    directory::write(path, "freezer.state", "THAWED", "thaw")
}
