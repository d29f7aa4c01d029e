//! A cgroup in the unified hierarchy: frozen, killed and counted by files in one directory.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::directory::{self, CgroupError};

/// One container's directory.
#[derive(Debug)]
pub(in crate::runtime) struct Cgroup {
    path: PathBuf,
    directory: File,
    /// `cgroup.events`: poll(2) tells of a change since it was last read.
    events: File,
}

impl Cgroup {
    pub(super) fn make(path: PathBuf) -> Result<Self, CgroupError> {
        directory::make(&path)?;
        let open =
            |path: PathBuf| File::open(&path).map_err(|source| CgroupError { action: "open", path, source });
        let opened =
            open(path.clone()).and_then(|directory| Ok((directory, open(path.join("cgroup.events"))?)));
        let (directory, events) = opened.inspect_err(|_| {
            let _ = directory::remove(&path);
        })?;
        Ok(Self { path, directory, events })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    pub(in crate::runtime) fn events(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    pub(in crate::runtime) fn freeze(&self) -> Result<(), CgroupError> {
        directory::write(&self.path, "cgroup.freeze", "1", "freeze")
    }

    pub(in crate::runtime) fn thaw(&self) -> Result<(), CgroupError> {
        directory::write(&self.path, "cgroup.freeze", "0", "thaw")
    }

    pub(in crate::runtime) fn is_frozen(&self) -> Result<bool, CgroupError> {
        // Read through the descriptor that is polled: that is what makes it quiet again.
        let mut text = [0; 128];
        let length = self.events.read_at(&mut text, 0).map_err(|source| CgroupError {
            action: "read the events of",
            path: self.path.clone(),
            source,
        })?;
        Ok(String::from_utf8_lossy(text.get(..length).unwrap_or_default())
            .lines()
            .any(|line| line == "frozen 1"))
    }

    pub(in crate::runtime) fn kill(&self) -> Result<(), CgroupError> {
        directory::write(&self.path, "cgroup.kill", "1", "kill")
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        let text = directory::read(&self.path, "cpu.stat", "read the CPU time of").ok()?;
        let micros = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
        micros.parse().ok().map(Duration::from_micros)
    }
}

/// Ends what is in a cgroup that is nobody's any more. A SIGKILL reaches what is frozen, so nothing has to be thawed.
pub(super) fn end(path: &Path) -> Result<(), CgroupError> {
    directory::write(path, "cgroup.kill", "1", "kill")
}
